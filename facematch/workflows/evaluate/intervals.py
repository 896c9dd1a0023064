"""What AUC, EER and the true accept rates of an evaluation are worth.

Intervals by resampling people, whose spread is turned into limits by
:func:`facematch.metrics.share_limits`. Where few errors stand behind a figure, or resamples all
give the same, they also hold the exact interval, which does not close where nothing was seen.
Where pairs are counted and not held, groups of people are left out in turn instead.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from facematch.calibration import LabelledComparisons
from facematch.metrics import (
    FMR_TARGETS,
    AllPairsCounts,
    Criterion,
    EffectiveCounts,
    Limits,
    Sweep,
    ThresholdRule,
    Units,
    VerificationCurve,
    auc,
    auc_is_uncertain,
    comparisons_needed,
    eer,
    eer_is_uncertain,
    error_statistics,
    estimate_fmr,
    estimate_fnmr,
    exact_auc_limits,
    exact_eer_limits,
    exact_tar_limits,
    jackknife_deviation,
    limits_around,
    resampled,
    share_limits,
    tar_at_fmr,
    tar_is_uncertain,
    targets_shown,
    threshold_for,
)
from facematch.workflows.evaluate.records import TarAtFmr

RESAMPLES = 500

_EER = ThresholdRule(Criterion.EER)

# Two hundred million weights take about ten seconds here.
_MOST_WEIGHTS = 200_000_000
_FEWEST_RESAMPLES = 100


@dataclass(frozen=True, slots=True)
class Summary:
    """Intervals at 95 %.

    Attributes:
        auc: of the area under the ROC.
        eer: of the equal error rate.
        tar_at_fmr: one for each of ``FMR_TARGETS``, with the rate itself.
    """

    auc: Limits
    eer: Limits
    tar_at_fmr: tuple[TarAtFmr, ...]


def summarised(
    measured: LabelledComparisons,
    units: Units,
    curve: VerificationCurve,
    seed: int,
    resamples: int = RESAMPLES,
) -> Summary:
    """Resamples people and measures the figures of each resample.

    Args:
        measured: the comparisons.
        units: who is compared in them.
        curve: of them.
        seed: of the resampling.
        resamples: how many; fewer are taken of many comparisons.
    """
    targets = targets_shown(curve.n_impostor)
    most = max(_FEWEST_RESAMPLES, _MOST_WEIGHTS // len(measured.distances))
    values = resampled(
        (Sweep(measured.distances, measured.labels.same),),
        units,
        (error_statistics(targets),),
        min(resamples, most),
        np.random.default_rng((seed, 2)),
    )

    def of(column: int) -> float | None:
        return None if values is None else float(values[:, 0, column].std())

    return _summary(curve, partial(effective_at, measured, units), of)


def summary_without_groups(
    counts: AllPairsCounts, effective_at: Callable[[float], EffectiveCounts]
) -> Summary:
    """Leaves out groups of people and measures the figures without each.

    Args:
        counts: of all pairs.
        effective_at: how many independent comparisons would tell as much, at a threshold of
            :func:`thresholds_judged_at`.
    """
    targets = targets_shown(counts.curve.n_impostor)

    def figures(curve: VerificationCurve) -> list[float]:
        return [auc(curve), eer(curve), *(tar_at_fmr(curve, target) for target in targets)]

    without = counts.figures_without(figures)

    def of(column: int) -> float | None:
        return None if without is None else jackknife_deviation(without[:, column])

    return _summary(counts.curve, effective_at, of)


def thresholds_judged_at(curve: VerificationCurve) -> tuple[float, ...]:
    """Where it is asked how much the comparisons tell."""
    targets = (ThresholdRule(Criterion.FMR, target) for target in targets_shown(curve.n_impostor))
    return tuple(threshold_for(curve, rule) for rule in (_EER, *targets))


def _summary(
    curve: VerificationCurve,
    effective_at: Callable[[float], EffectiveCounts],
    deviation_of: Callable[[int], float | None],
) -> Summary:
    """Brings limits by other choices of people and exact limits together.

    Args:
        curve: of the comparisons.
        effective_at: how many independent comparisons would tell as much, at a threshold.
        deviation_of: of AUC (0), EER (1) and the true accept rates at the targets that can be
            shown (from 2 on) between choices of people; None if those are too few.
    """
    eer_at, *targets_at = thresholds_judged_at(curve)
    at_eer = effective_at(eer_at)

    def of_people(value: float, column: int) -> Limits | None:
        deviation = deviation_of(column)
        return None if deviation is None else share_limits(value, deviation, at_eer.people)

    tars: dict[float, tuple[float, Limits]] = {}
    for column, (target, threshold) in enumerate(
        zip(targets_shown(curve.n_impostor), targets_at, strict=True), start=2
    ):
        tar = tar_at_fmr(curve, target)
        limits = limits_around(
            tar,
            of_people(tar, column),
            uncertain=tar_is_uncertain(curve, target),
            exact=partial(_exact_tar, curve, target, partial(effective_at, threshold)),
        )
        tars[target] = tar, limits
    return Summary(
        auc=limits_around(
            auc(curve),
            of_people(auc(curve), 0),
            uncertain=auc_is_uncertain(curve),
            exact=partial(exact_auc_limits, curve, at_eer),
        ),
        eer=limits_around(
            eer(curve),
            of_people(eer(curve), 1),
            uncertain=eer_is_uncertain(curve),
            exact=partial(exact_eer_limits, curve, at_eer),
        ),
        tar_at_fmr=tuple(
            TarAtFmr(target, tar, limits, comparisons_needed(target))
            for target in FMR_TARGETS
            for tar, limits in (tars.get(target, (None, None)),)
        ),
    )


def _exact_tar(
    curve: VerificationCurve, target: float, effective: Callable[[], EffectiveCounts]
) -> Limits:
    return exact_tar_limits(curve, target, effective())


def effective_at(measured: LabelledComparisons, units: Units, threshold: float) -> EffectiveCounts:
    """How many independent comparisons would tell as much as these do at a threshold."""
    same = measured.labels.same
    return EffectiveCounts.of(
        estimate_fnmr(measured.genuine, units.subset(same), threshold),
        estimate_fmr(measured.impostor, units.subset(~same), threshold),
    )
