"""From a distance to the probability that two pictures show the same subject.

A logistic curve is fitted to labelled pairs (Platt, *Probabilistic outputs for support vector
machines*, 1999) with the targets and the Newton iteration of Lin, Lin and Weng (Machine
Learning 68, 2007). What is kept is the log-likelihood ratio, freed from the mix of genuine and
impostor pairs in the list, which is an accident of how the list was made; a prior that is
stated openly turns it into a probability.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from facematch.errors import OneClassError
from facematch.types import Float32Array, Float64Array

# Probabilities stay within 1e-13 of 0 and 1: a finite list of pairs never shows certainty.
_MAX_LOG_ODDS = 30.0

_MAX_ITERATIONS = 100
_GRADIENT_TOLERANCE = 1e-10
_SUFFICIENT_DECREASE = 1e-4
_SMALLEST_STEP = 1e-10


@dataclass(frozen=True, slots=True)
class MatchProbability:
    """P(same | distance), falling with distance.

    ``log(P / (1 - P)) = intercept - slope * distance + log(prior / (1 - prior))``

    Attributes:
        slope: of the log-likelihood ratio per unit of distance, above 0.
        intercept: the log-likelihood ratio at distance 0.
        prior: the probability that two pictures show the same subject before they are
            compared, in (0, 1). To change it: ``dataclasses.replace(p, prior=0.01)``.

    Raises:
        ValueError: a parameter is out of range or not finite.

    >>> curve = MatchProbability(slope=10.0, intercept=5.0, prior=0.5)
    >>> curve.at(0.5), round(curve.at(0.2), 3)
    (0.5, 0.953)
    """

    slope: float
    intercept: float
    prior: float = 0.5

    def __post_init__(self) -> None:
        if not (math.isfinite(self.slope) and self.slope > 0):
            raise ValueError(f"slope: expected a finite number above 0, got {self.slope}")
        if not math.isfinite(self.intercept):
            raise ValueError(f"intercept: expected a finite number, got {self.intercept}")
        if not 0 < self.prior < 1:
            raise ValueError(f"prior: expected a number between 0 and 1, got {self.prior}")

    def at(self, distance: float) -> float:
        """The probability for one distance, never exactly 0 or 1.

        Raises:
            ValueError: the distance is NaN.
        """
        if math.isnan(distance):
            raise ValueError("the distance is NaN")
        prior_log_odds = math.log(self.prior) - math.log1p(-self.prior)
        log_odds = self.intercept - self.slope * distance + prior_log_odds
        bounded = min(max(log_odds, -_MAX_LOG_ODDS), _MAX_LOG_ODDS)
        return 1 / (1 + math.exp(-bounded))


def fit_match_probability(
    genuine: Float32Array | Float64Array,
    impostor: Float32Array | Float64Array,
    prior: float = 0.5,
) -> MatchProbability | None:
    """Fits the logistic curve to labelled pairs.

    Args:
        genuine: (n,) finite distances.
        impostor: (m,) finite distances.
        prior: stated in the result; has no part in the fit.

    Returns:
        None if the probability would not fall with distance: all distances are equal, or
        genuine pairs are farther apart than impostor pairs.

    Raises:
        OneClassError: either is empty.
        ValueError: NaN or infinity, or a prior outside (0, 1).
    """
    if len(genuine) == 0 or len(impostor) == 0:
        raise OneClassError("a probability needs genuine and impostor comparisons; add the others")
    distances = np.concatenate((genuine, impostor)).astype(np.float64)
    if not bool(np.isfinite(distances).all()):
        raise ValueError("the distances hold NaN or infinity")
    if float(np.ptp(distances)) == 0:
        return None
    # Platt's targets: Laplace's rule of succession instead of 0 and 1, which keeps the fit
    # finite when the two classes do not overlap.
    n_genuine, n_impostor = len(genuine), len(impostor)
    targets = np.full(len(distances), 1 / (n_impostor + 2))
    targets[:n_genuine] = (n_genuine + 1) / (n_genuine + 2)
    centre, scale = float(distances.mean()), float(distances.std())
    constant, gradient = _newton((distances - centre) / scale, targets)
    slope = -gradient / scale
    intercept = constant + slope * centre - math.log(n_genuine / n_impostor)
    if not (math.isfinite(slope) and slope > 0):
        return None
    return MatchProbability(slope, intercept, prior)


def _newton(x: Float64Array, targets: Float64Array) -> tuple[float, float]:
    """The (constant, gradient) of log-odds over standardised ``x`` with the least cross-entropy."""
    mean = float(targets.mean())
    point = np.array([math.log(mean / (1 - mean)), 0.0])
    value = _cross_entropy(point, x, targets)
    for _ in range(_MAX_ITERATIONS):
        p = _sigmoid(point[0] + point[1] * x)
        residual = p - targets
        gradient = np.array([residual.mean(), (residual * x).mean()])
        if float(np.abs(gradient).max()) < _GRADIENT_TOLERANCE:
            break
        weight = p * (1 - p)
        cross = (weight * x).mean()
        hessian = np.array([[weight.mean(), cross], [cross, (weight * x * x).mean()]])
        hessian += 1e-12 * np.eye(2)
        direction = np.linalg.solve(hessian, -gradient)
        descent = float(gradient @ direction)
        step = 1.0
        while step >= _SMALLEST_STEP:
            candidate = point + step * direction
            candidate_value = _cross_entropy(candidate, x, targets)
            if candidate_value < value + _SUFFICIENT_DECREASE * step * descent:
                point, value = candidate, candidate_value
                break
            step /= 2
        else:
            break  # no step helps: the optimum to the precision of the sum
    return float(point[0]), float(point[1])


def _cross_entropy(point: Float64Array, x: Float64Array, targets: Float64Array) -> float:
    log_odds = point[0] + point[1] * x
    return float((np.logaddexp(0, log_odds) - targets * log_odds).mean())


def _sigmoid(log_odds: Float64Array) -> Float64Array:
    return np.exp(-np.logaddexp(0, -log_odds))
