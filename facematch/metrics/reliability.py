"""How good stated probabilities are, and which of two ways to state them is better.

All figures weigh the two classes as the stated prior does, not as the list happens to mix
them. Wherever the people allow it, they are of comparisons among people on whom the curve was
not fitted.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from facematch.metrics.folds import Folds
from facematch.metrics.probability import (
    IsotonicProbability,
    MatchProbability,
    fit_isotonic,
    fit_match_probability,
    probabilities,
)
from facematch.types import BoolArray, Float64Array

BINS = 10

# In the order of preference where they cannot be told apart.
_METHODS: dict[
    str, Callable[[Float64Array, Float64Array], MatchProbability | IsotonicProbability | None]
] = {"logistic": fit_match_probability, "isotonic": fit_isotonic}


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
    distances: Float64Array, same: BoolArray, folds: Folds | None, prior: float = 0.5
) -> ProbabilityFit | None:
    """Fits both curves and takes the one with the lower cross-validated log-loss.

    Args:
        distances: float64 (n,), finite, of both classes.
        same: bool (n,).
        folds: of the people; None if they are too few. The logistic curve, which overfits
            less, is then taken unseen.
        prior: to state.

    Returns:
        None if no probability falls with distance.
    """
    genuine, impostor = distances[same], distances[~same]
    fitted = {name: curve for name, fit in _METHODS.items() if (curve := fit(genuine, impostor))}
    if not fitted:
        return None
    judged = np.ones(len(same), np.bool_)
    ratios = {name: curve.log_ratios(distances) for name, curve in fitted.items()}
    unseen = None if folds is None else _unseen(distances, same, folds, tuple(fitted))
    if unseen is not None:
        ratios, judged = unseen
    losses = {name: log_loss(found[judged], same[judged]) for name, found in ratios.items()}
    best = min(losses, key=losses.__getitem__) if unseen is not None else next(iter(fitted))
    stated = probabilities(ratios[best][judged], prior)
    return ProbabilityFit(
        curve=replace(fitted[best], prior=prior),
        log_loss=losses,
        reliability=measure_reliability(stated, same[judged], prior),
        held_out=unseen is not None,
    )


def log_loss(log_ratios: Float64Array, same: BoolArray) -> float:
    """Bits per comparison, both classes weighing the same (Cllr).

    >>> log_loss(np.zeros(4), np.array([True, False, False, False]))
    1.0
    """
    genuine = np.logaddexp(0, -log_ratios[same]).mean()
    impostor = np.logaddexp(0, log_ratios[~same]).mean()
    return float((genuine + impostor) / (2 * np.log(2)))


def measure_reliability(stated: Float64Array, same: BoolArray, prior: float) -> Reliability:
    """Compares stated probabilities with the truth.

    Args:
        stated: float64 (n,) in (0, 1), of both classes.
        same: bool (n,).
        prior: at which the probabilities were stated.
    """
    weight = np.where(same, prior / same.sum(), (1 - prior) / (~same).sum())
    place = np.minimum((stated * BINS).astype(np.int64), BINS - 1)
    mass = np.bincount(place, weight, BINS)
    stated_mass = np.bincount(place, weight * stated, BINS)
    genuine_mass = np.bincount(place, weight * same, BINS)
    counts = np.bincount(place, minlength=BINS)
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
    distances: Float64Array, same: BoolArray, folds: Folds, methods: tuple[str, ...]
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
        for name in methods:
            curve = _METHODS[name](genuine, impostor)
            if curve is None:
                return None
            ratios[name][judge] = curve.log_ratios(distances[judge])
        judged |= judge
    both = bool((judged & same).any()) and bool((judged & ~same).any())
    return (ratios, judged) if both else None
