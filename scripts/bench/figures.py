"""What a workload found, and the table and the JSON that are made of it."""

from __future__ import annotations

import json
import os
import platform
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

SCHEMA = 1


@dataclass(frozen=True, slots=True)
class Spread:
    """Median and quartiles over the rounds."""

    low: float
    median: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        if len(values) == 1:
            return cls(values[0], values[0], values[0])
        low, median, high = statistics.quantiles(values, n=4, method="inclusive")
        return cls(low, median, high)


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the table.

    Attributes:
        workload: the module that measured it.
        measured: what of, and how much of it.
        unit: of ``ours`` and ``theirs``.
        ours: facematch's median; None if the workload failed.
        peer: whom it is compared with; "" for a figure that stands alone.
        theirs: the peer's median.
        ratio: how many times better facematch is, over the rounds.
        at_least: the goal of the ratio, or of ``ours`` where there is no ratio.
        at_most: the goal of ``ours``.
        failure: why there is no figure.
    """

    workload: str
    measured: str
    unit: str = ""
    ours: float | None = None
    peer: str = ""
    theirs: float | None = None
    ratio: Spread | None = None
    at_least: float | None = None
    at_most: float | None = None
    failure: str = ""

    @property
    def met(self) -> bool | None:
        """Whether the goal was reached; None without a goal."""
        if self.at_least is None and self.at_most is None:
            return None
        reached = self.ours if self.ratio is None else self.ratio.median
        if self.ours is None or reached is None:
            return False
        if self.at_most is not None and self.ours > self.at_most:
            return False
        return self.at_least is None or reached >= self.at_least


@dataclass(frozen=True, slots=True)
class Outcome:
    """The figures of a workload and, in a sentence or two, how they were taken."""

    figures: tuple[Figure, ...]
    parameters: str


def compared(
    workload: str,
    measured: str,
    unit: str,
    ours: Sequence[float],
    peer: str,
    theirs: Sequence[float],
    at_least: float | None = None,
    at_most: float | None = None,
    more_is_better: bool = False,
) -> Figure:
    """A figure from measurements that took turns: each round gives one ratio."""
    pairs = zip(ours, theirs, strict=True)
    ratios = [a / b if more_is_better else b / a for a, b in pairs]
    return Figure(
        workload, measured, unit, statistics.median(ours), peer, statistics.median(theirs),
        Spread.of(ratios), at_least, at_most,
    )  # fmt: skip


def table(figures: Sequence[Figure]) -> str:
    """The figures as Markdown."""
    lines = [
        "| workload | measured | facematch | peer | its figure | ratio | goal | met |",
        "|---|---|---:|---|---:|---:|---:|:---:|",
    ]
    for one in figures:
        if one.failure:
            cells = [one.workload, one.measured, "**failed**", one.failure, "", "", "", "no"]
        else:
            ratio = one.ratio
            cells = [
                one.workload,
                one.measured,
                _number(one.ours, one.unit),
                one.peer,
                _number(one.theirs, one.unit),
                ""
                if ratio is None
                else f"{ratio.median:.2f} ({ratio.low:.2f} to {ratio.high:.2f})",
                _goal(one),
                {None: "", True: "yes", False: "no"}[one.met],
            ]
        lines.append("| " + " | ".join(" ".join(c.split()).replace("|", "/") for c in cells) + " |")
    return "\n".join(lines)


def _number(value: float | None, unit: str) -> str:
    if value is None:
        return ""
    decimals = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2
    return f"{value:,.{decimals}f} {unit}".strip()


def _goal(one: Figure) -> str:
    unit = "" if one.ratio is not None else f" {one.unit}"
    parts = []
    if one.at_least is not None:
        parts.append(f"≥ {one.at_least:g}{unit}{'×' if one.ratio is not None else ''}".rstrip())
    if one.at_most is not None:
        parts.append(f"≤ {one.at_most:g} {one.unit}".rstrip())
    return ", ".join(parts)


def markdown(
    outcomes: Mapping[str, Outcome], machine: Mapping[str, Any], versions: Mapping[str, str]
) -> str:
    """The whole report."""
    figures = [figure for outcome in outcomes.values() for figure in outcome.figures]
    goals = [figure.met for figure in figures if figure.met is not None]
    lines = [
        "# Bench results",
        "",
        "Made by `scripts/bench/run`" + (" --quick" if machine["quick"] else "") + ". "
        "Ratios: how many times better facematch is; median over the rounds, quartiles in "
        "brackets; the arms of each round ran one after the other.",
        "",
        table(figures),
        "",
        f"{sum(goals)} of {len(goals)} goals met. {machine['cpu']}, {machine['cores']} cores, "
        f"{machine['memory_gib']:.0f} GiB, {machine['system']}; load {machine['load_before']:.1f} "
        f"before, {machine['load_after']:.1f} after; {machine['seconds']:.0f} s in all.",
        "",
        "Versions: " + ", ".join(f"{name} {version}" for name, version in versions.items()) + ".",
        "",
        "## How each was measured",
        "",
    ]
    lines += [f"- **{name}**: {outcome.parameters}" for name, outcome in outcomes.items()]
    return "\n".join(lines) + "\n"


def document(
    outcomes: Mapping[str, Outcome], machine: Mapping[str, Any], versions: Mapping[str, str]
) -> str:
    """The same as JSON."""
    workloads = {
        name: {
            "parameters": outcome.parameters,
            "figures": [{**asdict(one), "met": one.met} for one in outcome.figures],
        }
        for name, outcome in outcomes.items()
    }
    whole = {
        "schema": SCHEMA,
        "machine": dict(machine),
        "versions": dict(versions),
        "workloads": workloads,
    }
    return json.dumps(whole, indent=2, ensure_ascii=False) + "\n"


def outcome_json(outcome: Outcome) -> str:
    """For :func:`outcome_of`, from the process that measured to the one that reports."""
    return json.dumps(asdict(outcome))


def outcome_of(text: str) -> Outcome:
    found = json.loads(text)
    figures = []
    for values in found["figures"]:
        ratio = values.pop("ratio")
        figures.append(Figure(**values, ratio=None if ratio is None else Spread(**ratio)))
    return Outcome(tuple(figures), found["parameters"])


def cpu_model() -> str:
    """What the processor calls itself."""
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        lines = cpuinfo.read_text().splitlines()
        model = next((ln.partition(":")[2].strip() for ln in lines if "model name" in ln), model)
    return model


def busy_machine() -> dict[str, Any]:
    """The processor and what it is doing now, for a table of one workload."""
    return {"cpu": cpu_model(), "cores": os.cpu_count(), "load": os.getloadavg()[0]}


def quartiles(theirs: Sequence[float], ours: Sequence[float]) -> list[float]:
    """First quartile, median and third quartile of the ratios."""
    return statistics.quantiles([a / b for a, b in zip(theirs, ours, strict=True)], n=4)


def write_rows(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """The figures of one workload and the machine, as JSON."""
    content = {"machine": busy_machine(), "workloads": rows}
    path.write_text(json.dumps(content, indent=2) + "\n", "utf-8")


def machine() -> dict[str, Any]:
    """The hardware in words that name no machine."""
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return {
        "cpu": cpu_model(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": pages / 2**30,
        "system": f"{platform.system()}, Python {platform.python_version()}",
    }
