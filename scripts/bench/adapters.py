"""Figures of the benchmarks that have tables of their own."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import peers
from figures import Figure, Outcome, Spread
from measuring import BenchError

FULL_GOAL, FAST_GOAL = 4.0, 10.0
SECOND_RUN_GOAL = 20.0
# Of a search among a million: ratio to FAISS, and share of what the machine can do.
SEARCH_GOALS = {"first answer, 1": (30.0, None), "warm, 1 ": (2.5, 0.9), "warm, 64": (5.0, 0.8)}
SEARCHED = 1_000_000


def outcome_of_module(name: str, module: ModuleType, data: Path, quick: bool) -> Outcome:
    """Runs a workload, whichever form it has.

    Raises:
        BenchError: it has none that is known.
    """
    if name == "calibration":
        return calibration(module.measure(data, quick))
    # For FAISS; at the end, so that all else is facematch's own.
    sys.path.append(str(peers.site_packages()))
    found = module.run(data, quick)
    if isinstance(found, Outcome):
        return found
    if not isinstance(found, list):
        raise BenchError(f"{name}.run gave {type(found).__name__} instead of figures")
    if name == "search":
        return search(found)
    if all("median_ms" not in row for row in found):
        return alone(name, found)
    return side_by_side(name, found)


def side_by_side(name: str, rows: Sequence[Mapping[str, Any]]) -> Outcome:
    """Of rows with ``workload``, ``median_ms`` (the peer first) and ``ratios`` by arm."""
    figures = []
    for row in rows:
        times = dict(row["median_ms"])
        peer = row.get("peer", next(iter(times)))
        goals = row.get("goals", {})
        for arm, (low, median, high) in row["ratios"].items():
            goal = goals.get(arm, _detection_goal(row["workload"], arm))
            figures.append(
                Figure(name, f"{row['workload']}: {arm}", "ms", times[arm], peer, times[peer],
                       Spread(low, median, high), at_least=goal)
            )  # fmt: skip
    sizes = [
        f"{row['workload']}: " + ", ".join(f"{key} {_short(row[key])}" for key in sorted(row)
        if key not in ("workload", "median_ms", "ratios", "goals", "peer"))
        for row in rows
    ]  # fmt: skip
    return Outcome(tuple(figures), f"see `scripts/bench/{name}.py`; " + "; ".join(sizes) + ".")


def search(rows: Sequence[Mapping[str, Any]]) -> Outcome:
    """Of rows with times by arm, the ratio to FAISS's faster arm and a share of the floor."""
    figures = []
    for row in rows:
        times, n = row["median_ms"], row["templates"]
        goals = (g for start, g in SEARCH_GOALS.items() if row["workload"].startswith(start))
        ratio_goal, share_goal = next(goals, (None, None)) if n == SEARCHED else (None, None)
        what = f"{row['workload']}, {n:,} templates"
        faiss = min(ms for arm, ms in times.items() if arm.startswith("FAISS"))
        figures.append(
            Figure("search", what, "ms", times["facematch"], "FAISS", faiss,
                   Spread(*row["ratio"]), at_least=ratio_goal)
        )  # fmt: skip
        if row["share_of_floor"]:
            share = row["share_of_floor"][1]
            figures.append(
                Figure("search", f"{what}: share of the machine's rate", "", share,
                       at_least=share_goal)
            )  # fmt: skip
    return Outcome(
        tuple(figures), f"{rows[0]['rounds']} rounds, in turns; see `scripts/bench/search.py`."
    )


def alone(name: str, rows: Sequence[Mapping[str, Any]]) -> Outcome:
    """Of rows with ``median_s`` and ``peak_mib``, and nobody to compare with."""
    figures = []
    for row in rows:
        what = f"{row['workload']}, {row['templates']:,} templates"
        figures += [
            Figure(name, what, "s", row["median_s"]),
            Figure(name, f"{what}: peak memory", "MiB", row["peak_mib"]),
        ]
    return Outcome(tuple(figures), f"{rows[0]['rounds']} rounds; see `scripts/bench/{name}.py`.")


def _short(value: object) -> str:
    return f"{value:.2f}" if isinstance(value, float) else str(value)


def _detection_goal(workload: str, arm: str) -> float | None:
    if arm == "facematch":
        return FULL_GOAL
    return FAST_GOAL if "fast" in arm and "over 1 MP" in workload else None


def calibration(measured: Sequence[Any]) -> Outcome:
    """Of seconds and peak memory; the last two are a first and a second run."""
    goals = {"sweep of 10,000,000": 2.0, "100,000 pairs": 10.0}
    memory = {"sweep of 10,000,000": 1024.0, "calibrate, all": 1536.0, "evaluate, all": 1536.0}
    figures = []
    for one in measured:
        goal = next((s for start, s in goals.items() if one.what.startswith(start)), None)
        figures.append(Figure("calibration", one.what, "s", one.seconds, at_most=goal))
        if one.peak_mib:
            most = next((m for start, m in memory.items() if one.what.startswith(start)), None)
            what = f"{one.what}: peak memory"
            figures.append(Figure("calibration", what, "MiB", one.peak_mib, at_most=most))
    first, second = measured[-2:]
    ratio = first.seconds / second.seconds
    figures[-1] = Figure(
        "calibration", second.what, "s", second.seconds, "first run", first.seconds,
        Spread(ratio, ratio, ratio),
        # Of a short list, starting up is most of either run.
        at_least=SECOND_RUN_GOAL if "800 pairs" in second.what else None,
    )  # fmt: skip
    return Outcome(tuple(figures), "one run each; see `scripts/bench/calibration.py`.")
