"""Intervals where a bootstrap sees nothing: few errors, none, or everything tied.

Resamples of comparisons without an error have no error either, so the percentiles of a
bootstrap close up to one point exactly where the least is known (NIST IR 8034, ISO/IEC
19795-1 annex B: the rule of three); and resamples of few people are too much alike. What stays
sound there are the limits of Clopper and Pearson, turned round: a threshold belongs to the
interval if the rates that were counted at it do not contradict what is asked of it. For a
quantile that is the interval of order statistics, and with effective numbers of comparisons that
of Woodruff (*Confidence intervals for medians and other position measures*, JASA 47, 1952). Two
rates are brought together by the square root of their squared distances to their limits
(Newcombe, Statistics in Medicine 17, 1998; Zou and Donner's MOVER, ibid. 27, 2008).

Comparisons that share people count as the number of independent ones that would tell as much:
see :mod:`facematch.metrics.clustering`.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable

import numpy as np

from facematch.metrics.effective import EffectiveCounts
from facematch.metrics.intervals import (
    Interval,
    Limits,
    clopper_pearson,
    clopper_pearson_limits,
    hull,
)
from facematch.metrics.rules import Criterion, ThresholdRule
from facematch.metrics.thresholds import at_point, operating_point
from facematch.metrics.verification import VerificationCurve, auc, eer, tar_at_fmr
from facematch.types import BoolArray, Float64Array, Int64Array

# With fewer errors than this of either class, percentiles of resamples are not relied on.
FEW_ERRORS = 20

# With fewer people than this, percentiles of resamples of a threshold are not relied on: of six
# people, they missed the true one in a fifth of simulated lists.
FEW_PEOPLE = 20

# Points at which the cost of a threshold is looked at on either side of the best.
_POINTS = 500

_CONFIDENCE = 0.95

_EER = ThresholdRule(Criterion.EER)


def limits_around(
    value: float, resamples: Limits | None, *, uncertain: bool, exact: Callable[[], Limits]
) -> Limits:
    """Limits that hold a value: of resamples, and exact ones where those say too little.

    Args:
        value: as measured.
        resamples: their percentiles; None if people are too few to resample.
        uncertain: whether few errors stand behind the value.
        exact: gives the exact limits, which takes a while.
    """
    point = Limits(value, value)
    if uncertain or resamples is None or resamples.low == resamples.high:
        return hull(point, resamples, exact())
    return hull(point, resamples)


def exact_threshold_limits(
    curve: VerificationCurve, rule: ThresholdRule, effective: EffectiveCounts
) -> Limits:
    """Where the threshold lies that a rule would choose if all people were compared, at 95 %.

    Target FMR or FPIR: every threshold at which the interval of the FMR holds the target; FNMR
    the same. EER: where the interval of FMR - FNMR holds zero. Accuracy and cost: where the
    decisions that differ from those at the chosen threshold do not cost significantly more.
    Where nothing bounds it on the strict side, the low limit is the threshold that accepts
    none of the comparisons.

    >>> from facematch.metrics.verification import verification_curve
    >>> curve = verification_curve(np.arange(0, 0.5, 0.005), np.arange(1, 2, 0.005))
    >>> rule = ThresholdRule(Criterion.FMR, 0.05)
    >>> limits = exact_threshold_limits(curve, rule, EffectiveCounts(100, 200))
    >>> round(limits.low, 3), round(limits.high, 3)
    (1.02, 1.085)
    """
    count = len(curve.thresholds)
    match rule.criterion:
        case Criterion.FMR | Criterion.FPIR:
            low, high = _where_fmr_may_be(curve, rule.target_fmr or 0.0, effective)
        case Criterion.FNMR:
            target = rule.target or 0.0
            low = _first(count, lambda i: _fnmr(curve, i, effective).low <= target)
            high = _first(count, lambda i: _fnmr(curve, i, effective).high < target)
        case Criterion.EER:
            low = _first(count, lambda i: _excess(curve, i, effective).high >= 0)
            high = _first(count, lambda i: _excess(curve, i, effective).low > 0)
        case _:
            low, high = _as_cheap(curve, rule, effective)
    chosen = at_point(curve, operating_point(curve, rule))
    lowest = at_point(curve, 0) if low == 0 else float(curve.thresholds[min(low, count - 1)])
    return Limits(min(lowest, chosen), max(float(curve.thresholds[min(high, count - 1)]), chosen))


def threshold_is_uncertain(
    curve: VerificationCurve, rule: ThresholdRule, effective: EffectiveCounts | None = None
) -> bool:
    """Whether so few errors, or people, decide where the threshold lies that resamples tell too
    little.

    Args:
        curve: of the comparisons.
        rule: that chooses the threshold.
        effective: who stand behind them; None for nobody who is in two comparisons.
    """
    if effective is not None and _people_behind(rule, effective) < FEW_PEOPLE:
        return True
    point = operating_point(curve, rule)
    false_matches, misses = int(curve.false_matches[point]), int(curve.false_non_matches[point])
    match rule.criterion:
        case Criterion.FMR | Criterion.FPIR:
            return min(false_matches, curve.n_impostor - false_matches) < FEW_ERRORS
        case Criterion.FNMR:
            return min(misses, curve.n_genuine - misses) < FEW_ERRORS
        case _:
            return min(false_matches, misses) < FEW_ERRORS


def _people_behind(rule: ThresholdRule, effective: EffectiveCounts) -> float:
    match rule.criterion:
        case Criterion.FMR | Criterion.FPIR:
            return effective.impostor_people
        case Criterion.FNMR:
            return effective.genuine_people
        case _:
            return effective.people


def exact_tar_limits(curve: VerificationCurve, target: float, effective: EffectiveCounts) -> Limits:
    """The true accept rate at a target FMR, at 95 %.

    Two things are not known: the rate at the threshold, and where the threshold lies. Their
    distances to the limits are added in squares.
    """
    tar = tar_at_fmr(curve, target)
    at = operating_point(curve, ThresholdRule(Criterion.FMR, target))
    low, high = _where_fmr_may_be(curve, target, effective)
    loosest = max(min(high, len(curve.thresholds) - 1), at)
    least = 1 - int(curve.false_non_matches[min(low, at)]) / curve.n_genuine
    most = 1 - int(curve.false_non_matches[loosest]) / curve.n_genuine
    missed = _fnmr(curve, at, effective)
    return Limits(
        max(0.0, tar - math.hypot(tar - least, missed.high - (1 - tar))),
        min(1.0, tar + math.hypot(most - tar, (1 - tar) - missed.low)),
    )


def tar_is_uncertain(curve: VerificationCurve, target: float) -> bool:
    """Whether few errors of either class stand behind the true accept rate."""
    at = operating_point(curve, ThresholdRule(Criterion.FMR, target))
    return min(int(curve.false_matches[at]), int(curve.false_non_matches[at])) < FEW_ERRORS


def exact_eer_limits(curve: VerificationCurve, effective: EffectiveCounts) -> Limits:
    """The equal error rate, at 95 %, known no better than from the smaller class."""
    return _of_fewer(eer(curve), effective)


def eer_is_uncertain(curve: VerificationCurve) -> bool:
    """Whether few errors of either class stand behind the equal error rate."""
    return threshold_is_uncertain(curve, _EER)


def exact_auc_limits(curve: VerificationCurve, effective: EffectiveCounts) -> Limits:
    """The area under the ROC, at 95 %, known no better than from the smaller class.

    A genuine comparison paired with an impostor comparison is a trial; as many trials as the
    smaller class has can be made of comparisons that are in none of the others, and the
    variance of the area is at most that of so many (Birnbaum and Klose, Annals of Mathematical
    Statistics 28, 1957).
    """
    return _of_fewer(auc(curve), effective)


def seems_reversed(curve: VerificationCurve, effective: EffectiveCounts) -> bool:
    """Whether impostor comparisons lie nearer than genuine ones, beyond chance.

    Then distances have the wrong sign, or labels are turned round: no system is worse than
    one that guesses.

    >>> from facematch.metrics.verification import verification_curve
    >>> curve = verification_curve(np.arange(1.0, 2, 0.1), np.arange(0.0, 1, 0.1))
    >>> seems_reversed(curve, EffectiveCounts(10, 10))
    True
    """
    return exact_auc_limits(curve, effective).high < 0.5


def auc_is_uncertain(curve: VerificationCurve) -> bool:
    """Whether few comparisons of a class lie where both classes do."""
    misses = int(curve.false_non_matches[np.searchsorted(curve.false_matches, 0, "right") - 1])
    false_matches = int(curve.false_matches[np.argmax(curve.false_non_matches == 0)])
    return min(misses, false_matches) < FEW_ERRORS


def _of_fewer(share: float, effective: EffectiveCounts) -> Limits:
    trials = min(effective.genuine, effective.impostor)
    found = clopper_pearson(min(share * trials, trials), trials, _CONFIDENCE)
    return Limits(found.low, found.high)


def _where_fmr_may_be(
    curve: VerificationCurve, target: float, effective: EffectiveCounts
) -> tuple[int, int]:
    """First point whose interval of the FMR reaches a target, and first that is beyond it."""
    count = len(curve.thresholds)
    return (
        _first(count, lambda i: _fmr(curve, i, effective).high >= target),
        _first(count, lambda i: _fmr(curve, i, effective).low > target),
    )


def _first(count: int, holds: Callable[[int], bool]) -> int:
    """The first index at which a condition holds that never ceases to hold; else ``count``."""
    return bisect_left(range(count), True, key=holds)


def _fmr(curve: VerificationCurve, point: int, effective: EffectiveCounts) -> Interval:
    return _scaled(int(curve.false_matches[point]), curve.n_impostor, effective.impostor)


def _fnmr(curve: VerificationCurve, point: int, effective: EffectiveCounts) -> Interval:
    return _scaled(int(curve.false_non_matches[point]), curve.n_genuine, effective.genuine)


def _scaled(errors: int, comparisons: int, effective: float) -> Interval:
    return clopper_pearson(min(errors / comparisons * effective, effective), effective, _CONFIDENCE)


def _excess(curve: VerificationCurve, point: int, effective: EffectiveCounts) -> Limits:
    """Interval of FMR - FNMR; both limits rise with the threshold."""
    fmr = int(curve.false_matches[point]) / curve.n_impostor
    fnmr = int(curve.false_non_matches[point]) / curve.n_genuine
    of_fmr, of_fnmr = _fmr(curve, point, effective), _fnmr(curve, point, effective)
    return Limits(
        fmr - fnmr - math.hypot(fmr - of_fmr.low, of_fnmr.high - fnmr),
        fmr - fnmr + math.hypot(of_fmr.high - fmr, fnmr - of_fnmr.low),
    )


def _as_cheap(
    curve: VerificationCurve, rule: ThresholdRule, effective: EffectiveCounts
) -> tuple[int, int]:
    """First point that is not significantly dearer than the chosen one; first after the last."""
    best = operating_point(curve, rule)
    if rule.cost is None:
        of_match: float = curve.n_impostor
        of_miss: float = curve.n_genuine
    else:
        of_match = rule.cost.false_accept * (1 - rule.cost.prior)
        of_miss = rule.cost.false_reject * rule.cost.prior
    last = len(curve.thresholds) - 1
    below = np.unique(np.linspace(0, best, min(_POINTS, best + 1)).astype(np.int64))
    above = np.unique(np.linspace(best, last, min(_POINTS, last - best + 1)).astype(np.int64))
    # Between two points that were looked at, the dearer one bounds the interval.
    cheap_below = ~_dearer(curve, below, best, (of_miss, of_match), effective)
    cheap_above = ~_dearer(curve, above, best, (of_miss, of_match), effective)
    first = int(np.argmax(cheap_below))
    final = len(above) - 1 - int(np.argmax(cheap_above[::-1]))
    return int(below[max(first - 1, 0)]), int(above[min(final + 1, len(above) - 1)])


def _dearer(
    curve: VerificationCurve,
    points: Int64Array,
    best: int,
    costs: tuple[float, float],
    effective: EffectiveCounts,
) -> BoolArray:
    """Whether points cost significantly more than the best; only what they change counts."""
    of_miss, of_match = costs
    misses, matches = curve.false_non_matches, curve.false_matches
    more_misses = np.abs(misses[points] - misses[best]) / curve.n_genuine
    more_matches = np.abs(matches[points] - matches[best]) / curve.n_impostor
    strict = points < best
    lost = np.where(strict, of_miss * more_misses, of_match * more_matches)
    won = np.where(strict, of_match * more_matches, of_miss * more_misses)
    miss_low, miss_high = clopper_pearson_limits(more_misses, effective.genuine, _CONFIDENCE)
    match_low, match_high = clopper_pearson_limits(more_matches, effective.impostor, _CONFIDENCE)
    lost_low = np.where(strict, of_miss * miss_low, of_match * match_low)
    won_high = np.where(strict, of_match * match_high, of_miss * miss_high)
    spread: Float64Array = np.hypot(lost - lost_low, won_high - won)
    dearer: BoolArray = lost - won - spread > 0
    return dearer
