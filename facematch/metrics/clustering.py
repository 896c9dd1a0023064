"""Intervals of error rates whose comparisons share people.

The variance of a rate under the bootstrap of :mod:`facematch.metrics.resampling`, in the limit
of infinitely many resamples, needs no resampling. With ``e`` the deviation of each of n
comparisons from the rate (1 - p for an error, -p for none) and ``S_s`` the sum of ``e`` over
the comparisons of subject s,

    genuine:   V = sum_s S_s^2 / n^2
    impostor:  V = (sum_s S_s^2 - sum e^2) / n^2

The second is freed of the excess of product weights, and is the dyadic-robust variance of
Fafchamps and Gubert (Journal of Development Economics 83, 2007) and of Aronow, Samii and
Assenova (Political Analysis 23, 2015): every two comparisons that share a subject may be
correlated, others not.

From V follows how many independent comparisons would tell as much, ``n_eff = p (1 - p) / V``,
never more than n, and the interval is that of Clopper and Pearson for ``n_eff`` comparisons,
which stays sound where errors are few and a bootstrap percentile is not: Korn and Graubard,
*Confidence intervals for proportions with small expected number of positive counts estimated
from survey data*, Survey Methodology 24, 1998, with their correction for few clusters.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from facematch.metrics.decision import accepts
from facematch.metrics.intervals import Interval, clopper_pearson
from facematch.metrics.resampling import Units
from facematch.types import BoolArray, Float64Array, Int64Array

# With fewer errors than this, how they gather in people is judged at a threshold that has
# so many: nothing can be seen of it in no errors at all.
_ERRORS_TO_JUDGE_BY = 20


@dataclass(frozen=True, slots=True)
class RateEstimate:
    """A measured error rate.

    Attributes:
        errors: comparisons decided wrongly.
        comparisons: in all, at least 1.
        interval: 95 % for the rate on people like these.
        effective: how many independent comparisons would tell as much.
        independent: whether no two of the comparisons share a person; the interval then is
            that of Clopper and Pearson, and exact.
    """

    errors: int
    comparisons: int
    interval: Interval
    effective: float
    independent: bool

    @property
    def rate(self) -> float:
        """Errors over comparisons."""
        return self.errors / self.comparisons


def estimate_fmr(impostor: Float64Array, units: Units, threshold: float) -> RateEstimate:
    """The false match rate at a threshold.

    Args:
        impostor: float64 (n,), at least one finite distance between two subjects.
        units: the subjects of those comparisons.
        threshold: accept iff ``distance <= threshold``.

    >>> distances = np.array([0.2, 0.8, 0.9])
    >>> alone = Units(6, np.array([0, 2, 4]), np.array([1, 3, 5]))
    >>> estimate_fmr(distances, alone, 0.5).interval == clopper_pearson(1, 3)
    True
    """
    k = errors_to_judge_by(len(impostor))
    looser = float(np.partition(impostor, k - 1)[k - 1])
    return estimate_rate(accepts(impostor, threshold), units, accepts(impostor, looser))


def estimate_fnmr(genuine: Float64Array, units: Units, threshold: float) -> RateEstimate:
    """The false non-match rate at a threshold.

    Args:
        genuine: float64 (n,), at least one finite distance within a subject.
        units: the subjects of those comparisons.
        threshold: accept iff ``distance <= threshold``.
    """
    k = errors_to_judge_by(len(genuine))
    tighter = float(np.partition(genuine, -k)[-k])
    return estimate_rate(~accepts(genuine, threshold), units, genuine >= tighter)


def estimate_rate(
    wrong: BoolArray, units: Units, more_wrong: BoolArray | None = None
) -> RateEstimate:
    """The rate of any kind of error.

    Args:
        wrong: bool (n,), which of at least one comparison are errors.
        units: who is compared in them.
        more_wrong: bool (n,), errors of a kind that is more common, to judge by how errors
            gather in people where ``wrong`` are few; None to do without.
    """
    return _estimated(
        *(int(wrong.sum()), len(wrong), units.appearances()),
        lambda: design_effect(wrong, units),
        None if more_wrong is None else lambda: design_effect(more_wrong, units),
    )


def estimate_from_sums(
    errors: Int64Array,
    comparisons: Int64Array,
    more_errors: Int64Array | None = None,
    *,
    mixed: bool,
) -> RateEstimate:
    """The same where comparisons were counted by subject instead of kept.

    Args:
        errors: int64 (s,), errors in which each subject takes part.
        comparisons: int64 (s,), comparisons in which each takes part, at least one in all.
        more_errors: int64 (s,), errors of a kind that is more common, as ``more_wrong`` above.
        mixed: whether comparisons are between two subjects, each then counted at both; else
            they are within one.

    >>> distances = np.array([0.2, 0.8, 0.9])
    >>> units = Units(3, np.array([0, 0, 1]), np.array([1, 2, 2]))
    >>> kept = estimate_rate(distances <= 0.5, units)
    >>> kept == estimate_from_sums(np.array([1, 1, 0]), np.array([2, 2, 2]), mixed=True)
    True
    """
    sides = 2 if mixed else 1
    n = int(comparisons.sum()) // sides
    return _estimated(
        *(int(errors.sum()) // sides, n, comparisons),
        lambda: _effect_of_sums(errors, comparisons, mixed),
        None if more_errors is None else lambda: _effect_of_sums(more_errors, comparisons, mixed),
    )


def _estimated(
    errors: int,
    n: int,
    appearances: Int64Array,
    effect_of: Callable[[], float],
    effect_of_more: Callable[[], float] | None,
) -> RateEstimate:
    if int(appearances.max()) <= 1:
        return RateEstimate(errors, n, clopper_pearson(errors, n), float(n), independent=True)
    effect = effect_of()
    if effect_of_more is not None and min(errors, n - errors) < _ERRORS_TO_JUDGE_BY:
        effect = max(effect, effect_of_more())
    people = int((appearances > 0).sum())
    effective = n / effect * _few_people(n, people)
    interval = clopper_pearson(errors / n * effective, effective)
    return RateEstimate(errors, n, interval, effective, independent=False)


def design_effect(wrong: BoolArray, units: Units) -> float:
    """By what factor sharing people widens the variance of a rate, at least 1.

    Args:
        wrong: bool (n,), which comparisons are errors.
        units: who is compared in them.

    Returns:
        1 if no comparison, or every one, is wrong: nothing can be seen of it then.
    """
    n = len(wrong)
    rate = float(wrong.mean())
    if rate in (0.0, 1.0):
        return 1.0
    deviation = wrong - rate
    mixed = units.a != units.b
    sums = np.bincount(units.a, deviation, units.count)
    sums += np.bincount(units.b[mixed], deviation[mixed], units.count)
    total = float(np.square(sums).sum()) - float(np.square(deviation[mixed]).sum())
    return max(1.0, total / (n * rate * (1 - rate)))


def _effect_of_sums(errors: Int64Array, comparisons: Int64Array, mixed: bool) -> float:
    """:func:`design_effect` from what each subject takes part in."""
    sides = 2 if mixed else 1
    n = int(comparisons.sum()) / sides
    rate = int(errors.sum()) / sides / n
    if rate in (0.0, 1.0):
        return 1.0
    spread = n * rate * (1 - rate)  # the sum of e^2 over all comparisons
    total = float(np.square(errors - rate * comparisons).sum()) - (spread if mixed else 0.0)
    return max(1.0, total / spread)


def errors_to_judge_by(comparisons: int) -> int:
    """How many errors show how errors gather in people, where there are so few comparisons."""
    return min(_ERRORS_TO_JUDGE_BY, (comparisons + 1) // 2)


def _few_people(comparisons: int, people: int) -> float:
    """Korn and Graubard's factor: the variance itself is known from ``people`` sums only."""
    # The quantiles of scipy.stats.t without the start-up time of scipy.stats.
    from scipy.special import stdtrit

    many, few = max(comparisons - 1, 1), max(people - 1, 1)
    return min(1.0, float(stdtrit(many, 0.975) / stdtrit(few, 0.975)) ** 2)
