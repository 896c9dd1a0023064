#!/usr/bin/env python3
"""One-byte templates against exact ones: the same answers, and how long each takes.

    python scripts/bench/reduced_search.py [--quick]

prints Markdown and, after it, the same as one line of JSON. A million random templates of 256
numbers (quick: 200,000) are searched for one face at a time, those of the gallery with noise and
strangers in turn. Searches alternate with a scan that only reads: all products with one probe, on
all cores, which is as fast as exact templates can be searched.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from facematch.cores import usable_cores
from facematch.gallery.reduced import ReducedTemplates
from facematch.gallery.search import search
from facematch.types import Float32Array, Metric

SIZE, TOP, SCANNED_AT_ONCE = 256, 5, 16384
THREADS = usable_cores()


def unit(rows: int, seed: int) -> Float32Array:
    """float32 (rows, 256), unit norm, in random directions."""
    rng = np.random.default_rng(seed)
    made = np.empty((rows, SIZE), np.float32)
    for start in range(0, rows, SCANNED_AT_ONCE):
        part = made[start : start + SCANNED_AT_ONCE]
        part[:] = rng.standard_normal(part.shape, np.float32)
        part /= np.linalg.norm(part, axis=1, keepdims=True)
    return made


def seconds(work: Callable[[], object]) -> tuple[float, float]:
    """Wall-clock and processor seconds of one call."""
    wall, processor = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - wall, time.process_time() - processor


def run(data: Path, quick: bool) -> None:
    """Prints the table, then JSON. No data is read."""
    n, rounds = (200_000, 5) if quick else (1_000_000, 11)
    templates, subjects = unit(n, 0), np.arange(n, dtype=np.int32)
    mated = templates[:rounds] + 0.5 * unit(rounds, 1)
    probes = np.concatenate([mated / np.linalg.norm(mated, axis=1, keepdims=True), unit(rounds, 2)])
    making = time.perf_counter()
    reduced = ReducedTemplates(templates, subjects)
    making = time.perf_counter() - making

    starts = range(0, n, SCANNED_AT_ONCE)
    names = ("exact search", "scan alone", "one-byte search")
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in names}
    differing = 0
    with ThreadPoolExecutor(THREADS) as pool:
        for i in (0, *range(len(probes))):  # the first once more, to warm up
            probe = probes[i : i + 1]
            work = {
                "exact search": lambda p=probe: search(
                    templates, subjects, p, top=TOP, metric=Metric.COSINE
                ),
                "scan alone": lambda p=probe: list(
                    pool.map(lambda s: np.vecdot(templates[s : s + SCANNED_AT_ONCE], p[0]), starts)
                ),
                "one-byte search": lambda p=probe: reduced.search(p, top=TOP, metric=Metric.COSINE),
            }
            for name in names:
                taken[name].append(seconds(work[name]))
            a, b = work["exact search"](), work["one-byte search"]()
            differing += a.rows.tolist() != b.rows.tolist()
            differing += a.distances.tobytes() != b.distances.tobytes()
    report(n, making, differing, {name: pairs[1:] for name, pairs in taken.items()})


def report(
    n: int, making_s: float, differing: int, taken: dict[str, list[tuple[float, float]]]
) -> None:
    wall = {name: statistics.median(w for w, _ in pairs) for name, pairs in taken.items()}
    processor = {name: statistics.median(p for _, p in pairs) for name, pairs in taken.items()}
    ratio = {
        name: statistics.median(
            one[0] / other[0] for one, other in zip(pairs, taken["one-byte search"], strict=True)
        )
        for name, pairs in taken.items()
    }
    print("| | wall clock | processor time | times the one-byte search |\n|---|---:|---:|---:|")
    for name in taken:
        print(
            f"| {name} | {1e3 * wall[name]:.1f} ms | {1e3 * processor[name]:.1f} ms "
            f"| {ratio[name]:.1f} |"
        )
    load = os.getloadavg()[0]
    machine = f"{platform.processor() or platform.machine()}, {THREADS} cores, load {load:.1f}"
    print(
        f"\n{n:,} templates of {SIZE}, top {TOP}, one probe; medians of "
        f"{len(taken['scan alone'])} alternating rounds. Answers that differ: {differing}. "
        f"Making the one-byte templates: {making_s:.1f} s. {machine}, NumPy {np.__version__}."
    )
    figures = {
        "templates": n,
        "wall_s": wall,
        "processor_s": processor,
        "ratio": ratio,
        "differing": differing,
        "making_s": making_s,
        "machine": machine,
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("data", type=Path, nargs="?", default=Path())
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    run(options.data, options.quick)
