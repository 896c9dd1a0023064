"""Everything that ``facematch train`` can be told, as one record and as a TOML file.

The keys of the file are the fields of :class:`Recipe`. A file may hold any part of them;
options on the command line come on top.
"""

from __future__ import annotations

import dataclasses
import difflib
import json
import tomllib
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_type_hints

from facematch.choices import Architecture, Augmenting, Parallel
from facematch.errors import UsageError
from facematch.training.choices import (
    LOSSES,
    LossName,
    Mining,
    TeacherUse,
    TrainingDistance,
    TupleKind,
)
from facematch.training.metric_options import MetricLearningOptions

MAX_BYTES = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """One training run.

    Attributes:
        data: archives, folders or lists of labelled faces.
        network: architecture to train; with ``init``, that of the bundle.
        init: model or bundle whose weights are the start.
        loss: what is learned from identities.
        mining: which tuples of a batch the loss sees; None for the hardest, or for none where
            the loss looks at each crop by itself.
        distance: between embeddings, inside the loss; None for that of its paper.
        margin1: of triplets, contrastive pairs, and the quadruplet's pair with the anchor;
            None for the loss's own.
        margin2: of the quadruplet's pair without the anchor; None for the loss's own.
        soft: softplus in place of the hinge with its margins.
        loss_weight: of that loss; 0 leaves distillation alone.
        memory: embeddings of earlier batches kept as further negatives; 0 for none.
        distill: model or bundle whose embeddings are imitated beside the loss.
        distill_weight: of the distillation.
        identities: P, identities in a batch.
        crops: K, crops of each.
        unlabelled: further crops in a batch, drawn from all, for distillation.
        balance: draw equally from all sources of identities.
        look_alikes: draw identities that look like each other.
        augmentation: how strongly crops are varied.
        steps: updates in all; None to plan them from ``epochs`` or ``minutes``.
        epochs: how often each crop is seen, if ``steps`` is None.
        minutes: length of the run. With neither ``steps`` nor ``epochs`` the schedule is
            planned to end then; otherwise the run leaves off then, and resumes.
        learning_rate: at its peak; None for 1e-3 from scratch and 1e-4 from ``init``.
        warmup_steps: of the rate.
        weight_decay: on weights of two or more dimensions.
        ema_decay: of the averaged weights, which are exported.
        gradient_clip: largest norm of the gradient.
        accumulate: batches to an update.
        freeze: prefixes of parameters that stay as they are.
        keep_statistics: batch normalisation goes by the start's running statistics, which stay
            as they are; None for so with ``init``, and not from scratch.
        val: labelled pairs to keep the best network by.
        images: folder that the pairs' paths are relative to.
        hold_out: share of the identities kept aside for validation, if there is no ``val``.
        exclude_like: pairs whose people are taken out of the training data.
        exclude_threshold: cosine distance, by the start network, of people who look like
            them. Meant for thousands of comparisons a person, so smaller than that of one.
        clean: take out likely mislabels and near-duplicates.
        seed: of all randomness.
        threads: of the CPU; None for one a core.
        bfloat16: None for where the machine is fast with it.
        tensorboard: write a TensorBoard log.
        checkpoint_minutes: between checkpoints, and looks at the validation set; where
            ``minutes`` are given, at most a tenth of those.
        parallel: what several processes share, under torchrun.
        split_head: leave each of them a part of the head that classifies, which grows with the
            identities; otherwise each has the whole head.
    """

    data: tuple[str, ...] = ()
    network: Architecture = Architecture.COMPACT_2
    init: str | None = None
    loss: LossName = LossName.QUADRUPLET
    mining: Mining | None = None
    distance: TrainingDistance | None = None
    margin1: float | None = None
    margin2: float | None = None
    soft: bool = False
    loss_weight: float = 1.0
    memory: int = 0
    distill: str | None = None
    distill_weight: float = 1.0
    identities: int = 16
    crops: int = 4
    unlabelled: int = 0
    balance: bool = False
    look_alikes: bool = False
    augmentation: Augmenting = Augmenting.STANDARD
    steps: int | None = None
    epochs: float | None = None
    minutes: float | None = None
    learning_rate: float | None = None
    warmup_steps: int = 100
    weight_decay: float = 0.05
    ema_decay: float = 0.999
    gradient_clip: float = 5.0
    accumulate: int = 1
    freeze: tuple[str, ...] = ()
    keep_statistics: bool | None = None
    val: str | None = None
    images: str | None = None
    hold_out: float = 0.0
    exclude_like: str | None = None
    exclude_threshold: float = 0.35
    clean: bool = False
    seed: int = 1
    threads: int | None = None
    bfloat16: bool | None = None
    tensorboard: bool = False
    checkpoint_minutes: float = 3.0
    parallel: Parallel = Parallel.DATA
    split_head: bool = False

    def __post_init__(self) -> None:
        for name, sound, wanted in (
            ("data", bool(self.data), "at least one archive, folder or list"),
            ("identities", self.identities >= 2, "at least 2"),
            ("crops", self.crops >= 1, "at least 1"),
            ("unlabelled", self.unlabelled >= 0, "at least 0"),
            ("memory", self.memory >= 0, "at least 0"),
            ("steps", self.steps is None or self.steps >= 1, "at least 1"),
            ("epochs", self.epochs is None or self.epochs > 0, "above 0"),
            ("minutes", self.minutes is None or self.minutes > 0, "above 0"),
            ("loss_weight", self.loss_weight >= 0, "at least 0"),
            ("distill_weight", self.distill_weight >= 0, "at least 0"),
            ("threads", self.threads is None or self.threads >= 1, "at least 1"),
            ("exclude_threshold", 0 <= self.exclude_threshold <= 2, "in [0, 2]"),
            ("hold_out", 0 <= self.hold_out < 1, "in [0, 1)"),
            ("checkpoint_minutes", self.checkpoint_minutes > 0, "above 0"),
        ):
            if not sound:
                raise UsageError(f"{name}: expected {wanted}, got {getattr(self, name)!r}")
        try:
            _ = self.metric_options
        except ValueError as error:
            raise UsageError(str(error)) from error
        if self.distill is None and (
            self.loss_weight == 0 or LOSSES[self.loss].teacher is TeacherUse.NEEDED
        ):
            raise UsageError(
                f"{self.loss} with loss_weight {self.loss_weight:g} needs a teacher; "
                "give distill a model"
            )
        if self.split_head and (
            LOSSES[self.loss].kind is not TupleKind.ROWS or not self.loss_weight
        ):
            heads = [name for name, choice in LOSSES.items() if choice.kind is TupleKind.ROWS]
            raise UsageError(
                f"split_head: {self.loss} with loss_weight {self.loss_weight:g} has no head; there "
                f"is one with {', '.join(heads)}"
            )
        lengths = [self.steps, self.epochs, self.minutes]
        if self.steps is not None and self.epochs is not None:
            raise UsageError("steps and epochs both say how long to train; give one of them")
        if lengths == [None, None, None]:
            raise UsageError("how long to train? give --steps, --epochs or --max-minutes")

    @property
    def metric_options(self) -> MetricLearningOptions:
        """What of the recipe concerns the loss on identities."""
        mining = self.mining
        if mining is None:
            rows = LOSSES[self.loss].kind is TupleKind.ROWS
            mining = Mining.NONE if rows else Mining.BATCH_HARD
        return MetricLearningOptions(
            loss=self.loss,
            mining=mining,
            distance=self.distance,
            margin1=self.margin1,
            margin2=self.margin2,
            soft=self.soft,
            memory_size=self.memory,
            memory_warmup_steps=self.warmup_steps,
        )

    @property
    def batch_size(self) -> int:
        """Crops of one batch."""
        return self.identities * self.crops + self.unlabelled


