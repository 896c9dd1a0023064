"""What the losses on tuples share: hinges, hard or smooth, and how they are averaged."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from facematch.training.choices import TrainingDistance
from facematch.training.mining import PairStatistics


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """A loss, and how much of the batch it came from.

    Attributes:
        loss: scalar, differentiable even if nothing was mined; then it is 0.
        active: scalar without gradient in [0, 1]: the share of tuples of which some term
            falls short of its margin; 0 if nothing was mined.
    """

    loss: Tensor
    active: Tensor


@dataclass(frozen=True, slots=True, eq=False)
class Margins:
    """Margins of one batch; float32 scalars without gradient."""

    margin1: Tensor
    margin2: Tensor


def adaptive_margins(statistics: PairStatistics) -> Margins:
    """Margins from the mean distances of a batch (arXiv 1704.01719, margin-based mining).

        margin1 = mean D(impostor) - mean D(genuine),    margin2 = margin1 / 2

    No gradient flows through them. Where genuine pairs are the farther ones, as they may be
    in a fresh network, the margins are 0.
    """
    margin1 = (statistics.impostor - statistics.genuine).clamp(min=0)
    return Margins(margin1, margin1 / 2)


def hinge_outcome(excess: Tensor, *, soft: bool, active_only: bool = False) -> Outcome:
    """Sums the mean hinges of all terms.

    Args:
        excess: float32 (terms, m), ``margin - gap``: positive where a tuple falls short of
            the margin, -inf where a term does not take part.
        soft: ``ln(1 + exp(x))`` (arXiv 1703.07737) instead of ``max(x, 0)``.
        active_only: average each term over the tuples that fall short of its margin, and
            leave the others out; instead of over all.
    """
    hinges = functional.softplus(excess) if soft else torch.relu(excess)
    short = ~(excess <= 0)  # NaN must reach the loss
    if active_only:
        sums = hinges.where(short, 0.0).sum(1)
        loss = (sums / short.sum(1).clamp(min=1)).sum()
    else:
        loss = hinges.sum() / max(1, excess.shape[1])
    active = short.any(0).sum() / max(1, excess.shape[1])
    return Outcome(loss, active)


def flat_hinge(value: float, *, soft: bool) -> float:
    """The hinge of a number."""
    return float(functional.softplus(torch.tensor(value))) if soft else max(0.0, value)


class OneMarginLoss(nn.Module):
    """What losses with one margin between two distances have in common.

    Args:
        margin: between the two distances.
        distance: D of unit vectors.
        soft: a smooth hinge.

    Raises:
        ValueError: the margin is negative.
    """

    def __init__(self, margin: float, distance: TrainingDistance, soft: bool) -> None:
        super().__init__()
        if not margin >= 0:
            raise ValueError(f"the margin must not be negative: {margin}")
        self.margin = margin
        self.distance = distance
        self.soft = soft

    @property
    def collapsed_loss(self) -> float:
        """The loss of a network that maps all crops to one point."""
        return flat_hinge(self.margin, soft=self.soft)


class TwoMarginLoss(nn.Module):
    """What losses on quadruplets have in common.

    Args:
        margin1: for negative pairs with an anchor.
        margin2: for the negative pair without one; at most ``margin1``.
        distance: D of unit vectors.
        soft: smooth hinges.

    Raises:
        ValueError: the margins are out of order or negative.
    """

    def __init__(
        self,
        margin1: float = 0.4,
        margin2: float = 0.2,
        distance: TrainingDistance = TrainingDistance.SQUARED_EUCLIDEAN,
        soft: bool = False,
    ) -> None:
        super().__init__()
        if not margin1 >= margin2 >= 0:  # the second constraint stays the weaker one
            raise ValueError(f"margins must satisfy margin1 >= margin2 >= 0: {margin1}, {margin2}")
        self.margin1 = margin1
        self.margin2 = margin2
        self.distance = distance
        self.soft = soft
