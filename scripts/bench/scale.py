"""What grows with N, and how fast: enrolling, identifying, calibrating; memory, which must not."""

from __future__ import annotations

import io
import json
import math
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from figures import Figure, Outcome
from measuring import BenchError, surroundings, unpack_lfw

NAME = "scale"
HERE = Path(__file__).resolve().parent
ENROL = (1_000, 3_162, 10_000, 31_623, 100_000)
IDENTIFY = (1_000, 10_000, 100_000, 1_000_000)
CALIBRATE = (1_000, 10_000, 100_000, 1_000_000)
# Quick ends at this many, whatever is measured.
QUICK_MOST = 31_623
# Enrolled for the memory, and where it is compared with the end.
COPIES, EARLY = 10_000, 1_000
MOST_GROWTH = 1.10

# Each prints a line of JSON: N and seconds for one N after the other.
TEMPLATES = """
import json, sys, time
from pathlib import Path
import numpy as np
from facematch.gallery import Gallery, GalleryWriter
from facematch.types import Metric, ModelIdentity, Quality, Reference
identity = ModelIdentity("synthetic", "0" * 64, 256)
quality = Quality(100.0, 100.0, 120.0, 50.0, 0.0, 0.0, 0.0, 0.99, ())
box = np.array([0, 0, 100, 100], np.float32)
def unit(n, seed):
    rows = np.random.default_rng(seed).standard_normal((n, 256), np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return rows
def fill(path, n):
    with GalleryWriter.open(path, identity) as writer:
        for start in range(0, n, 10_000):
            numbers = range(start, min(start + 10_000, n))
            templates = unit(len(numbers), start)
            references = [
                Reference(f"person {i // 4}", f"{i}.jpg", f"{i:064x}", box, quality, 0.0)
                for i in numbers
            ]
            writer.add(references, templates)
            del references
        writer.commit()
folder, sizes = Path(sys.argv[1]), json.loads(sys.argv[2])
"""
ENROLLING = (
    TEMPLATES
    + """
fill(folder / "warm.h5", 100)
for n in sizes:
    start = time.perf_counter()
    fill(folder / f"enrol{n}.h5", n)
    print(n, time.perf_counter() - start, flush=True)
    (folder / f"enrol{n}.h5").unlink()
"""
)
IDENTIFYING = (
    TEMPLATES
    + """
probe = unit(1, 1 << 40)
for n in sizes:
    path = folder / f"identify{n}.h5"
    fill(path, n)
    with Gallery.open(path) as gallery:
        gallery.search(probe, 5, Metric.COSINE)
        times = []
        for _ in range(9):
            start = time.perf_counter()
            gallery.search(probe, 5, Metric.COSINE)
            times.append(time.perf_counter() - start)
    print(n, float(np.median(times)), flush=True)
    path.unlink()
"""
)
CALIBRATING = """
import json, sys, time
from datetime import UTC, datetime
import numpy as np
from facematch.calibration import FitSettings, LabelledComparisons, PairLabels, fit_calibration
from facematch.calibration.sources import ScoreKind
from facematch.metrics import ThresholdRule
rng = np.random.default_rng(0)
def fit(n):
    same = np.arange(n) % 2 == 0
    distances = np.where(same, rng.normal(0.5, 0.15, n), rng.normal(0.9, 0.12, n))
    pairs = LabelledComparisons(
        "pairs", "0" * 64, ScoreKind.DISTANCES, distances, PairLabels(same, None))
    start = time.perf_counter()
    fit_calibration(pairs, FitSettings(rule=ThresholdRule.parse("fmr<=0.01")), metric=None,
        identity=None, failures_to_acquire=0, created_at=datetime.now(UTC), version="1")
    return time.perf_counter() - start
fit(1000)
for n in json.loads(sys.argv[2]):
    print(n, fit(n), flush=True)
"""
MEMORY = """
import sys
from pathlib import Path
from facematch.pipeline import open_analyzer
from facematch.types import Search
from facematch.workflows.enroll import enroll, plan_enrolment
def resident():
    line = next(ln for ln in open("/proc/self/status") if ln.startswith("VmRSS"))
    return int(line.split()[1]) / 1024
early = None
def progress(done, total):
    global early
    if early is None and done >= int(sys.argv[2]):
        early = resident()
folder = Path(sys.argv[1])
analyzer, _, _ = open_analyzer(search=Search.FAST)
plan = plan_enrolment([folder / "copies"], None)
result = enroll(plan.items, analyzer, folder / "memory.h5", progress=progress)
print(early, resident(), len(result.enrolled))
"""


