"""From a recipe and opened data to the parts of a run."""

from __future__ import annotations

import copy
import math
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import nn

from facematch.errors import TrainingDataError, UsageError
from facematch.training.augmentation import PRESETS
from facematch.training.callbacks import Callback, Observer
from facematch.training.config import TrainingConfig
from facematch.training.data import CropSet
from facematch.training.loading import BatchLoader
from facematch.training.metric_learning import MetricLearning
from facematch.training.objective import Teacher, TrainingObjective
from facematch.training.ranks import OneRank, Ranks
from facematch.training.recipe import Recipe
from facematch.training.sampling import (
    BatchSampler,
    DivisibleSampler,
    IdentityBatches,
    LookAlikeBatches,
    MixedBatches,
    Sharded,
    ShuffledBatches,
    balanced_identity_batches,
)
from facematch.training.trainer import Trainer, Validation
from facematch.types import Float32Array

_TIMED_STEPS = 6
_LOOKS = 10
_FROM_SCRATCH, _FINE_TUNING = 1e-3, 1e-4


@dataclass(frozen=True, slots=True, eq=False)
class Setting:
    """Everything that a run is made of but its length.

    Attributes:
        recipe: what was asked for.
        network: to train.
        input_size: side of its crops.
        crops: what is learned from.
        objective: the loss.
        sampler: of the batches of this rank.
        validate: figures on the validation set, None without one.
        device: where it is trained.
        ranks: the processes that train together.
    """

    recipe: Recipe
    network: nn.Module
    input_size: int
    crops: CropSet
    objective: TrainingObjective
    sampler: BatchSampler
    validate: Validation | None
    device: torch.device
    ranks: Ranks

    def config(self, steps: int) -> TrainingConfig:
        """The recipe of the loop, for a schedule of so many steps."""
        recipe = self.recipe
        rate = recipe.learning_rate
        if rate is None:
            rate = _FROM_SCRATCH if recipe.init is None else _FINE_TUNING
        bfloat16, keep = recipe.bfloat16, recipe.keep_statistics
        # A short run is over-trained soon, and needs looks to choose the best from.
        most = math.inf if recipe.minutes is None else recipe.minutes / _LOOKS
        return TrainingConfig(
            steps=steps,
            sizes=((0, self.input_size),),
            learning_rate=rate,
            # Short runs must not spend themselves warming up.
            warmup_steps=min(recipe.warmup_steps, steps // 5),
            weight_decay=recipe.weight_decay,
            ema_decay=recipe.ema_decay,
            gradient_clip=recipe.gradient_clip,
            accumulate=recipe.accumulate,
            frozen=recipe.freeze,
            keep_statistics=recipe.init is not None if keep is None else keep,
            seed=recipe.seed,
            checkpoint_every_s=60 * min(recipe.checkpoint_minutes, most),
            bfloat16=bfloat16_is_fast(self.device) if bfloat16 is None else bfloat16,
        )

    def trainer(
        self,
        steps: int,
        run_dir: Path,
        callbacks: Sequence[Observer] = (),
        forward: nn.Module | None = None,
    ) -> Trainer:
        """The loop over these parts."""
        config = self.config(steps)
        augmentation = PRESETS[self.recipe.augmentation]
        loader = BatchLoader(self.crops.images, self.sampler, augmentation, config)
        return Trainer(
            self.network,
            loader,
            self.objective,
            config,
            run_dir,
            self.validate,
            callbacks=callbacks,
            device=self.device,
            forward=forward,
            ranks=self.ranks,
        )

    def planned_steps(self) -> int:
        """How many updates the recipe asks for.

        With a time and nothing else, so many that the schedule ends in it: a few updates are
        made and timed on copies of network and loss, which are then thrown away.

        Raises:
            UsageError: a time must be shared by ranks.
        """
        recipe = self.recipe
        if recipe.steps is not None:
            return recipe.steps
        crops_per_step = recipe.batch_size * recipe.accumulate
        if recipe.epochs is not None:
            return max(1, math.ceil(recipe.epochs * len(self.crops) / crops_per_step))
        assert recipe.minutes is not None  # the recipe has seen to it
        if self.ranks.count > 1:
            raise UsageError("with several processes give --steps or --epochs beside the time")
        return max(1, int(60 * recipe.minutes / self._seconds_a_step()))

    def _seconds_a_step(self) -> float:
        copied = replace(
            self,
            network=copy.deepcopy(self.network),
            objective=copy.deepcopy(self.objective),
            validate=None,
        )
        with tempfile.TemporaryDirectory() as folder:
            clock = _Clock()
            copied.trainer(_TIMED_STEPS, Path(folder), [clock]).run()
        return clock.seconds_a_step


class _Clock(Callback):
    """Times steps, but for the first two, in which memory is allocated and kernels chosen."""

    def __init__(self) -> None:
        self._ends: list[float] = []

    def on_step(self, run: object, figures: object) -> None:
        self._ends.append(time.monotonic())

    @property
    def seconds_a_step(self) -> float:
        ends = self._ends[1:]
        return max((ends[-1] - ends[0]) / (len(ends) - 1), 1e-6)


def build_setting(
    recipe: Recipe,
    crops: CropSet,
    network: nn.Module,
    input_size: int,
    embedding_size: int,
    *,
    teacher: Teacher | None = None,
    teacher_size: int = 0,
    centres: Float32Array | None = None,
    validate: Validation | None = None,
    device: torch.device | str = "cpu",
    ranks: Ranks | None = None,
) -> Setting:
    """Builds loss and sampler for opened data.

    Args:
        recipe: what was asked for.
        crops: the data, cleaned.
        network: to train.
        input_size: side of its crops.
        embedding_size: length of its output.
        teacher: of distillation, if there is one.
        teacher_size: length of its embeddings.
        centres: float32 (identities, d), one unit vector for each label, for batches of
            look-alikes.
        validate: figures on the validation set.
        device: where to train.
        ranks: the processes that train together.

    Raises:
        TrainingDataError: the data has too few identities or crops for the batches.
        UsageError: options that do not go together.
    """
    ranks = OneRank() if ranks is None else ranks
    labelled = recipe.identities * recipe.crops if recipe.loss_weight > 0 else 0
    try:
        whole = _sampler(recipe, crops, labelled, centres)
        size = 0 if teacher is None else teacher_size
        metric = _metric(recipe, crops, embedding_size, size) if labelled else None
        sampler: BatchSampler = whole
        if ranks.count > 1:
            sampler = Sharded(whole, ranks.index, ranks.count)
    except ValueError as error:
        raise TrainingDataError(
            f"the data does not fit the recipe: {error}; see --identities and --crops"
        ) from error
    if recipe.split_head and metric is not None:
        metric.to(device)  # before it lies in shards, which stay where they are
        metric.split_head(ranks)
    objective = TrainingObjective(
        crops.labels,
        _own(labelled, sampler),
        metric=metric,
        loss_weight=recipe.loss_weight,
        teacher=teacher,
        distill_weight=recipe.distill_weight,
        ranks=ranks,
        seed=recipe.seed,
    )
    return Setting(
        recipe,
        network,
        input_size,
        crops,
        objective,
        sampler,
        validate,
        torch.device(device),
        ranks,
    )


def _own(labelled: int, sampler: BatchSampler) -> int:
    """How many of this rank's crops are among the first ``labelled`` of the whole batch."""
    return int((sampler.positions < labelled).sum()) if isinstance(sampler, Sharded) else labelled


def _metric(
    recipe: Recipe, crops: CropSet, embedding_size: int, teacher_size: int
) -> MetricLearning:
    return MetricLearning(
        recipe.metric_options,
        embedding_size=embedding_size,
        identities=len(crops.identity_names),
        teacher_size=teacher_size,
    )


def _sampler(
    recipe: Recipe, crops: CropSet, labelled: int, centres: Float32Array | None
) -> DivisibleSampler:
    parts: list[DivisibleSampler] = []
    people, each, seed = recipe.identities, recipe.crops, recipe.seed
    if labelled:
        if recipe.look_alikes:
            if centres is None:
                raise ValueError("batches of look-alikes need the centres of identities")
            sampler = LookAlikeBatches(crops.labels, people, each, seed)
            sampler.refresh(centres, first_step=0)
            parts.append(sampler)
        elif recipe.balance:
            parts.append(balanced_identity_batches(crops.labels, crops.sources, people, each, seed))
        else:
            # Who has two pictures has a genuine pair; a small folder has many such people.
            parts.append(IdentityBatches(crops.labels, people, each, seed, min(each, 2)))
    further = recipe.batch_size - labelled
    if further:
        parts.append(ShuffledBatches(len(crops), further, seed))
    return parts[0] if len(parts) == 1 else MixedBatches(tuple(parts))


def bfloat16_is_fast(device: torch.device) -> bool:
    """Whether the device multiplies bfloat16 in hardware."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported())
    return device.type == "cpu" and bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())
