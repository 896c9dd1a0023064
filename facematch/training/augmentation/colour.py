"""Brightness, contrast, colour balance, and no colour at all."""

from __future__ import annotations

import cv2
import numpy as np

from facematch.training.augmentation.draws import signed
from facematch.types import BoolArray, Float64Array, UInt8Array


def lookup_tables(uniform: Float64Array, strength: float, grey: BoolArray) -> UInt8Array:
    """What each level of each channel becomes.

    Args:
        uniform: (n, 5), in [0, 1): contrast, brightness, balance of the channels.
        strength: largest relative change.
        grey: (n,), crops without colour, whose channels stay alike.

    Returns:
        uint8 (n, 256, 3).
    """
    change = strength * signed(uniform)
    contrast, brightness = 1 + change[:, 0], 128 * change[:, 1]
    balance = np.where(grey[:, None], 1, 1 + 0.3 * change[:, 2:])
    levels = (np.arange(256.0) - 128) * contrast[:, None] + 128 + brightness[:, None]
    return np.clip(levels[:, :, None] * balance[:, None], 0, 255).astype(np.uint8)


def without_colour(image: UInt8Array) -> UInt8Array:
    """The luma (ITU-R BT.601) in all three channels."""
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    return np.asarray(cv2.cvtColor(grey, cv2.COLOR_GRAY2RGB), np.uint8)
