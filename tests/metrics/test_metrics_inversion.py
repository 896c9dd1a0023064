"""Intervals that stay open where nothing was seen: edges, order, and coverage."""

from __future__ import annotations

from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom

from facematch.metrics import (
    Criterion,
    EffectiveCounts,
    Limits,
    ThresholdRule,
    VerificationCurve,
    auc,
    auc_is_uncertain,
    choose_threshold,
    clopper_pearson,
    eer,
    eer_is_uncertain,
    exact_auc_limits,
    exact_eer_limits,
    exact_tar_limits,
    exact_threshold_limits,
    hull,
    tar_at_fmr,
    tar_is_uncertain,
    threshold_is_uncertain,
    verification_curve,
)
from facematch.metrics.intervals import clopper_pearson_limits

RULES = [
    *("fmr<=0.05", "fmr<=0.3", "fnmr<=0.1", "eer", "max-accuracy", "cost=10:1:0.1"),
    "fpir<=0.5@10",
]
APART = 4.0
NORMAL = NormalDist()


def drawn(generator: np.random.Generator, genuine: int, impostor: int) -> VerificationCurve:
    """Genuine distances around 0, impostor distances around ``APART``, deviation 1."""
    return verification_curve(generator.normal(0, 1, genuine), generator.normal(APART, 1, impostor))


def counts(curve: VerificationCurve) -> EffectiveCounts:
    return EffectiveCounts(curve.n_genuine, curve.n_impostor)


def test_nothing_seen_is_the_rule_of_three() -> None:
    curve = verification_curve(np.linspace(0, 0.1, 300), np.linspace(1, 2, 3000))
    assert exact_auc_limits(curve, counts(curve)).low == clopper_pearson(300, 300).low
    assert exact_eer_limits(curve, counts(curve)) == Limits(0, clopper_pearson(0, 300).high)
    limits = exact_tar_limits(curve, 0.01, counts(curve))
    assert (limits.low, limits.high) == (pytest.approx(clopper_pearson(300, 300).low), 1)
    # Half as many independent comparisons: twice as little is known.
    few = exact_eer_limits(curve, EffectiveCounts(150, 3000))
    assert few.high == pytest.approx(clopper_pearson(0, 150).high)


def test_the_threshold_of_an_fmr_lies_between_order_statistics() -> None:
    n, target = 500, 0.02
    impostor = np.sort(np.random.default_rng(0).random(n)) + 1
    curve = verification_curve(np.linspace(0, 0.5, 50), impostor)
    limits = exact_threshold_limits(curve, ThresholdRule(Criterion.FMR, target), counts(curve))
    low, high = (int(np.searchsorted(impostor, limit)) for limit in (limits.low, limits.high))
    # So many impostors below the quantile are less likely than 2.5 %, one fewer is not.
    assert (impostor[low], impostor[high]) == (limits.low, limits.high)
    assert binom.cdf(low, n, target) < 0.025 <= binom.cdf(low + 1, n, target)
    assert binom.sf(high, n, target) < 0.025 <= binom.sf(high - 1, n, target)


def test_a_target_that_is_not_resolved_has_no_strict_limit() -> None:
    curve = verification_curve(np.array([0.25, 0.5]), np.linspace(1, 2, 100))
    limits = exact_threshold_limits(curve, ThresholdRule(Criterion.FMR, 0.001), counts(curve))
    assert limits.low == 0.125  # accepts nothing


@pytest.mark.parametrize("rule", RULES)
@settings(max_examples=25)
@given(
    st.lists(st.integers(0, 8).map(lambda n: n / 4), min_size=1, max_size=30),
    st.lists(st.integers(0, 8).map(lambda n: n / 4), min_size=1, max_size=30),
)
def test_the_chosen_threshold_is_inside(
    rule: str, genuine: list[float], impostor: list[float]
) -> None:
    curve = verification_curve(np.array(genuine), np.array(impostor))
    parsed = ThresholdRule.parse(rule)
    chosen = choose_threshold(curve, parsed).threshold
    limits = exact_threshold_limits(curve, parsed, counts(curve))
    assert limits.low <= chosen <= limits.high
    fewer = EffectiveCounts(curve.n_genuine / 2, curve.n_impostor / 2)
    wider = exact_threshold_limits(curve, parsed, fewer)
    assert wider.low <= limits.low
    assert wider.high >= limits.high
    for found, value in (
        (exact_auc_limits(curve, counts(curve)), auc(curve)),
        (exact_eer_limits(curve, counts(curve)), eer(curve)),
        (exact_tar_limits(curve, 0.25, counts(curve)), tar_at_fmr(curve, 0.25)),
    ):
        assert 0 <= found.low <= value + 1e-12
        assert value - 1e-12 <= found.high <= 1
        assert found.high > found.low


