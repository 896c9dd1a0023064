"""What follows from how much comparisons that share people tell."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facematch.metrics import (
    Criterion,
    DistanceCounts,
    EffectiveCounts,
    Folds,
    RateEstimate,
    ThresholdRule,
    Units,
    choose_threshold,
    clopper_pearson,
    disparities,
    estimate_fmr,
    estimate_fnmr,
    fit_isotonic,
    fit_isotonic_of,
    fit_match_probability,
    fit_match_probability_of,
    fit_probability,
    group_rates,
    held_out,
    people_needed,
    threshold_is_uncertain,
    verification_curve,
)
from facematch.types import Float64Array

GENUINE = np.linspace(0.1, 0.6, 400)
IMPOSTOR = np.linspace(0.5, 1.2, 9000)
FEW = EffectiveCounts(3, 9, 2, 2)

distances = st.lists(st.integers(0, 64), min_size=1, max_size=30).map(
    lambda found: np.array(found, np.float64) / 32
)


def test_those_behind_two_estimates() -> None:
    alone = Units.independent(9)
    fnmr = estimate_fnmr(np.linspace(0, 1, 9), alone, 0.5)
    fmr = RateEstimate(0, 100, clopper_pearson(0, 7), 7.0, independent=False, people=4.5)
    found = EffectiveCounts.of(fnmr, fmr)
    assert found == EffectiveCounts(9, 7, math.inf, 4.5)
    assert found.people == 4.5
    assert found.part(0.5, 0.1) == EffectiveCounts(4.5, pytest.approx(0.7), math.inf, 4.5)


def test_a_logistic_curve_is_no_surer_than_independent_pairs_allow() -> None:
    sure, unsure = (fit_match_probability(GENUINE, IMPOSTOR, 0.5, e) for e in (None, FEW))
    assert sure is not None
    assert unsure is not None
    assert sure.highest == pytest.approx(math.log(9001))
    assert (unsure.lowest, unsure.highest) == pytest.approx((-math.log(4), math.log(10)))
    assert unsure.at(0) == pytest.approx(10 / 11)
    assert unsure.slope == sure.slope


def test_falling_steps_are_no_surer_than_independent_pairs_allow() -> None:
    sure, unsure = (fit_isotonic(GENUINE, IMPOSTOR, 0.5, e) for e in (None, FEW))
    assert sure is not None
    assert unsure is not None
    # At either end a comparison of each class weighs one of so many.
    assert sure.at(0) > 0.9998
    assert unsure.at(0) < 0.92
    assert unsure.at(2) > sure.at(2)


@given(distances, distances)
def test_counted_pairs_are_bounded_alike(genuine: Float64Array, impostor: Float64Array) -> None:
    places, at = np.unique(np.concatenate((genuine, impostor)), return_inverse=True)
    n = len(genuine)
    counts = DistanceCounts(
        places, *(np.bincount(part, minlength=len(places)) for part in (at[:n], at[n:]))
    )
    one, other = fit_isotonic(genuine, impostor, 0.5, FEW), fit_isotonic_of(counts, 0.5, FEW)
    assert one == other
    curve = fit_match_probability(genuine, impostor, 0.5, FEW)
    counted = fit_match_probability_of(counts, 0.5, FEW)
    assert (curve is None) == (counted is None)
    if curve is not None and counted is not None:
        assert (curve.lowest, curve.highest) == (counted.lowest, counted.highest)
        assert curve.highest == pytest.approx(math.log(10))


def test_the_curve_of_a_calibration_is_bounded() -> None:
    measured, same = np.concatenate((GENUINE, IMPOSTOR)), np.arange(9400) < 400
    fit, bounded = (fit_probability(measured, same, None, 0.5, e) for e in (None, FEW))
    assert fit is not None
    assert bounded is not None
    assert float(fit.curve.at(0)) > 0.999
    assert float(bounded.curve.at(0)) <= 10 / 11 + 1e-12
    dealt = np.arange(9400) % 5
    kept = fit_probability(measured, same, Folds(5, dealt, dealt), 0.5, FEW)
    assert kept is not None
    assert kept.held_out
    assert kept.reliability.bins[-1].comparisons == 0


def test_a_target_is_resolved_by_independent_comparisons_only() -> None:
    choice = choose_threshold(
        verification_curve(GENUINE, IMPOSTOR), ThresholdRule(Criterion.FMR, 0.001)
    )
    assert (choice.resolved, choice.impostors_needed) == (True, 3000)
    assert not choice.judged_by(400, 2999).resolved
    assert choice.judged_by(1, 3000).resolved
    assert people_needed(4, 3000, 17) == 706
    assert people_needed(29, 300, 300) == 29


def test_few_people_make_a_threshold_uncertain() -> None:
    curve = verification_curve(GENUINE, IMPOSTOR)
    few_genuine, few_impostor = EffectiveCounts(9, 9, 5, 90), EffectiveCounts(9, 9, 90, 5)
    for text, uncertain in (
        ("fmr<=0.1", (False, True)),
        ("fpir<=0.5@5", (False, True)),
        ("fnmr<=0.1", (True, False)),
        ("eer", (True, True)),
    ):
        rule = ThresholdRule.parse(text)
        assert not threshold_is_uncertain(curve, rule)
        found = tuple(threshold_is_uncertain(curve, rule, e) for e in (few_genuine, few_impostor))
        assert found == uncertain, text


def compared(sizes: list[int], seed: int) -> tuple[Float64Array, Units]:
    """All impostor pairs; the distance is mostly that of the two people."""
    generator = np.random.default_rng(seed)
    subject = np.repeat(np.arange(len(sizes)), sizes)
    a, b = np.triu_indices(len(subject), 1)
    other = subject[a] != subject[b]
    units = Units(len(sizes), subject[a][other], subject[b][other])
    people = 1 + 0.1 * generator.normal(size=(len(sizes), len(sizes)))
    return people[units.a, units.b] + 0.02 * generator.normal(size=len(units.a)), units


def test_a_group_of_three_people_is_not_set_apart_by_seeing_no_error() -> None:
    many, of_many = compared([3] * 40, seed=1)
    few, of_few = compared([14] * 3, seed=2)
    threshold = float(np.quantile(many, 0.05))
    few += 1.0  # no error among 588
    units = Units(
        43, np.concatenate((of_many.a, of_few.a + 40)), np.concatenate((of_many.b, of_few.b + 40))
    )
    codes = np.repeat([0, 1], [len(many), len(few)])
    everything = np.concatenate((many, few))
    genuine = Units(86, np.arange(43, 86), np.arange(43, 86))
    found = group_rates(
        np.concatenate((everything, np.full(43, 0.2))),
        np.repeat([False, True], [len(everything), 43]),
        Units(86, np.concatenate((units.a, genuine.a)), np.concatenate((units.b, genuine.b))),
        ("many", "few"),
        np.concatenate((codes, np.zeros(43, np.int64))),
        threshold,
        ThresholdRule(Criterion.FMR, 0.05),
    )
    assert found[1].fmr is not None
    assert (found[1].fmr.errors, found[1].fmr.comparisons) == (0, 588)
    assert found[1].fmr.interval.high > 0.3
    assert disparities(found) == ()


def test_few_errors_of_new_people_are_judged_by_all() -> None:
    impostor, units = compared([4] * 12, seed=3)
    subject = np.repeat(np.arange(12), 6)
    measured = np.concatenate((impostor, np.random.default_rng(0).uniform(0, 0.3, 72)))
    same = np.arange(len(measured)) >= len(impostor)
    every = Units(12, np.concatenate((units.a, subject)), np.concatenate((units.b, subject)))
    fold = np.arange(12) % 3
    rule = ThresholdRule(Criterion.FMR, 0.002)
    found = held_out(measured, same, every, Folds(3, fold[every.a], fold[every.b]), rule)
    assert found is not None
    assert found.fmr.errors < 20
    whole = estimate_fmr(impostor, units, 0.0)
    # The fewer comparisons of each person say more each, but not as if they were independent.
    assert whole.effective / whole.comparisons < found.fmr.effective / found.fmr.comparisons < 0.6
