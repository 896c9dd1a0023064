"""Choosing a threshold from measured error rates.

A rule selects one operating point of a :class:`VerificationCurve`; the threshold is then
placed midway between the last distance that the point accepts and the next distance of either
class. That leaves both error rates on the data as they are, and keeps the threshold clear of
measured distances, so that a difference in the last place between two machines decides
nothing. A promised rate is promised as *at most*: on the data it is never exceeded.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from enum import StrEnum
from typing import assert_never

import numpy as np

from facematch.metrics.verification import DecisionCounts, VerificationCurve, counts_of


class Criterion(StrEnum):
    """What the threshold is chosen for."""

    FMR = "fmr"
    FNMR = "fnmr"
    EER = "eer"
    ACCURACY = "max-accuracy"


_RULE = re.compile(r"(fmr|fnmr)<=([0-9.e-]{1,32})|(eer|max-accuracy)", re.ASCII)


@dataclass(frozen=True, slots=True)
class ThresholdRule:
    """A criterion and, for the two rates, the target that the rate must not exceed.

    ``str`` gives ``fmr<=0.001``, ``fnmr<=0.01``, ``eer`` or ``max-accuracy``.

    Attributes:
        criterion: what is aimed at.
        target: in (0, 1) for FMR and FNMR; None for the others.

    Raises:
        ValueError: the target is missing, out of range, or given where there is none.

    >>> str(ThresholdRule(Criterion.FMR, 0.001))
    'fmr<=0.001'
    >>> ThresholdRule.parse("eer").criterion
    <Criterion.EER: 'eer'>
    """

    criterion: Criterion
    target: float | None = None

    def __post_init__(self) -> None:
        if self.criterion in (Criterion.FMR, Criterion.FNMR):
            if self.target is None or not 0 < self.target < 1:
                raise ValueError(
                    f"the target {self.criterion.upper()} must lie between 0 and 1, "
                    f"got {self.target}"
                )
        elif self.target is not None:
            raise ValueError(f"the rule {self.criterion} takes no target, got {self.target}")

    def __str__(self) -> str:
        if self.target is None:
            return self.criterion.value
        return f"{self.criterion.value}<={float(self.target)!r}"

    @classmethod
    def parse(cls, text: str) -> ThresholdRule:
        """The rule that ``str`` wrote.

        Raises:
            ValueError: the text is none of the forms above.
        """
        found = _RULE.fullmatch(text)
        if found is None:
            raise ValueError(
                f"expected fmr<=TARGET, fnmr<=TARGET, eer or max-accuracy, got {text!r}"
            )
        rate, target, plain = found.groups()
        return cls(Criterion(plain)) if rate is None else cls(Criterion(rate), float(target))


@dataclass(frozen=True, slots=True)
class ThresholdChoice:
    """A threshold, what it does on the data, and whether the data could tell.

    Attributes:
        threshold: finite; accept iff ``distance <= threshold``.
        counts: the decisions at this threshold.
        resolved: False if a single error among the comparisons is already more than the
            target (``n * target < 1``): the rate then is 0 on the data, whatever it is in truth.
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


def choose_threshold(curve: VerificationCurve, rule: ThresholdRule) -> ThresholdChoice:
    """The threshold that a rule asks for.

    Target FMR: the loosest operating point with at most that FMR, so the lowest FNMR at the
    price. Target FNMR: the tightest with at most that FNMR. EER: where the two rates are
    nearest to each other. Accuracy: where most comparisons are decided rightly. Among equals
    the tightest, which has the lowest FMR.

    >>> from facematch.metrics.verification import verification_curve
    >>> curve = verification_curve(np.array([0.1, 0.2]), np.array([0.6, 0.8]))
    >>> choose_threshold(curve, ThresholdRule(Criterion.EER)).threshold
    0.4
    """
    point = _operating_point(curve, rule)
    impostors_needed = _needed(rule, Criterion.FMR)
    genuine_needed = _needed(rule, Criterion.FNMR)
    compared = curve.n_genuine if rule.criterion is Criterion.FNMR else curve.n_impostor
    return ThresholdChoice(
        threshold=_midway(curve, point),
        counts=counts_of(curve, point),
        resolved=rule.target is None or 1 / compared <= rule.target,
        impostors_needed=impostors_needed,
        genuine_needed=genuine_needed,
    )


def _operating_point(curve: VerificationCurve, rule: ThresholdRule) -> int:
    match rule.criterion:
        case Criterion.FMR:
            # Rates are compared as quotients: 29 of 100 is not above 0.29, though
            # 0.29 * 100 rounds to less than 29.
            return int(np.searchsorted(curve.fmr, _target(rule), side="right")) - 1
        case Criterion.FNMR:
            return int(np.argmax(curve.fnmr <= _target(rule)))
        case Criterion.EER:
            genuine, impostor = curve.n_genuine, curve.n_impostor
            gap = np.abs(curve.false_matches * genuine - curve.false_non_matches * impostor)
            return int(np.argmin(gap))
        case Criterion.ACCURACY:
            return int(np.argmin(curve.false_matches + curve.false_non_matches))
        case _:
            assert_never(rule.criterion)


def _target(rule: ThresholdRule) -> float:
    if rule.target is None:  # excluded by the constructor
        raise ValueError(f"the rule {rule.criterion} has no target")
    return rule.target


def _needed(rule: ThresholdRule, criterion: Criterion) -> int:
    if rule.criterion is not criterion or rule.target is None:
        return 0
    # Without the rounding, 3 / 1e-5 = 300000.00000000006 would ask for one comparison more.
    return math.ceil(round(3 / rule.target, 6))


def _midway(curve: VerificationCurve, point: int) -> float:
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
