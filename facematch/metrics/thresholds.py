"""Choosing a threshold from measured error rates.

A rule selects one operating point of a :class:`VerificationCurve`; the threshold is then
placed midway between the last distance that the point accepts and the next distance of either
class. That leaves both error rates on the data as they are, and keeps the threshold clear of
measured distances, so that a difference in the last place between two machines decides
nothing. A promised rate is promised as *at most*: on the data it is never exceeded.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TypeVar, assert_never

import numpy as np

from facematch.metrics.resampling import WeightedCurve
from facematch.metrics.rules import Criterion, ThresholdRule
from facematch.metrics.verification import DecisionCounts, VerificationCurve, counts_of

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class ThresholdChoice:
    """A threshold, what it does on the data, and whether the data could tell.

    Attributes:
        threshold: finite; accept iff ``distance <= threshold``.
        counts: the decisions at this threshold.
        resolved: False if there are fewer comparisons than are needed to show the target;
            see also :meth:`judged_by`.
        impostors_needed: impostor comparisons without which even no false match at all would
            not show the target FMR with 95 % confidence: the rule of three, ``3 / target``
            (Hanley and Lippman-Hand, JAMA 249, 1983). 0 if the rule has no target FMR.
        genuine_needed: the same for genuine comparisons and a target FNMR.
    """

    threshold: float
    counts: DecisionCounts
    resolved: bool
    impostors_needed: int
    genuine_needed: int

    def judged_by(self, genuine: float, impostor: float) -> ThresholdChoice:
        """The same choice, resolved or not by how many independent comparisons would tell as
        much as those of each class."""
        resolved = impostor >= self.impostors_needed and genuine >= self.genuine_needed
        return replace(self, resolved=resolved)


def choose_threshold(curve: VerificationCurve, rule: ThresholdRule) -> ThresholdChoice:
    """The threshold that a rule asks for.

    Target FMR, or FPIR through the FMR that it takes: the loosest operating point with at most
    that FMR, so the lowest FNMR at the price. Target FNMR: the tightest with at most that FNMR.
    EER: where the two rates are nearest to each other. Accuracy: where most comparisons are
    decided rightly. Cost: where decisions are expected to cost least. Among equals the
    tightest, which has the lowest FMR.

    >>> from facematch.metrics.verification import verification_curve
    >>> curve = verification_curve(np.array([0.1, 0.2]), np.array([0.6, 0.8]))
    >>> choose_threshold(curve, ThresholdRule(Criterion.EER)).threshold
    0.4
    """
    point = operating_point(curve, rule)
    impostors_needed = comparisons_needed(rule.target_fmr)
    genuine_needed = comparisons_needed(rule.target if rule.criterion is Criterion.FNMR else None)
    return ThresholdChoice(
        threshold=at_point(curve, point),
        counts=counts_of(curve, point),
        resolved=curve.n_impostor >= impostors_needed and curve.n_genuine >= genuine_needed,
        impostors_needed=impostors_needed,
        genuine_needed=genuine_needed,
    )


def threshold_for(curve: VerificationCurve | WeightedCurve, rule: ThresholdRule) -> float:
    """The threshold alone, also of weighted comparisons."""
    return at_point(curve, operating_point(curve, rule))


def operating_point(curve: VerificationCurve | WeightedCurve, rule: ThresholdRule) -> int:
    """Index of the operating point that a rule asks for."""
    match rule.criterion:
        case Criterion.FMR | Criterion.FPIR:
            # Rates are compared as quotients: 29 of 100 is not above 0.29, though
            # 0.29 * 100 rounds to less than 29.
            return int(np.searchsorted(curve.fmr, _known(rule.target_fmr), side="right")) - 1
        case Criterion.FNMR:
            return int(np.argmax(curve.fnmr <= _known(rule.target)))
        case Criterion.EER:
            genuine, impostor = curve.n_genuine, curve.n_impostor
            gap = np.abs(curve.false_matches * genuine - curve.false_non_matches * impostor)
            return int(np.argmin(gap))
        case Criterion.ACCURACY:
            return int(np.argmin(curve.false_matches + curve.false_non_matches))
        case Criterion.COST:
            cost = _known(rule.cost)
            expected = (
                cost.false_accept * (1 - cost.prior) * curve.fmr
                + cost.false_reject * cost.prior * curve.fnmr
            )
            return int(np.argmin(expected))
        case _:
            assert_never(rule.criterion)


def _known(value: _T | None) -> _T:
    if value is None:  # excluded by the constructor of the rule
        raise ValueError("the rule lacks what its criterion needs")
    return value


def comparisons_needed(target: float | None) -> int:
    """Comparisons of one class without which a rate cannot be shown to be that low.

    The rule of three, ``3 / target``: that many without one error put the rate below the
    target with 95 % confidence. 0 without a target.
    """
    # Without the rounding, 3 / 1e-5 = 300000.00000000006 would ask for one comparison more.
    return 0 if target is None else math.ceil(round(3 / target, 6))


def people_needed(people: int, needed: int, effective: float) -> int:
    """About how many people like these would show what a target needs, at the most.

    That many more people tell at least that many times as much, if each has as many
    photographs.

    Args:
        people: compared.
        needed: independent comparisons (:func:`comparisons_needed`).
        effective: how many independent comparisons these people's tell as much as.

    >>> people_needed(4, 3000, 17)
    706
    """
    return math.ceil(round(people * needed / effective, 6))


def at_point(curve: VerificationCurve | WeightedCurve, point: int) -> float:
    """A threshold that accepts exactly what the operating point accepts."""
    last = float(curve.thresholds[point])
    if point + 1 == len(curve.thresholds):
        return last
    following = float(curve.thresholds[point + 1])
    if point == 0:
        # Accept nothing. Distances end at zero, so half of the smallest stands for midway.
        return following / 2 if following > 0 else following - 1
    middle = last / 2 + following / 2
    # Between neighbouring floats the mean rounds to one of them; the upper would be accepted.
    return middle if last <= middle < following else last
