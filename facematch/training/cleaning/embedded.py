"""Embeddings as all of this package takes them, and distances in blocks of bounded memory."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from facematch.types import Float32Array, Int64Array

BLOCK = 2048
"""Rows on each side of a block of distances: 16 MiB."""


def unit_rows(embeddings: Float32Array, what: str = "embeddings") -> Float32Array:
    """Checked and normalised float32 (n, d).

    Raises:
        ValueError: not two-dimensional, not finite, or a row of zeros.
    """
    if embeddings.ndim != 2 or not np.isfinite(embeddings).all():
        raise ValueError(f"{what} must be finite and of shape (n, d), got {embeddings.shape}")
    rows = np.asarray(embeddings, np.float32)
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    if (lengths == 0).any():
        raise ValueError(f"{what} hold a row of zeros: {int(np.argmin(lengths))}")
    return np.asarray(rows / lengths, np.float32)


def check_rows(embeddings: Float32Array, labels: Int64Array, names: Sequence[str]) -> None:
    """Raises ValueError unless there is a label and a name for each embedding."""
    if not len(embeddings) == len(labels) == len(names):
        raise ValueError(
            f"{len(embeddings)} embeddings, {len(labels)} labels and {len(names)} names"
        )


def nearest(rows: Float32Array, others: Float32Array) -> tuple[Float32Array, Int64Array]:
    """The nearest of ``others`` to each row, the first of equals.

    Args:
        rows: (n, d), unit.
        others: (m, d), unit.

    Returns:
        float32 (n,) cosine distances, infinite if there are no others, and int64 (n,) indices.
    """
    distance = np.full(len(rows), np.inf, np.float32)
    index = np.zeros(len(rows), np.int64)
    for start in range(0, len(rows), BLOCK):
        part = slice(start, start + BLOCK)
        for first in range(0, len(others), BLOCK):
            block = 1 - rows[part] @ others[first : first + BLOCK].T
            best = block.argmin(1)
            found = block[np.arange(len(block)), best]
            nearer = found < distance[part]
            distance[part][nearer] = found[nearer]
            index[part][nearer] = first + best[nearer]
    return distance, index
