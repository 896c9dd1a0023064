"""Distances between templates. Smaller is more alike for each of them.

Templates are unit-norm float32. Distances are computed so that a template is at distance
zero from itself up to one float32 rounding: Euclidean distances are not taken from
``2 - 2 a.b`` in float32, whose cancellation would leave 3e-4 between equal templates.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import assert_never

import numpy as np

from facematch.types import Float32Array, Float64Array, Metric

# Values held by one temporary block (8 MiB of float32), whatever the sizes of the inputs.
_BLOCK_VALUES = 1 << 21

# Three passes over the same differences: a quarter of a mebibyte stays in the processor's cache.
_DIFFERENCES = 1 << 16

# A template whose centred part is below float32 resolution has no direction left to correlate.
_CONSTANT = float(np.finfo(np.float32).eps)


def distance(a: Float32Array, b: Float32Array, metric: Metric) -> Float32Array:
    """Distances between corresponding rows.

    Args:
        a: float32 (n, d), unit norm.
        b: float32 (n, d), unit norm.
        metric: which distance. Cosine (``1 - a.b``) and Pearson (``1 - correlation``) lie in
            [0, 2]; Euclidean in [0, 2], squared Euclidean in [0, 4], Manhattan in
            [0, 2 sqrt(d)]. The correlation with a constant template is taken as zero.

    Returns:
        float32 (n,); NaN where a template holds NaN.

    Raises:
        ValueError: the shapes are not two equal (n, d).

    >>> a = np.array([[1, 0], [0, 1]], np.float32)
    >>> b = np.array([[1, 0], [1, 0]], np.float32)
    >>> distance(a, b, Metric.COSINE).tolist()
    [0.0, 1.0]
    >>> distance(a, b, Metric.MANHATTAN).tolist()
    [0.0, 2.0]
    """
    if a.ndim != 2 or a.shape != b.shape:
        raise ValueError(f"expected two arrays of one shape (n, d), got {a.shape} and {b.shape}")
    result = np.empty(len(a), np.float32)
    for rows in _blocks(len(a), a.shape[1]):
        result[rows] = _paired(a[rows].astype(np.float64), b[rows].astype(np.float64), metric)
    return result


def largest_distance(metric: Metric, size: int) -> float:
    """The largest that a distance between templates of so many numbers can be; the least is 0.

    >>> largest_distance(Metric.SQUARED_EUCLIDEAN, 256)
    4.0
    """
    match metric:
        case Metric.COSINE | Metric.PEARSON | Metric.EUCLIDEAN:
            return 2.0
        case Metric.SQUARED_EUCLIDEAN:
            return 4.0
        case Metric.MANHATTAN:
            return 2.0 * math.sqrt(size)
        case _:
            assert_never(metric)


def pairwise(a: Float32Array, b: Float32Array, metric: Metric) -> Float32Array:
    """Distances between all rows of ``a`` and all rows of ``b``.

    Agrees with :func:`distance` to a few units in the last place of float32. Beside the
    result, memory is bounded whatever the sizes, with one exception: the Pearson distance
    centres a copy of each input.

    Args:
        a: float32 (m, d), unit norm.
        b: float32 (n, d), unit norm.
        metric: which distance; ranges as for :func:`distance`.

    Returns:
        float32 (m, n); NaN where a template holds NaN.

    Raises:
        ValueError: the shapes are not (m, d) and (n, d).

    >>> probe = np.array([[1, 0]], np.float32)
    >>> gallery = np.array([[1, 0], [0, 1], [-1, 0]], np.float32)
    >>> pairwise(probe, gallery, Metric.SQUARED_EUCLIDEAN).tolist()
    [[0.0, 2.0, 4.0]]
    """
    if a.ndim != 2 or b.ndim != 2 or a.shape[1] != b.shape[1]:
        raise ValueError(f"expected shapes (m, d) and (n, d), got {a.shape} and {b.shape}")
    match metric:
        case Metric.COSINE:
            return _one_minus_products(a, b)
        case Metric.PEARSON:
            return _one_minus_products(
                _standardized(a.astype(np.float64)).astype(np.float32),
                _standardized(b.astype(np.float64)).astype(np.float32),
            )
        case Metric.SQUARED_EUCLIDEAN:
            return _squared_euclidean(a, b)
        case Metric.EUCLIDEAN:
            squared = _squared_euclidean(a, b)
            return np.sqrt(squared, out=squared)
        case Metric.MANHATTAN:
            return _manhattan(a, b)
        case _:
            assert_never(metric)


def _paired(a: Float64Array, b: Float64Array, metric: Metric) -> Float64Array:
    result: Float64Array
    match metric:
        case Metric.COSINE:
            result = np.clip(1 - np.einsum("ij,ij->i", a, b), 0, 2)
        case Metric.PEARSON:
            result = np.clip(1 - np.einsum("ij,ij->i", _standardized(a), _standardized(b)), 0, 2)
        case Metric.SQUARED_EUCLIDEAN:
            result = np.square(a - b).sum(axis=1)
        case Metric.EUCLIDEAN:
            result = np.sqrt(np.square(a - b).sum(axis=1))
        case Metric.MANHATTAN:
            result = np.abs(a - b).sum(axis=1)
        case _:
            assert_never(metric)
    return result


def _standardized(templates: Float64Array) -> Float64Array:
    """Rows centred and scaled to unit norm; constant rows become zero."""
    if templates.size == 0:
        return templates
    centred = templates - templates.mean(axis=1, keepdims=True)
    norms = np.linalg.norm(centred, axis=1, keepdims=True)
    constant = norms <= _CONSTANT * np.linalg.norm(templates, axis=1, keepdims=True)
    return np.where(constant, 0.0, centred / np.where(constant, 1.0, norms))


def _one_minus_products(a: Float32Array, b: Float32Array) -> Float32Array:
    products = a @ b.T
    np.subtract(np.float32(1), products, out=products)
    # Rounding may leave the range by one unit in the last place; the contract is [0, 2].
    return np.clip(products, 0, 2, out=products)


def _squared_euclidean(a: Float32Array, b: Float32Array) -> Float32Array:
    """|a|^2 + |b|^2 - 2 a.b in float64, in which the cancellation does no harm."""
    result = np.empty((len(a), len(b)), np.float32)
    width = a.shape[1]
    for rows in _blocks(len(a), width):
        left = a[rows].astype(np.float64)
        left_squared = np.square(left).sum(axis=1)[:, None]
        for columns in _blocks(len(b), max(width, len(left))):
            right = b[columns].astype(np.float64)
            squared = left_squared + np.square(right).sum(axis=1)
            squared -= 2 * (left @ right.T)
            result[rows, columns] = np.maximum(squared, 0)
    return result


def _manhattan(a: Float32Array, b: Float32Array) -> Float32Array:
    result = np.empty((len(a), len(b)), np.float32)
    width = a.shape[1]
    for columns in _blocks(len(b), width, _DIFFERENCES):
        right = b[columns]
        for rows in _blocks(len(a), right.size, _DIFFERENCES):
            differences = a[rows, None, :] - right[None, :, :]
            np.abs(differences, out=differences)
            result[rows, columns] = differences.sum(axis=2)
    return result


def _blocks(rows: int, values_per_row: int, most: int = _BLOCK_VALUES) -> Iterator[slice]:
    """Consecutive slices of ``rows`` with at most ``most`` values, or one row, each."""
    step = max(1, most // max(1, values_per_row))
    for start in range(0, rows, step):
        yield slice(start, min(start + step, rows))
