"""What stands before a face: a mask, glasses, anything."""

from __future__ import annotations

import cv2
import numpy as np

from facematch.training.data import BORDER_PX
from facematch.types import Float64Array, UInt8Array

# Aligned pixels. Of a mask: its middle, and its outline around it, from the bridge of the
# nose over cheeks and jaw to below the chin.
_MASK_CENTRE = np.array([56.0, 88.0])
_MASK_OUTLINE = np.array(
    [(0, -24), (16, -21), (30, -17), (28, 4), (15, 21), (0, 27), (-15, 21), (-28, 4), (-30, -17)],
    np.float64,
)
_EYES_Y = 51.6
_FRACTION_BITS = 4


def cover_mask(image: UInt8Array, uniform: Float64Array) -> UInt8Array:
    """A face mask of one colour over nose, mouth and chin.

    Args:
        image: uint8 (128, 128, 3).
        uniform: (5,), in [0, 1): height on the face, size, colour.
    """
    centre = _MASK_CENTRE + np.array([0.0, 8 * uniform[0] - 4])
    outline = centre + BORDER_PX + _MASK_OUTLINE * (0.9 + 0.2 * uniform[1])
    corners = np.rint(outline * (1 << _FRACTION_BITS)).astype(np.int32)
    covered = image.copy()
    colour = (255 * uniform[2:5]).astype(int).tolist()
    cv2.fillConvexPoly(covered, corners, colour, cv2.LINE_AA, _FRACTION_BITS)
    return covered


def cover_eyes(image: UInt8Array, uniform: Float64Array) -> UInt8Array:
    """A band of dark glass over both eyes, that may let something through.

    Args:
        image: uint8 (128, 128, 3).
        uniform: (5,), in [0, 1): height on the face, height and width of the band, shade,
            opacity.
    """
    middle = _EYES_Y + 6 * uniform[0] - 3 + BORDER_PX
    half_height, half_width = 7 + 4 * uniform[1], 34 + 8 * uniform[2]
    centre = image.shape[1] / 2
    rows = slice(round(middle - half_height), round(middle + half_height))
    columns = slice(round(centre - half_width), round(centre + half_width))
    opacity = 0.75 + 0.25 * uniform[4]
    covered = image.copy()
    band = covered[rows, columns]
    band[:] = band * (1 - opacity) + 90 * uniform[3] * opacity
    return covered


def cover_rectangle(image: UInt8Array, uniform: Float64Array) -> None:
    """A rectangle of one colour over 10 to 30 % of the area, in place.

    After Zhong et al., "Random Erasing Data Augmentation", AAAI 2020, arXiv 1708.04896.

    Args:
        image: uint8 (s, s, 3).
        uniform: (7,), in [0, 1): height, width, place, colour.
    """
    side = image.shape[0]
    height, width = ((0.32 + 0.23 * uniform[:2]) * side).astype(int)
    top, left = (uniform[2:4] * [side - height + 1, side - width + 1]).astype(int)
    image[top : top + height, left : left + width] = (256 * uniform[4:7]).astype(int)
