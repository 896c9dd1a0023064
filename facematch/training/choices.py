"""What a user can choose from in metric learning. Free of torch, because ``--help`` needs it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

MAX_TUPLES = 16_384  # of one batch
LOGIT_SCALE = 64.0  # of normalised classification (arXiv 1801.07698)


class TrainingDistance(StrEnum):
    """Distances of unit vectors that a loss can work on; D^2 = 2 * cosine distance."""

    EUCLIDEAN = "euclidean"
    SQUARED_EUCLIDEAN = "squared-euclidean"
    COSINE = "cosine"


class TupleKind(StrEnum):
    """What a loss is given: rows of the batch, or tuples of rows that a miner chose."""

    ROWS = "rows"
    PAIRS = "pairs"
    TRIPLETS = "triplets"
    QUADRUPLETS = "quadruplets"


class Mining(StrEnum):
    """Which tuples of a batch the loss sees."""

    NONE = "none"
    ALL = "all"
    RANDOM = "random"
    SEMI_HARD = "semi-hard"
    BATCH_HARD = "batch-hard"
    EASY_POSITIVE = "easy-positive"
    DISTANCE_WEIGHTED = "distance-weighted"
    ADAPTIVE = "adaptive"


class LossName(StrEnum):
    """Losses on labelled crops."""

    CONTRASTIVE = "contrastive"
    TRIPLET = "triplet"
    QUADRUPLET = "quadruplet"
    TWO_ANCHORS = "two-anchors"
    QUADRUPLET_DISTILLATION = "quadruplet-distillation"
    MARGIN_SAMPLE_MINING = "margin-sample-mining"
    SOFTMAX = "softmax"
    COSFACE = "cosface"
    ARCFACE = "arcface"


class TeacherUse(StrEnum):
    """What a loss does with a teacher's embeddings of the same crops."""

    UNUSED = "unused"
    OPTIONAL = "optional"
    NEEDED = "needed"


@dataclass(frozen=True, slots=True)
class LossChoice:
    """What a loss is, and which options it takes.

    Attributes:
        kind: of the tuples that it is given.
        summary: one line for ``--help``.
        margins: how many margins it has, 0 to 2.
        soft: whether its hinges can be smooth.
        adaptive: whether its margins can follow the batch (``Mining.ADAPTIVE``).
        teacher: whether it takes a teacher.
    """

    kind: TupleKind
    summary: str
    margins: int
    soft: bool = False
    adaptive: bool = False
    teacher: TeacherUse = TeacherUse.UNUSED


LOSSES: Mapping[LossName, LossChoice] = MappingProxyType(
    {
        LossName.CONTRASTIVE: LossChoice(
            TupleKind.PAIRS, "siamese: genuine pairs together, impostors beyond a margin", 1
        ),
        LossName.TRIPLET: LossChoice(
            TupleKind.TRIPLETS,
            "the positive nearer to the anchor than the negative, by a margin",
            1,
            soft=True,
            adaptive=True,
        ),
        LossName.QUADRUPLET: LossChoice(
            TupleKind.QUADRUPLETS,
            "and nearer than two negatives are to each other, by a second margin",
            2,
            soft=True,
            adaptive=True,
            teacher=TeacherUse.OPTIONAL,
        ),
        LossName.TWO_ANCHORS: LossChoice(
            TupleKind.QUADRUPLETS,
            "quadruplets seen from both crops of the genuine pair: four terms",
            2,
            soft=True,
            adaptive=True,
        ),
        LossName.QUADRUPLET_DISTILLATION: LossChoice(
            TupleKind.QUADRUPLETS,
            "quadruplets in the order, and by the gaps, that the teacher sees",
            2,
            soft=True,
            teacher=TeacherUse.NEEDED,
        ),
        LossName.MARGIN_SAMPLE_MINING: LossChoice(
            TupleKind.PAIRS,
            "the farthest genuine against the nearest impostor pair of the batch",
            1,
            soft=True,
        ),
        LossName.SOFTMAX: LossChoice(TupleKind.ROWS, "classification by a linear head", 0),
        LossName.COSFACE: LossChoice(TupleKind.ROWS, "classification, margin on the cosine", 1),
        LossName.ARCFACE: LossChoice(TupleKind.ROWS, "classification, margin on the angle", 1),
    }
)


MINERS: Mapping[Mining, str] = MappingProxyType(
    {
        Mining.NONE: "every crop by itself, for classification",
        Mining.ALL: "every tuple, or an even sample of them",
        Mining.RANDOM: "every genuine pair, with negatives drawn at random",
        Mining.SEMI_HARD: "every genuine pair, with the nearest negatives farther than it",
        Mining.BATCH_HARD: "of every anchor the farthest positive and the nearest negatives",
        Mining.EASY_POSITIVE: "of every anchor the nearest positive and the nearest negatives",
        Mining.DISTANCE_WEIGHTED: "every genuine pair, with negatives of all distances alike",
        Mining.ADAPTIVE: "what violates margins that follow the batch's mean distances",
    }
)
"""One line for ``--help`` on every way of mining."""


def minings_for(loss: LossName) -> tuple[Mining, ...]:
    """The ways of mining that serve a loss.

    Pairs, triplets and quadruplets can be mined in every way, except that adaptive margins
    ask for a loss with a margin between two distances. Losses on rows mine nothing.
    """
    choice = LOSSES[loss]
    if choice.kind is TupleKind.ROWS:
        return (Mining.NONE,)
    return tuple(
        mining
        for mining in Mining
        if mining is not Mining.NONE and (mining is not Mining.ADAPTIVE or choice.adaptive)
    )
