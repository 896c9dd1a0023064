"""What one threshold does to several groups."""

from __future__ import annotations

import numpy as np
import pytest

from facematch.metrics import (
    Criterion,
    GroupRates,
    Interval,
    RateEstimate,
    ThresholdRule,
    Units,
    clopper_pearson,
    disparities,
    group_rates,
)

HALF = ThresholdRule(Criterion.FMR, 0.5)


def test_rates_by_group_by_hand() -> None:
    #                     x: genuine  impostor      y: genuine  impostor   z: impostor
    distances = np.array([0.1, 0.6, 0.4, 0.9, 0.2, 0.3, 0.6, 0.7, 0.95])
    same = np.array([True, True, False, False, True, True, False, False, False])
    codes = np.array([0, 0, 0, 0, 1, 1, 1, 1, 3])
    x, y, z = group_rates(
        distances, same, Units.independent(9), ("x", "y", "nobody", "z"), codes, 0.5, HALF
    )
    assert (x.value, y.value, z.value) == ("x", "y", "z")
    assert x.fmr is not None
    assert x.fnmr is not None
    assert (x.fmr.errors, x.fmr.comparisons) == (1, 2)
    assert (x.fnmr.errors, x.fnmr.comparisons) == (1, 2)
    assert x.fmr.interval == clopper_pearson(1, 2)
    assert y.fmr is not None
    assert (y.fmr.errors, y.fmr.comparisons) == (0, 2)
    assert z.fnmr is None
    assert z.equal_threshold is None
    # At 0.5 one impostor of five is accepted; no group of two can have that, but none.
    assert x.equal_threshold == pytest.approx((0.1 + 0.4) / 2)
    assert y.equal_threshold == pytest.approx((0.3 + 0.6) / 2)


def test_equal_thresholds_by_fnmr() -> None:
    distances = np.array([0.1, 0.3, 0.2, 0.6, 0.9, 0.9])
    same = np.array([True, True, True, True, False, False])
    codes = np.array([0, 0, 1, 1, 0, 1])
    rule = ThresholdRule(Criterion.FNMR, 0.3)
    x, y = group_rates(distances, same, Units.independent(6), ("x", "y"), codes, 0.4, rule)
    # One genuine of four is rejected: within each group of two, none may be.
    assert x.equal_threshold == pytest.approx((0.3 + 0.9) / 2)
    assert y.equal_threshold == pytest.approx((0.6 + 0.9) / 2)


def group(value: str, low: float, high: float) -> GroupRates:
    estimate = RateEstimate(1, 2, Interval(low, high), 2.0, independent=True)
    return GroupRates(value, None, estimate, None)


def test_only_disjoint_intervals_are_told() -> None:
    assert disparities([group("x", 0.1, 0.3), group("y", 0.3, 0.5)]) == ()
    (found,) = disparities([group("x", 0.1, 0.3), group("y", 0.31, 0.5), group("z", 0.2, 0.4)])
    assert (found.rate, found.worse, found.better) == ("FNMR", "y", "x")
    assert disparities([]) == ()
