"""Train an embedding network, and write it as a bundle."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from facematch.choices import Device
from facematch.errors import OutputError, TrainingDataError, TrainingError, UsageError
from facematch.training.recipe import Recipe, recipe_from, recipe_toml

if TYPE_CHECKING:
    from facematch.embedding import ModelBundle
    from facematch.training.callbacks import Callback
    from facematch.training.setting import Setting

PLAN = "plan.json"
# What may change between two starts of one run without changing its numbers.
_OUTSIDE_THE_NUMBERS = ("minutes", "threads", "tensorboard", "checkpoint_minutes")
_RATE_STEPS = 6

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True, eq=False)
class TrainPlan:
    """A run that is ready to start.

    Attributes:
        recipe: as it was asked for.
        output: the bundle to write.
        run_dir: checkpoints and logs.
        setting: data, network, loss: everything built.
        toml: the recipe as text.
    """

    recipe: Recipe
    output: Path
    run_dir: Path
    setting: Setting
    toml: str


@dataclass(frozen=True, slots=True, eq=False)
class TrainResult:
    """What came of a run.

    Attributes:
        reason: why it ended, see :class:`facematch.training.trainer.Trainer`.
        step: updates made.
        steps: updates of the whole schedule.
        bundle: what was written; None on ranks after the first.
        before: validation figures of the start, if there is a validation set and a start.
        after: of the network that was written.
        best_step: where that network is from, None for the end of the run.
    """

    reason: str
    step: int
    steps: int
    bundle: ModelBundle | None
    before: dict[str, float]
    after: dict[str, float]
    best_step: int | None

    @property
    def improved(self) -> bool | None:
        """Whether it validates better than its start; None if that is not known."""
        from facematch.training.validation import SCORE

        if SCORE not in self.before or SCORE not in self.after:
            return None
        return self.after[SCORE] > self.before[SCORE]


def read_recipe(options: dict[str, Any], file: Path | None) -> Recipe:
    """The recipe of a configuration file with options on top.

    Raises:
        UsageError: a value is unknown, of the wrong type or out of range.
    """
    return recipe_from(options, file)
