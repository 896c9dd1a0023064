"""Slow and obvious: embeddings in lists, distances one at a time."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from facematch.training.choices import TrainingDistance
from facematch.training.mining import Pairs, Quadruplets, Triplets

DISTANCES = list(TrainingDistance)


def embeddings_of(seed: int, count: int, size: int = 5) -> Tensor:
    """float32, of norms between 0.1 and 10: losses must normalise."""
    rng = np.random.default_rng(seed)
    vectors = rng.normal(size=(count, size)) * rng.uniform(0.1, 10, (count, 1))
    return torch.from_numpy(vectors.astype(np.float32))


def unit(vectors: Tensor) -> list[list[float]]:
    rows = vectors.double().tolist()
    return [[x / sum(y * y for y in row) ** 0.5 for x in row] for row in rows]


def squared_distance(a: list[float], b: list[float]) -> float:
    return sum((x - y) ** 2 for x, y in zip(a, b, strict=True))


def distance_of(a: list[float], b: list[float], distance: TrainingDistance) -> float:
    squared = squared_distance(a, b)
    if distance is TrainingDistance.EUCLIDEAN:
        return math.sqrt(squared)
    return squared / 2 if distance is TrainingDistance.COSINE else squared


def columns_of(rows: list[tuple[int, ...]], width: int) -> tuple[Tensor, ...]:
    return torch.tensor(rows, dtype=torch.int64).reshape(-1, width).unbind(1)


def rows_of(found: Triplets | Quadruplets) -> list[tuple[int, ...]]:
    names = type(found).__slots__
    columns = [getattr(found, name) for name in names]
    assert all(column.dtype == torch.int64 and not column.requires_grad for column in columns)
    return list(zip(*(column.tolist() for column in columns), strict=True))


def pair_rows(found: Pairs) -> list[tuple[int, int, bool]]:
    columns = (found.first, found.second, found.genuine)
    return list(zip(*(column.tolist() for column in columns), strict=True))
