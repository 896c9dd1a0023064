"""A training run of milliseconds: crops of noise, a network of two layers."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from facematch.training.augmentation import Augmentation
from facematch.training.callbacks import Callback
from facematch.training.config import TrainingConfig
from facematch.training.loading import Batch, BatchLoader
from facematch.training.losses import DistillationLoss
from facematch.training.sampling import ShuffledBatches
from facematch.training.trainer import Trainer, Validation

COUNT, BATCH, EMBEDDING = 20, 4, 6

IMAGES = np.random.default_rng(0).integers(0, 256, (COUNT, 128, 128, 3), np.uint8)
TARGETS = torch.from_numpy(np.random.default_rng(1).normal(size=(COUNT, EMBEDDING)))

CONFIG = TrainingConfig(
    steps=6,
    sizes=((0, 14), (4, 28)),
    warmup_steps=2,
    checkpoint_every_s=0.0,  # after every step
    ema_decay=0.9,
)


class TinyNetwork(nn.Module):
    """All that a checkpoint has to keep: weights, biases, running statistics, an integer."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, 2, 1, bias=False)
        self.norm = nn.BatchNorm2d(4)
        self.head = nn.Linear(4, EMBEDDING)

    def forward(self, x: Tensor) -> Tensor:
        embedding: Tensor = self.head(torch.relu(self.norm(self.conv(x))).mean((2, 3)))
        return embedding


def tiny_network(seed: int = 0) -> TinyNetwork:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return TinyNetwork()


class KilledError(Exception):
    """Stands for a kill at the start of a step."""


class Objective:
    """Distillation to fixed random targets; raises before step ``stop_at`` of this process."""

    def __init__(self, stop_at: int | None = None) -> None:
        self.stop_at = stop_at
        self.seen: list[list[int]] = []
        self._loss = DistillationLoss()

    def __call__(self, network: nn.Module, batch: Batch) -> tuple[Tensor, Mapping[str, float]]:
        if self.stop_at is not None and len(self.seen) == self.stop_at:
            raise KilledError
        self.seen.append(batch.indices.tolist())
        wanted = TARGETS[torch.from_numpy(batch.indices)]
        return self._loss(network(batch.pixels), wanted), {"figure": 1.0}


def trainer_in(
    run_dir: Path,
    objective: Objective,
    config: TrainingConfig = CONFIG,
    validate: Validation | None = None,
    callbacks: Sequence[Callback] = (),
    **changes: object,
) -> Trainer:
    config = replace(config, **changes)  # type: ignore[arg-type]
    loader = BatchLoader(IMAGES, ShuffledBatches(COUNT, BATCH, config.seed), Augmentation(), config)
    return Trainer(
        tiny_network(), loader, objective, config, run_dir, validate, callbacks=callbacks
    )


def loader_threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name == "batch-loader"]
