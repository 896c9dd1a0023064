"""The one decision rule: accept if, and only if, ``distance <= threshold``.

Every decision, measured rate and chosen threshold goes by this function, so that a
calibration promises exactly what ``verify`` and ``identify`` then do.
"""

from __future__ import annotations

import math
from typing import overload

import numpy as np

from facematch.types import BoolArray, Float32Array, Float64Array


@overload
def accepts(distance: float, threshold: float) -> bool: ...
@overload
def accepts(distance: Float32Array | Float64Array, threshold: float) -> BoolArray: ...


def accepts(distance: float | Float32Array | Float64Array, threshold: float) -> bool | BoolArray:
    """Whether comparisons are accepted as being of the same subject.

    Both sides are compared in float64. NumPy would otherwise round the threshold to float32
    for an array but not for a number, and the two could decide one pair differently.

    Args:
        distance: a number or an array of any shape; infinity is never accepted by a finite
            threshold.
        threshold: the largest distance that is accepted.

    Returns:
        A bool for a number, an array of the same shape for an array.

    Raises:
        ValueError: a distance or the threshold is NaN.

    >>> accepts(0.4, 0.4), accepts(0.5, 0.4)
    (True, False)
    >>> accepts(np.array([0.3, 0.5]), 0.4).tolist()
    [True, False]
    """
    limit = float(threshold)
    distances = np.asarray(distance, np.float64)
    if math.isnan(limit) or bool(np.isnan(distances).any()):
        raise ValueError("a distance or threshold is NaN: nothing can be decided from it")
    accepted = np.less_equal(distances, limit)
    return accepted if isinstance(distance, np.ndarray) else bool(accepted)
