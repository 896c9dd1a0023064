"""Mining by distance: which negative of those that are allowed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import torch
from torch import Tensor

from facematch.training.choices import Mining
from facematch.training.mining.combinations import genuine_pairs
from facematch.training.mining.draws import ranks, uniform
from facematch.training.mining.pool import Pool
from facematch.training.mining.tuples import Quadruplets, Triplets

STRETCH = 1 << 22  # distances looked at in one go; 16 MiB

Positives = Callable[[Pool, int, torch.Generator], tuple[Tensor, Tensor]]
"""(pool, most pairs, generator) -> anchors and their positives, int64 (m,) each."""

Negatives = Callable[[Tensor, Tensor, Tensor, torch.Generator, int], tuple[Tensor, Tensor]]
"""(squared distances (m, n), allowed (m, n), squared distances of the genuine pairs (m,),
generator, dimensions) -> columns int64 (m,), and bool (m,): whether there is one."""


def farthest_positives(
    pool: Pool, maximum: int, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Of every anchor the farthest crop of its identity (arXiv 1703.07737)."""
    positive = pool.distances.masked_fill(~pool.genuine, -torch.inf).argmax(1)
    return _with_positives(pool, positive, maximum, generator)


def nearest_positives(
    pool: Pool, maximum: int, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Of every anchor the nearest crop of its identity (easy positive, arXiv 1907.09245)."""
    positive = pool.distances.masked_fill(~pool.genuine, torch.inf).argmin(1)
    return _with_positives(pool, positive, maximum, generator)


def _with_positives(
    pool: Pool, positive: Tensor, maximum: int, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    anchors = torch.nonzero(pool.genuine.any(1))[:, 0]
    anchor = anchors[ranks(len(anchors), maximum, generator, pool.device)]
    return anchor, positive[anchor]


def nearest(
    distances: Tensor,
    allowed: Tensor,
    genuine: Tensor,
    generator: torch.Generator,
    dimensions: int,
) -> tuple[Tensor, Tensor]:
    """The hardest."""
    return distances.masked_fill(~allowed, torch.inf).argmin(1), allowed.any(1)


def nearest_beyond(
    distances: Tensor,
    allowed: Tensor,
    genuine: Tensor,
    generator: torch.Generator,
    dimensions: int,
) -> tuple[Tensor, Tensor]:
    """The hardest of those farther apart than the genuine pair (FaceNet, arXiv 1503.03832)."""
    # Not ">": NaN must be mined, so that the loss shows it.
    beyond = allowed & ~(distances <= genuine[:, None])
    return nearest(distances, beyond, genuine, generator, dimensions)


def weighted(
    distances: Tensor,
    allowed: Tensor,
    genuine: Tensor,
    generator: torch.Generator,
    dimensions: int,
) -> tuple[Tensor, Tensor]:
    """One drawn so that all distances are equally likely (arXiv 1706.07567, section 4).

    The distance D of random points on a sphere in n dimensions has the density

        q(D) ~ D^(n - 2) * (1 - D^2 / 4)^((n - 3) / 2),

    and the weight of a negative is min(c, 1 / q(D)). As in the authors' program c is the
    weight at D = 0.5. Beyond D = 1.4, where most points are, 1 / q would rise again; there
    the program leaves negatives out, here they have the weight at 1.4, so that every anchor
    finds one.
    """
    # NaN must be mined, so that the loss shows it; as a distance of none it can be drawn.
    squared = distances.nan_to_num(0.0).clamp(0.5**2, 1.4**2)
    logarithm = squared.log() * ((2 - dimensions) / 2)
    logarithm += (squared / -4).log1p_() * ((3 - dimensions) / 2)
    logarithm.masked_fill_(~allowed, -torch.inf)
    highest = logarithm.amax(1, keepdim=True)
    share = (logarithm - highest.masked_fill(highest.isinf(), 0)).exp_().cumsum(1)
    total = share[:, -1:].contiguous()
    drawn = uniform(len(share), generator, share.device)[:, None] * total
    column = torch.searchsorted(share, drawn, right=True)
    last = torch.searchsorted(share, total)  # where a product that rounds up belongs
    return torch.minimum(column, last)[:, 0], allowed.any(1)


def select_triplets(
    pool: Pool,
    positives: Positives,
    negatives: Negatives,
    maximum: int,
    generator: torch.Generator,
) -> Triplets:
    """Genuine pairs, each with a negative of the anchor."""
    anchor, positive = positives(pool, maximum, generator)
    genuine = pool.distances[anchor, positive]
    columns, usable = [], []
    for part in _stretches(len(anchor), len(pool.labels)):
        row = anchor[part]
        column, there = negatives(
            pool.distances[row], pool.impostor[row], genuine[part], generator, pool.unit.shape[1]
        )
        columns.append(column)
        usable.append(there)
    keep, negative = torch.cat(usable), torch.cat(columns)
    return Triplets(anchor[keep], positive[keep], negative[keep])


def select_quadruplets(
    pool: Pool,
    positives: Positives,
    negatives: Negatives,
    maximum: int,
    generator: torch.Generator,
) -> Quadruplets:
    """Triplets, each with a second negative, chosen from the first one's point of view.

    It is of neither identity, and chosen by its distance from the first negative as that was
    by its distance from the anchor.
    """
    triplets = select_triplets(pool, positives, negatives, maximum, generator)
    genuine = pool.distances[triplets.anchor, triplets.positive]
    labels = pool.labels
    columns, usable = [], []
    for part in _stretches(len(triplets), len(labels)):
        first = triplets.negative[part]
        neither = (
            (labels >= 0)[None, :]
            & (labels[None, :] != labels[first, None])
            & (labels[None, :] != labels[triplets.anchor[part], None])
        )
        column, there = negatives(
            pool.distances_from(first), neither, genuine[part], generator, pool.unit.shape[1]
        )
        columns.append(column)
        usable.append(there)
    keep, second = torch.cat(usable), torch.cat(columns)
    return Quadruplets(
        triplets.anchor[keep], triplets.positive[keep], triplets.negative[keep], second[keep]
    )


def _stretches(count: int, width: int) -> list[slice]:
    """Slices of ``count`` rows of ``width`` that keep to ``STRETCH``; at least one."""
    step = max(1, STRETCH // max(1, width))
    return [slice(start, start + step) for start in range(0, max(1, count), step)]


BY_DISTANCE: Mapping[Mining, tuple[Positives, Negatives]] = MappingProxyType(
    {
        Mining.SEMI_HARD: (genuine_pairs, nearest_beyond),
        Mining.BATCH_HARD: (farthest_positives, nearest),
        Mining.EASY_POSITIVE: (nearest_positives, nearest),
        Mining.DISTANCE_WEIGHTED: (genuine_pairs, weighted),
    }
)
