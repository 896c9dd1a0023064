"""Confidence intervals."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from facematch.types import Float64Array


@dataclass(frozen=True, slots=True)
class Interval:
    """Limits of a proportion, ``0 <= low <= high <= 1``.

    Raises:
        ValueError: the limits are out of order or range, or NaN.
    """

    low: float
    high: float

    def __post_init__(self) -> None:
        if not 0 <= self.low <= self.high <= 1:
            raise ValueError(f"expected 0 <= low <= high <= 1, got {self.low} and {self.high}")


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of any finite number, a threshold for one: ``low <= high``.

    Raises:
        ValueError: the limits are out of order or not finite.
    """

    low: float
    high: float

    def __post_init__(self) -> None:
        if not (math.isfinite(self.low) and math.isfinite(self.high) and self.low <= self.high):
            raise ValueError(f"expected finite low <= high, got {self.low} and {self.high}")


def percentile_limits(values: Float64Array, confidence: float = 0.95) -> Limits:
    """The middle share of resampled values: the percentile bootstrap (Efron, 1981).

    Args:
        values: (n,) finite, at least one.
        confidence: in (0, 1).

    Raises:
        ValueError: no values, or a confidence out of range.

    >>> limits = percentile_limits(np.arange(41.0))
    >>> round(limits.low, 6), round(limits.high, 6)
    (1.0, 39.0)
    """
    if len(values) == 0 or not 0 < confidence < 1:
        raise ValueError(f"expected values and a confidence in (0, 1), got {confidence}")
    tail = (1 - confidence) / 2
    low, high = np.quantile(values, (tail, 1 - tail))
    return Limits(float(low), float(high))


def share_limits(value: float, deviation: float, people: float, confidence: float = 0.95) -> Limits:
    """Limits of a figure in [0, 1] whose standard deviation was found by resampling.

    The figure is taken for a share of as many independent trials as have that deviation,
    shrunk for a deviation that is known from few people only, and gets the limits of
    :func:`clopper_pearson`: what Korn and Graubard do for rates (see
    :mod:`facematch.metrics.clustering`). Near 0 and 1 the limits are as lopsided as the figure's
    own distribution is; percentiles of resamples are lopsided the other way there, and too
    near the end of the range (areas under the ROC of 25 people were missed by 10 to 19 in a
    hundred).

    Args:
        value: as measured.
        deviation: standard; if 0, nothing is known of it, and the limits are the value.
        people: that stand behind the deviation; infinite if no people are shared.
        confidence: in (0, 1).

    >>> limits = share_limits(0.9, 0.03, math.inf)
    >>> round(limits.low, 4), round(limits.high, 4)
    (0.8238, 0.951)
    """
    # The quantiles of scipy.stats.t without the start-up time of scipy.stats.
    from scipy.special import stdtrit

    if deviation == 0 or not 0 < value < 1:
        return Limits(value, value)
    tail = (1 + confidence) / 2
    few = float(stdtrit(math.inf, tail) / stdtrit(max(people - 1, 1), tail)) ** 2
    trials = max(1.0, value * (1 - value) / deviation**2 * few)
    found = clopper_pearson(value * trials, trials, confidence)
    return Limits(min(found.low, value), max(found.high, value))


def hull(*limits: Limits | None) -> Limits:
    """The least that holds all that are known.

    Raises:
        ValueError: none is.

    >>> hull(Limits(0.2, 0.3), None, Limits(0.1, 0.25))
    Limits(low=0.1, high=0.3)
    """
    known = [one for one in limits if one is not None]
    if not known:
        raise ValueError("no limits to hold")
    return Limits(min(one.low for one in known), max(one.high for one in known))


def clopper_pearson(errors: float, comparisons: float, confidence: float = 0.95) -> Interval:
    """Exact two-sided interval for a rate (Clopper and Pearson, Biometrika 26, 1934).

    It covers the true rate with at least the stated confidence, whatever the rate, and has a
    meaningful upper limit when no error was seen. It takes comparisons as independent: those
    that share a person are not, and then the interval is too narrow.

    Args:
        errors: how many comparisons were decided wrongly, in [0, comparisons]. Need not be
            whole, and neither need ``comparisons``, where they stand for others that share
            people: see :mod:`facematch.metrics.clustering`.
        comparisons: how many were made, above 0.
        confidence: in (0, 1).

    Raises:
        ValueError: an argument is out of range.

    >>> interval = clopper_pearson(0, 3000)
    >>> interval.low, round(interval.high, 5)
    (0.0, 0.00123)
    """
    if not comparisons > 0 or not 0 <= errors <= comparisons:
        raise ValueError(f"expected 0 <= errors <= comparisons, got {errors} of {comparisons}")
    if not 0 < confidence < 1:
        raise ValueError(f"the confidence must lie between 0 and 1, got {confidence}")
    low, high = _beta_limits(np.float64(errors), np.float64(comparisons - errors), confidence)
    return Interval(float(low), float(high))


def clopper_pearson_limits(
    rates: Float64Array, comparisons: float, confidence: float = 0.95
) -> tuple[Float64Array, Float64Array]:
    """The limits of :func:`clopper_pearson` for many rates of equally many comparisons.

    Args:
        rates: float64 (n,), in [0, 1].
        comparisons: above 0.
        confidence: in (0, 1).

    Returns:
        Lower and upper limits, float64 (n,) each.
    """
    errors = rates * comparisons
    return _beta_limits(errors, np.maximum(comparisons - errors, 0), confidence)


def _beta_limits(
    errors: Float64Array | np.float64, right: Float64Array | np.float64, confidence: float
) -> tuple[Float64Array, Float64Array]:
    """Of comparisons decided wrongly and rightly."""
    # The quantiles of scipy.stats.beta without the start-up time of scipy.stats.
    from scipy.special import betaincinv

    tail = (1 - confidence) / 2
    # Of a shape of zero there is no quantile: the limit is the end of the range.
    low = np.where(errors > 0, betaincinv(np.where(errors > 0, errors, 1.0), right + 1, tail), 0.0)
    high = np.where(
        right > 0, betaincinv(errors + 1, np.where(right > 0, right, 1.0), 1 - tail), 1.0
    )
    return low, high
