"""Error rates against counting by hand."""

from __future__ import annotations

import math
from itertools import product
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facematch.errors import OneClassError
from facematch.metrics import (
    VerificationCurve,
    accepts,
    auc,
    counts_at,
    eer,
    fmr_at,
    fnmr_at,
    tar_at_fmr,
    verification_curve,
)

# Few distinct values, so that ties within and between the classes are common.
tied = st.lists(st.integers(0, 8).map(lambda n: n / 4), min_size=1, max_size=30)
free = st.lists(st.floats(0, 4, allow_subnormal=False), min_size=1, max_size=30)
scores = st.one_of(tied, free)


def curve_of(genuine: list[float], impostor: list[float]) -> VerificationCurve:
    return verification_curve(np.array(genuine), np.array(impostor))


@settings(deadline=None)
@given(scores, scores)
def test_counts_agree_with_the_decision_rule(genuine: list[float], impostor: list[float]) -> None:
    curve = curve_of(genuine, impostor)
    assert curve.thresholds.tolist() == [-math.inf, *sorted(set(genuine) | set(impostor))]
    for point, threshold in enumerate(curve.thresholds.tolist()):
        assert curve.false_matches[point] == sum(accepts(d, threshold) for d in impostor)
        assert curve.false_non_matches[point] == sum(not accepts(d, threshold) for d in genuine)


@settings(deadline=None)
@given(scores, scores)
def test_rates_are_monotone_and_reach_both_ends(
    genuine: list[float], impostor: list[float]
) -> None:
    curve = curve_of(genuine, impostor)
    assert bool((np.diff(curve.thresholds) > 0).all())
    assert bool((np.diff(curve.fmr) >= 0).all())
    assert bool((np.diff(curve.fnmr) <= 0).all())
    assert (curve.fmr[0], curve.fnmr[0]) == (0, 1)
    assert (curve.fmr[-1], curve.fnmr[-1]) == (1, 0)


@settings(deadline=None)
@given(scores, scores, st.randoms(use_true_random=False))
def test_order_does_not_matter(genuine: list[float], impostor: list[float], random: Random) -> None:
    curve = curve_of(genuine, impostor)
    random.shuffle(genuine)
    random.shuffle(impostor)
    shuffled = curve_of(genuine, impostor)
    assert shuffled.thresholds.tolist() == curve.thresholds.tolist()
    assert shuffled.false_matches.tolist() == curve.false_matches.tolist()
    assert shuffled.false_non_matches.tolist() == curve.false_non_matches.tolist()


@settings(deadline=None)
@given(scores, scores, st.one_of(st.floats(-1, 5), st.sampled_from([math.inf, -math.inf])))
def test_rates_at_any_threshold(
    genuine: list[float], impostor: list[float], threshold: float
) -> None:
    curve = curve_of(genuine, impostor)
    for limit in (threshold, genuine[0], impostor[0]):
        true_matches = sum(d <= limit for d in genuine)
        false_matches = sum(d <= limit for d in impostor)
        counts = counts_at(curve, limit)
        assert (counts.true_matches, counts.false_matches) == (true_matches, false_matches)
        assert counts.fmr == fmr_at(curve, limit) == false_matches / len(impostor)
        missed = len(genuine) - true_matches
        assert counts.fnmr == fnmr_at(curve, limit) == missed / len(genuine)
        right = true_matches + len(impostor) - false_matches
        assert counts.accuracy == right / (len(genuine) + len(impostor))
        assert counts.recall == true_matches / len(genuine)
        accepted = true_matches + false_matches
        if accepted == 0:
            assert counts.precision is None
            assert counts.f1 == 0
        else:
            assert counts.precision == true_matches / accepted
            if true_matches > 0:
                harmonic = 2 / (1 / counts.precision + 1 / counts.recall)
                assert counts.f1 == pytest.approx(harmonic)


