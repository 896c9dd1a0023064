"""Intervals from leaving out people, a group of them at a time.

Where pairs are counted and not kept, people cannot be drawn hundreds of times; but what would
have been measured without one group of people follows from the counts. How much that differs
from group to group tells how much the figure depends on who was there: the delete-a-group
jackknife (Arvesen, Annals of Mathematical Statistics 40, 1969, for statistics of pairs; Shao
and Wu, Annals of Statistics 17, 1989, for quantiles, such as thresholds, which want groups that
are not small). With g groups,

    V = (g - 1) / g  sum_i (t_i - mean t)^2

and the interval is that of Student's t with g - 1 degrees of freedom. Like the bootstrap of
:mod:`facematch.metrics.resampling` it errs on the wide side (Efron and Stein, ibid. 9, 1981).
"""

from __future__ import annotations

import math

import numpy as np

from facematch.metrics.intervals import Limits
from facematch.types import Float64Array


def jackknife_deviation(without: Float64Array) -> float:
    """The standard deviation of a figure.

    Args:
        without: float64 (g,), without each group in turn; at least two groups.

    Raises:
        ValueError: fewer than two groups.
    """
    groups = len(without)
    if groups < 2:
        raise ValueError(f"expected at least two groups, got {groups}")
    return math.sqrt((groups - 1) / groups * float(np.square(without - without.mean()).sum()))


def jackknife_limits(
    value: float,
    without: Float64Array,
    *,
    confidence: float = 0.95,
    lowest: float = -math.inf,
    highest: float = math.inf,
) -> Limits:
    """The interval of a figure.

    Args:
        value: of all people.
        without: float64 (g,), without each group in turn; at least two groups.
        confidence: in (0, 1).
        lowest: that the figure can be; the interval ends there.
        highest: the same.

    Raises:
        ValueError: fewer than two groups.

    >>> # Of a mean of ten numbers, it is the interval of the t-test.
    >>> numbers = np.arange(10.0)
    >>> limits = jackknife_limits(4.5, (45 - numbers) / 9)
    >>> round(limits.low, 3), round(limits.high, 3)
    (2.334, 6.666)
    """
    # The quantiles of scipy.stats.t without the start-up time of scipy.stats.
    from scipy.special import stdtrit

    half = float(stdtrit(len(without) - 1, (1 + confidence) / 2)) * jackknife_deviation(without)
    return Limits(max(value - half, min(lowest, value)), min(value + half, max(highest, value)))
