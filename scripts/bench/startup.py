"""From the shell: two photographs compared, help shown, the library imported."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import peers
from figures import Figure, Outcome, compared
from measuring import ROOT, BenchError, Cost, cost_of, facematch, in_turns, surroundings

NAME = "startup"
OURS, TORCH, DLIB = "facematch", "facenet-pytorch script", "face_recognition"
ROUNDS, QUICK_ROUNDS = 7, 2
PHOTOGRAPHS = ("obama.jpg", "obama2.jpg")
MOST_MEMORY_MIB = 300.0

# What its README shows, on one photograph after the other. Weights that are not trained cost
# the same as those it would have to download.
SCRIPT = """
import sys
import torch
from PIL import Image
from facenet_pytorch import MTCNN, InceptionResnetV1
with torch.no_grad():
    mtcnn, network = MTCNN(image_size=160), InceptionResnetV1(pretrained=None).eval()
    faces = [mtcnn(Image.open(path).convert("RGB")) for path in sys.argv[1:]]
    a, b = network(torch.stack(faces))
    print((a - b).norm().item())
"""


def run(data: Path, quick: bool) -> Outcome:
    """Measures processes from start to exit.

    Args:
        data: not used; the photographs are those of ``scripts/get-data``.
        quick: fewer rounds.
    """
    rounds = QUICK_ROUNDS if quick else ROUNDS
    samples = [ROOT / "data" / "samples" / name for name in PHOTOGRAPHS]
    for sample in samples:
        if not sample.exists():
            raise BenchError(f"{sample} is missing; run scripts/get-data")
    theirs = peers.python()
    with tempfile.TemporaryDirectory() as scratch:
        known = Path(scratch) / "known"
        known.mkdir()
        shutil.copy(samples[0], known)
        environment = surroundings(Path(scratch) / "cache")
        plain = {k: v for k, v in environment.items() if k != "PYTHONPATH"}

        def arm(*command: str | Path, ours: bool = False) -> Callable[[], Cost]:
            return lambda: cost_of(command, environment if ours else plain, 0, *([1] * ours))

        script = theirs.parent / "face_recognition"
        verified = in_turns(
            {
                OURS: arm(facematch(), "verify", *samples, "--quiet", ours=True),
                TORCH: arm(sys.executable, "-c", SCRIPT, *samples),
                DLIB: arm(script, known, samples[1]),
            },
            rounds,
        )
        started = in_turns(
            {
                "help": arm(facematch(), "--help", ours=True),
                f"{DLIB} help": arm(script, "--help"),
                "import": arm(sys.executable, "-c", "import facematch", ours=True),
                f"{DLIB} import": arm(theirs, "-c", "import face_recognition"),
            },
            rounds,
        )
    figures = _verified(verified)
    for what, measured in (("help", "`--help`"), ("import", "`import`")):
        ours, peer = started[what], started[f"{DLIB} {what}"]
        walls = [[1e3 * cost.wall_s for cost in costs] for costs in (ours, peer)]
        figures.append(compared(NAME, measured, "ms", walls[0], DLIB, walls[1], at_least=3))
    return Outcome(
        tuple(figures),
        f"whole processes, {rounds} rounds after one that warms up; {' and '.join(PHOTOGRAPHS)} "
        "(1.0 and 0.8 MP); networks compiled before, as from the second call on. "
        "facenet-pytorch: MTCNN and InceptionResnetV1 with random weights, torch's own number of "
        "threads. face_recognition: its command with one known face. Peak memory: resident, "
        "largest single process.",
    )


def _verified(costs: dict[str, list[Cost]]) -> list[Figure]:
    figures = []
    for peer, goal in ((TORCH, 5.0), (DLIB, 2.0)):
        walls = {arm: [1e3 * cost.wall_s for cost in costs[arm]] for arm in (OURS, peer)}
        spent = {arm: [1e3 * cost.processor_s for cost in costs[arm]] for arm in (OURS, peer)}
        peaks = {arm: [cost.peak_mib for cost in costs[arm]] for arm in (OURS, peer)}
        what = "`verify` of two photographs"
        figures += [
            compared(NAME, what, "ms", walls[OURS], peer, walls[peer], at_least=goal),
            compared(NAME, f"{what}, processor time", "ms", spent[OURS], peer, spent[peer]),
            compared(NAME, f"{what}, peak memory", "MiB", peaks[OURS], peer, peaks[peer],
                     at_most=MOST_MEMORY_MIB),
        ]  # fmt: skip
    return figures