def recipe_from(options: Mapping[str, Any], file: Path | None = None) -> Recipe:
    """Puts a recipe together from a TOML file and options that come on top.

    Args:
        options: values by field name; None stands for not given.
        file: TOML with any part of the fields.

    Raises:
        UsageError: a value is unknown, of the wrong type or out of range.
    """
    fields = {field.name: field for field in dataclasses.fields(Recipe)}
    given: dict[str, Any] = {}
    if file is not None:
        for name, value in _read(file).items():
            if name not in fields:
                near = difflib.get_close_matches(name, fields)
                hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(fields)}"
                raise UsageError(f"{file}: unknown option {name!r}; {hint}")
            given[name] = value
    given.update({name: value for name, value in options.items() if value not in (None, [], ())})
    hints = get_type_hints(Recipe)
    return Recipe(**{name: _converted(name, value, hints[name]) for name, value in given.items()})


def recipe_toml(recipe: Recipe) -> str:
    """The recipe as the text of a TOML file that :func:`recipe_from` reads."""
    lines = []
    for field in dataclasses.fields(Recipe):
        value = getattr(recipe, field.name)
        if value is None:
            lines.append(f"# {field.name} =")
        else:
            # JSON and TOML write numbers, booleans, lists and these strings alike.
            plain = list(value) if isinstance(value, tuple) else value
            lines.append(f"{field.name} = {json.dumps(plain, ensure_ascii=False)}")
    return "\n".join(lines) + "\n"


def _read(file: Path) -> dict[str, Any]:
    try:
        with file.open("rb") as stream:
            content = stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise UsageError(f"{file}: cannot be read ({error.strerror}); check the path") from error
    if len(content) > MAX_BYTES:
        raise UsageError(f"{file}: over 1 MiB, which no recipe is")
    try:
        return tomllib.loads(content.decode("utf-8"))
    except (ValueError, RecursionError) as error:  # UnicodeDecodeError, TOMLDecodeError
        raise UsageError(f"{file}: not TOML ({error})") from error


def _converted(name: str, value: Any, hint: Any) -> Any:
    """A value of the field's type."""
    kinds = typing.get_args(hint) if isinstance(hint, types.UnionType) else (hint,)
    kind = next(kind for kind in kinds if kind is not types.NoneType)
    if typing.get_origin(kind) is tuple:
        listed = isinstance(value, list | tuple)
        if not listed or not all(isinstance(item, str) for item in value):
            raise UsageError(f"{name}: expected a list of texts, got {value!r}")
        return tuple(value)
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if isinstance(value, str) and kind is not str:
        try:
            return kind(value)
        except ValueError as error:
            choices = ", ".join(kind) if hasattr(kind, "__members__") else kind.__name__
            raise UsageError(f"{name}: expected {choices}, got {value!r}") from error
    if type(value) is not kind and not isinstance(value, kind):
        raise UsageError(f"{name}: expected {kind.__name__}, got {value!r}")
    if kind is int and isinstance(value, bool):
        raise UsageError(f"{name}: expected int, got {value!r}")
    return value
