"""Intervals from leaving out groups."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facematch.metrics import jackknife_limits

numbers = st.lists(st.floats(-100, 100), min_size=2, max_size=30).map(np.array)


@given(numbers, st.sampled_from([0.5, 0.9, 0.95]))
def test_of_a_mean_it_is_the_interval_of_the_t_test(
    values: np.ndarray[tuple[int], np.dtype[np.float64]], confidence: float
) -> None:
    n = len(values)
    without = (values.sum() - values) / (n - 1)
    from scipy.stats import t

    half = float(t.ppf((1 + confidence) / 2, n - 1)) * float(values.std(ddof=1)) / math.sqrt(n)
    found = jackknife_limits(float(values.mean()), without, confidence=confidence)
    assert found.low == pytest.approx(values.mean() - half, abs=1e-9)
    assert found.high == pytest.approx(values.mean() + half, abs=1e-9)


def test_the_interval_ends_where_the_figure_does_and_holds_it() -> None:
    without = np.array([0.9, 1.0, 1.0, 0.8])
    found = jackknife_limits(0.98, without, lowest=0.0, highest=1.0)
    assert found.high == 1.0
    assert 0 <= found.low < 0.9
    # Of groups that make no difference nothing is seen; a rounding beyond the end is kept.
    alike = jackknife_limits(1 + 1e-12, np.ones(5), highest=1.0)
    assert (alike.low, alike.high) == (1 + 1e-12, 1 + 1e-12)


def test_one_group_tells_nothing() -> None:
    with pytest.raises(ValueError, match="at least two"):
        jackknife_limits(0.5, np.array([0.5]))


def test_coverage_for_a_statistic_of_pairs() -> None:
    """Of a mean over all pairs of people, whose habits they share, 95 % or a little more."""
    generator = np.random.default_rng(7)
    people, groups, hits = 60, 20, 0
    group = np.arange(people) % groups
    a, b = np.triu_indices(people, 1)
    for _ in range(400):
        habit = generator.normal(size=people)
        values = habit[a] + habit[b] + generator.normal(size=len(a))
        without = np.array(
            [values[(group[a] != left) & (group[b] != left)].mean() for left in range(groups)]
        )
        found = jackknife_limits(float(values.mean()), without)
        hits += found.low <= 0 <= found.high
    assert 0.92 <= hits / 400 <= 0.99
