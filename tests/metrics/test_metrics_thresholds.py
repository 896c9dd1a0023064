"""Threshold rules against trying every threshold."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facematch.metrics import (
    Criterion,
    DecisionCost,
    Sweep,
    ThresholdChoice,
    ThresholdRule,
    accepts,
    choose_threshold,
    fmr_for_fpir,
    threshold_for,
    verification_curve,
)

scores = st.one_of(
    st.lists(st.integers(0, 8).map(lambda n: n / 4), min_size=1, max_size=30),
    st.lists(st.floats(0, 4), min_size=1, max_size=30),
    st.lists(st.floats(0, 2, width=32), min_size=1, max_size=30),
)
targets = st.one_of(st.sampled_from([0.001, 0.1, 0.25, 0.29, 0.5]), st.floats(1e-6, 0.999))


def choose(genuine: list[float], impostor: list[float], rule: ThresholdRule) -> ThresholdChoice:
    return choose_threshold(verification_curve(np.array(genuine), np.array(impostor)), rule)


def rates(genuine: list[float], impostor: list[float], threshold: float) -> tuple[float, float]:
    """(FMR, FNMR) by counting."""
    false_matches = sum(accepts(d, threshold) for d in impostor)
    false_non_matches = sum(not accepts(d, threshold) for d in genuine)
    return false_matches / len(impostor), false_non_matches / len(genuine)


@settings(deadline=None)
@given(scores, scores, targets)
def test_target_fmr_is_never_exceeded_and_no_looser_point_exists(
    genuine: list[float], impostor: list[float], target: float
) -> None:
    choice = choose(genuine, impostor, ThresholdRule(Criterion.FMR, target))
    assert math.isfinite(choice.threshold)
    fmr, fnmr = rates(genuine, impostor, choice.threshold)
    assert fmr <= target
    assert (choice.counts.fmr, choice.counts.fnmr) == (fmr, fnmr)
    for threshold in [*genuine, *impostor]:
        if threshold > choice.threshold:
            assert rates(genuine, impostor, threshold)[0] > target


@settings(deadline=None)
@given(scores, scores, targets)
def test_target_fnmr_is_never_exceeded_and_no_tighter_point_exists(
    genuine: list[float], impostor: list[float], target: float
) -> None:
    choice = choose(genuine, impostor, ThresholdRule(Criterion.FNMR, target))
    fmr, fnmr = rates(genuine, impostor, choice.threshold)
    assert fnmr <= target
    assert (choice.counts.fmr, choice.counts.fnmr) == (fmr, fnmr)
    accepted = [d for d in [*genuine, *impostor] if d <= choice.threshold]
    tighter = [d for d in accepted if d < max(accepted)]
    assert all(rates(genuine, impostor, d)[1] > target for d in tighter)


@settings(deadline=None)
@given(scores, scores)
def test_eer_and_accuracy_are_the_best_there_is(
    genuine: list[float], impostor: list[float]
) -> None:
    every = [rates(genuine, impostor, t) for t in [-math.inf, *genuine, *impostor]]
    choice = choose(genuine, impostor, ThresholdRule(Criterion.EER))
    fmr, fnmr = rates(genuine, impostor, choice.threshold)
    assert abs(fmr - fnmr) == pytest.approx(min(abs(a - b) for a, b in every))
    choice = choose(genuine, impostor, ThresholdRule(Criterion.ACCURACY))
    fmr, fnmr = rates(genuine, impostor, choice.threshold)
    n, m = len(genuine), len(impostor)
    errors = fmr * m + fnmr * n
    assert errors == pytest.approx(min(a * m + b * n for a, b in every))
    assert choice.counts.accuracy == pytest.approx(1 - errors / (n + m))


@given(scores, scores, st.integers(0, 20), st.integers(1, 20), st.floats(0.01, 0.99))
def test_no_threshold_costs_less(
    genuine: list[float], impostor: list[float], accept: int, reject: int, prior: float
) -> None:
    cost = DecisionCost(accept, reject, prior)
    choice = choose(genuine, impostor, ThresholdRule(Criterion.COST, cost=cost))

    def expected(threshold: float) -> float:
        fmr, fnmr = rates(genuine, impostor, threshold)
        return accept * (1 - prior) * fmr + reject * prior * fnmr

    least = min(expected(t) for t in [-math.inf, *genuine, *impostor])
    assert expected(choice.threshold) == pytest.approx(least, abs=1e-12)


@given(scores, scores, st.floats(0.01, 0.9), st.integers(1, 5))
def test_a_target_fpir_is_the_target_fmr_of_one_comparison(
    genuine: list[float], impostor: list[float], target: float, size: int
) -> None:
    choice = choose(genuine, impostor, ThresholdRule(Criterion.FPIR, target, size))
    assert 1 - (1 - choice.counts.fmr) ** size <= target + 1e-12
    if size == 1:
        assert (
            choice.threshold
            == choose(
                genuine, impostor, ThresholdRule(Criterion.FMR, fmr_for_fpir(target, 1))
            ).threshold
        )


@given(scores, scores, st.sampled_from(["fmr<=0.25", "fnmr<=0.1", "eer", "max-accuracy"]))
def test_weights_of_one_choose_the_same(
    genuine: list[float], impostor: list[float], rule: str
) -> None:
    distances = np.array([*genuine, *impostor])
    same = np.arange(len(distances)) < len(genuine)
    weighted = Sweep(distances, same).curve(np.ones(len(distances)))
    assert weighted is not None
    parsed = ThresholdRule.parse(rule)
    assert threshold_for(weighted, parsed) == choose(genuine, impostor, parsed).threshold


@pytest.mark.parametrize(
    ("genuine", "impostor", "rule", "threshold"),
    [
        ([0.1, 0.5], [0.6, 0.8], "fpir<=0.75@2", 0.7),  # FMR at most 0.5
        ([0.1, 0.5], [0.4, 0.8], "cost=1:1:0.5", 0.25),  # among equals the tightest
        ([0.1, 0.5], [0.4, 0.8], "cost=1:2:0.5", 0.65),
        # midway between the last accepted distance and the next of either class
        ([0.1, 0.2], [0.6, 0.8], "eer", 0.4),
        ([0.1, 0.2], [0.6, 0.8], "max-accuracy", 0.4),
        ([0.1, 0.5], [0.6, 0.8], "fmr<=0.1", 0.55),
        ([0.1, 0.5], [0.6, 0.8], "fmr<=0.5", 0.7),
        ([0.1, 0.5], [0.6, 0.8], "fnmr<=0.5", 0.3),
        # the most alike pair is an impostor: nothing is accepted, halfway to zero
        ([0.5], [0.2], "fmr<=0.1", 0.1),
        ([0.5], [0.0], "fmr<=0.1", -1.0),
        # everything is accepted: no next distance
        ([0.9], [0.2], "fnmr<=0.1", 0.9),
        # ties between the classes are refused together
        ([0.1, 0.3], [0.3, 0.9], "fmr<=0.1", 0.2),
    ],
)
def test_placement(
    genuine: list[float], impostor: list[float], rule: str, threshold: float
) -> None:
    chosen = choose(genuine, impostor, ThresholdRule.parse(rule)).threshold
    assert chosen == pytest.approx(threshold, abs=1e-15)


def test_neighbouring_floats_have_no_middle() -> None:
    for low in (0.3, math.nextafter(0.3, 1)):  # one even, one odd last bit
        high = math.nextafter(low, 1)
        assert choose([low], [high], ThresholdRule(Criterion.EER)).threshold == low


@pytest.mark.parametrize(
    ("rule", "n_genuine", "n_impostor", "resolved", "impostors_needed", "genuine_needed"),
    [
        ("fmr<=0.001", 5, 2999, False, 3000, 0),
        ("fmr<=0.001", 5, 3000, True, 3000, 0),
        ("fmr<=0.29", 5, 100, True, 11, 0),
        ("fmr<=1e-05", 5, 10, False, 300000, 0),
        ("fnmr<=0.1", 29, 100, False, 0, 30),
        ("fnmr<=0.1", 30, 1, True, 0, 30),
        ("fpir<=0.5@2", 5, 10, False, 11, 0),  # an FMR of 1 - sqrt(1/2) = 0.293
        ("cost=1:1:0.5", 1, 1, True, 0, 0),
        ("eer", 1, 1, True, 0, 0),
        ("max-accuracy", 1, 1, True, 0, 0),
    ],
)
def test_says_whether_the_target_can_be_resolved(
    rule: str,
    n_genuine: int,
    n_impostor: int,
    resolved: bool,
    impostors_needed: int,
    genuine_needed: int,
) -> None:
    genuine, impostor = np.linspace(0, 1, n_genuine), np.linspace(0.5, 1.5, n_impostor)
    choice = choose_threshold(verification_curve(genuine, impostor), ThresholdRule.parse(rule))
    assert choice.resolved is resolved
    assert choice.impostors_needed == impostors_needed
    assert choice.genuine_needed == genuine_needed


def test_a_target_is_met_exactly_when_the_counts_allow() -> None:
    # 0.29 * 100 rounds to 28.999...; 29 false matches of 100 are still within 0.29.
    impostor = np.arange(100) / 100
    curve = verification_curve(np.array([5.0]), impostor)
    choice = choose_threshold(curve, ThresholdRule(Criterion.FMR, 0.29))
    assert choice.counts.false_matches == 29


@settings(deadline=None)
@given(st.sampled_from(["fmr", "fnmr"]), st.floats(0, 1, exclude_min=True, exclude_max=True))
def test_rule_as_text_and_back(rate: str, target: float) -> None:
    rule = ThresholdRule(Criterion(rate), target)
    assert ThresholdRule.parse(str(rule)) == rule


@pytest.mark.parametrize(
    "text",
    [
        "eer",
        "max-accuracy",
        "fpir<=0.01@1000",
        "cost=10:1:0.01",
        "cost=0.5:1e-07:1e-06",
        "cost=1:0:0.30000000000000004",
    ],
)
def test_plain_rule_as_text_and_back(text: str) -> None:
    assert str(ThresholdRule.parse(text)) == text


def test_rule_with_a_numpy_target() -> None:
    assert str(ThresholdRule(Criterion.FMR, np.float64(0.001))) == "fmr<=0.001"


@pytest.mark.parametrize(
    "text",
    [
        *("fpir<=0.1", "fpir<=0.1@0", "fpir<=1@10", "fpir<=0.1@x", "cost=1:1", "cost=1:1:1"),
        *("cost=0:0:0.5", "cost=-1:1:0.5", "cost=1e999:1:0.5", "cost=1:1:0.5:2", "1:1:0.5"),
        "",
        "fmr",
        "fmr<=",
        "fmr<=2",
        "fmr<=0",
        "fmr<=nan",
        "fmr<=1.2.3",
        "eer<=0.1",
        "auc",
        "fmr<=٣",
    ],
)
def test_rule_refuses_other_text(text: str) -> None:
    with pytest.raises(ValueError, match=r"expected|target|float|cost|gallery"):
        ThresholdRule.parse(text)


@pytest.mark.parametrize(
    ("criterion", "target"),
    [
        (Criterion.FMR, None),
        (Criterion.FMR, 0.0),
        (Criterion.FNMR, 1.0),
        (Criterion.FMR, math.nan),
        (Criterion.EER, 0.1),
        (Criterion.COST, 0.1),
        (Criterion.FPIR, 0.1),
    ],
)
def test_rule_refuses_other_targets(criterion: Criterion, target: float | None) -> None:
    with pytest.raises(ValueError, match=r"target|gallery"):
        ThresholdRule(criterion, target)


def test_rule_refuses_what_has_no_place() -> None:
    with pytest.raises(ValueError, match="goes with an FPIR only"):
        ThresholdRule(Criterion.FMR, 0.1, gallery_size=10)
    with pytest.raises(ValueError, match="costs go with"):
        ThresholdRule(Criterion.EER, cost=DecisionCost(1, 1, 0.5))
    with pytest.raises(ValueError, match="costs go with"):
        ThresholdRule(Criterion.COST)
