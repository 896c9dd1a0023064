"""The random numbers of a batch: one row per crop, one named field per decision.

Row ``i`` depends on the generator and on ``i`` alone, and no field on another or on which
effects are on. So a crop is varied the same in whatever company it comes: a rank that holds
a part of a batch takes its rows, and a stronger blur leaves rotations as they were.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from facematch.types import Int64Array

# Uniform in [0, 1). Where an effect has a probability, its first number decides.
_FIELDS = np.dtype(
    [
        ("flip", "f8"),
        ("vertical_flip", "f8"),
        ("shift", "f8", 2),
        ("scale", "f8"),
        ("rotation", "f8"),
        ("landmarks", "f8", (5, 2)),
        ("mask", "f8", 6),
        ("glasses", "f8", 6),
        ("blur", "f8", 2),
        ("motion", "f8", 3),
        ("coarse", "f8", 2),
        ("jpeg", "f8", 2),
        ("occlusion", "f8", 8),
        ("grey", "f8"),
        ("colour", "f8", 5),
        ("mix", "f8", 2),
    ]
)
_WIDTH = _FIELDS.itemsize // 8

Draws = npt.NDArray[np.void]
"""(n,) records of the fields above."""


def draw(rng: np.random.Generator, positions: Int64Array) -> Draws:
    """The rows of some places of a batch."""
    rows = int(positions.max(initial=-1)) + 1
    table: Draws = rng.random((rows, _WIDTH)).view(_FIELDS)[:, 0]
    return table[positions]


def signed(uniform: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """[0, 1) -> [-1, 1)."""
    return 2 * uniform - 1
