"""Decoded pictures of any mode as uint8 RGB; ``decode.py`` says what becomes of each."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from facematch.errors import ImageDecodeError
from facematch.types import UInt8Array

if TYPE_CHECKING:
    from PIL import Image

_STRIP_PIXELS = 1 << 22


def to_rgb(image: Image.Image, name: str) -> UInt8Array:
    """The pixels of a picture in any mode.

    Args:
        image: decoded.
        name: what to call it in errors.

    Returns:
        uint8 (h, w, 3) RGB in [0, 255], on white where it is transparent.

    Raises:
        ImageDecodeError: its numbers stand for no grey level that could be known.
    """
    if image.mode.startswith("I;16"):
        to_8_bit = ((np.arange(65536) * 255 + 32767) // 65535).astype(np.uint8)
        return _grey_to_rgb(to_8_bit[np.asarray(image)])
    if image.mode == "F":
        grey = np.asarray(image)
        if not (grey.min() >= 0 and grey.max() <= 1):  # false for NaN too
            raise ImageDecodeError(
                f"{name}: floating-point pixels outside [0, 1]; save it with 8 or 16 bits"
            )
        return _grey_to_rgb(np.rint(grey * 255).astype(np.uint8))
    if image.mode == "I":
        raise ImageDecodeError(f"{name}: 32-bit integer pixels; save it with 8 or 16 bits")
    return _in_strips(image)


def _in_strips(image: Image.Image) -> UInt8Array:
    """The pixels, on white where they are transparent.

    Strip by strip, because Pillow makes a copy of all pixels in each of the steps: 1.8 GB at
    once for a picture of 100 million that are transparent.
    """
    from PIL import Image

    width, height = image.size
    transparent = image.has_transparency_data
    image_rgb = np.empty((height, width, 3), np.uint8)
    rows = max(1, _STRIP_PIXELS // width)
    for top in range(0, height, rows):
        strip = image
        if rows < height:
            strip = image.crop((0, top, width, min(height, top + rows)))
        if transparent:
            opaque = Image.new("RGBA", strip.size, "white")
            opaque.alpha_composite(strip.convert("RGBA"))
            strip = opaque
        rgb = strip if strip.mode == "RGB" else strip.convert("RGB")
        image_rgb[top : top + rows] = np.asarray(rgb)
    return image_rgb


def _grey_to_rgb(grey: UInt8Array) -> UInt8Array:
    return np.repeat(grey[:, :, None], 3, axis=2)
