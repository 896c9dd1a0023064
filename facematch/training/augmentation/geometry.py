"""One affine map from a stored crop to a training crop.

It does crop, shift, scale, rotation, flips, the landmarks' errors and the reduction to the
training resolution at once, so that no pixel is interpolated twice.
"""

from __future__ import annotations

import numpy as np

from facematch.training.augmentation.draws import Draws, signed
from facematch.training.data import ALIGNED_SIZE, CROP_SIZE
from facematch.types import ARCFACE_112, Float64Array

_POINTS = np.array(ARCFACE_112.points_xy) @ np.array([1, 1j])
_CENTRE = (ALIGNED_SIZE - 1) / 2 * (1 + 1j)


def affine_maps(
    draws: Draws,
    size: int,
    *,
    flip: float,
    vertical_flip: float,
    shift_px: float,
    scale: float,
    rotation_deg: float,
    landmark_px: float,
) -> Float64Array:
    """Maps centred pixels of the crop, in aligned units, to pixels of the result.

    Args:
        draws: (n,).
        size: side of the result.
        flip: and the others as in :class:`Augmentation`.

    Returns:
        float64 (n, 2, 3).
    """
    zoom = size / ALIGNED_SIZE * (1 + scale * signed(draws["scale"]))
    angle = np.deg2rad(rotation_deg) * signed(draws["rotation"])
    cos, sin = zoom * np.cos(angle), zoom * np.sin(angle)
    turn = np.stack([np.stack([cos, -sin], -1), np.stack([sin, cos], -1)], -2)
    mirror = np.ones((len(draws), 1, 2))
    mirror[draws["flip"] < flip, 0, 0] = -1
    mirror[draws["vertical_flip"] < vertical_flip, 0, 1] = -1
    linear = turn * mirror
    offset = (size - 1) / 2 + shift_px * signed(draws["shift"]) * size / ALIGNED_SIZE
    if landmark_px > 0:
        again, moved = _realigned(draws["landmarks"], landmark_px)
        offset = offset + (linear @ moved[:, :, None])[:, :, 0]
        linear = linear @ again
    return np.concatenate([linear, offset[:, :, None]], axis=2)


def for_source(maps: Float64Array, side: int) -> Float64Array:
    """The same maps from pixels of a crop that is stored with another side."""
    linear = maps[:, :, :2] * (CROP_SIZE / side)
    offset = maps[:, :, 2] - linear @ np.full(2, (side - 1) / 2)
    return np.concatenate([linear, offset[:, :, None]], axis=2)


def _realigned(uniform: Float64Array, deviation_px: float) -> tuple[Float64Array, Float64Array]:
    """What alignment would have made of the same face with landmarks found a little beside.

    Args:
        uniform: (n, 5, 2), in [0, 1).
        deviation_px: standard deviation of each coordinate, in aligned pixels.

    Returns:
        float64 (n, 2, 2) and (n, 2): the least-squares similarity from the moved landmarks to
        the reference points (Umeyama, PAMI 1991), on pixels counted from the centre.
    """
    # Box and Muller 1958: a pair of uniform numbers makes a pair of normal ones.
    radius = deviation_px * np.sqrt(-2 * np.log1p(-uniform[..., 0]))
    found = _POINTS - _CENTRE + radius * np.exp(2j * np.pi * uniform[..., 1])
    wanted = _POINTS - _CENTRE
    mean = found.mean(1, keepdims=True)
    centred = found - mean
    spread = (np.abs(centred) ** 2).sum(1)
    factor = (centred.conj() * (wanted - wanted.mean())).sum(1) / spread
    moved = wanted.mean() - factor * mean[:, 0]
    linear = np.stack(
        [np.stack([factor.real, -factor.imag], -1), np.stack([factor.imag, factor.real], -1)], -2
    )
    return linear, np.stack([moved.real, moved.imag], -1)