def test_ties_leave_the_figures_open() -> None:
    curve = verification_curve(np.full(40, 0.5), np.full(40, 0.5))
    assert auc(curve) == 0.5
    limits = exact_auc_limits(curve, counts(curve))
    assert limits.low < 0.36 < 0.64 < limits.high


@pytest.mark.parametrize(("apart", "uncertain"), [(1.0, False), (6.0, True)])
def test_many_errors_are_certain(apart: float, uncertain: bool) -> None:
    generator = np.random.default_rng(0)
    curve = verification_curve(generator.normal(0, 1, 500), generator.normal(apart, 1, 2500))
    assert auc_is_uncertain(curve) is uncertain
    assert eer_is_uncertain(curve) is uncertain
    assert tar_is_uncertain(curve, 0.01) is uncertain
    assert threshold_is_uncertain(curve, ThresholdRule(Criterion.ACCURACY)) is uncertain
    # Of an FMR the impostors alone decide.
    assert not threshold_is_uncertain(curve, ThresholdRule(Criterion.FMR, 0.01))
    assert threshold_is_uncertain(curve, ThresholdRule(Criterion.FMR, 0.001))
    assert threshold_is_uncertain(curve, ThresholdRule(Criterion.FNMR, 0.01))


def test_limits_of_many_are_those_of_each() -> None:
    rates = np.array([0, 0.01, 0.5, 1])
    low, high = clopper_pearson_limits(rates, 200)
    for index, rate in enumerate(rates.tolist()):
        one = clopper_pearson(rate * 200, 200)
        assert (low[index], high[index]) == (pytest.approx(one.low), pytest.approx(one.high))


def test_no_limits_to_hold() -> None:
    with pytest.raises(ValueError, match="no limits"):
        hull(None)


def covered(
    genuine: int, impostor: int, rule: ThresholdRule, truth: float, runs: int = 300
) -> float:
    generator = np.random.default_rng(7)
    inside = 0
    for _ in range(runs):
        curve = drawn(generator, genuine, impostor)
        limits = exact_threshold_limits(curve, rule, counts(curve))
        inside += limits.low <= truth <= limits.high
    return inside / runs


@pytest.mark.parametrize(
    ("rule", "impostor", "truth"),
    [
        pytest.param("fmr<=0.01", 400, APART + NORMAL.inv_cdf(0.01), id="four false matches"),
        pytest.param("fmr<=0.01", 200, APART + NORMAL.inv_cdf(0.01), id="unresolved"),
        pytest.param("fnmr<=0.05", 400, NORMAL.inv_cdf(0.95), id="ten misses"),
        pytest.param("eer", 400, APART / 2, id="a few errors of both kinds"),
        pytest.param("eer", 3000, APART / 2, id="unequal classes"),
        pytest.param("cost=1:1:0.5", 200, APART / 2, id="where decisions cost least"),
    ],
)
def test_coverage_of_the_threshold(rule: str, impostor: int, truth: float) -> None:
    found = covered(200, impostor, ThresholdRule.parse(rule), truth)
    print(f"{rule} of {impostor}: covered {found:.3f}")
    assert found >= 0.93


@pytest.mark.parametrize("impostor", [400, 2000])
def test_coverage_of_figures_where_errors_are_few(impostor: int) -> None:
    generator = np.random.default_rng(3)
    # FMR 1 % at APART - 2.33; true rates of two normal distributions.
    true_tar = NORMAL.cdf(APART + NORMAL.inv_cdf(0.01))
    true_eer = NORMAL.cdf(-APART / 2)
    true_auc = NORMAL.cdf(APART / np.sqrt(2))
    inside = np.zeros(3)
    runs = 300
    for _ in range(runs):
        curve = drawn(generator, 150, impostor)
        limits = (
            exact_tar_limits(curve, 0.01, counts(curve)),
            exact_eer_limits(curve, counts(curve)),
            exact_auc_limits(curve, counts(curve)),
        )
        truths = (true_tar, true_eer, true_auc)
        inside += [low.low <= t <= low.high for low, t in zip(limits, truths, strict=True)]
    print(f"TAR, EER, AUC: covered {inside / runs}")
    assert (inside / runs >= 0.93).all()
