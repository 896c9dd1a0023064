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
import torch
from distill import AUGMENTATION, BATCH
from teacher import Teacher
from torch import Tensor, nn

from facematch.embedding.networks import NETWORKS
from facematch.training.checkpoint import read_checkpoint
from facematch.training.config import TrainingConfig
from facematch.training.data import open_crops
from facematch.training.loading import Batch, BatchLoader
from facematch.training.losses import DistillationLoss, QuadrupletLoss
from facematch.training.losses.distillation import teacher_similarity
from facematch.training.mining import batch_hard
from facematch.training.sampling import IdentityBatches, MixedBatches, ShuffledBatches
from facematch.training.setting import bfloat16_is_fast
from facematch.training.trainer import Trainer
from facematch.training.validation import verification_on

IDENTITIES, CROPS = 12, 3
LABELLED = IDENTITIES * CROPS


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("distill_dir", type=Path)
    parser.add_argument("run_dir", type=Path)
    parser.add_argument("--crops", type=int, default=41_000, help="crops to see in all")
    parser.add_argument("--weight", type=float, default=0.1, help="of the quadruplet loss")
    parser.add_argument("--learning-rate", type=float, default=4e-4)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    cv2.setNumThreads(0)  # its pool fights torch's for the cores

    cache = options.distill_dir / "cache"
    train = open_crops(sorted((options.data / "train").glob("*.zip")), cache)
    held_out = open_crops([options.data / "holdout" / "celeba.zip"], cache)
    labels = torch.from_numpy(train.labels)
    config = TrainingConfig(
        steps=options.crops // BATCH,
        learning_rate=options.learning_rate,
        warmup_steps=50,
        bfloat16=bfloat16_is_fast(torch.device("cpu")),
        seed=2,
    )
    teacher = Teacher(options.data / "teacher", BATCH, options.threads, maps=False)
    distillation, quadruplet = DistillationLoss(), QuadrupletLoss()

    def objective(network: nn.Module, batch: Batch) -> tuple[Tensor, Mapping[str, float]]:
        _, wanted = teacher(batch.images)
        embeddings = network(batch.pixels)
        labelled = embeddings[:LABELLED].float()
        mined = batch_hard(labelled, labels[torch.from_numpy(batch.indices[:LABELLED])])
        hard = quadruplet(labelled, mined, wanted[:LABELLED])
        soft = distillation(embeddings, wanted)
        return soft + options.weight * hard, {
            "distillation": soft.item(),
            "quadruplet": hard.item(),
            "cosine": teacher_similarity(embeddings, wanted).item(),
        }

    sampler = MixedBatches(
        (
            IdentityBatches(train.labels, IDENTITIES, CROPS, config.seed),
            ShuffledBatches(len(train), BATCH - LABELLED, config.seed),
        )
    )
    network = NETWORKS["compact-2"].build()
    start = read_checkpoint(options.distill_dir / "checkpoint.pt")
    network.load_state_dict({**start["network"], **start["average"]})
    loader = BatchLoader(train.images, sampler, AUGMENTATION, config)
    validate = verification_on(held_out.images, held_out.labels)
    Trainer(network, loader, objective, config, options.run_dir, validate).run()


if __name__ == "__main__":
    main()
