"""How far apart the two classes lie, without any threshold."""

from __future__ import annotations

import math

import numpy as np

from facematch.metrics.resampling import WeightedCurve
from facematch.metrics.verification import VerificationCurve
from facematch.types import Float64Array


def d_prime(genuine: Float64Array, impostor: Float64Array) -> float | None:
    """Distance of the two means in pooled standard deviations.

    ``|mean_i - mean_g| / sqrt((var_i + var_g) / 2)`` (Daugman, *Biometric decision
    landscapes*, 2000). It describes the distributions as if they were normal, and is no
    substitute for error rates.

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
    spread = math.sqrt((float(genuine.var()) + float(impostor.var())) / 2)
    apart = abs(float(impostor.mean()) - float(genuine.mean()))
    # What rounding of the means leaves of equal numbers is no spread.
    largest = max(float(np.abs(genuine).max()), float(np.abs(impostor).max()))
    return None if spread <= largest * 1e-15 else apart / spread


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
