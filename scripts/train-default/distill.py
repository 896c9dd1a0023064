"""Phase 1 of the default network: it learns what its teacher sees in the training crops.

    python scripts/train-default/distill.py DATA RUN_DIR

DATA is the folder of the data pack (``train/*.zip``, ``holdout/``, ``teacher/``; see
data/README.md). RUN_DIR receives the checkpoint and the log; the same command resumes.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path

import cv2
import torch
from teacher import Teacher
from torch import Tensor, nn

from facematch.embedding.networks import NETWORKS
from facematch.training.augmentation import Augmentation
from facematch.training.config import TrainingConfig
from facematch.training.data import open_crops
from facematch.training.loading import Batch, BatchLoader
from facematch.training.losses.distillation import DistillationLoss, teacher_similarity
from facematch.training.losses.feature_maps import FeatureMapLoss
from facematch.training.sampling import ShuffledBatches
from facematch.training.setting import bfloat16_is_fast
from facematch.training.trainer import Trainer
from facematch.training.validation import verification_on

BATCH = 64
# Weak: a crop is seen a few times only, and the teacher answers for what it is shown.
AUGMENTATION = Augmentation(
    shift_px=2.0, scale=0.05, rotation_deg=4.0, colour=0.2, grey=0.08, coarse=0.1, jpeg=0.05
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("run_dir", type=Path)
    parser.add_argument("--crops", type=int, default=256_000, help="crops to see in all")
    parser.add_argument(
        "--forced", type=int, default=25_600, help="of these, crops with the teacher's maps forced"
    )
    parser.add_argument(
        "--until", type=int, default=2846, help="step to leave off at, for phase 2 to go on"
    )
    parser.add_argument("--learning-rate", type=float, default=2e-3)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    cv2.setNumThreads(0)  # its pool fights torch's for the cores
    torch.manual_seed(1)

    cache = options.run_dir / "cache"
    train = open_crops(sorted((options.data / "train").glob("*.zip")), cache)
    held_out = open_crops([options.data / "holdout" / "celeba.zip"], cache)
    config = TrainingConfig(
        steps=options.crops // BATCH,
        learning_rate=options.learning_rate,
        bfloat16=bfloat16_is_fast(torch.device("cpu")),
        checkpoint_every_s=240.0,
    )
    teacher = Teacher(options.data / "teacher", BATCH, options.threads)
    forced_steps = options.forced // BATCH
    distillation = DistillationLoss()
    feature_maps = FeatureMapLoss((0.25, 0.5, 1.0, 1.0))

    def objective(network: nn.Module, batch: Batch) -> tuple[Tensor, Mapping[str, float]]:
        wanted_maps, wanted = teacher(batch.images)
        forced = wanted_maps if batch.step < forced_steps else None
        maps, embeddings = network.stage_maps(batch.pixels, forced)  # type: ignore[operator]
        loss = distillation(embeddings, wanted)
        # What the maps cannot agree on matters less and less beside the embedding itself.
        weight = 1 - batch.step / config.steps
        errors = feature_maps.errors(maps, wanted_maps)
        return loss + weight * feature_maps.weighted(errors), {
            "cosine": teacher_similarity(embeddings, wanted).item(),
            **{f"map_{index + 1}": error.item() for index, error in enumerate(errors)},
        }

    loader = BatchLoader(
        train.images, ShuffledBatches(len(train), BATCH, config.seed), AUGMENTATION, config
    )
    validate = verification_on(held_out.images, held_out.labels)
    Trainer(
        NETWORKS["compact-2"].build(), loader, objective, config, options.run_dir, validate
    ).run(options.until)


if __name__ == "__main__":
    main()
