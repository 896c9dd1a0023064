"""Falling step curves against scikit-learn and by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.isotonic import IsotonicRegression

from facematch.errors import OneClassError
from facematch.metrics import IsotonicProbability, fit_isotonic
from facematch.metrics.isotonic import falling_means, likelihood_ratio_curve

values = st.lists(st.tuples(st.floats(-5, 5, width=32), st.integers(1, 5)), min_size=1, max_size=30)
scores = st.one_of(
    st.lists(st.integers(0, 6).map(lambda n: n / 4), min_size=1, max_size=25),
    # Not any float: scikit-learn takes distances as one that differ by next to nothing.
    st.lists(st.integers(0, 2000).map(lambda n: n / 1000), min_size=1, max_size=25),
)


@given(values)
def test_falling_means_are_those_of_scikit_learn(rows: list[tuple[float, int]]) -> None:
    y = np.array([row[0] for row in rows], np.float64)
    weights = np.array([row[1] for row in rows], np.float64)
    found = falling_means(y, weights)
    expected = IsotonicRegression(increasing=False).fit_transform(
        np.arange(len(y)), y, sample_weight=weights
    )
    assert found == pytest.approx(expected, abs=1e-6)
    assert (np.diff(found) <= 0).all()


@given(scores, scores)
def test_the_curve_is_the_balanced_isotonic_fit_with_one_more_at_each_end(
    genuine: list[float], impostor: list[float]
) -> None:
    distances, ratios = likelihood_ratio_curve(np.array(genuine), np.array(impostor))
    ends = [min(genuine + impostor), max(genuine + impostor)]
    x = np.array([*genuine, *ends, *impostor, *ends])
    labels = np.arange(len(x)) < len(genuine) + 2
    weights = np.where(labels, 1 / len(genuine), 1 / len(impostor))
    fitted = IsotonicRegression(increasing=False).fit(x, labels, sample_weight=weights)
    share = 1 / (1 + np.exp(-np.interp(x, distances, ratios)))
    assert share == pytest.approx(fitted.predict(x), abs=1e-6)
    assert (np.diff(distances) > 0).all()
    assert (np.diff(ratios) <= 0).all()


@given(scores, scores)
def test_never_surer_than_the_number_of_comparisons(
    genuine: list[float], impostor: list[float]
) -> None:
    _, ratios = likelihood_ratio_curve(np.array(genuine), np.array(impostor))
    n, m = len(genuine), len(impostor)
    assert ratios.max() <= math.log(m * (n + 1) / n) + 1e-9
    assert ratios.min() >= -math.log(n * (m + 1) / m) - 1e-9


def test_by_hand() -> None:
    # One genuine and one impostor more at 0.1 and at 0.9: odds 2 : 1 and 1 : 2.
    distances, ratios = likelihood_ratio_curve(np.array([0.1]), np.array([0.9]))
    assert distances.tolist() == [0.1, 0.9]
    assert ratios == pytest.approx([math.log(2), -math.log(2)])


@given(scores, scores, st.lists(st.floats(-1, 3), min_size=2, max_size=10))
def test_probability_never_rises(
    genuine: list[float], impostor: list[float], at: list[float]
) -> None:
    curve = fit_isotonic(np.array(genuine), np.array(impostor), prior=0.3)
    if curve is None:
        return
    found = [curve.at(distance) for distance in sorted(at)]
    assert found == sorted(found, reverse=True)
    assert all(0 < p < 1 for p in found)


def test_no_curve_without_a_fall() -> None:
    assert fit_isotonic(np.array([0.5]), np.array([0.5])) is None
    assert fit_isotonic(np.array([0.9, 0.8]), np.array([0.1, 0.2])) is None


def test_refuses() -> None:
    with pytest.raises(OneClassError):
        fit_isotonic(np.array([0.5]), np.array([]))
    with pytest.raises(ValueError, match="NaN"):
        fit_isotonic(np.array([0.5]), np.array([math.nan]))
    with pytest.raises(ValueError, match="NaN"):
        IsotonicProbability((0.0, 1.0), (1.0, 0.0)).at(math.nan)


@pytest.mark.parametrize(
    ("distances", "ratios", "prior", "message"),
    [
        ((0.1,), (1.0,), 0.5, "^distances: "),
        ((0.1, 0.2), (1.0,), 0.5, "^distances: "),
        ((0.2, 0.1), (1.0, 0.0), 0.5, "^distances: "),
        ((0.1, math.inf), (1.0, 0.0), 0.5, "^distances: "),
        ((0.1, 0.2), (0.0, 1.0), 0.5, "^ratios: "),
        ((0.1, 0.2), (1.0, 1.0), 0.5, "^ratios: "),
        ((0.1, 0.2), (31.0, 1.0), 0.5, "^ratios: "),
        ((0.1, 0.2), (math.nan, 1.0), 0.5, "^ratios: "),
        ((0.1, 0.2), (1.0, 0.0), 1.0, "^prior: "),
    ],
)
def test_refuses_other_knots(
    distances: tuple[float, ...], ratios: tuple[float, ...], prior: float, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        IsotonicProbability(distances, ratios, prior)
