"""Distances between embeddings, in float32 whatever the network ran in.

Everything is computed on unit vectors. Under autocast a matrix product would be rounded to
bfloat16, whose steps near 1 (0.0078) are larger than many a margin, so it is switched off.
"""

from __future__ import annotations

import torch
from torch import Tensor

from facematch.training.choices import TrainingDistance

SHORTEST = 1e-12  # a vector below has no direction
PRODUCTS_PER_PAIR = 64  # so many cost about as much as one distance of gathered rows
SHORT = 0.02  # where a Euclidean distance from products is off by up to one in a thousand


def unit_vectors(embeddings: Tensor) -> Tensor:
    """Unit-norm float32 (n, d) of (n, d) vectors of any precision.

    A vector of no length stays zero, and gets no gradient: division by a small constant
    instead would give it one of 1e12, and gradient clipping would then erase all others.
    """
    vectors = embeddings.float()
    norms = torch.linalg.vector_norm(vectors, dim=1, keepdim=True)
    unit: Tensor = vectors / norms.masked_fill(norms <= SHORTEST, torch.inf)
    return unit


def tuple_distances(
    unit: Tensor, distance: TrainingDistance, *pairs: tuple[Tensor, Tensor]
) -> Tensor:
    """Distances of pairs of rows; float32 (k, m), differentiable, also where they are zero.

    Of many pairs among few rows it is cheaper to multiply all rows by all, and to pick.

    Args:
        unit: unit-norm float32 (n, d), as of :func:`unit_vectors`.
        distance: which.
        pairs: k times row numbers of both sides, int64 (m,) each.
    """
    first = torch.cat([pair[0] for pair in pairs])
    second = torch.cat([pair[1] for pair in pairs])
    if len(unit) < len(first) and len(unit) ** 2 <= PRODUCTS_PER_PAIR * len(first):
        found = _picked(unit, first, second, distance)
    else:
        found = _paired(unit[first], unit[second], distance)
    return found.reshape(len(pairs), -1)


def _paired(first: Tensor, second: Tensor, distance: TrainingDistance) -> Tensor:
    if distance is TrainingDistance.COSINE:
        return 1 - (first * second).sum(1)
    if distance is TrainingDistance.EUCLIDEAN:
        lengths: Tensor = torch.linalg.vector_norm(first - second, dim=1)
        return lengths  # unlike a square root, with gradient 0 at distance 0
    return (first - second).square().sum(1)


def _picked(unit: Tensor, first: Tensor, second: Tensor, distance: TrainingDistance) -> Tensor:
    with torch.autocast(unit.device.type, enabled=False):
        products = unit @ unit.T
    similarity = products.flatten().index_select(0, first * len(unit) + second)
    if distance is TrainingDistance.COSINE:
        return 1 - similarity
    lengths = unit.detach().square().sum(1)  # 1, or 0: constant
    squared = lengths[first] + lengths[second] - 2 * similarity
    if distance is TrainingDistance.SQUARED_EUCLIDEAN:
        return squared
    # Short distances have lost their digits in the difference, and their slope is steep.
    short = squared < SHORT**2
    roots = squared.masked_fill(short, 1).sqrt()
    rows = torch.nonzero(short)[:, 0]
    return roots.index_put((rows,), _paired(unit[first[rows]], unit[second[rows]], distance))


def distance_matrix(rows: Tensor, columns: Tensor, distance: TrainingDistance) -> Tensor:
    """Distances of all rows from all columns; float32 (m, n), without gradient.

    Args:
        rows: unit-norm float32 (m, d).
        columns: unit-norm float32 (n, d).
        distance: which.
    """
    with torch.no_grad(), torch.autocast(rows.device.type, enabled=False):
        similarity = rows @ columns.T
        if distance is TrainingDistance.COSINE:
            return 1 - similarity
        squares = rows.square().sum(1)[:, None] + columns.square().sum(1)[None, :]
        squared = squares.sub_(similarity, alpha=2).clamp_(min=0)
        return squared.sqrt_() if distance is TrainingDistance.EUCLIDEAN else squared
