"""Phase 1 of the default network: it learns the teacher's embedding of the training crops.

    python scripts/train-default/distill.py DATA RUN_DIR

DATA is the folder of the data pack (``train/*.zip``, ``holdout/``, ``teacher/``; see
data/README.md). RUN_DIR receives the checkpoint and the log; the same command resumes.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import torch
from teacher import teacher_targets
from torch import Tensor

from facematch.embedding.networks import NETWORKS
from facematch.training.augmentation import Augmentation
from facematch.training.data import open_crops
from facematch.training.losses.distillation import DistillationLoss, teacher_similarity
from facematch.training.sampling import ShuffledBatches
from facematch.training.trainer import BatchLoader, Trainer, TrainingConfig
from facematch.training.validation import verification_on

BATCH = 128


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("run_dir", type=Path)
    parser.add_argument(
        "--crops",
        type=int,
        nargs=3,
        default=(700_000, 500_000, 450_000),
        metavar="N",
        help="crops to see at 56, 84 and 112 pixels",
    )
    parser.add_argument(
        "--until", type=int, default=10_763, help="step to leave off at, for phase 2 to go on"
    )
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    cv2.setNumThreads(0)  # its pool fights torch's for the cores: half the speed at 56 pixels
    torch.manual_seed(1)

    cache = options.run_dir / "cache"
    train = open_crops(sorted((options.data / "train").glob("*.zip")), cache)
    held_out = open_crops([options.data / "holdout" / "celeba.zip"], cache)
    targets = torch.from_numpy(teacher_targets(train.images, options.data / "teacher", cache))

    steps = [count // BATCH for count in options.crops]
    config = TrainingConfig(
        steps=sum(steps),
        sizes=((0, 56), (steps[0], 84), (steps[0] + steps[1], 112)),
    )
    loss = DistillationLoss()

    def objective(
        embeddings: Tensor, indices: npt.NDArray[np.int64]
    ) -> tuple[Tensor, Mapping[str, float]]:
        wanted = targets[torch.from_numpy(indices)]
        return loss(embeddings, wanted), {"cosine": teacher_similarity(embeddings, wanted).item()}

    loader = BatchLoader(
        train.images,
        ShuffledBatches(len(train), BATCH, config.seed),
        Augmentation(),
        config,
    )
    Trainer(
        NETWORKS["compact"](),
        loader,
        objective,
        config,
        options.run_dir,
        verification_on(held_out.images, held_out.labels),
    ).run(options.until)


if __name__ == "__main__":
    main()
