"""One threshold, several groups: what it does to each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from facematch.metrics.clustering import RateEstimate, estimate_fmr, estimate_fnmr
from facematch.metrics.resampling import Units
from facematch.metrics.rules import Criterion, ThresholdRule
from facematch.metrics.thresholds import threshold_for
from facematch.metrics.verification import verification_curve
from facematch.types import BoolArray, Float64Array, Int64Array


@dataclass(frozen=True, slots=True)
class GroupRates:
    """The comparisons that share one value of a column.

    Attributes:
        value: what they share.
        fmr: None if there are no impostor comparisons among them.
        fnmr: None if there are no genuine ones.
        equal_threshold: the threshold that gives this group the rate that all comparisons
            have at the common one (the FMR; the FNMR if that was the target), or less. None
            if a class is missing. Information only: a threshold that depends on the group
            is a decision about people that no statistics justify.
    """

    value: str
    fmr: RateEstimate | None
    fnmr: RateEstimate | None
    equal_threshold: float | None


@dataclass(frozen=True, slots=True)
class Disparity:
    """Two groups whose intervals of a rate do not overlap.

    Attributes:
        rate: ``FMR`` or ``FNMR``.
        worse: value of the group with the higher rate.
        better: value of the group with the lowest upper limit.
    """

    rate: str
    worse: str
    better: str


def group_rates(
    distances: Float64Array,
    same: BoolArray,
    units: Units,
    values: Sequence[str],
    codes: Int64Array,
    threshold: float,
    rule: ThresholdRule,
) -> tuple[GroupRates, ...]:
    """Measures each group at the common threshold.

    Args:
        distances: float64 (n,), finite, of both classes.
        same: bool (n,).
        units: who is compared.
        values: of the column.
        codes: int64 (n,), indices into ``values``.
        threshold: of all.
        rule: what it was chosen for.

    Returns:
        One for each value that has comparisons, in the order of ``values``.
    """
    curve = verification_curve(distances[same], distances[~same])
    point = int(np.searchsorted(curve.thresholds, threshold, side="right")) - 1
    by_fnmr = rule.criterion is Criterion.FNMR
    common = float(curve.fnmr[point] if by_fnmr else curve.fmr[point])
    found = []
    for code, value in enumerate(values):
        inside = codes == code
        genuine, impostor = inside & same, inside & ~same
        if not bool(inside.any()):
            continue
        found.append(
            GroupRates(
                value=value,
                fmr=estimate_fmr(distances[impostor], units.subset(impostor), threshold)
                if bool(impostor.any())
                else None,
                fnmr=estimate_fnmr(distances[genuine], units.subset(genuine), threshold)
                if bool(genuine.any())
                else None,
                equal_threshold=_equalising(
                    distances[genuine], distances[impostor], common, by_fnmr
                ),
            )
        )
    return tuple(found)


def disparities(groups: Sequence[GroupRates]) -> tuple[Disparity, ...]:
    """Groups whose interval lies above that of the best group, for both rates."""
    found = []
    for rate in ("FMR", "FNMR"):
        known = [
            (group.value, estimate.interval)
            for group in groups
            if (estimate := group.fmr if rate == "FMR" else group.fnmr) is not None
        ]
        if known:
            better, best = min(known, key=lambda item: item[1].high)
            found += [
                Disparity(rate, value, better) for value, limit in known if limit.low > best.high
            ]
    return tuple(found)


def _equalising(
    genuine: Float64Array, impostor: Float64Array, common: float, by_fnmr: bool
) -> float | None:
    if len(genuine) == 0 or len(impostor) == 0:
        return None
    # A rule wants a target between 0 and 1: half an error stands for none, and for all but one.
    count = len(genuine) if by_fnmr else len(impostor)
    target = min(max(common, 0.5 / count), 1 - 0.5 / count)
    rule = ThresholdRule(Criterion.FNMR if by_fnmr else Criterion.FMR, target)
    return threshold_for(verification_curve(genuine, impostor), rule)
