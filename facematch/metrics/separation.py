"""How far apart the two classes lie, without any threshold."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from facematch.metrics.resampling import WeightedCurve
from facematch.metrics.verification import VerificationCurve
from facematch.types import Float64Array, Int64Array

_POINTS_PER_BLOCK = 1 << 20


def d_prime(genuine: Float64Array, impostor: Float64Array) -> float | None:
    """Distance of the two means in pooled standard deviations.

    ``(mean_i - mean_g) / sqrt((var_i + var_g) / 2)`` (Daugman, *Biometric decision
    landscapes*, 2000, who takes its absolute value): below zero if genuine comparisons are
    farther apart than impostor comparisons. It describes the distributions as if they were
    normal, and is no substitute for error rates.

    Args:
        genuine: float64 (n,), finite.
        impostor: float64 (m,), finite.

    Returns:
        None if a class is empty or neither spreads at all.

    >>> d_prime(np.array([0.0, 2.0]), np.array([4.0, 6.0]))
    4.0
    """
    if len(genuine) == 0 or len(impostor) == 0:
        return None
    largest = max(float(np.abs(genuine).max()), float(np.abs(impostor).max()))
    return _separation(
        *(float(genuine.mean()), float(genuine.var())),
        *(float(impostor.mean()), float(impostor.var())),
        largest,
    )


def d_prime_of(curve: VerificationCurve) -> float | None:
    """The same of all comparisons behind a curve, which says how often each distance occurs.

    >>> from facematch.metrics.verification import verification_curve
    >>> d_prime_of(verification_curve(np.array([0.0, 2.0]), np.array([4.0, 6.0])))
    4.0
    """
    return _separation(
        *_moments(curve.thresholds, curve.false_non_matches),
        *_moments(curve.thresholds, curve.false_matches),
        max(abs(float(curve.thresholds[1])), abs(float(curve.thresholds[-1]))),
    )


def _moments(thresholds: Float64Array, errors: Int64Array) -> tuple[float, float]:
    """Mean and variance of the distances at which errors come or go, block by block."""
    count = abs(int(errors[-1]) - int(errors[0]))

    def mean_of(value: Callable[[Float64Array], Float64Array]) -> float:
        found = 0.0
        for start in range(1, len(thresholds), _POINTS_PER_BLOCK):
            stop = start + _POINTS_PER_BLOCK
            changes = np.abs(np.diff(errors[start - 1 : stop]))
            found += float((value(thresholds[start:stop]) * changes).sum())
        return found / count

    mean = mean_of(lambda distances: distances)
    return mean, mean_of(lambda distances: np.square(distances - mean))


def _separation(
    genuine_mean: float,
    genuine_variance: float,
    impostor_mean: float,
    impostor_variance: float,
    largest: float,
) -> float | None:
    spread = math.sqrt((genuine_variance + impostor_variance) / 2)
    # What rounding of the means leaves of equal numbers is no spread.
    return None if spread <= largest * 1e-15 else (impostor_mean - genuine_mean) / spread


def average_precision(curve: VerificationCurve | WeightedCurve) -> float:
    """Mean of the precision at each genuine comparison, nearest first.

    ``sum_k (recall_k - recall_{k-1}) precision_k`` over the operating points, so comparisons
    at one distance are taken together, as scikit-learn does. It depends on the mix of the
    classes.

    >>> from facematch.metrics.verification import verification_curve
    >>> average_precision(verification_curve(np.array([0.1, 0.6]), np.array([0.4, 0.9])))
    0.8333333333333333
    """
    accepted = curve.n_genuine - curve.false_non_matches
    gained = np.diff(accepted)
    # Twenty-five million points are to pass in a gigabyte: one array serves three steps.
    precision = np.add(accepted[1:], curve.false_matches[1:], dtype=np.float64)
    np.maximum(precision, 1e-300, out=precision)
    np.divide(accepted[1:], precision, out=precision)
    del accepted
    return float(np.dot(gained, precision) / curve.n_genuine)
