"""A loss, a way of mining and a memory, put together by name."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from facematch.training.choices import (
    LOSSES,
    LossName,
    Mining,
    TeacherUse,
    TrainingDistance,
)
from facematch.training.losses import (
    ClassificationLoss,
    ContrastiveLoss,
    Margins,
    MarginSampleMiningLoss,
    Outcome,
    QuadrupletDistillationLoss,
    QuadrupletLoss,
    TripletLoss,
    TwoAnchorLoss,
    adaptive_margins,
)
from facematch.training.memory import CrossBatchMemory
from facematch.training.metric_options import MetricLearningOptions
from facematch.training.mining import (
    PairStatistics,
    Pool,
    mine_pairs,
    mine_quadruplets,
    mine_triplets,
    pair_statistics,
    pool_of,
)
from facematch.training.ranks import Ranks

TupleCriterion = (
    ContrastiveLoss
    | MarginSampleMiningLoss
    | TripletLoss
    | QuadrupletLoss
    | TwoAnchorLoss
    | QuadrupletDistillationLoss
)
Criterion = ClassificationLoss | TupleCriterion


@dataclass(frozen=True, slots=True, eq=False)
class _Rows:
    """Rows that tuples point into; the leading ones are the batch."""

    embeddings: Tensor
    labels: Tensor
    teacher: Tensor | None


class MetricLearning(nn.Module):
    """What a batch of labelled embeddings costs.

    Its parameters, which only classification has, are trained beside the network's; its
    buffers, which only the memory has, belong into the checkpoint: ``state_dict`` holds both.

    In a run of several ranks pass the embeddings and labels gathered from all, in the same
    order on each, and generators of the same seed: then all mine the same tuples.

    Args:
        options: which loss, mining and memory.
        embedding_size: d, of the network.
        identities: in the training data; needed for classification.
        teacher_size: e, of the teacher; needed for a memory beside one.
    """

    criterion: Criterion
    memory: CrossBatchMemory | None

    def __init__(
        self,
        options: MetricLearningOptions,
        *,
        embedding_size: int,
        identities: int = 0,
        teacher_size: int = 0,
    ) -> None:
        super().__init__()
        self.options = options
        self.criterion = _criterion(options, embedding_size, identities)
        self.memory = None
        if options.memory_size > 0:
            taught = LOSSES[options.loss].teacher is not TeacherUse.UNUSED
            self.memory = CrossBatchMemory(
                options.memory_size,
                embedding_size,
                teacher_size if taught else 0,
                options.memory_warmup_steps,
            )

    def split_head(self, ranks: Ranks) -> None:
        """Leaves each rank its part of the head of a classification.

        Raises:
            UsageError: the ranks are not enough, or too many.
        """
        assert isinstance(self.criterion, ClassificationLoss)  # the recipe has seen to it
        ranks.split(self.criterion)

    @property
    def collapsed_loss(self) -> float | None:
        """Where the loss sticks if the network maps all faces to one point; None if unknown.

        A teacher that limits the margins makes it smaller. Semi-hard mining finds nothing once
        all distances are exactly equal, and the loss is then 0: watch the variance too.
        """
        if self.options.mining is Mining.ADAPTIVE:
            return 0.0  # the margins collapse too
        return self.criterion.collapsed_loss

    @property
    def distance(self) -> TrainingDistance:
        """The distance of the loss and of the figures."""
        if isinstance(self.criterion, ClassificationLoss):
            return TrainingDistance.SQUARED_EUCLIDEAN
        return self.criterion.distance

    def forward(
        self,
        embeddings: Tensor,
        labels: Tensor,
        generator: torch.Generator,
        teacher: Tensor | None = None,
    ) -> tuple[Tensor, Mapping[str, float]]:
        """Returns the scalar loss and figures for the log, and remembers the batch.

        Figures: ``mined`` (tuples, or crops that were classified), ``active`` (share of them
        that fall short of a margin, or were classified wrongly), ``genuine_distance`` and
        ``impostor_distance`` (means over the batch), ``distance_variance`` (over all pairs of
        the batch), with adaptive mining also ``margin1`` and ``margin2``. What cannot be said
        of a batch, as the mean distance of no pairs, is left out.

        Args:
            embeddings: (n, d), not normalised.
            labels: int64 (n,); crops with a negative label (no identity) take no part.
            generator: of the draws of mining.
            teacher: (n, e) embeddings of the same crops by a better network.

        Raises:
            ValueError: the loss needs a teacher and got none, or the other way round; or the
                teacher is not of the size that the memory was made for.
        """
        use = LOSSES[self.options.loss].teacher
        if (teacher is None and use is TeacherUse.NEEDED) or (
            teacher is not None and use is TeacherUse.UNUSED
        ):
            raise ValueError(f"{self.options.loss}: a teacher is {use}")
        rows = self._with_memory(embeddings, labels, teacher)
        pool = pool_of(rows.embeddings, rows.labels, len(labels))
        statistics = pair_statistics(pool, self.distance)
        margins = adaptive_margins(statistics) if self.options.mining is Mining.ADAPTIVE else None
        if isinstance(self.criterion, ClassificationLoss):
            outcome, mined = self.criterion.evaluate(embeddings, labels), int((labels >= 0).sum())
        else:
            outcome, mined = self._mined(self.criterion, rows, pool, generator, margins)
        return outcome.loss, {"mined": float(mined), **_figures(outcome, statistics, margins)}

    def _with_memory(self, embeddings: Tensor, labels: Tensor, teacher: Tensor | None) -> _Rows:
        """The batch with what is remembered of earlier ones; the batch is for the next."""
        if self.memory is None:
            return _Rows(embeddings, labels, teacher)
        past = self.memory.recall()
        self.memory.remember(embeddings, labels, teacher)
        return _Rows(
            torch.cat([embeddings.float(), past.embeddings]),
            torch.cat([labels, past.labels]),
            None if teacher is None else torch.cat([teacher.float(), past.teacher]),
        )

    def _mined(
        self,
        criterion: TupleCriterion,
        rows: _Rows,
        pool: Pool,
        generator: torch.Generator,
        margins: Margins | None,
    ) -> tuple[Outcome, int]:
        """The loss on the tuples that were mined, and their number."""
        embeddings = rows.embeddings
        active_only = self.options.active_only or margins is not None
        mine = (self.options.mining, pool, generator, self.options.max_tuples)
        match criterion:
            case ContrastiveLoss() | MarginSampleMiningLoss():
                pairs = mine_pairs(*mine)
                return criterion.evaluate(embeddings, pairs), len(pairs)
            case TripletLoss():
                triplets = mine_triplets(*mine)
                return criterion.evaluate(embeddings, triplets, margins, active_only), len(triplets)
            case TwoAnchorLoss():
                quadruplets = mine_quadruplets(*mine)
                outcome = criterion.evaluate(embeddings, quadruplets, margins, active_only)
            case QuadrupletLoss():
                quadruplets = mine_quadruplets(*mine)
                outcome = criterion.evaluate(
                    embeddings, quadruplets, rows.teacher, margins, active_only
                )
            case QuadrupletDistillationLoss():
                assert rows.teacher is not None  # forward has seen to it
                quadruplets = mine_quadruplets(*mine)
                outcome = criterion.evaluate(embeddings, quadruplets, rows.teacher)
        return outcome, len(quadruplets)


def _criterion(options: MetricLearningOptions, embedding_size: int, identities: int) -> Criterion:
    given: dict[str, Any] = {}
    if options.distance is not None:
        given["distance"] = options.distance
    if options.soft:
        given["soft"] = True
    two = LOSSES[options.loss].margins == 2
    if options.margin1 is not None:
        given["margin1" if two else "margin"] = options.margin1
    if options.margin2 is not None:
        given["margin2"] = options.margin2
    match options.loss:
        case LossName.CONTRASTIVE:
            return ContrastiveLoss(**given)
        case LossName.TRIPLET:
            return TripletLoss(**given)
        case LossName.QUADRUPLET:
            return QuadrupletLoss(**given)
        case LossName.TWO_ANCHORS:
            return TwoAnchorLoss(**given)
        case LossName.QUADRUPLET_DISTILLATION:
            return QuadrupletDistillationLoss(**given)
        case LossName.MARGIN_SAMPLE_MINING:
            return MarginSampleMiningLoss(**given)
        case LossName.SOFTMAX | LossName.COSFACE | LossName.ARCFACE:
            if identities < 2:
                raise ValueError(
                    f"{options.loss} needs at least two identities, the data has {identities}"
                )
            return ClassificationLoss(
                options.loss, identities, embedding_size, scale=options.scale, **given
            )


def _figures(
    outcome: Outcome, statistics: PairStatistics, margins: Margins | None
) -> dict[str, float]:
    """Plain numbers, fetched from the device at once; without those that are not defined."""
    scalars = {
        "active": outcome.active,
        "genuine_distance": statistics.genuine,
        "impostor_distance": statistics.impostor,
        "distance_variance": statistics.variance,
    }
    if margins is not None:
        scalars |= {"margin1": margins.margin1, "margin2": margins.margin2}
    values = torch.stack([value.float() for value in scalars.values()]).tolist()
    return {n: v for n, v in zip(scalars, values, strict=True) if math.isfinite(v)}
