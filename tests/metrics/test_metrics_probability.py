"""The logistic curve."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facematch.errors import OneClassError
from facematch.metrics import MatchProbability, fit_match_probability


def fitted(genuine: object, impostor: object, prior: float = 0.5) -> MatchProbability:
    curve = fit_match_probability(np.asarray(genuine), np.asarray(impostor), prior)
    assert curve is not None
    return curve


def test_recovers_a_known_curve() -> None:
    # Equal-variance normal classes have exactly logistic odds: slope = gap / variance.
    rng = np.random.default_rng(0)
    genuine, impostor = rng.normal(0.4, 0.2, 40_000), rng.normal(0.9, 0.2, 10_000)
    curve = fitted(genuine, impostor)
    assert curve.slope == pytest.approx(0.5 / 0.04, rel=0.03)
    # Equal likelihood halfway, although there are four times as many genuine pairs.
    assert curve.intercept / curve.slope == pytest.approx(0.65, abs=0.005)
    assert curve.at(0.65) == pytest.approx(0.5, abs=0.03)


@settings(deadline=None)
@given(
    st.lists(st.floats(0, 2, width=32), min_size=1, max_size=20),
    st.lists(st.floats(0, 2, width=32), min_size=1, max_size=20),
)
def test_is_the_optimum_of_platts_objective(genuine: list[float], impostor: list[float]) -> None:
    curve = fit_match_probability(np.array(genuine), np.array(impostor))
    if curve is None:
        return
    assert curve.slope > 0
    n, m = len(genuine), len(impostor)
    targets = [(n + 1) / (n + 2)] * n + [1 / (m + 2)] * m
    # In the fit the prior is the mix of the list; at the optimum both gradients vanish.
    mixed = replace(curve, prior=n / (n + m), lowest=-30, highest=30)
    residuals = [mixed.at(d) - t for d, t in zip(genuine + impostor, targets, strict=True)]
    spread = float(np.std(genuine + impostor))
    centred = [(d - float(np.mean(genuine + impostor))) / spread for d in genuine + impostor]
    assert abs(math.fsum(residuals)) / (n + m) < 1e-6
    assert abs(math.fsum(r * x for r, x in zip(residuals, centred, strict=True))) / (n + m) < 1e-6


def test_does_not_depend_on_the_unit_of_distance() -> None:
    rng = np.random.default_rng(1)
    genuine, impostor = rng.normal(0.4, 0.2, 200), rng.normal(0.9, 0.2, 200)
    one, thousand = fitted(genuine, impostor), fitted(genuine * 1000, impostor * 1000)
    assert thousand.at(500) == pytest.approx(one.at(0.5), rel=1e-6)


@given(st.floats(0, 1000), st.floats(0, 1000), st.floats(1e-6, 1 - 1e-6))
def test_falls_with_distance_and_is_never_certain(a: float, b: float, prior: float) -> None:
    curve = MatchProbability(slope=12.5, intercept=8.0, prior=prior)
    near, far = sorted((a, b))
    assert 0 < curve.at(far) <= curve.at(near) < 1


def test_falls_strictly_where_odds_are_not_extreme() -> None:
    curve = MatchProbability(slope=12.5, intercept=8.0)
    values = [curve.at(d) for d in np.linspace(0, 2, 50)]
    assert all(b < a for a, b in pairwise(values))
    assert curve.at(math.inf) > 0
    assert curve.at(-math.inf) < 1


def test_prior_shifts_the_odds() -> None:
    even = MatchProbability(slope=10, intercept=5, prior=0.5)
    rare = replace(even, prior=0.01)
    for d in (0.1, 0.5, 0.9):
        odds = even.at(d) / (1 - even.at(d))
        assert rare.at(d) / (1 - rare.at(d)) == pytest.approx(odds * 0.01 / 0.99)


def test_separable_pairs_give_a_finite_curve() -> None:
    curve = fitted([0.1, 0.2] * 50, [0.8, 0.9] * 50)
    assert math.isfinite(curve.slope)
    # No more certain than Laplace's rule allows for fifty pairs of a kind, or about so.
    assert 0.95 < curve.at(0.15) < 0.999
    assert 0.001 < curve.at(0.85) < 0.05


@pytest.mark.parametrize(
    ("genuine", "impostor"),
    [
        ([0.5, 0.5], [0.5]),  # all ties
        ([0.8, 0.9], [0.1, 0.2]),  # upside down
        ([0.4, 0.6], [0.4, 0.6]),  # the same in both
    ],
)
def test_no_curve_that_would_not_fall(genuine: list[float], impostor: list[float]) -> None:
    curve = fit_match_probability(np.array(genuine), np.array(impostor))
    assert curve is None or curve.slope < 1e-6


def test_refuses_bad_distances() -> None:
    with pytest.raises(OneClassError):
        fit_match_probability(np.array([]), np.array([0.1]))
    with pytest.raises(ValueError, match="NaN"):
        fit_match_probability(np.array([np.nan]), np.array([0.1]))
    with pytest.raises(ValueError, match="NaN"):
        MatchProbability(1, 1).at(math.nan)


@pytest.mark.parametrize(
    ("slope", "intercept", "prior", "field"),
    [
        (0.0, 1.0, 0.5, "slope"),
        (math.inf, 1.0, 0.5, "slope"),
        (math.nan, 1.0, 0.5, "slope"),
        (1.0, math.nan, 0.5, "intercept"),
        (1.0, 1.0, 0.0, "prior"),
        (1.0, 1.0, 1.0, "prior"),
    ],
)
def test_refuses_bad_parameters(slope: float, intercept: float, prior: float, field: str) -> None:
    with pytest.raises(ValueError, match=f"^{field}:"):
        MatchProbability(slope, intercept, prior)