@settings(deadline=None)
@given(scores, scores)
def test_auc_counts_pairs(genuine: list[float], impostor: list[float]) -> None:
    won = sum(1.0 if g < i else 0.5 if g == i else 0.0 for g, i in product(genuine, impostor))
    area = auc(curve_of(genuine, impostor))
    assert area == won / (len(genuine) * len(impostor))
    # Swapping the classes mirrors the area.
    assert area + auc(curve_of(impostor, genuine)) == pytest.approx(1)


@settings(deadline=None)
@given(scores, scores)
def test_eer_lies_on_the_piecewise_linear_roc(genuine: list[float], impostor: list[float]) -> None:
    curve = curve_of(genuine, impostor)
    rate = eer(curve)
    # Oracle: bisection for FMR = FNMR along the polyline.
    along = np.arange(len(curve.thresholds))
    low, high = 0.0, float(along[-1])
    for _ in range(100):
        middle = (low + high) / 2
        if np.interp(middle, along, curve.fmr) < np.interp(middle, along, curve.fnmr):
            low = middle
        else:
            high = middle
    assert rate == pytest.approx(float(np.interp(high, along, curve.fmr)), abs=1e-9)


@settings(deadline=None)
@given(scores, scores, st.sampled_from([0.0, 0.001, 0.1, 0.25, 0.29, 0.5, 1.0]))
def test_tar_at_fmr_is_the_best_within_the_target(
    genuine: list[float], impostor: list[float], target: float
) -> None:
    best = 0.0
    for threshold in [-math.inf, *genuine, *impostor]:
        if sum(d <= threshold for d in impostor) / len(impostor) <= target:
            best = max(best, sum(d <= threshold for d in genuine) / len(genuine))
    assert tar_at_fmr(curve_of(genuine, impostor), target) == best


@pytest.mark.parametrize(
    ("genuine", "impostor", "area", "equal_error"),
    [
        ([0.1, 0.2], [0.8, 0.9], 1.0, 0.0),  # separable
        ([0.8, 0.9], [0.1, 0.2], 0.0, 1.0),  # upside down
        ([0.5], [0.5], 0.5, 0.5),  # one tie
        ([0.5] * 7, [0.5] * 3, 0.5, 0.5),  # all ties
        ([0.1, 0.6], [0.4, 0.9], 0.75, 0.5),
        ([0.0, -0.0], [0.0], 0.5, 0.5),  # both zeros are one distance
    ],
)
def test_known_figures(
    genuine: list[float], impostor: list[float], area: float, equal_error: float
) -> None:
    curve = curve_of(genuine, impostor)
    assert auc(curve) == area
    assert eer(curve) == equal_error


def test_float32_distances_keep_their_exact_value() -> None:
    distances = np.array([0.1, 0.3], np.float32)
    curve = verification_curve(distances, distances)
    assert curve.thresholds.tolist() == [-math.inf, *map(float, distances)]


def test_input_is_not_touched_and_result_is_read_only() -> None:
    genuine = np.array([0.3, 0.1])
    curve = verification_curve(genuine, np.array([0.9]))
    assert genuine.tolist() == [0.3, 0.1]
    with pytest.raises(ValueError, match="read-only"):
        curve.thresholds[0] = 0


@pytest.mark.parametrize(("genuine", "impostor"), [([], [0.1]), ([0.1], []), ([], [])])
def test_one_class(genuine: list[float], impostor: list[float]) -> None:
    with pytest.raises(OneClassError, match="comparisons"):
        curve_of(genuine, impostor)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_not_finite(bad: float) -> None:
    with pytest.raises(ValueError, match="genuine distances hold NaN"):
        curve_of([0.1, bad], [0.5])
    with pytest.raises(ValueError, match="impostor distances hold NaN"):
        curve_of([0.1], [bad])


def test_refuses_a_matrix_and_a_nan_threshold() -> None:
    with pytest.raises(ValueError, match="shape"):
        verification_curve(np.zeros((2, 2)), np.zeros(2))
    curve = curve_of([0.1], [0.2])
    with pytest.raises(ValueError, match="NaN"):
        counts_at(curve, math.nan)
    for target in (-0.1, 1.1, math.nan):
        with pytest.raises(ValueError, match="target"):
            tar_at_fmr(curve, target)
