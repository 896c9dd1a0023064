"""How far apart the two classes lie, without any threshold."""

from __future__ import annotations

import math

import numpy as np

from facematch.metrics.resampling import WeightedCurve
from facematch.metrics.verification import VerificationCurve
from facematch.types import Float64Array, Int64Array


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
    distances = curve.thresholds[1:]
    return _separation(
        *_moments(distances, -np.diff(curve.false_non_matches)),
        *_moments(distances, np.diff(curve.false_matches)),
        float(np.abs(distances).max()),
    )


def _moments(values: Float64Array, counts: Int64Array) -> tuple[float, float]:
    """Mean and variance of values that occur so often."""
    occurred = counts > 0
    values, weights = values[occurred], counts[occurred].astype(np.float64)
    mean = float(np.dot(values, weights) / weights.sum())
    return mean, float(np.dot(np.square(values - mean), weights) / weights.sum())


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
    precision = accepted[1:] / np.maximum(accepted[1:] + curve.false_matches[1:], 1e-300)
    return float(np.dot(gained, precision) / curve.n_genuine)
