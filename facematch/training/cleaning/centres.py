"""The middle of each identity, which a minority of wrong crops cannot move."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from facematch.types import Float32Array, Int64Array


@dataclass(frozen=True, slots=True, eq=False)
class Centres:
    """Robust centres of identities.

    Attributes:
        labels: int64 (k,), the identities, ascending; crops without one have no centre.
        members: the rows of the crops of each, int64.
        points: float32 (k, d), unit.
    """

    labels: Int64Array
    members: tuple[Int64Array, ...]
    points: Float32Array


def robust_centres(unit: Float32Array, labels: Int64Array) -> Centres:
    """The mean of that half of each identity's crops which lies nearest to its median.

    The median is taken by coordinate. As long as most crops are right, so is the centre
    (least trimmed squares, Rousseeuw 1984, after one step).

    Args:
        unit: float32 (n, d), unit rows.
        labels: int64 (n,); negative: nobody.
    """
    order = np.argsort(labels, kind="stable")
    order = order[labels[order] >= 0]
    found, starts = np.unique(labels[order], return_index=True)
    members = tuple(np.split(order, starts[1:])) if len(found) else ()
    points = np.zeros((len(found), unit.shape[1]), np.float32)
    for row, own in enumerate(members):
        crops = unit[own]
        median = np.median(crops, axis=0)
        near = np.argsort(((crops - median) ** 2).sum(1), kind="stable")[: (len(own) + 1) // 2]
        mean = crops[near].mean(0)
        length = float(np.linalg.norm(mean))
        # Opposite crops cancel out: then one of them is as good a middle as any.
        points[row] = mean / length if length > 1e-6 else crops[near[0]]
    return Centres(found.astype(np.int64), members, points)
