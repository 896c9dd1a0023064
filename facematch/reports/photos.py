"""Faces small enough to be part of a page."""

from __future__ import annotations

import io

import numpy as np

from facematch.types import UInt8Array

_QUALITY = 80


def small_jpeg(image_rgb: UInt8Array) -> bytes:
    """A picture as a JPEG file of a few kilobytes.

    Args:
        image_rgb: uint8 (h, w, 3), a face cut from its photograph.
    """
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(image_rgb)).save(buffer, "JPEG", quality=_QUALITY)
    return buffer.getvalue()
