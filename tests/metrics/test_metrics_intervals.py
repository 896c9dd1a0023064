"""Clopper-Pearson against its definition."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facematch.metrics import Interval, Limits, clopper_pearson, share_limits


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


@given(st.floats(0.001, 0.999), st.floats(0.0001, 0.5), st.floats(1, 200))
def test_limits_of_a_share_hold_it_and_widen_with_fewer_people(
    value: float, deviation: float, people: float
) -> None:
    found = share_limits(value, deviation, people)
    many = share_limits(value, deviation, math.inf)
    assert 0 <= found.low <= many.low <= value <= many.high <= found.high <= 1
    turned = share_limits(1 - value, deviation, people)
    assert (1 - turned.high, 1 - turned.low) == pytest.approx((found.low, found.high), abs=1e-6)


def test_limits_of_a_share_are_lopsided_near_the_end() -> None:
    found = share_limits(0.98, 0.01, 30)
    assert 0.98 - found.low > 1.5 * (found.high - 0.98)
    middle = share_limits(0.5, 0.01, math.inf)
    # 1.96 standard deviations, and half a trial in 2500 for the exact limits.
    assert middle.high - middle.low == pytest.approx(2 * 1.96 * 0.01, rel=0.03)


def test_a_share_that_resamples_do_not_move() -> None:
    assert share_limits(0.9, 0, 30) == Limits(0.9, 0.9)
    assert share_limits(1, 0.1, 30) == Limits(1, 1)
