"""How good stated probabilities are, and which of two ways to state them is better.

All figures weigh the two classes as the stated prior does, not as the list happens to mix
them. Wherever the people allow it, they are of comparisons among people on whom the curve was
not fitted.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from facematch.metrics.effective import EffectiveCounts
from facematch.metrics.folds import Folds
from facematch.metrics.probability import (
    IsotonicProbability,
    MatchProbability,
    fit_isotonic,
    fit_isotonic_of,
    fit_match_probability,
    fit_match_probability_of,
    probabilities,
)
from facematch.metrics.tallies import DistanceCounts
from facematch.types import BoolArray, Float64Array, Int64Array

BINS = 10

_Curve = MatchProbability | IsotonicProbability

# In the order of preference where they cannot be told apart.
_METHODS: dict[
    str, Callable[[Float64Array, Float64Array, float, EffectiveCounts], _Curve | None]
] = {
    "logistic": fit_match_probability,
    "isotonic": fit_isotonic,
}
_METHODS_OF_COUNTS: dict[str, Callable[[DistanceCounts, float, EffectiveCounts], _Curve | None]] = {
    "logistic": fit_match_probability_of,
    "isotonic": fit_isotonic_of,
}


@dataclass(frozen=True, slots=True)
class ReliabilityBin:
    """Comparisons whose stated probability lies in one tenth.

    Attributes:
        low: of the bin.
        high: of the bin.
        stated: mean of the probabilities; None for an empty bin.
        observed: share that is genuine, at the prior; None for an empty bin.
        weight: share of all comparisons at the prior that are in the bin.
        comparisons: how many there are.
    """

    low: float
    high: float
    stated: float | None
    observed: float | None
    weight: float
    comparisons: int


@dataclass(frozen=True, slots=True)
class Reliability:
    """How good stated probabilities are.

    Attributes:
        brier: mean squared difference from the truth (Brier, Monthly Weather Review 78, 1950).
        ece: expected calibration error, the mean difference between stated and observed over
            the bins (Naeini, Cooper and Hauskrecht, AAAI 2015).
        bins: ten of equal width.
    """

    brier: float
    ece: float
    bins: tuple[ReliabilityBin, ...]


@dataclass(frozen=True, slots=True)
class ProbabilityFit:
    """The chosen curve and what spoke for it.

    Attributes:
        curve: the better one.
        log_loss: of each method, in bits per comparison, both classes weighing the same;
            1 is what knowing nothing costs (Cllr: Brummer and du Preez, Computer Speech and
            Language 20, 2006).
        reliability: of the chosen method.
        held_out: whether the figures are of people the curve was not fitted on.
    """

    curve: MatchProbability | IsotonicProbability
    log_loss: dict[str, float]
    reliability: Reliability
    held_out: bool


def fit_probability(
    distances: Float64Array,
    same: BoolArray,
    folds: Folds | None,
    prior: float = 0.5,
    effective: EffectiveCounts | None = None,
) -> ProbabilityFit | None:
    """Fits both curves and takes the one with the lower cross-validated log-loss.

    Args:
        distances: float64 (n,), finite, of both classes.
        same: bool (n,).
        folds: of the people; None if they are too few. The logistic curve, which overfits
            less, is then taken unseen.
        prior: to state.
        effective: how many independent comparisons would tell as much, which bounds how sure
            a curve gets; None for as many as there are.

    Returns:
        None if no probability falls with distance.
    """
    genuine, impostor = distances[same], distances[~same]
    worth = EffectiveCounts(len(genuine), len(impostor)) if effective is None else effective
    fitted = {
        name: curve
        for name, fit in _METHODS.items()
        if (curve := fit(genuine, impostor, prior, worth))
    }
    if not fitted:
        return None
    judged = np.ones(len(same), np.bool_)
    ratios = {name: curve.log_ratios(distances) for name, curve in fitted.items()}
    unseen = None if folds is None else _unseen(distances, same, folds, worth, tuple(fitted))
    if unseen is not None:
        ratios, judged = unseen
    chosen = {name: found[judged] for name, found in ratios.items()}
    return _better(fitted, chosen, same[judged], None, prior, held_out=unseen is not None)


def fit_probability_of(
    counts: DistanceCounts,
    folds: Sequence[tuple[DistanceCounts, DistanceCounts]] | None,
    prior: float = 0.5,
    effective: EffectiveCounts | None = None,
) -> ProbabilityFit | None:
    """The same of comparisons that were counted.

    Args:
        counts: of all comparisons, both classes.
        folds: for each fold the comparisons to fit on and those to judge; None if people are
            too few.
        prior: to state.
        effective: as above.
    """
    worth = EffectiveCounts(counts.n_genuine, counts.n_impostor) if effective is None else effective
    fitted = {
        name: curve
        for name, fit in _METHODS_OF_COUNTS.items()
        if (curve := fit(counts, prior, worth))
    }
    if not fitted:
        return None
    unseen = None if folds is None else _unseen_of(counts, folds, worth, tuple(fitted))
    if unseen is not None:
        ratios, same, often = unseen
    else:
        distances, same, often = counts.sample()
        ratios = {name: curve.log_ratios(distances) for name, curve in fitted.items()}
    return _better(fitted, ratios, same, often, prior, held_out=unseen is not None)


def _better(
    fitted: Mapping[str, _Curve],
    ratios: Mapping[str, Float64Array],
    same: BoolArray,
    often: Int64Array | None,
    prior: float,
    *,
    held_out: bool,
) -> ProbabilityFit:
    """The curve whose ratios cost least; the first where they were not held out."""
    losses = {name: log_loss(found, same, often) for name, found in ratios.items()}
    best = min(losses, key=losses.__getitem__) if held_out else next(iter(fitted))
    stated = probabilities(ratios[best], prior)
    return ProbabilityFit(
        curve=replace(fitted[best], prior=prior),
        log_loss=losses,
        reliability=measure_reliability(stated, same, prior, often),
        held_out=held_out,
    )


def log_loss(log_ratios: Float64Array, same: BoolArray, often: Int64Array | None = None) -> float:
    """Bits per comparison, both classes weighing the same (Cllr).

    Args:
        log_ratios: float64 (n,), of both classes.
        same: bool (n,).
        often: int64 (n,), how often each occurred; once each if None.

    >>> log_loss(np.zeros(4), np.array([True, False, False, False]))
    1.0
    """
    of_genuine, of_impostor = (None, None) if often is None else (often[same], often[~same])
    genuine = np.average(np.logaddexp(0, -log_ratios[same]), weights=of_genuine)
    impostor = np.average(np.logaddexp(0, log_ratios[~same]), weights=of_impostor)
    return float((genuine + impostor) / (2 * np.log(2)))


def measure_reliability(
    stated: Float64Array, same: BoolArray, prior: float, often: Int64Array | None = None
) -> Reliability:
    """Compares stated probabilities with the truth.

    Args:
        stated: float64 (n,) in (0, 1), of both classes.
        same: bool (n,).
        prior: at which the probabilities were stated.
        often: int64 (n,), how often each occurred; once each if None.
    """
    if often is None:
        weight = np.where(same, prior / same.sum(), (1 - prior) / (~same).sum())
    else:
        each = np.where(same, prior / often[same].sum(), (1 - prior) / often[~same].sum())
        weight = often * each
    place = np.minimum((stated * BINS).astype(np.int64), BINS - 1)
    mass = np.bincount(place, weight, BINS)
    stated_mass = np.bincount(place, weight * stated, BINS)
    genuine_mass = np.bincount(place, weight * same, BINS)
    counts = np.bincount(place, often, BINS)
    bins = tuple(
        ReliabilityBin(
            low=index / BINS,
            high=(index + 1) / BINS,
            stated=float(stated_mass[index] / mass[index]) if counts[index] else None,
            observed=float(genuine_mass[index] / mass[index]) if counts[index] else None,
            weight=float(mass[index]),
            comparisons=int(counts[index]),
        )
        for index in range(BINS)
    )
    return Reliability(
        brier=float((weight * np.square(stated - same)).sum()),
        ece=float(np.abs(stated_mass - genuine_mass).sum()),
        bins=bins,
    )


def _unseen(
    distances: Float64Array,
    same: BoolArray,
    folds: Folds,
    effective: EffectiveCounts,
    methods: tuple[str, ...],
) -> tuple[dict[str, Float64Array], BoolArray] | None:
    """Log-likelihood ratios by curves fitted on other people, and of which comparisons.

    None if a fold cannot be fitted on, or if a class is not judged at all.
    """
    ratios = {name: np.zeros(len(same), np.float64) for name in methods}
    judged = np.zeros(len(same), np.bool_)
    for fit_on, judge in folds.split():
        genuine, impostor = distances[fit_on & same], distances[fit_on & ~same]
        if len(genuine) == 0 or len(impostor) == 0:
            return None
        part = effective.part(len(genuine) / same.sum(), len(impostor) / (~same).sum())
        for name in methods:
            curve = _METHODS[name](genuine, impostor, 0.5, part)
            if curve is None:
                return None
            ratios[name][judge] = curve.log_ratios(distances[judge])
        judged |= judge
    both = bool((judged & same).any()) and bool((judged & ~same).any())
    return (ratios, judged) if both else None


def _unseen_of(
    counts: DistanceCounts,
    folds: Sequence[tuple[DistanceCounts, DistanceCounts]],
    effective: EffectiveCounts,
    methods: tuple[str, ...],
) -> tuple[dict[str, Float64Array], BoolArray, Int64Array] | None:
    """Log-likelihood ratios by curves fitted on other people, of which class, and how often.

    None if a fold cannot be fitted on, or if a class is not judged at all.
    """
    ratios: dict[str, list[Float64Array]] = {name: [] for name in methods}
    judged = [judge.sample() for _, judge in folds]
    for (fit_on, _), (distances, _, _) in zip(folds, judged, strict=True):
        if not fit_on.has_both:
            return None
        part = effective.part(
            fit_on.n_genuine / counts.n_genuine, fit_on.n_impostor / counts.n_impostor
        )
        for name in methods:
            curve = _METHODS_OF_COUNTS[name](fit_on, 0.5, part)
            if curve is None:
                return None
            ratios[name].append(curve.log_ratios(distances))
    same, often = (np.concatenate([part[i] for part in judged]) for i in (1, 2))
    if not bool(same.any()) or bool(same.all()):
        return None
    return {name: np.concatenate(found) for name, found in ratios.items()}, same, often
