"""The ways of mining by name.

All functions take which way, the pool of crops, the generator of all draws, and how many
tuples at most; of more an even sample without repetition is drawn. ``Mining.ADAPTIVE`` mines
as ``Mining.ALL``: what violates the margins is left to the loss, which knows them. They raise
ValueError for ``Mining.NONE``. No gradient flows through what they do.
"""

from __future__ import annotations

import torch
from torch import Tensor

from facematch.training.choices import MAX_TUPLES, Mining
from facematch.training.mining.combinations import (
    all_pairs,
    all_quadruplets,
    all_triplets,
    random_quadruplets,
    random_triplets,
)
from facematch.training.mining.pool import Pool, pool_of
from facematch.training.mining.selection import (
    BY_DISTANCE,
    Negatives,
    Positives,
    select_quadruplets,
    select_triplets,
)
from facematch.training.mining.tuples import Pairs, Quadruplets, Triplets


def mine_pairs(
    mining: Mining, pool: Pool, generator: torch.Generator, maximum: int = MAX_TUPLES
) -> Pairs:
    """The pairs of all crops; or those that anchors form in triplets, as many of each kind."""
    if mining in (Mining.ALL, Mining.ADAPTIVE):
        return all_pairs(pool, maximum, generator)
    triplets = mine_triplets(mining, pool, generator, max(1, maximum // 2))
    return Pairs(
        torch.cat([triplets.anchor, triplets.anchor]),
        torch.cat([triplets.positive, triplets.negative]),
        torch.arange(2 * len(triplets), device=pool.device) < len(triplets),
    )


def mine_triplets(
    mining: Mining, pool: Pool, generator: torch.Generator, maximum: int = MAX_TUPLES
) -> Triplets:
    """Triplets of an anchor, a positive and a negative."""
    if not pool.genuine.any():
        nothing = torch.zeros(0, dtype=torch.int64, device=pool.device)
        return Triplets(nothing, nothing, nothing)
    if mining in (Mining.ALL, Mining.ADAPTIVE):
        return all_triplets(pool, maximum, generator)
    if mining is Mining.RANDOM:
        return random_triplets(pool, maximum, generator)
    return select_triplets(pool, *_by_distance(mining), maximum, generator)


def mine_quadruplets(
    mining: Mining, pool: Pool, generator: torch.Generator, maximum: int = MAX_TUPLES
) -> Quadruplets:
    """Quadruplets of three identities; empty where the batch has fewer."""
    if not pool.genuine.any():
        nothing = torch.zeros(0, dtype=torch.int64, device=pool.device)
        return Quadruplets(nothing, nothing, nothing, nothing)
    if mining in (Mining.ALL, Mining.ADAPTIVE):
        return all_quadruplets(pool, maximum, generator)
    if mining is Mining.RANDOM:
        return random_quadruplets(pool, maximum, generator)
    return select_quadruplets(pool, *_by_distance(mining), maximum, generator)


def batch_hard(embeddings: Tensor, labels: Tensor) -> Quadruplets:
    """The hardest quadruplet of every anchor (after Hermans et al., arXiv 1703.07737).

    Positive: the farthest crop of the anchor's identity. Negative 1: the crop of another
    identity nearest to the anchor. Negative 2: the crop nearest to negative 1 among those
    of neither identity. Anchors without a positive, or in batches of fewer than three
    identities, are left out. Nothing is drawn unless the batch has more than
    ``MAX_TUPLES`` anchors.

    Args:
        embeddings: (n, d).
        labels: int64 (n,); negative for crops without an identity.
    """
    return mine_quadruplets(Mining.BATCH_HARD, pool_of(embeddings, labels), torch.Generator())


def _by_distance(mining: Mining) -> tuple[Positives, Negatives]:
    if mining not in BY_DISTANCE:
        raise ValueError(f"{mining!r} mines no tuples; choose from {', '.join(BY_DISTANCE)}")
    return BY_DISTANCE[mining]
