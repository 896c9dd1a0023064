"""What lenses, motion, distance and compression do to a crop."""

from __future__ import annotations

import cv2
import numpy as np

from facematch.training.data import CROP_SIZE
from facematch.types import Float64Array, UInt8Array

_KERNEL_SIDE = 11
_FRACTION_BITS = 4


def blurred(image: UInt8Array, uniform: float) -> UInt8Array:
    """Gaussian, with a standard deviation of 0.5 to 2 pixels."""
    return np.asarray(cv2.GaussianBlur(image, (0, 0), 0.5 + 1.5 * uniform), np.uint8)


def shaken(image: UInt8Array, uniform: Float64Array) -> UInt8Array:
    """The camera moved by 3 to 9 pixels in any direction.

    Args:
        image: uint8 (h, w, 3).
        uniform: (2,), in [0, 1): length and direction.
    """
    half = (3 + 6 * uniform[0]) / 2
    reach = half * np.array([np.cos(np.pi * uniform[1]), np.sin(np.pi * uniform[1])])
    middle = _KERNEL_SIDE // 2
    ends = np.rint(np.stack([middle - reach, middle + reach]) * (1 << _FRACTION_BITS))
    line = np.zeros((_KERNEL_SIDE, _KERNEL_SIDE), np.uint8)
    first, last = ends.astype(int).tolist()
    cv2.line(line, first, last, 255, 1, cv2.LINE_AA, _FRACTION_BITS)
    kernel = line / np.float32(line.sum())
    return np.asarray(cv2.filter2D(image, -1, kernel, borderType=cv2.BORDER_REPLICATE), np.uint8)


def coarsened(image: UInt8Array, uniform: float) -> UInt8Array:
    """Resolution lost: down to between a quarter and two thirds, and back."""
    side = int(CROP_SIZE * (0.25 + 0.4 * uniform))
    small = cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(small, (CROP_SIZE, CROP_SIZE)), np.uint8)


def compressed(image: UInt8Array, uniform: float) -> UInt8Array:
    """JPEG with a quality of 30 to 90. (Red and blue change places twice, to no effect.)"""
    _, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, int(30 + 60 * uniform)])
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_UNCHANGED), np.uint8)
