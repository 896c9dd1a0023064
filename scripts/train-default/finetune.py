"""Phase 2 of the default network: quadruplets on the labelled crops, beside distillation.

    python scripts/train-default/finetune.py DATA DISTILL_DIR RUN_DIR

Every batch holds P x K labelled crops, on which the quadruplet loss works, and more drawn
from all crops. Distillation goes on for the whole batch: with 3,000 identities alone, hard
quadruplets over-fit and undo phase 1. Margins are limited by the teacher's own gaps, which
takes the sting out of wrong labels.
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
from facematch.training.losses import DistillationLoss, QuadrupletLoss
from facematch.training.losses.distillation import teacher_similarity
from facematch.training.mining import batch_hard
from facematch.training.sampling import IdentityBatches, MixedBatches, ShuffledBatches
from facematch.training.trainer import BatchLoader, Trainer, TrainingConfig
from facematch.training.validation import verification_on

IDENTITIES, CROPS, UNLABELLED = 12, 3, 92
# Weaker than in phase 1: the network is small and still learning what is plain to see.
MILD = Augmentation(
    shift_px=2.0, scale=0.05, rotation_deg=4.0, colour=0.2, grey=0.08, coarse=0.1, jpeg=0.05
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("distill_dir", type=Path)
    parser.add_argument("run_dir", type=Path)
    parser.add_argument("--crops", type=int, default=640_000, help="crops to see in all")
    parser.add_argument("--weight", type=float, default=0.1, help="of the quadruplet loss")
    parser.add_argument("--learning-rate", type=float, default=1.5e-3)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    cv2.setNumThreads(0)  # its pool fights torch's for the cores

    cache = options.distill_dir / "cache"
    train = open_crops(sorted((options.data / "train").glob("*.zip")), cache)
    held_out = open_crops([options.data / "holdout" / "celeba.zip"], cache)
    targets = torch.from_numpy(teacher_targets(train.images, options.data / "teacher", cache))
    labels = torch.from_numpy(train.labels)

    batch = IDENTITIES * CROPS + UNLABELLED
    config = TrainingConfig(
        steps=options.crops // batch, learning_rate=options.learning_rate, seed=2
    )
    distillation, quadruplet = DistillationLoss(), QuadrupletLoss()

    def objective(
        embeddings: Tensor, indices: npt.NDArray[np.int64]
    ) -> tuple[Tensor, Mapping[str, float]]:
        chosen = torch.from_numpy(indices)
        wanted = targets[chosen]
        labelled = slice(0, IDENTITIES * CROPS)
        mined = batch_hard(embeddings[labelled], labels[chosen[labelled]])
        hard = quadruplet(embeddings[labelled], mined, wanted[labelled])
        soft = distillation(embeddings, wanted)
        return soft + options.weight * hard, {
            "distillation": soft.item(),
            "quadruplet": hard.item(),
            "cosine": teacher_similarity(embeddings, wanted).item(),
        }

    sampler = MixedBatches(
        (
            IdentityBatches(train.labels, IDENTITIES, CROPS, config.seed),
            ShuffledBatches(len(train), UNLABELLED, config.seed),
        )
    )
    network = NETWORKS["compact"]()
    network.load_state_dict(_averaged(options.distill_dir / "checkpoint.pt"))
    loader = BatchLoader(train.images, sampler, MILD, config)
    Trainer(
        network,
        loader,
        objective,
        config,
        options.run_dir,
        verification_on(held_out.images, held_out.labels),
    ).run()


def _averaged(checkpoint: Path) -> dict[str, Tensor]:
    state = torch.load(checkpoint, weights_only=True)
    return {**state["network"], **state["average"]}


if __name__ == "__main__":
    main()
