"""Photographs enrolled, from files to a committed gallery."""

from __future__ import annotations

import os
import shutil
import statistics
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import peers
from figures import Figure, Outcome, compared
from measuring import Cost, cost_of, facematch, in_turns, surroundings, unpack_lfw

NAME = "enroll"
OURS, TORCH, DLIB, STAGES = "facematch", "facenet-pytorch loop", "face_recognition", "stages"
PHOTOGRAPHS, QUICK_PHOTOGRAPHS = 2000, 200
# The peers get every tenth: their rates do not depend on how many there are.
PEERS_SHARE = 10
ROUNDS = 2
PROCESSES = 2
LEAST_SHARE = 0.85

TORCH_LOOP = """
import sys, time
from pathlib import Path
import torch
from PIL import Image
from facenet_pytorch import MTCNN, InceptionResnetV1
mtcnn, network = MTCNN(image_size=160), InceptionResnetV1(pretrained=None).eval()
@torch.inference_mode()
def template(path):
    face = mtcnn(Image.open(path).convert("RGB"))
    return None if face is None else network(face[None])[0].numpy()
def seconds(paths):
    start = time.perf_counter()
    for path in paths:
        template(path)
    return time.perf_counter() - start
paths = sorted(Path(sys.argv[1]).rglob("*.jpg"))
template(paths[0])
# On a busy machine several threads cost it several times more.
trials = {}
for threads in (1, torch.get_num_threads()):
    torch.set_num_threads(threads)
    trials[threads] = seconds(paths[:3])
torch.set_num_threads(min(trials, key=trials.get))
print(seconds(paths))
"""
DLIB_POOL = """
import sys, time
from multiprocessing import get_context
from pathlib import Path
import face_recognition
def template(path):
    return face_recognition.face_encodings(face_recognition.load_image_file(path))
paths = [str(path) for path in Path(sys.argv[1]).rglob("*.jpg")]
processes = int(sys.argv[2])
with get_context("fork").Pool(processes) as pool:
    pool.map(template, paths[: 2 * processes], chunksize=1)
    start = time.perf_counter()
    pool.map(template, paths, chunksize=1)
    print(time.perf_counter() - start)
"""
# One stage after the other over all photographs, each with the whole machine for itself.
STAGES_ALONE = """
import sys, time
from pathlib import Path
from facematch.errors import InputError
from facematch.imaging.decode import load_photograph
from facematch.pipeline import open_analyzer
from facematch.types import Search
def timed(work, inputs):
    wall, processor, found = time.perf_counter(), time.process_time(), []
    for each in inputs:
        try:
            found.append(work(each))
        except InputError:
            pass
    print(time.perf_counter() - wall, time.process_time() - processor)
    return found
paths = sorted(Path(sys.argv[1]).rglob("*.jpg"))
analyzer, _, _ = open_analyzer(search=Search.FAST)
analyzer.embed(list(analyzer.analyze(paths[0]).faces) * 32)
photographs = timed(load_photograph, paths)
analyzed = timed(analyzer.analyze_photograph, photographs)
faces = [face for photograph in analyzed for face in photograph.faces]
timed(analyzer.embed, [faces[start : start + 32] for start in range(0, len(faces), 32)])
"""


def run(data: Path, quick: bool) -> Outcome:
    """Measures photographs a second.

    Args:
        data: the data pack.
        quick: fewer photographs.
    """
    count = QUICK_PHOTOGRAPHS if quick else PHOTOGRAPHS
    few = count // PEERS_SHARE
    theirs = peers.python()
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch)
        photographs = unpack_lfw(data, root / "all", count)
        for path in photographs[::PEERS_SHARE]:  # spread over all of them
            into = root / "few" / path.parent.name
            into.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, into)
        environment = surroundings(root / "cache")
        gallery = root / "gallery.h5"

        def enrolled(folder: Path) -> Cost:
            gallery.unlink(missing_ok=True)
            command = [facematch(), "enroll", folder, "--gallery", gallery, "--quiet"]
            return cost_of(command, environment)

        enrolled(root / "few")  # compiles the networks, as the first call ever does
        found = in_turns(
            {
                OURS: lambda: enrolled(root / "all"),
                TORCH: lambda: cost_of(
                    [sys.executable, "-c", TORCH_LOOP, root / "few"], environment
                ),
                DLIB: lambda: cost_of(
                    [theirs, "-c", DLIB_POOL, root / "few", str(PROCESSES)], dict(os.environ)
                ),
                STAGES: lambda: cost_of(
                    [sys.executable, "-c", STAGES_ALONE, root / "few"], environment
                ),
            },
            ROUNDS,
            warm_up=False,
        )
    ours = [count / cost.wall_s for cost in found[OURS]]
    what = f"`enroll` of {count:,} photographs"
    figures = [
        compared(NAME, what, "/s", ours, peer, [few / float(cost.output) for cost in found[peer]],
                 at_least=4, more_is_better=True)
        for peer in (TORCH, DLIB)
    ]  # fmt: skip
    figures += shares(found, count, few)
    peak = statistics.median(cost.peak_mib for cost in found[OURS])
    figures.append(Figure(NAME, f"{what}, peak memory", "MiB", peak))
    return Outcome(
        tuple(figures),
        f"{count:,} photographs of LFW View 1 (0.06 MP), {ROUNDS} rounds. facematch: the whole "
        "command, start and commit included, networks compiled before. The peers: "
        f"{few} of the same photographs, timed when everything is loaded and warm; random "
        "weights for InceptionResnetV1, one thread or torch's own number, whichever is faster; "
        f"{PROCESSES} processes for face_recognition. Stages (decode; detect, choose and "
        f"align; embed in batches of 32) alone over the same {few}, with all cores.",
    )


def shares(found: Mapping[str, Sequence[Cost]], count: int, few: int) -> list[Figure]:
    """How near the whole command comes to its stages alone, and how busy the cores are.

    Args:
        found: costs of the rounds; those of ``stages`` with a line of wall-clock and processor
            seconds for each stage.
        count: photographs that were enrolled.
        few: photographs that went through the stages.
    """
    cores = len(os.sched_getaffinity(0))
    stages = [
        [[float(s) for s in line.split()] for line in cost.output.splitlines()]
        for cost in found[STAGES]
    ]
    alone = [sum(wall for wall, _ in rows) / few * count for rows in stages]
    spent = [sum(processor for _, processor in rows) / few * count / cores for rows in stages]
    walls = [cost.wall_s for cost in found[OURS]]
    busy = [cost.processor_s / cost.wall_s / cores for cost in found[OURS]]
    share = statistics.median(a / wall for a, wall in zip(alone, walls, strict=True))
    perfect = statistics.median(s / wall for s, wall in zip(spent, walls, strict=True))
    figures = [
        Figure(NAME, "share of the rate of the stages alone, one after the other", "", share,
               at_least=LEAST_SHARE),
        Figure(NAME, "share of the rate if no core ever idled", "", perfect),
        Figure(NAME, "share of the cores in use", "", statistics.median(busy)),
    ]  # fmt: skip
    for index, stage in enumerate(("decode", "detect and align", "embed")):
        each = statistics.median(1e3 * rows[index][0] / few for rows in stages)
        figures.append(Figure(NAME, f"{stage}, alone, a photograph", "ms", each))
    return figures
