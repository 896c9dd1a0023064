"""Distances against slow loops in float64."""

from __future__ import annotations

import math
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facematch.metrics import distance, distances, pairwise
from facematch.metrics.distances import largest_distance
from facematch.types import Float32Array, Metric


def templates(seed: int, rows: int, width: int) -> Float32Array:
    values = np.random.default_rng(seed).normal(size=(rows, width))
    unit: Float32Array = (values / np.linalg.norm(values, axis=1, keepdims=True)).astype(np.float32)
    return unit


def oracle(a: Float32Array, b: Float32Array, metric: Metric) -> float:
    x, y = [float(v) for v in a], [float(v) for v in b]
    differences = [p - q for p, q in zip(x, y, strict=True)]
    match metric:
        case Metric.COSINE:
            return 1 - math.fsum(p * q for p, q in zip(x, y, strict=True))
        case Metric.EUCLIDEAN:
            return math.sqrt(math.fsum(d * d for d in differences))
        case Metric.SQUARED_EUCLIDEAN:
            return math.fsum(d * d for d in differences)
        case Metric.MANHATTAN:
            return math.fsum(abs(d) for d in differences)
        case Metric.PEARSON:
            mean_x, mean_y = math.fsum(x) / len(x), math.fsum(y) / len(y)
            covariance = math.fsum((p - mean_x) * (q - mean_y) for p, q in zip(x, y, strict=True))
            variance_x = math.fsum((p - mean_x) ** 2 for p in x)
            variance_y = math.fsum((q - mean_y) ** 2 for q in y)
            return 1 - covariance / math.sqrt(variance_x * variance_y)


@pytest.mark.parametrize("metric", list(Metric))
@settings(deadline=None, max_examples=30)
@given(
    seed=st.integers(0, 2**32 - 1),
    shape=st.tuples(st.integers(0, 6), st.integers(0, 6), st.integers(2, 40)),
)
def test_agrees_with_loops(metric: Metric, seed: int, shape: tuple[int, int, int]) -> None:
    rows_a, rows_b, width = shape
    a, b = templates(seed, rows_a, width), templates(seed + 1, rows_b, width)
    matrix = pairwise(a, b, metric)
    assert matrix.dtype == np.float32
    assert matrix.shape == (rows_a, rows_b)
    expected = np.array([[oracle(x, y, metric) for y in b] for x in a]).reshape(rows_a, rows_b)
    np.testing.assert_allclose(matrix, expected, atol=5e-6)
    n = min(rows_a, rows_b)
    paired = distance(a[:n], b[:n], metric)
    assert paired.dtype == np.float32
    np.testing.assert_allclose(paired, np.diag(expected)[:n], atol=5e-7, rtol=1e-6)


@pytest.mark.parametrize("metric", list(Metric))
def test_blocks_do_not_change_the_result(metric: Metric, monkeypatch: pytest.MonkeyPatch) -> None:
    a, b = templates(1, 23, 16), templates(2, 17, 16)
    whole, paired = pairwise(a, b, metric), distance(a[:17], b, metric)
    for block in (1, 40, 100, 333):  # less than a row; some rows; not dividing
        monkeypatch.setattr(distances, "_BLOCK_VALUES", block)
        np.testing.assert_allclose(pairwise(a, b, metric), whole, atol=2e-7)
        np.testing.assert_allclose(distance(a[:17], b, metric), paired, atol=2e-7)


@pytest.mark.parametrize("metric", list(Metric))
def test_a_template_is_at_zero_from_itself(metric: Metric) -> None:
    a = templates(3, 50, 256)
    np.testing.assert_allclose(distance(a, a, metric), 0, atol=1e-6)
    np.testing.assert_allclose(np.diag(pairwise(a, a, metric)), 0, atol=1e-6)


@pytest.mark.parametrize(
    ("metric", "opposite"),
    [
        (Metric.COSINE, 2.0),
        (Metric.PEARSON, 2.0),
        (Metric.EUCLIDEAN, 2.0),
        (Metric.SQUARED_EUCLIDEAN, 4.0),
        (Metric.MANHATTAN, 2 * math.sqrt(2)),
    ],
)
def test_opposite_templates_are_farthest(metric: Metric, opposite: float) -> None:
    a = np.array([[1, -1]], np.float32) / np.float32(math.sqrt(2))
    assert distance(a, -a, metric)[0] == pytest.approx(opposite, abs=1e-6)
    assert pairwise(a, -a, metric)[0, 0] == pytest.approx(opposite, abs=1e-6)


def test_stays_in_range_despite_rounding() -> None:
    a = templates(4, 200, 7) * np.float32(1 + 2e-7)
    for metric in (Metric.COSINE, Metric.PEARSON):
        for values in (pairwise(a, a, metric), pairwise(a, -a, metric), distance(a, -a, metric)):
            assert values.min() >= 0
            assert values.max() <= 2


def test_constant_template_has_no_correlation() -> None:
    constant = np.full((1, 5), 1 / math.sqrt(5), np.float32)
    other = templates(5, 1, 5)
    assert distance(constant, other, Metric.PEARSON).tolist() == [1.0]
    assert pairwise(constant, other, Metric.PEARSON).tolist() == [[1.0]]


@pytest.mark.parametrize("metric", list(Metric))
def test_nan_is_passed_on(metric: Metric) -> None:
    a = templates(6, 2, 8)
    a[0, 3] = np.nan
    b = templates(7, 2, 8)
    assert np.isnan(distance(a, b, metric)).tolist() == [True, False]
    assert np.isnan(pairwise(a, b, metric)).tolist() == [[True, True], [False, False]]


@pytest.mark.parametrize(
    ("shape_a", "shape_b"), [((3,), (3,)), ((2, 3), (2, 4)), ((2, 3, 1), (2, 3, 1))]
)
def test_refuses_other_shapes(shape_a: tuple[int, ...], shape_b: tuple[int, ...]) -> None:
    a, b = np.zeros(shape_a, np.float32), np.zeros(shape_b, np.float32)
    with pytest.raises(ValueError, match="shape"):
        distance(a, b, Metric.COSINE)
    with pytest.raises(ValueError, match="shape"):
        pairwise(a, b, Metric.COSINE)


def test_paired_refuses_unequal_counts() -> None:
    with pytest.raises(ValueError, match=r"\(2, 3\) and \(1, 3\)"):
        distance(np.zeros((2, 3), np.float32), np.zeros((1, 3), np.float32), Metric.COSINE)


@pytest.mark.parametrize("metric", [Metric.MANHATTAN, Metric.EUCLIDEAN])
def test_memory_is_bounded(metric: Metric) -> None:
    a, b = templates(8, 64, 64), templates(9, 4000, 64)
    tracemalloc.start()
    pairwise(a, b, metric)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    # All differences at once would take 64 * 4000 * 64 * 4 bytes = 66 MB.
    assert peak < 50e6


@pytest.mark.parametrize("metric", list(Metric))
def test_the_largest_distance_is_that_of_opposites(metric: Metric) -> None:
    signs = np.where(np.arange(64) % 2 == 0, 1, -1)[None].astype(np.float32)
    largest = largest_distance(metric, 64)
    assert distance(signs / 8, -signs / 8, metric)[0] == pytest.approx(largest)
