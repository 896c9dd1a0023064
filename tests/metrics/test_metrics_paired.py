"""Differences between systems on the same comparisons."""

from __future__ import annotations

import numpy as np
import pytest

from facematch.metrics import Sweep, Units, auc, eer, paired_difference, resampled
from facematch.types import BoolArray, Float64Array

STATISTICS = (lambda curve, weights: auc(curve), lambda curve, weights: eer(curve))


def made(better: float) -> tuple[Float64Array, Float64Array, BoolArray, Units]:
    """Two systems that err on the same comparisons; the second is better by so much."""
    generator = np.random.default_rng(3)
    people = np.repeat(np.arange(50), 3)
    a, b = generator.integers(50, size=(2, 300))
    keep = a != b
    units = Units(50, np.concatenate((people, a[keep])), np.concatenate((people, b[keep])))
    same = units.a == units.b
    hard = generator.normal(0, 0.2, len(same))
    first = np.where(same, 0.5, 0.9) + hard
    second = np.where(same, 0.5 - better, 0.9) + hard + generator.normal(0, 0.01, len(same))
    return first, second, same, units


def differences(better: float, seed: int = 0) -> Float64Array:
    first, second, same, units = made(better)
    values = resampled(
        (Sweep(first, same), Sweep(second, same)),
        units,
        (STATISTICS, STATISTICS),
        200,
        np.random.default_rng(seed),
    )
    assert values is not None
    assert values.shape == (200, 2, 2)
    result: Float64Array = values[:, 1] - values[:, 0]
    return result


def test_what_both_find_hard_cancels() -> None:
    first, _, same, units = made(0)
    alone = resampled((Sweep(first, same),), units, (STATISTICS,), 200, np.random.default_rng(0))
    assert alone is not None
    assert differences(0)[:, 0].std() < alone[:, 0, 0].std() / 3


def test_a_small_gain_is_seen_and_none_is_not() -> None:
    gain, none = differences(0.05), differences(0)
    assert paired_difference(float(gain[:, 0].mean()), 0, gain[:, 0], 0.95).significant
    assert not paired_difference(0, 0, none[:, 0], 0.95).significant


def test_a_seed_gives_the_same_again() -> None:
    assert differences(0.05, 1).tolist() == differences(0.05, 1).tolist()
    assert differences(0.05, 1).tolist() != differences(0.05, 2).tolist()


def test_a_system_does_not_differ_from_itself() -> None:
    first, _, same, units = made(0)
    sweep = Sweep(first, same)
    values = resampled(
        (sweep, sweep), units, (STATISTICS, STATISTICS), 50, np.random.default_rng(0)
    )
    assert values is not None
    assert (values[:, 0] == values[:, 1]).all()


def test_infinite_distances_are_rejections() -> None:
    _, _, same, units = made(0)
    distances = np.where(same, 0.1, 0.9)
    lost = distances.copy()
    lost[np.flatnonzero(same)[:10]] = np.inf
    sweeps = (Sweep(distances, same), Sweep(lost, same))
    values = resampled(sweeps, units, (STATISTICS, STATISTICS), 50, np.random.default_rng(0))
    assert values is not None
    assert (values[:, 0, 0] == 1).all()
    assert values[:, 1, 0].mean() < 1


def test_too_few_people() -> None:
    units = Units(2, np.array([0, 0]), np.array([0, 1]))
    sweep = Sweep(np.array([0.1, 0.9]), np.array([True, False]))
    # Both classes need subject 0 and 1 in one draw: every second resample.
    many = resampled((sweep,), units, (STATISTICS,), 10, np.random.default_rng(0))
    assert many is not None
    alone = Units(40, np.array([0, 0]), np.array([0, 1]))
    far = Units(4000, np.zeros(2, np.int64), np.array([0, 1]))
    assert resampled((sweep,), far, (STATISTICS,), 10, np.random.default_rng(0)) is not None
    one_class = Sweep(np.array([0.1, 0.2]), np.array([True, True]))
    assert resampled((one_class,), alone, (STATISTICS,), 10, np.random.default_rng(0)) is None


def test_the_interval_holds_what_was_measured() -> None:
    found = paired_difference(1.0, 0.0, np.linspace(-0.1, 0.1, 50), 0.9)
    assert found.difference == 1.0
    assert found.interval.high == 1.0
    assert found.interval.low == pytest.approx(-0.09)
    assert not found.significant
