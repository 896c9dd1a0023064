"""The bootstrap over subjects against doing it by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facematch.errors import OneClassError
from facematch.metrics import (
    Criterion,
    Sweep,
    ThresholdRule,
    Units,
    WeightedCurve,
    auc,
    bootstrap,
    draws,
    eer,
    percentile_limits,
    resampling,
    tar_at_fmr,
    threshold_for,
    verification_curve,
)
from facematch.types import BoolArray, Float64Array

comparisons = st.lists(
    st.tuples(st.integers(0, 6).map(lambda n: n / 4), st.booleans(), st.integers(0, 3)),
    min_size=1,
    max_size=25,
)


def curve(distances: Float64Array, same: BoolArray, weights: Float64Array) -> WeightedCurve:
    found = Sweep(distances, same).curve(weights)
    assert found is not None
    return found


@given(comparisons)
def test_a_weight_is_a_count(rows: list[tuple[float, bool, int]]) -> None:
    distances = np.array([row[0] for row in rows])
    same = np.array([row[1] for row in rows])
    weights = np.array([row[2] for row in rows])
    repeated, labels = np.repeat(distances, weights), np.repeat(same, weights)
    found = Sweep(distances, same).curve(weights.astype(np.float64))
    if labels.all() or not labels.any():
        assert found is None
        return
    assert found is not None
    counted = verification_curve(repeated[labels], repeated[~labels])
    assert (found.n_genuine, found.n_impostor) == (counted.n_genuine, counted.n_impostor)
    at = np.searchsorted(found.thresholds, counted.thresholds)
    assert found.false_matches[at].tolist() == counted.false_matches.tolist()
    assert found.false_non_matches[at].tolist() == counted.false_non_matches.tolist()
    assert auc(found) == auc(counted)
    assert eer(found) == pytest.approx(eer(counted), abs=1e-12)
    for target in (0.0, 0.3, 1.0):
        assert tar_at_fmr(found, target) == tar_at_fmr(counted, target)


def test_weights_are_products_of_how_often_subjects_were_drawn() -> None:
    units = Units(3, np.array([0, 1, 2, 0, 0, 1]), np.array([0, 1, 2, 1, 2, 2]))
    for own0, own1, own2, pair01, pair02, pair12 in draws(units, 50, np.random.default_rng(3)):
        assert own0 + own1 + own2 == 3
        assert (pair01, pair02, pair12) == (own0 * own1, own0 * own2, own1 * own2)


def test_independent_comparisons_are_drawn_one_by_one() -> None:
    for weights in draws(Units.independent(7), 20, np.random.default_rng(5)):
        assert weights.sum() == 7
        assert (weights == weights.round()).all()


def test_the_bootstrap_of_a_mean_knows_its_deviation() -> None:
    # The rate at one threshold is a mean of independent 0/1: its deviation is known.
    generator = np.random.default_rng(7)
    same = np.arange(400) < 200
    distances = np.where(same, 0.4, 0.6) + generator.normal(0, 0.2, 400)
    rate = float((distances[~same] <= 0.5).mean())
    values = bootstrap(
        Sweep(distances, same),
        Units.independent(400),
        lambda c: float(c.fmr[np.searchsorted(c.thresholds, 0.5, side="right") - 1]),
        1500,
        np.random.default_rng(8),
    )
    # The number of impostors varies too, which widens it by next to nothing.
    assert values.std() == pytest.approx(np.sqrt(rate * (1 - rate) / 200), rel=0.1)
    limits = percentile_limits(values)
    assert limits.low < rate < limits.high


def test_the_seed_decides() -> None:
    generator = np.random.default_rng(0)
    distances, same = generator.random(60), np.arange(60) < 30
    units = Units(10, np.arange(60) % 10, np.where(same, np.arange(60) % 10, np.arange(60) % 7))

    def run(seed: int) -> list[float]:
        sweep = Sweep(distances, same)
        return bootstrap(sweep, units, auc, 20, np.random.default_rng(seed)).tolist()

    assert run(1) == run(1)
    assert run(1) != run(2)


def test_too_few_subjects(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resampling, "_ATTEMPTS", 1)
    units = Units(3, np.array([0, 1]), np.array([0, 2]))
    with pytest.raises(OneClassError, match="too few subjects"):
        bootstrap(
            Sweep(np.array([0.1, 0.9]), np.array([True, False])),
            units,
            auc,
            50,
            np.random.default_rng(0),
        )


def test_appearances() -> None:
    units = Units(4, np.array([0, 0, 1]), np.array([0, 1, 2]))
    assert units.appearances().tolist() == [2, 2, 1, 0]
    assert units.subset(np.array([True, False, True])).appearances().tolist() == [1, 1, 1, 0]


def threshold_coverage(habit: float, seed: int) -> float:
    """Share of simulations whose percentile interval holds the threshold of FMR 10 %.

    Thirty people, all pairs; the impostor distance is the habits of both plus what is
    peculiar to the pair, of variance 1 in all.
    """
    generator = np.random.default_rng(seed)
    a, b = np.triu_indices(30, 1)
    everyone = np.arange(30)
    units = Units(30, np.concatenate((everyone, a)), np.concatenate((everyone, b)))
    same = units.a == units.b
    rule = ThresholdRule(Criterion.FMR, 0.1)
    covered, runs = 0, 100
    for _ in range(runs):
        habits = generator.normal(0, np.sqrt(habit / 2), 30)
        distances = generator.normal(0, np.sqrt(1 - habit), len(same))
        distances += habits[units.a] + habits[units.b]
        values = bootstrap(
            Sweep(distances, same), units, lambda c: threshold_for(c, rule), 100, generator
        )
        limits = percentile_limits(values)
        covered += limits.low <= -1.2815515655446004 <= limits.high
    return covered / runs


@pytest.mark.parametrize("habit", [0.0, 0.4])
def test_coverage_of_the_threshold_interval(habit: float) -> None:
    covered = threshold_coverage(habit, seed=4)
    print(f"habit {habit}: covered {covered:.2f}")
    assert covered >= 0.9
