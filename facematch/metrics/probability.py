"""From a distance to the probability that two pictures show the same subject.

What is kept is the log-likelihood ratio, freed from the mix of genuine and impostor pairs in
the list, which is an accident of how the list was made; a prior that is stated openly turns it
into a probability. It is either a logistic curve, or falls in steps: see
:mod:`facematch.metrics.isotonic`.

The logistic curve is fitted to labelled pairs (Platt, *Probabilistic outputs for support vector
machines*, 1999) with the targets and the Newton iteration of Lin, Lin and Weng (Machine
Learning 68, 2007). It is cut off where the pairs end: with m impostor pairs nothing shows a
likelihood ratio above m + 1, with n genuine pairs none below 1 / (n + 1). Pairs that share
people are so many as independent ones would tell as much
(:mod:`facematch.metrics.clustering`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Literal, Protocol

import numpy as np

from facematch.errors import OneClassError
from facematch.metrics.effective import EffectiveCounts
from facematch.metrics.isotonic import likelihood_ratio_curve, likelihood_ratios_of_counts
from facematch.metrics.tallies import DistanceCounts
from facematch.types import Float32Array, Float64Array

# Probabilities stay within 1e-13 of 0 and 1: a finite list of pairs never shows certainty.
MAX_LOG_ODDS = 30.0

_MAX_ITERATIONS = 100
_GRADIENT_TOLERANCE = 1e-10
_SUFFICIENT_DECREASE = 1e-4
_SMALLEST_STEP = 1e-10


class Probability(Protocol):
    """P(same | distance) at a stated prior, never rising with distance."""

    @property
    def method(self) -> str:
        """``logistic`` or ``isotonic``."""

    @property
    def prior(self) -> float:
        """P(same) before two pictures are compared, in (0, 1)."""

    def at(self, distance: float) -> float:
        """The probability for one distance, strictly between 0 and 1.

        Raises:
            ValueError: the distance is NaN.
        """

    def log_ratios(self, distances: Float64Array) -> Float64Array:
        """Log-likelihood ratios at distances, float64 (n,); they do not depend on the prior."""


@dataclass(frozen=True, slots=True)
class MatchProbability:
    """The logistic curve.

    ``log(P / (1 - P)) = intercept - slope * distance + log(prior / (1 - prior))``, the first two
    terms kept within ``lowest`` and ``highest``.

    Attributes:
        slope: of the log-likelihood ratio per unit of distance, above 0.
        intercept: the log-likelihood ratio at distance 0.
        prior: the probability that two pictures show the same subject before they are
            compared, in (0, 1). To change it: ``dataclasses.replace(p, prior=0.01)``.
        lowest: log-likelihood ratio that is not gone below.
        highest: the same, not above.

    Raises:
        ValueError: a parameter is out of range or not finite.

    >>> curve = MatchProbability(slope=10.0, intercept=5.0, prior=0.5)
    >>> curve.at(0.5), round(curve.at(0.2), 3)
    (0.5, 0.953)
    """

    slope: float
    intercept: float
    prior: float = 0.5
    lowest: float = -MAX_LOG_ODDS
    highest: float = MAX_LOG_ODDS
    method: Literal["logistic"] = field(default="logistic", init=False)

    def __post_init__(self) -> None:
        if not (math.isfinite(self.slope) and self.slope > 0):
            raise ValueError(f"slope: expected a finite number above 0, got {self.slope}")
        if not math.isfinite(self.intercept):
            raise ValueError(f"intercept: expected a finite number, got {self.intercept}")
        _require_prior(self.prior)
        if not -MAX_LOG_ODDS <= self.lowest < self.highest <= MAX_LOG_ODDS:
            raise ValueError(
                f"lowest: expected -{MAX_LOG_ODDS:g} <= lowest < highest <= {MAX_LOG_ODDS:g}, "
                f"got {self.lowest} and {self.highest}"
            )

    def at(self, distance: float) -> float:
        """See :class:`Probability`."""
        return _at(self, distance)

    def log_ratios(self, distances: Float64Array) -> Float64Array:
        """See :class:`Probability`."""
        ratios: Float64Array = self.intercept - self.slope * distances
        return np.clip(ratios, self.lowest, self.highest)


@dataclass(frozen=True, slots=True)
class IsotonicProbability:
    """The falling steps, joined by straight lines between two blocks.

    Attributes:
        distances: of the knots, at least two, rising strictly.
        ratios: log-likelihood ratios there, not rising, not all equal, of magnitude 30 at most.
        prior: as of :class:`MatchProbability`.

    Raises:
        ValueError: the knots are not as said.

    >>> curve = IsotonicProbability(distances=(0.2, 0.6), ratios=(2.0, -2.0))
    >>> round(curve.at(0.4), 3), curve.at(0.1) == curve.at(0.2)
    (0.5, True)
    """

    distances: tuple[float, ...]
    ratios: tuple[float, ...]
    prior: float = 0.5
    method: Literal["isotonic"] = field(default="isotonic", init=False)

    def __post_init__(self) -> None:
        _require_prior(self.prior)
        if len(self.distances) != len(self.ratios) or len(self.distances) < 2:
            raise ValueError("distances: expected at least two, and as many ratios")
        if not all(map(math.isfinite, self.distances)) or not _rises(self.distances):
            raise ValueError("distances: expected finite numbers that rise")
        falls = all(a >= b for a, b in pairwise(self.ratios))
        within = all(abs(ratio) <= MAX_LOG_ODDS for ratio in self.ratios)
        if not (falls and within and self.ratios[0] > self.ratios[-1]):
            raise ValueError(f"ratios: expected falling numbers within {MAX_LOG_ODDS:g} of 0")

    def at(self, distance: float) -> float:
        """See :class:`Probability`."""
        return _at(self, distance)

    def log_ratios(self, distances: Float64Array) -> Float64Array:
        """See :class:`Probability`."""
        return np.interp(distances, self.distances, self.ratios)


def probabilities(log_ratios: Float64Array, prior: float) -> Float64Array:
    """Log-likelihood ratios and a prior to probabilities, never exactly 0 or 1."""
    log_odds = log_ratios + (math.log(prior) - math.log1p(-prior))
    return _sigmoid(np.clip(log_odds, -MAX_LOG_ODDS, MAX_LOG_ODDS))


def _at(curve: Probability, distance: float) -> float:
    if math.isnan(distance):
        raise ValueError("the distance is NaN")
    ratios = curve.log_ratios(np.array([distance], np.float64))
    return float(probabilities(ratios, curve.prior)[0])


def _require_prior(prior: float) -> None:
    if not 0 < prior < 1:
        raise ValueError(f"prior: expected a number between 0 and 1, got {prior}")


def _rises(numbers: Sequence[float]) -> bool:
    return all(a < b for a, b in pairwise(numbers))


def fit_isotonic(
    genuine: Float32Array | Float64Array,
    impostor: Float32Array | Float64Array,
    prior: float = 0.5,
    effective: EffectiveCounts | None = None,
) -> IsotonicProbability | None:
    """Fits the falling steps to labelled pairs.

    Args:
        genuine: (n,) finite distances.
        impostor: (m,) finite distances.
        prior: stated in the result; has no part in the fit.
        effective: how many independent pairs would tell as much; None for n and m.

    Returns:
        None if the probability would not fall with distance anywhere.

    Raises:
        OneClassError: either is empty.
        ValueError: NaN or infinity, or a prior outside (0, 1).
    """
    _require_both(genuine, impostor)
    knots = likelihood_ratio_curve(
        genuine.astype(np.float64), impostor.astype(np.float64), effective
    )
    return _isotonic(*knots, prior)


def fit_isotonic_of(
    counts: DistanceCounts, prior: float = 0.5, effective: EffectiveCounts | None = None
) -> IsotonicProbability | None:
    """The same of comparisons that were counted.

    Raises:
        OneClassError: either class is empty.
        ValueError: a prior outside (0, 1).
    """
    _require_counted(counts)
    found = counts.occurring()
    knots = likelihood_ratios_of_counts(found.distances, found.genuine, found.impostor, effective)
    return _isotonic(*knots, prior)


def _isotonic(
    distances: Float64Array, ratios: Float64Array, prior: float
) -> IsotonicProbability | None:
    if len(distances) < 2 or ratios[0] <= ratios[-1]:
        return None
    return IsotonicProbability(tuple(distances.tolist()), tuple(ratios.tolist()), prior)


def _require_both(
    genuine: Float32Array | Float64Array, impostor: Float32Array | Float64Array
) -> None:
    _require_numbers(len(genuine), len(impostor))
    if not bool(np.isfinite(genuine).all() and np.isfinite(impostor).all()):
        raise ValueError("the distances hold NaN or infinity")


def _require_counted(counts: DistanceCounts) -> None:
    _require_numbers(counts.n_genuine, counts.n_impostor)


def _require_numbers(genuine: int, impostor: int) -> None:
    if genuine == 0 or impostor == 0:
        raise OneClassError("a probability needs genuine and impostor comparisons; add the others")


def fit_match_probability(
    genuine: Float32Array | Float64Array,
    impostor: Float32Array | Float64Array,
    prior: float = 0.5,
    effective: EffectiveCounts | None = None,
) -> MatchProbability | None:
    """Fits the logistic curve to labelled pairs.

    Args:
        genuine: (n,) finite distances.
        impostor: (m,) finite distances.
        prior: stated in the result; has no part in the fit.
        effective: how many independent pairs would tell as much; None for n and m.

    Returns:
        None if the probability would not fall with distance: all distances are equal, or
        genuine pairs are farther apart than impostor pairs.

    Raises:
        OneClassError: either is empty.
        ValueError: NaN or infinity, or a prior outside (0, 1).
    """
    _require_both(genuine, impostor)
    distances = np.concatenate((genuine, impostor)).astype(np.float64)
    n_genuine, n_impostor = len(genuine), len(impostor)
    of_genuine, of_impostor = _targets(n_genuine, n_impostor)
    targets = np.full(len(distances), of_impostor)
    targets[:n_genuine] = of_genuine
    return _logistic(distances, targets, None, (n_genuine, n_impostor), prior, effective)


def fit_match_probability_of(
    counts: DistanceCounts, prior: float = 0.5, effective: EffectiveCounts | None = None
) -> MatchProbability | None:
    """The same of comparisons that were counted.

    Raises:
        OneClassError: either class is empty.
        ValueError: a prior outside (0, 1).
    """
    _require_counted(counts)
    found, numbers = counts.occurring(), (counts.n_genuine, counts.n_impostor)
    of_genuine, of_impostor = _targets(*numbers)
    weights = (found.genuine + found.impostor).astype(np.float64)
    # The cross-entropy of comparisons at one distance depends on the mean of their targets.
    targets = (of_genuine * found.genuine + of_impostor * found.impostor) / weights
    return _logistic(found.distances, targets, weights, numbers, prior, effective)


def _targets(n_genuine: int, n_impostor: int) -> tuple[float, float]:
    """Platt's targets: Laplace's rule of succession instead of 1 and 0.

    They keep the fit finite when the two classes do not overlap.
    """
    return (n_genuine + 1) / (n_genuine + 2), 1 / (n_impostor + 2)


def _logistic(
    distances: Float64Array,
    targets: Float64Array,
    weights: Float64Array | None,
    numbers: tuple[int, int],
    prior: float,
    effective: EffectiveCounts | None,
) -> MatchProbability | None:
    """The curve through targets, each as often as its weight says; once without weights."""
    if float(np.ptp(distances)) == 0:
        return None
    n_genuine, n_impostor = numbers
    centre = _mean(distances, weights)
    scale = math.sqrt(_mean(np.square(distances - centre), weights))
    constant, gradient = _newton((distances - centre) / scale, targets, weights)
    slope = -gradient / scale
    intercept = constant + slope * centre - math.log(n_genuine / n_impostor)
    if not (math.isfinite(slope) and slope > 0):
        return None
    shown = EffectiveCounts(n_genuine, n_impostor) if effective is None else effective
    highest = min(math.log(shown.impostor + 1), MAX_LOG_ODDS)
    lowest = -min(math.log(shown.genuine + 1), MAX_LOG_ODDS)
    return MatchProbability(slope, intercept, prior, lowest, highest)


def _mean(values: Float64Array, weights: Float64Array | None) -> float:
    if weights is None:
        return float(values.mean())
    return float((values * weights).sum() / weights.sum())


def _newton(
    x: Float64Array, targets: Float64Array, weights: Float64Array | None
) -> tuple[float, float]:
    """The (constant, gradient) of log-odds over standardised ``x`` with the least cross-entropy."""
    mean = _mean(targets, weights)
    point = np.array([math.log(mean / (1 - mean)), 0.0])
    value = _cross_entropy(point, x, targets, weights)
    for _ in range(_MAX_ITERATIONS):
        p = _sigmoid(point[0] + point[1] * x)
        residual = p - targets
        gradient = np.array([_mean(residual, weights), _mean(residual * x, weights)])
        if float(np.abs(gradient).max()) < _GRADIENT_TOLERANCE:
            break
        bend = p * (1 - p)
        cross = _mean(bend * x, weights)
        hessian = np.array([[_mean(bend, weights), cross], [cross, _mean(bend * x * x, weights)]])
        hessian += 1e-12 * np.eye(2)
        direction = np.linalg.solve(hessian, -gradient)
        descent = float(gradient @ direction)
        step = 1.0
        while step >= _SMALLEST_STEP:
            candidate = point + step * direction
            candidate_value = _cross_entropy(candidate, x, targets, weights)
            if candidate_value < value + _SUFFICIENT_DECREASE * step * descent:
                point, value = candidate, candidate_value
                break
            step /= 2
        else:
            break  # no step helps: the optimum to the precision of the sum
    return float(point[0]), float(point[1])


def _cross_entropy(
    point: Float64Array, x: Float64Array, targets: Float64Array, weights: Float64Array | None
) -> float:
    log_odds = point[0] + point[1] * x
    return _mean(np.logaddexp(0, log_odds) - targets * log_odds, weights)


def _sigmoid(log_odds: Float64Array) -> Float64Array:
    return np.exp(-np.logaddexp(0, -log_odds))
