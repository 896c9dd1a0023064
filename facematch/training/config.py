"""The recipe of one training run: plain numbers, saved with each checkpoint."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class TrainingConfig:
    """One phase of training. All but the time between checkpoints decides what comes out.

    Attributes:
        steps: updates of the weights in all.
        sizes: (first step, side in pixels) in rising order; the resolution schedule.
        learning_rate: peak rate of AdamW after warm-up; falls to zero along a cosine.
        warmup_steps: of linear warm-up.
        weight_decay: on weights of two or more dimensions.
        ema_decay: of the averaged weights, which are the ones exported.
        gradient_clip: largest norm of the gradient.
        accumulate: batches whose gradients make one update. Each is mined by itself.
        frozen: parameters whose names begin with one of these are not trained, nor are the
            running statistics of the layers they belong to.
        keep_statistics: no batch normalisation takes statistics from batches: all go by their
            running ones, which stay as they are.
        seed: of sampling and augmentation.
        checkpoint_every_s: seconds between checkpoints.
        bfloat16: autocast the network (not the loss) to bfloat16.

    Raises:
        ValueError: a value is out of range; the message begins with its name.
    """

    steps: int
    sizes: tuple[tuple[int, int], ...] = ((0, 112),)
    learning_rate: float = 2e-3
    warmup_steps: int = 200
    weight_decay: float = 0.05
    ema_decay: float = 0.999
    gradient_clip: float = 5.0
    accumulate: int = 1
    frozen: tuple[str, ...] = ()
    keep_statistics: bool = False
    seed: int = 1
    checkpoint_every_s: float = 180.0
    bfloat16: bool = True

    def __post_init__(self) -> None:
        firsts = [first for first, _ in self.sizes]
        for name, sound, wanted in (
            ("steps", self.steps >= 1, "at least 1"),
            ("sizes", firsts[:1] == [0] and firsts == sorted(set(firsts)), "rising from step 0"),
            ("learning_rate", 0 < self.learning_rate < math.inf, "above 0"),
            ("warmup_steps", self.warmup_steps >= 0, "at least 0"),
            ("weight_decay", self.weight_decay >= 0, "at least 0"),
            ("ema_decay", 0 <= self.ema_decay < 1, "in [0, 1)"),
            ("gradient_clip", self.gradient_clip > 0, "above 0"),
            ("accumulate", self.accumulate >= 1, "at least 1"),
        ):
            if not sound:
                raise ValueError(f"{name}: expected {wanted}, got {getattr(self, name)}")

    def size_at(self, step: int) -> int:
        """Side of the crops of a step, in pixels."""
        return next(size for first, size in reversed(self.sizes) if step >= first)

    def rate_at(self, step: int) -> float:
        """Learning rate of a step."""
        if step < self.warmup_steps:
            return self.learning_rate * (step + 1) / self.warmup_steps
        progress = (step - self.warmup_steps) / max(1, self.steps - self.warmup_steps)
        return self.learning_rate * 0.5 * (1 + math.cos(math.pi * min(1.0, progress)))

    def plain(self) -> dict[str, Any]:
        """What decides the numbers as JSON types, which a checkpoint can hold without pickling.

        How often checkpoints are written does not, and may change from one start to the next.
        """
        plain: dict[str, Any] = json.loads(json.dumps(asdict(self)))
        del plain["checkpoint_every_s"]
        return plain