def run(data: Path, quick: bool) -> Outcome:
    """Measures the curves, draws ``scale.png``, and follows the memory of a long enrolment.

    Args:
        data: the data pack.
        quick: smaller N, no picture, no memory.
    """
    most = QUICK_MOST if quick else max(IDENTIFY)
    programs = {
        "enrol": (ENROLLING, ENROL),
        "identify": (IDENTIFYING, IDENTIFY),
        "calibrate": (CALIBRATING, CALIBRATE),
    }
    figures, curves = [], {}
    with tempfile.TemporaryDirectory() as scratch:
        for verb, (program, sizes) in programs.items():
            wanted = [n for n in sizes if n <= most]
            printed = _program(program, Path(scratch), json.dumps(wanted))
            curve = [(int(n), float(s)) for n, s in (ln.split() for ln in printed.splitlines())]
            curves[verb] = curve
            figures.append(Figure(NAME, f"{verb}: slope of log cost on log N", "", slope(curve)))
            figures += [Figure(NAME, f"{verb}, N = {n:,}", "ms", 1e3 * s) for n, s in curve]
        if not quick:
            draw(curves, HERE / "scale.png")
            figures += memory(data, Path(scratch))
    return Outcome(
        tuple(figures),
        "one process a verb, one run each (identify: median of 9). Enrol: synthetic templates of "
        "256 numbers, four a person, added to a new gallery and committed. Identify: one probe, "
        "five candidates, the gallery open. Calibrate: distances, intervals and bootstrap "
        f"included. Memory: `enroll` of {COPIES:,} small re-encoded copies of LFW photographs, "
        f"resident size at the end over that at {EARLY:,}. The slopes count all N, also those "
        "where fixed costs rule.",
    )


def slope(curve: Sequence[tuple[int, float]]) -> float:
    """Of the least-squares line through (log N, log seconds)."""
    xs, ys = ([math.log(pair[axis]) for pair in curve] for axis in (0, 1))
    x_mean, y_mean = sum(xs) / len(xs), sum(ys) / len(ys)
    rise = sum((x - x_mean) * (y - y_mean) for x, y in zip(xs, ys, strict=True))
    return rise / sum((x - x_mean) ** 2 for x in xs)


def memory(data: Path, folder: Path) -> list[Figure]:
    """Resident memory of an enrolment, early and at its end."""
    re_encode(data, folder)
    early, late, enrolled = map(float, _program(MEMORY, folder, str(EARLY)).split())
    return [
        Figure(NAME, f"memory of an enrolment after {EARLY:,} photographs", "MiB", early),
        Figure(NAME, f"the same after {COPIES:,}, {enrolled:,.0f} enrolled", "MiB", late),
        Figure(NAME, "its growth in between", "", late / early, at_most=MOST_GROWTH),
    ]


def re_encode(data: Path, folder: Path) -> None:
    """Small photographs, no two with the same bytes."""
    from PIL import Image

    for index, path in enumerate(unpack_lfw(data, folder / "lfw", COPIES // 2)):
        with Image.open(path) as image:
            face = image.crop((62, 62, 188, 188))
            into = folder / "copies" / path.parent.name
            into.mkdir(parents=True, exist_ok=True)
            face.save(into / f"{index}.jpg", quality=90)
            mirrored = face.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
            mirrored.save(into / f"{index}m.jpg", quality=90)


def draw(curves: dict[str, list[tuple[int, float]]], path: Path) -> None:
    """Cost against N on logarithmic axes."""
    import matplotlib as mpl

    mpl.use("agg")
    from matplotlib.figure import Figure as Picture

    picture = Picture(figsize=(7, 4.5), layout="constrained")
    axes = picture.subplots()
    for verb, curve in curves.items():
        sizes, seconds = zip(*curve, strict=True)
        axes.loglog(sizes, seconds, marker="o", label=f"{verb}, slope {slope(curve):.2f}")
    axes.set_xlabel("N: templates added, templates searched, pairs")
    axes.set_ylabel("seconds")
    axes.grid(visible=True, which="major", alpha=0.3)
    axes.legend()
    buffer = io.BytesIO()
    picture.savefig(buffer, format="png", dpi=110)
    path.write_bytes(buffer.getvalue())


def _program(program: str, *arguments: str | Path) -> str:
    command = [sys.executable, "-c", program, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=surroundings())
    if done.returncode != 0:
        raise BenchError((done.stderr.strip().splitlines() or ["it said nothing"])[-1])
    return done.stdout
