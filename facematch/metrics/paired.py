"""Systems on the same comparisons: is one better, or was it luck?

All systems are resampled together: each draw of people weights the same comparisons of each
of them, so what the people have in common cancels in the difference (Bolle, Ratha and
Pankanti, *Error analysis of pattern recognition systems: the subsets bootstrap*, 2004).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from facematch.metrics.intervals import Limits, percentile_limits
from facematch.metrics.resampling import Sweep, Units, WeightedCurve, draws
from facematch.metrics.verification import auc, eer, tar_at_fmr
from facematch.types import Float64Array

# A resample without a comparison of one class says nothing and is drawn again, so often.
_ATTEMPTS = 20

Figures = Callable[[Float64Array], Sequence[float] | None]
"""The figures of one system where trials have these weights; None if they say nothing."""

Statistic = Callable[[WeightedCurve, Float64Array], float]
"""A figure of a curve; the second argument holds the weights of the comparisons."""


@dataclass(frozen=True, slots=True)
class PairedDifference:
    """A figure of one system less that of another.

    Attributes:
        difference: measured.
        interval: of the difference, at ``confidence``.
        confidence: in (0, 1).
    """

    difference: float
    interval: Limits
    confidence: float

    @property
    def significant(self) -> bool:
        """Whether the interval excludes no difference at all."""
        return self.interval.low > 0 or self.interval.high < 0


def resampled(
    sweeps: Sequence[Sweep],
    units: Units,
    statistics: Sequence[Sequence[Statistic]],
    resamples: int,
    generator: np.random.Generator,
) -> Float64Array | None:
    """Figures of several systems on the same resamples of people.

    Args:
        sweeps: one a system, of the same n comparisons in the same order.
        units: who is compared in them.
        statistics: for each system its figures, as many for each.
        resamples: how many.
        generator: for the draws.

    Returns:
        float64 (resamples, systems, figures); None if the people are so few that hardly any
        resample has both classes.
    """
    systems = [curve_figures(*one) for one in zip(sweeps, statistics, strict=True)]
    return resampled_figures(systems, units, resamples, generator)


def curve_figures(sweep: Sweep, statistics: Sequence[Statistic]) -> Figures:
    """Figures of the curve that weighted comparisons have; none if a class has no weight."""

    def found(weights: Float64Array) -> list[float] | None:
        curve = sweep.curve(weights)
        return None if curve is None else [figure(curve, weights) for figure in statistics]

    return found


def error_statistics(targets: Sequence[float]) -> list[Statistic]:
    """AUC, equal error rate, and the true accept rate at each target FMR."""
    return [
        lambda curve, weights: auc(curve),
        lambda curve, weights: eer(curve),
        *(partial(_tar, target=target) for target in targets),
    ]


def resampled_figures(
    systems: Sequence[Figures], units: Units, resamples: int, generator: np.random.Generator
) -> Float64Array | None:
    """The same of any figures.

    Args:
        systems: as many figures each; where one says nothing of some weights, all do.
        units: whose trials they are.
        resamples: how many.
        generator: for the draws.

    Returns:
        float64 (resamples, systems, figures); None if the people are so few that hardly any
        resample says something.
    """
    values: list[list[Sequence[float]]] = []
    for weights in draws(units, resamples * _ATTEMPTS, generator):
        if len(values) == resamples:
            break
        found = [figures(weights) for figures in systems]
        known = [figures for figures in found if figures is not None]
        if len(known) == len(found):
            values.append(known)
    return np.array(values, np.float64) if len(values) == resamples else None


def paired_difference(
    measured: float, baseline: float, resampled_differences: Float64Array, confidence: float
) -> PairedDifference:
    """The difference with the interval that its resamples give.

    Args:
        measured: of the one system.
        baseline: of the other.
        resampled_differences: float64 (r,), one less other in each resample.
        confidence: of the interval.

    >>> paired_difference(0.9, 0.8, np.linspace(0.05, 0.15, 101), 0.95).significant
    True
    """
    difference = measured - baseline
    limits = percentile_limits(resampled_differences, confidence)
    inside = Limits(min(limits.low, difference), max(limits.high, difference))
    return PairedDifference(difference, inside, confidence)


def _tar(curve: WeightedCurve, weights: Float64Array, *, target: float) -> float:
    return tar_at_fmr(curve, target)
