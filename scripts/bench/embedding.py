"""Templates of faces that are cut already, in batches."""

from __future__ import annotations

import sys
from pathlib import Path

import peers
from figures import Outcome, compared
from measuring import Worker, in_turns

NAME = "embedding"
CROPS, QUICK_CROPS = 64, 32
ROUNDS, QUICK_ROUNDS = 7, 2
BATCH = 32

# Noise costs what faces cost: no network here looks at the pixels before it computes.
OURS = """
import numpy as np
from facematch.choices import DEFAULT_MODEL, Device
from facematch.embedding import Embedder, find_model
from facematch.runtime import open_engine
embedder = Embedder(find_model(DEFAULT_MODEL), open_engine(Device.CPU))
size = embedder.alignment.size
shape = (int(sys.argv[1]), size, size, 3)
crops = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
serve(lambda: embedder.embed(crops))
"""
TORCH = """
import torch
from facenet_pytorch import InceptionResnetV1
if int(sys.argv[2]):
    torch.set_num_threads(int(sys.argv[2]))
torch.manual_seed(0)
network = InceptionResnetV1(pretrained=None).eval()
crops = torch.rand(int(sys.argv[1]), 3, 160, 160) * 2 - 1
@torch.inference_mode()
def work():
    for batch in crops.split(int(sys.argv[3])):
        network(batch)
serve(work)
"""
DLIB = """
import numpy as np, dlib, face_recognition_models
network = dlib.face_recognition_model_v1(
    face_recognition_models.face_recognition_model_location())
shape = (int(sys.argv[1]), 150, 150, 3)
crops = list(np.random.default_rng(0).integers(0, 256, shape, np.uint8))
batch = int(sys.argv[2])
def work():
    for start in range(0, len(crops), batch):
        network.compute_face_descriptor(crops[start : start + batch], 0)
serve(work)
"""


def run(data: Path, quick: bool) -> Outcome:
    """Measures embeddings a second.

    Args:
        data: not used.
        quick: fewer crops and rounds.
    """
    crops, rounds = (QUICK_CROPS, QUICK_ROUNDS) if quick else (CROPS, ROUNDS)
    here, n, batch = sys.executable, str(crops), str(BATCH)
    with (
        Worker(here, OURS, n) as ours,
        Worker(here, TORCH, n, "1", batch) as one_thread,
        Worker(here, TORCH, n, "0", batch) as all_threads,
        Worker(peers.python(), DLIB, n, batch) as dlib,
    ):
        arms = {"ours": ours, "one": one_thread, "all": all_threads, "dlib": dlib}
        times = in_turns(arms, rounds)
    torch = [min(pair, key=lambda t: t[0]) for pair in zip(times["one"], times["all"], strict=True)]
    figures = []
    for peer, found, goal in (
        ("InceptionResnetV1 in torch", torch, 4.0),
        ("dlib's ResNet", times["dlib"], 2.0),
    ):
        for kind, what in enumerate(("embeddings", "embeddings, a processor second")):
            rates = [[crops / time[kind] for time in arm] for arm in (times["ours"], found)]
            figures.append(
                compared(NAME, what, "/s", rates[0], peer, rates[1], more_is_better=True,
                         at_least=goal if kind == 0 else None)
            )  # fmt: skip
    return Outcome(
        tuple(figures),
        f"{crops} crops, {rounds} rounds after one that warms up, batches of {BATCH}; decoded and "
        "cut before: 112×112 for facematch, 160×160 for InceptionResnetV1 (random weights; of "
        "one thread and torch's own number the faster one counts, in each round), 150×150 for "
        "dlib. dlib runs as many threads as it likes.",
    )
