"""How long calibration takes: ten million scores, a bootstrap, all pairs, and a second run.

    python scripts/bench/calibration.py DATA [--quick]

prints Markdown and, after it, the same as one line of JSON. Every measurement has a process of
its own, so that peak memory is that of the measurement. DATA holds ``lfw-view1/images.zip`` and
``lfw-view1/pairsDevTrain.txt``; the photographs are unpacked into a temporary folder.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
import zipfile
from dataclasses import asdict, dataclass
from pathlib import Path

SWEEP = """
import resource, time, numpy as np
from facematch.metrics import auc, choose_threshold, eer, verification_curve, ThresholdRule
rng = np.random.default_rng(0)
genuine, impostor = rng.normal(0.5, 0.15, {half}), rng.normal(0.9, 0.12, {half})
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
start = time.perf_counter()
curve = verification_curve(genuine, impostor)
choose_threshold(curve, ThresholdRule.parse("fmr<=0.001")), auc(curve), eer(curve)
print(time.perf_counter() - start, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""

FIT = """
import resource, time, numpy as np
from datetime import UTC, datetime
from facematch.calibration import *
from facematch.metrics import ThresholdRule
from facematch.types import Metric, ModelIdentity
rng = np.random.default_rng(0)
people, each = 1000, 5
centres = rng.normal(0, 1, (people, 256)).astype(np.float32)
templates = np.repeat(centres, each, 0) + rng.normal(0, 1, (people * each, 256)).astype(np.float32)
templates /= np.linalg.norm(templates, axis=1, keepdims=True)
subject = np.repeat(np.arange(people), each)
first, second = np.triu_indices(each, 1)
a = (np.arange(people)[:, None] * each + first).ravel()
b = (np.arange(people)[:, None] * each + second).ravel()
x, y = rng.integers(people * each, size=(2, {pairs} + 1000))
keep = np.flatnonzero(subject[x] != subject[y])[: {pairs} - len(a)]
a, b = np.concatenate((a, x[keep])), np.concatenate((b, y[keep]))
same = subject[a] == subject[b]
labels = PairLabels(same, SubjectPairs(people, subject[a], subject[b], inferred=False))
start = time.perf_counter()
pairs = PhotographPairs("pairs", None, "0" * 64, (), a, b, np.zeros(len(a), int), labels, None)
measured = compare_photographs(pairs, templates, Metric.COSINE)
fit_calibration(measured, FitSettings(rule=ThresholdRule.parse("fmr<=0.001")), metric=Metric.COSINE,
    identity=ModelIdentity("m", "f" * 64, 256), failures_to_acquire=0,
    created_at=datetime.now(UTC), version="1")
print(time.perf_counter() - start, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""

ALL_PAIRS = """
import resource, time, numpy as np
from pathlib import Path
from facematch.calibration import AllPairs
from facematch.metrics import ThresholdRule
from facematch.pipeline import Gathered
from facematch.types import ModelIdentity
from facematch.workflows.calibrate import calibrate
from facematch.workflows.evaluate import evaluate_pairs
rng = np.random.default_rng(0)
people, each = {people}, 5
centres = rng.normal(0, 1, (people, 256)).astype(np.float32)
templates = np.repeat(centres, each, 0)
templates += 1.5 * rng.normal(0, 1, (people * each, 256)).astype(np.float32)
templates /= np.linalg.norm(templates, axis=1, keepdims=True)
class Templates:
    identity = ModelIdentity("m", "f" * 64, 256)
    def gather(self, paths, progress, check):
        return Gathered(templates, tuple(map(str, range(len(paths)))), (), 0)
subject = np.repeat(np.arange(people), each)
pairs = AllPairs("people", Path("."), "0" * 64, (Path({here!r}),) * len(subject), subject)
start = time.perf_counter()
{work}
print(time.perf_counter() - start, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""
CALIBRATE = "calibrate(pairs, Templates(), ThresholdRule.parse('fmr<=0.0001'))"
EVALUATE = "evaluate_pairs(pairs, Templates())"

CLI = [sys.executable, "-c", "from facematch.cli import main; main()", "calibrate"]


@dataclass(frozen=True, slots=True)
class Measured:
    """One measurement: seconds, MiB at most (0 if not measured)."""

    what: str
    seconds: float
    peak_mib: float


def in_process(what: str, code: str) -> Measured:
    """Runs code that prints its seconds and its peak."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    seconds, peak = (float(number) for number in done.stdout.split())
    return Measured(what, seconds, peak)


def first_and_second_run(data: Path, pairs: int) -> tuple[Measured, Measured]:
    """``facematch calibrate`` on LFW View 1 with an empty cache, then with what it left."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        lines = (data / "lfw-view1" / "pairsDevTrain.txt").read_text().splitlines()
        half = (len(lines) - 1) // 2
        kept = [str(pairs), *lines[1 : 1 + pairs], *lines[1 + half : 1 + half + pairs]]
        (root / "pairs.txt").write_text("\n".join(kept) + "\n")
        with zipfile.ZipFile(data / "lfw-view1" / "images.zip") as archive:
            archive.extractall(root / "images")
        environment = {**os.environ, "FACEMATCH_CACHE_DIR": str(root / "cache")}
        command = [*CLI, "pairs.txt", "--images", "images", "--max-accuracy", "--quiet"]
        seconds = []
        for _ in range(2):
            start = time.perf_counter()
            subprocess.run(command, cwd=root, env=environment, check=True, capture_output=True)
            seconds.append(time.perf_counter() - start)
    name = f"calibrate, {2 * pairs:,} pairs of LFW View 1"
    return (
        Measured(f"{name}, first run", seconds[0], 0),
        Measured(f"{name}, second run", seconds[1], 0),
    )


def measure(data: Path, quick: bool) -> list[Measured]:
    """All measurements, smaller ones if quick."""
    scores, pairs, listed, people = (
        (1_000_000, 20_000, 25, 400) if quick else (10_000_000, 100_000, 400, 4000)
    )
    photographs = 5 * people
    all_pairs = f"all {photographs * (photographs - 1) // 2:,} pairs of {photographs:,} templates"
    return [
        in_process(f"sweep of {scores:,} scores", SWEEP.format(half=scores // 2)),
        in_process(f"{pairs:,} pairs of cached templates, with bootstrap", FIT.format(pairs=pairs)),
        *(
            in_process(
                f"{name}, {all_pairs}",
                ALL_PAIRS.format(people=people, work=work, here=str(Path(__file__).resolve())),
            )
            for name, work in (("calibrate", CALIBRATE), ("evaluate", EVALUATE))
        ),
        *first_and_second_run(data, listed),
    ]


def run(data: Path, quick: bool) -> None:
    """Prints the table, then JSON."""
    found = measure(data, quick)
    print("| | seconds | peak memory |\n|---|---:|---:|")
    for one in found:
        peak = f"{one.peak_mib:,.0f} MiB" if one.peak_mib else ""
        print(f"| {one.what} | {one.seconds:.2f} | {peak} |")
    ratio = found[-2].seconds / found[-1].seconds
    machine = f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores"
    print(f"\nThe second run was {ratio:.1f} times as fast as the first. {machine}, "
          f"Python {platform.python_version()}.")  # fmt: skip
    print(json.dumps({"machine": machine, "second_run_ratio": ratio,
                      "measurements": [asdict(one) for one in found]}))  # fmt: skip


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--quick", action="store_true")
    arguments = parser.parse_args()
    run(arguments.data, arguments.quick)
