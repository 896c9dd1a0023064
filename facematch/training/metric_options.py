"""The options of metric learning. Free of torch, so that they are checked before it loads."""

from __future__ import annotations

from dataclasses import dataclass

from facematch.training.choices import (
    LOGIT_SCALE,
    LOSSES,
    MAX_TUPLES,
    LossName,
    Mining,
    TrainingDistance,
    TupleKind,
    minings_for,
)


@dataclass(frozen=True, slots=True)
class MetricLearningOptions:
    """What is learned from labels, and how.

    Attributes:
        loss: name in ``LOSSES``.
        mining: name in ``MINERS``; ``none`` for classification, and only for it.
        distance: D of unit vectors; None for the one of the loss's paper.
        margin1: first or only margin; None for the loss's default.
        margin2: second margin; None for the loss's default.
        soft: smooth hinges, ``ln(1 + exp(x))``.
        active_only: average over the tuples that fall short of their margin only; always so
            with adaptive mining.
        max_tuples: most tuples of a batch; of more an even sample is drawn.
        memory_size: crops of earlier batches to compare with; 0 for none.
        memory_warmup_steps: so many first batches are not remembered.
        scale: of the logits of cosface and arcface.
    """

    loss: LossName = LossName.QUADRUPLET
    mining: Mining = Mining.BATCH_HARD
    distance: TrainingDistance | None = None
    margin1: float | None = None
    margin2: float | None = None
    soft: bool = False
    active_only: bool = False
    max_tuples: int = MAX_TUPLES
    memory_size: int = 0
    memory_warmup_steps: int = 1000
    scale: float = LOGIT_SCALE

    def __post_init__(self) -> None:
        """Turns plain strings into choices and refuses what does not fit together.

        Raises:
            ValueError: an unknown name, or options that the loss does not take; the message
                lists what fits.
        """
        for name, choices in (
            ("loss", LossName),
            ("mining", Mining),
            ("distance", TrainingDistance),
        ):
            value = getattr(self, name)
            if value is None and name == "distance":
                continue
            if value not in list(choices):
                raise ValueError(f"no {name} {value!r}; choose from {', '.join(choices)}")
            object.__setattr__(self, name, choices(value))
        choice, fitting = LOSSES[self.loss], minings_for(self.loss)
        if self.mining not in fitting:
            raise ValueError(
                f"{self.loss} works on {choice.kind}, for which mining {self.mining} does not "
                f"fit; choose from {', '.join(fitting)}"
            )
        rows = choice.kind is TupleKind.ROWS
        for option, given, taken in (
            ("margin1", self.margin1 is not None, choice.margins >= 1),
            ("margin2", self.margin2 is not None, choice.margins >= 2),
            ("margins", self._sets_margins, self.mining is not Mining.ADAPTIVE),
            ("soft", self.soft, choice.soft),
            ("active_only", self.active_only, choice.adaptive),
            ("distance", self.distance is not None, not rows),
            ("memory_size", self.memory_size != 0, not rows),
        ):
            if given and not taken:
                raise ValueError(f"{self.loss} with mining {self.mining} takes no {option}")
        if self.max_tuples < 1 or self.memory_size < 0 or self.memory_warmup_steps < 0:
            raise ValueError(
                "max_tuples must be at least 1, memory_size and memory_warmup_steps at least 0: "
                f"{self.max_tuples}, {self.memory_size}, {self.memory_warmup_steps}"
            )

    @property
    def _sets_margins(self) -> bool:
        return self.margin1 is not None or self.margin2 is not None
