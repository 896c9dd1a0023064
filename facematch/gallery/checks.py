"""What a reference and its template must be before a writer takes them."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from facematch.errors import UsageError
from facematch.gallery.format import CROP_SHAPE, SHA256_HEX, UNIT_NORM_TOLERANCE
from facematch.gallery.stored import TEXT_ERRORS
from facematch.types import BoolArray, Float32Array, Reference


def unit_norm_rows(templates: Float32Array) -> BoolArray:
    """bool (m,): which of float32 (m, d) templates are finite and of unit norm."""
    with np.errstate(over="ignore", invalid="ignore"):
        norms = np.linalg.norm(templates.astype(np.float64), axis=1)
    sound: BoolArray = np.abs(norms - 1) <= UNIT_NORM_TOLERANCE
    return sound


def check_templates(templates: npt.NDArray[Any], rows: int, size: int) -> None:
    """Refuse templates of another type or shape, or not of unit norm.

    Raises:
        ValueError: they are.
    """
    if templates.shape != (rows, size) or templates.dtype != np.float32:
        raise ValueError(
            f"expected float32 templates of shape ({rows}, {size}), "
            f"got {templates.dtype} {templates.shape}"
        )
    if not np.all(unit_norm_rows(templates)):
        raise ValueError("a template is not finite or not of unit norm")


def check_reference(reference: Reference) -> None:
    """Refuse what could not be stored or read back as it is.

    Raises:
        UsageError: the path cannot be one.
        ValueError: anything else is not what it should be.
    """
    if SHA256_HEX.fullmatch(reference.source_sha256) is None:
        raise ValueError(f"{reference.source_sha256!r} is not a SHA-256")
    if reference.box_xyxy.shape != (4,):
        raise ValueError(f"box_xyxy has shape {reference.box_xyxy.shape}, not (4,)")
    if any(not phrase or "\n" in phrase for phrase in reference.quality.warnings):
        raise ValueError("a quality warning is one line that is not empty")
    crop = reference.crop_rgb
    if crop is not None and (crop.shape != CROP_SHAPE or crop.dtype != np.uint8):
        raise ValueError(f"expected a uint8 crop of {CROP_SHAPE}, got {crop.dtype} {crop.shape}")
    try:
        encoded = reference.source_path.encode("utf-8", TEXT_ERRORS)
    except UnicodeEncodeError:
        encoded = b"\0"
    if b"\0" in encoded:
        raise UsageError(f"{reference.source_path!r} cannot be the path of a photograph")
