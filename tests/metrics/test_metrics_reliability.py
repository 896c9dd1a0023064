"""Brier score, calibration error, log-loss, and the choice between two curves."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import brier_score_loss
from sklearn.metrics import log_loss as sklearn_log_loss

from facematch.metrics import (
    IsotonicProbability,
    MatchProbability,
    Units,
    fit_probability,
    log_loss,
    measure_reliability,
    probabilities,
    subject_folds,
)
from facematch.types import BoolArray, Float64Array

stated = st.lists(
    st.tuples(st.floats(0.001, 0.999), st.booleans()), min_size=2, max_size=40
).filter(lambda rows: {same for _, same in rows} == {True, False})


def arrays(rows: list[tuple[float, bool]]) -> tuple[Float64Array, BoolArray]:
    return np.array([row[0] for row in rows]), np.array([row[1] for row in rows])


@given(stated, st.floats(0.05, 0.95))
def test_brier_and_calibration_error_against_other_code(
    rows: list[tuple[float, bool]], prior: float
) -> None:
    p, same = arrays(rows)
    found = measure_reliability(p, same, prior)
    weights = np.where(same, prior / same.sum(), (1 - prior) / (~same).sum())
    assert found.brier == pytest.approx(brier_score_loss(same, p, sample_weight=weights))
    error = 0.0
    for index, one in enumerate(found.bins):
        inside = [i for i, value in enumerate(p) if min(int(value * 10), 9) == index]
        assert one.comparisons == len(inside)
        if not inside:
            assert (one.stated, one.observed, one.weight) == (None, None, 0)
            continue
        mass = sum(weights[i] for i in inside)
        observed = sum(weights[i] for i in inside if same[i]) / mass
        mean = sum(weights[i] * p[i] for i in inside) / mass
        assert one.stated == pytest.approx(mean)
        assert one.observed == pytest.approx(observed)
        error += mass * abs(mean - observed)
    assert found.ece == pytest.approx(error)
    assert sum(one.weight for one in found.bins) == pytest.approx(1)


@given(stated)
def test_log_loss_is_that_of_scikit_learn_for_equal_classes(
    rows: list[tuple[float, bool]],
) -> None:
    p, same = arrays(rows)
    weights = np.where(same, 1 / same.sum(), 1 / (~same).sum())
    expected = sklearn_log_loss(same, p, sample_weight=weights) / np.log(2)
    assert log_loss(np.log(p / (1 - p)), same) == pytest.approx(expected)


@pytest.mark.parametrize(("prior", "expected"), [(0.5, 0.8), (0.1, 4 / 13)])
def test_the_prior_moves_the_odds(prior: float, expected: float) -> None:
    assert probabilities(np.log(np.array([4.0])), prior)[0] == pytest.approx(expected)


def people(shape: str, seed: int, count: int = 120) -> tuple[Float64Array, BoolArray, Units]:
    """Ten genuine and ten impostor comparisons a person."""
    generator = np.random.default_rng(seed)
    a = np.repeat(np.arange(count), 20)
    same = np.arange(len(a)) % 20 < 10
    b = np.where(same, a, (a + 1 + np.arange(len(a)) % 7) % count)
    if shape == "normal":  # equal variances: the logistic curve is the truth
        distances = np.where(same, 0.5, 0.8) + generator.normal(0, 0.15, len(a))
    else:  # a likelihood ratio of two levels: steps are the truth
        lower = generator.random(len(a)) < np.where(same, 0.9, 0.2)
        distances = np.where(lower, 0.0, 1.0) + generator.random(len(a))
    return distances, same, Units(count, a, b)


@pytest.mark.parametrize(
    ("shape", "kind"), [("normal", MatchProbability), ("steps", IsotonicProbability)]
)
def test_the_better_curve_is_taken(shape: str, kind: type) -> None:
    distances, same, units = people(shape, 3)
    folds = subject_folds(units, 5, np.random.default_rng(0))
    found = fit_probability(distances, same, folds, prior=0.2)
    assert found is not None
    assert found.held_out
    assert isinstance(found.curve, kind)
    assert found.curve.prior == 0.2
    assert min(found.log_loss, key=found.log_loss.__getitem__) == found.curve.method
    assert found.reliability.ece < 0.05
    assert 0 < found.log_loss[found.curve.method] < 1


def test_too_few_people_for_folds() -> None:
    found = fit_probability(
        np.array([0.1, 0.2, 0.8, 0.9]), np.array([True, True, False, False]), None
    )
    assert found is not None
    assert not found.held_out
    assert found.curve.method == "logistic"
    # Four comparisons: odds of 3 : 1 are the most that they show.
    assert found.curve.at(0.0) == pytest.approx(0.75)


def test_no_probability() -> None:
    assert fit_probability(np.array([0.9, 0.1]), np.array([True, False]), None) is None
