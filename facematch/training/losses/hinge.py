"""What the losses on tuples share: hinges, hard or smooth, and how they are averaged."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

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
