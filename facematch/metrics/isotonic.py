"""A falling step curve from distance to log-likelihood ratio: pool adjacent violators.

The curve is the most likely one among all that never rise with distance (Ayer et al., Annals
of Mathematical Statistics 26, 1955; Zadrozny and Elkan, KDD 2002, for probabilities). Both
classes are given the same total weight, which frees the result from the mix in the list. One
comparison of each class is added at either end, as in Brummer and du Preez, *The PAV algorithm
optimizes binary proper scoring rules* (2013), section on Laplace's rule: so the curve never
claims more than the number of comparisons can carry. Where comparisons share people, that is
the number of independent ones that would tell as much, and what is added weighs the more.
"""

from __future__ import annotations

import numpy as np

from facematch.metrics.effective import EffectiveCounts
from facematch.types import Float64Array, Int64Array


def falling_means(values: Float64Array, weights: Float64Array) -> Float64Array:
    """The falling sequence nearest to the values in weighted squares.

    Args:
        values: float64 (n,).
        weights: float64 (n,), above 0.

    Returns:
        float64 (n,), not rising.

    >>> falling_means(np.array([3.0, 1.0, 2.0]), np.ones(3)).tolist()
    [3.0, 1.5, 1.5]
    """
    sums: list[float] = []
    masses: list[float] = []
    lengths: list[int] = []
    for total, mass in zip((values * weights).tolist(), weights.tolist(), strict=True):
        length = 1
        # Compared as quotients of sums: pooled blocks stay exact for whole numbers.
        while sums and sums[-1] * mass <= total * masses[-1]:
            total += sums.pop()
            mass += masses.pop()
            length += lengths.pop()
        sums.append(total)
        masses.append(mass)
        lengths.append(length)
    # The last digit of a quotient may differ from what the products said.
    return np.repeat(np.minimum.accumulate(np.array(sums) / np.array(masses)), lengths)


def likelihood_ratio_curve(
    genuine: Float64Array, impostor: Float64Array, effective: EffectiveCounts | None = None
) -> tuple[Float64Array, Float64Array]:
    """Knots of the curve: constant on each block, straight lines between blocks.

    Args:
        genuine: (n,) finite distances, at least one.
        impostor: (m,) finite distances, at least one.
        effective: how many independent comparisons would tell as much; None for n and m.

    Returns:
        Distances, rising strictly, and natural logarithms of the likelihood ratio there, not
        rising; float64 (k,) each.
    """
    distances = np.concatenate((genuine, impostor))
    is_genuine = np.arange(len(distances)) < len(genuine)
    distinct, place = np.unique(distances, return_inverse=True)
    return likelihood_ratios_of_counts(
        distinct,
        np.bincount(place, is_genuine, len(distinct)),
        np.bincount(place, ~is_genuine, len(distinct)),
        effective,
    )


def likelihood_ratios_of_counts(
    distinct: Float64Array,
    genuine: Float64Array | Int64Array,
    impostor: Float64Array | Int64Array,
    effective: EffectiveCounts | None = None,
) -> tuple[Float64Array, Float64Array]:
    """The same of comparisons that were counted by distance.

    Args:
        distinct: float64 (n,), rising strictly.
        genuine: whole numbers (n,), genuine comparisons at each distance.
        impostor: whole numbers (n,), impostor comparisons; at least one of either class at
            each distance, and one of each in all.
        effective: as above.
    """
    n_genuine, n_impostor = genuine.sum(), impostor.sum()
    genuine_at, impostor_at = genuine / n_genuine, impostor / n_impostor
    if effective is not None:
        n_genuine, n_impostor = effective.genuine, effective.impostor
    for end in (0, -1):
        genuine_at[end] += 1 / n_genuine
        impostor_at[end] += 1 / n_impostor
    mass = genuine_at + impostor_at
    share = falling_means(genuine_at / mass, mass)
    starts = np.flatnonzero(np.append(True, share[1:] != share[:-1]))
    ends = np.append(starts[1:] - 1, len(share) - 1)
    knots = np.unique(np.concatenate((starts, ends)))
    return distinct[knots], np.log(share[knots]) - np.log1p(-share[knots])
