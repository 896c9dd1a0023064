"""Clopper-Pearson against its definition."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facematch.metrics import Interval, clopper_pearson


def binomial(k: int, n: int, p: float) -> float:
    return math.comb(n, k) * p**k * (1 - p) ** (n - k)


@settings(deadline=None)
@given(st.integers(1, 60).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_tails_hold_the_missing_confidence(case: tuple[int, int]) -> None:
    errors, n = case
    interval = clopper_pearson(errors, n)
    assert 0 <= interval.low <= errors / n <= interval.high <= 1
    if errors > 0:
        at_least = sum(binomial(k, n, interval.low) for k in range(errors, n + 1))
        assert at_least == pytest.approx(0.025, rel=1e-9)
    if errors < n:
        at_most = sum(binomial(k, n, interval.high) for k in range(errors + 1))
        assert at_most == pytest.approx(0.025, rel=1e-9)


@pytest.mark.parametrize("n", [1, 7, 40])
@pytest.mark.parametrize("rate", [0.0, 0.001, 0.03, 0.2, 0.5, 0.97, 1.0])
def test_coverage_is_at_least_the_confidence(n: int, rate: float) -> None:
    covered = 0.0
    for errors in range(n + 1):
        interval = clopper_pearson(errors, n)
        if interval.low <= rate <= interval.high:
            covered += binomial(errors, n, rate)
    assert covered >= 0.95 - 1e-12


def test_no_error_follows_the_rule_of_three() -> None:
    # One-sided 95 %: the upper limit is about 3 / n.
    assert clopper_pearson(0, 3000, confidence=0.9).high == pytest.approx(0.001, rel=0.01)


def test_published_value() -> None:
    # 10 of 100: the textbook interval.
    interval = clopper_pearson(10, 100)
    assert (round(interval.low, 4), round(interval.high, 4)) == (0.0490, 0.1762)


@pytest.mark.parametrize(
    ("errors", "n", "confidence"),
    [(0, 0, 0.95), (-1, 5, 0.95), (6, 5, 0.95), (1, 5, 0.0), (1, 5, 1.0), (1, 5, math.nan)],
)
def test_refuses(errors: int, n: int, confidence: float) -> None:
    with pytest.raises(ValueError, match=r"expected|confidence"):
        clopper_pearson(errors, n, confidence)


@pytest.mark.parametrize(("low", "high"), [(0.5, 0.4), (-0.1, 0.5), (0.5, 1.1), (math.nan, 1)])
def test_interval_refuses(low: float, high: float) -> None:
    with pytest.raises(ValueError, match="low <= high"):
        Interval(low, high)
