"""Mining by counting: all tuples, and tuples with negatives drawn evenly.

The crops are put in the order of their identities. All crops but those of one or two
identities are then numbered without gaps by skipping over one or two stretches, so that any
tuple can be written down from its rank, and none has to be listed to be drawn.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from facematch.training.mining.draws import below, ranks
from facematch.training.mining.pool import Pool
from facematch.training.mining.tuples import Pairs, Quadruplets, Triplets


@dataclass(frozen=True, slots=True, eq=False)
class _Identities:
    """Crops in the order of their identities.

    Attributes:
        order: int64 (u,), the rows with an identity, sorted by it.
        of_row: int64 (n,), the number of each row's identity; 0 for rows without one.
        start: int64 (g,), where each identity begins in ``order``.
        size: int64 (g,), its crops.
    """

    order: Tensor
    of_row: Tensor
    start: Tensor
    size: Tensor

    def outside(self, rank: Tensor, identity: Tensor) -> Tensor:
        """The rows of given ranks among all crops but those of one identity; (m,)."""
        return self.order[rank + (rank >= self.start[identity]) * self.size[identity]]

    def outside_both(self, rank: Tensor, identity1: Tensor, identity2: Tensor) -> Tensor:
        """The rows of given ranks among all crops but those of two identities; (m,)."""
        earlier = torch.minimum(identity1, identity2)
        later = torch.maximum(identity1, identity2)
        position = rank + (rank >= self.start[earlier]) * self.size[earlier]
        return self.order[position + (position >= self.start[later]) * self.size[later]]


def _identities(labels: Tensor) -> _Identities:
    rows = torch.nonzero(labels >= 0)[:, 0]
    _, number, size = torch.unique(labels[rows], return_inverse=True, return_counts=True)
    of_row = torch.zeros_like(labels)
    of_row[rows] = number
    start = size.cumsum(0) - size
    return _Identities(rows[torch.argsort(number, stable=True)], of_row, start, size)


def genuine_pairs(pool: Pool, maximum: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Anchors and their positives, both int64 (m,): every pair, or an even sample."""
    anchor, positive = torch.nonzero(pool.genuine, as_tuple=True)
    chosen = ranks(len(anchor), maximum, generator, pool.device)
    return anchor[chosen], positive[chosen]


def all_pairs(pool: Pool, maximum: int, generator: torch.Generator) -> Pairs:
    """Every pair once, or an even sample of each kind of at most half the maximum."""
    count = pool.genuine.shape[1]
    row = torch.arange(pool.anchors, device=pool.device)[:, None]
    once = row < torch.arange(count, device=pool.device)[None, :]
    parts = []
    for mask in (pool.genuine & once, pool.impostor & once):
        first, second = torch.nonzero(mask, as_tuple=True)
        chosen = ranks(len(first), max(1, maximum // 2), generator, pool.device)
        parts.append((first[chosen], second[chosen]))
    (first, second), (third, fourth) = parts
    genuine = torch.arange(len(first) + len(third), device=pool.device) < len(first)
    return Pairs(torch.cat([first, third]), torch.cat([second, fourth]), genuine)


def all_triplets(pool: Pool, maximum: int, generator: torch.Generator) -> Triplets:
    """Every triplet, or an even sample."""
    identities = _identities(pool.labels)
    anchor, positive = torch.nonzero(pool.genuine, as_tuple=True)
    negatives = len(identities.order) - identities.size[identities.of_row[anchor]]
    end = negatives.cumsum(0)
    rank = ranks(_last(end), maximum, generator, pool.device)
    pair = torch.searchsorted(end, rank, right=True)
    within = rank - (end - negatives)[pair]
    anchor, positive = anchor[pair], positive[pair]
    return Triplets(anchor, positive, identities.outside(within, identities.of_row[anchor]))


def all_quadruplets(pool: Pool, maximum: int, generator: torch.Generator) -> Quadruplets:
    """Every quadruplet, or an even sample."""
    identities = _identities(pool.labels)
    anchor, positive = torch.nonzero(pool.genuine, as_tuple=True)
    own = identities.of_row[anchor]
    size, crops = identities.size, len(identities.order)
    # Of anchors of identity g and first negatives of identity h:
    second = (crops - size[:, None] - size[None, :]).fill_diagonal_(0)  # second negatives
    cells = size[None, :] * second  # both negatives
    cell_end = cells.cumsum(1)
    negatives = cells.sum(1)
    end = negatives[own].cumsum(0)
    rank = ranks(_last(end), maximum, generator, pool.device)
    pair = torch.searchsorted(end, rank, right=True)
    own = own[pair]
    within = rank - (end[pair] - negatives[own])
    # One search in all rows of ``cell_end``, laid end to end.
    before = negatives.cumsum(0) - negatives
    laid = (cell_end + before[:, None]).flatten()
    other = torch.searchsorted(laid, within + before[own], right=True) - own * len(size)
    within = within - (cell_end - cells)[own, other]
    seconds = second[own, other]
    return Quadruplets(
        anchor[pair],
        positive[pair],
        identities.order[identities.start[other] + within // seconds],
        identities.outside_both(within % seconds, own, other),
    )


def random_triplets(pool: Pool, maximum: int, generator: torch.Generator) -> Triplets:
    """Every genuine pair, or an even sample, with a negative drawn evenly."""
    identities = _identities(pool.labels)
    anchor, positive = genuine_pairs(pool, maximum, generator)
    own = identities.of_row[anchor]
    negatives = len(identities.order) - identities.size[own]
    rank, usable = below(negatives, generator), negatives > 0
    anchor, positive, rank, own = (x[usable] for x in (anchor, positive, rank, own))
    return Triplets(anchor, positive, identities.outside(rank, own))


def random_quadruplets(pool: Pool, maximum: int, generator: torch.Generator) -> Quadruplets:
    """Every genuine pair, or an even sample, with two negatives drawn evenly."""
    identities = _identities(pool.labels)
    triplets = random_triplets(pool, maximum, generator)
    own = identities.of_row[triplets.anchor]
    other = identities.of_row[triplets.negative]
    seconds = len(identities.order) - identities.size[own] - identities.size[other]
    rank, usable = below(seconds, generator), seconds > 0
    return Quadruplets(
        triplets.anchor[usable],
        triplets.positive[usable],
        triplets.negative[usable],
        identities.outside_both(rank[usable], own[usable], other[usable]),
    )


def _last(end: Tensor) -> int:
    return int(end[-1]) if len(end) else 0
