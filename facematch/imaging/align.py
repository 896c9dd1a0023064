"""Cutting a face from its photograph: by its landmarks, or by its box."""

from __future__ import annotations

import cv2
import numpy as np

from facematch.types import ARCFACE_112, Alignment, Face, Float32Array, Float64Array, UInt8Array


def similarity_transform(source_xy: Float32Array, target_xy: Float64Array) -> Float64Array:
    """The 2x3 similarity (rotation, uniform scale, shift) that maps points best.

    Least squares in closed form (Umeyama, PAMI 1991): with centred points as complex
    numbers s and t, the rotation and scale are the one factor sum(conj(s) t) / sum(|s|^2).
    A reflection is not allowed.

    Args:
        source_xy: (n, 2) points, not all equal.
        target_xy: (n, 2) points.

    Raises:
        ValueError: the source points coincide.
    """
    source = source_xy.astype(np.float64) @ np.array([1, 1j])
    target = target_xy @ np.array([1, 1j])
    source_mean, target_mean = source.mean(), target.mean()
    centred = source - source_mean
    spread = float((np.abs(centred) ** 2).sum())
    if not spread > 1e-6:
        raise ValueError("landmarks coincide: there is no similarity transform")
    factor = (centred.conj() @ (target - target_mean)) / spread
    shift = target_mean - factor * source_mean
    return np.array(
        [[factor.real, -factor.imag, shift.real], [factor.imag, factor.real, shift.imag]]
    )


def align_face(
    image_rgb: UInt8Array, face: Face, alignment: Alignment = ARCFACE_112, *, border: int = 0
) -> UInt8Array:
    """Cuts the crop of one face.

    Pixels outside the photograph repeat its edge. Faces larger than the crop are averaged
    down first, because the warp interpolates linearly and would alias.

    Args:
        image_rgb: uint8 (h, w, 3).
        face: where it is.
        alignment: how it is cut.
        border: extra pixels on each side (training keeps 8 for augmentation).

    Returns:
        uint8 (s, s, 3) RGB with s = size + 2 border.

    Raises:
        ValueError: the landmarks coincide.
    """
    side = alignment.size + 2 * border
    if alignment.kind == "box":
        matrix = _box_transform(face.box_xyxy, alignment.size)
    else:
        matrix = similarity_transform(face.landmarks_xy, np.array(alignment.points_xy))
    matrix[:, 2] += border
    scale = float(np.sqrt(abs(np.linalg.det(matrix[:, :2]))))
    if scale <= 0.5:
        return _align_reduced(image_rgb, matrix, side, int(1 / scale))
    return _warp(image_rgb, matrix, side)


def _box_transform(box_xyxy: Float32Array, size: int) -> Float64Array:
    """Maps the box, cut to whole pixels as facenet-pytorch does, onto the square crop."""
    left, top, right, bottom = np.trunc(box_xyxy.astype(np.float64))
    zoom = size / np.maximum([right - left, bottom - top], 1)
    # Pixel centres: the left edge of the box is half a pixel left of its first centre.
    shift = -zoom * (np.array([left, top]) - 0.5) - 0.5
    return np.array([[zoom[0], 0, shift[0]], [0, zoom[1], shift[1]]])


def _align_reduced(
    image_rgb: UInt8Array, matrix: Float64Array, side: int, reduction: int
) -> UInt8Array:
    """Warps from the part of the picture that shows, averaged down by a whole factor."""
    inverse = cv2.invertAffineTransform(matrix)
    corners = np.array([(0, 0, 1), (side, 0, 1), (0, side, 1), (side, side, 1)]) @ inverse.T
    height, width = image_rgb.shape[:2]
    first = np.floor(corners.min(0)).astype(int) - 2 * reduction
    last = np.ceil(corners.max(0)).astype(int) + 2 * reduction
    x0, x1 = _span(int(first[0]), int(last[0]), width)
    y0, y1 = _span(int(first[1]), int(last[1]), height)
    part = cv2.copyMakeBorder(
        image_rgb[y0:y1, x0:x1],
        *(0, -(y1 - y0) % reduction, 0, -(x1 - x0) % reduction),
        cv2.BORDER_REPLICATE,
    )
    small_wh = part.shape[1] // reduction, part.shape[0] // reduction
    small = np.asarray(cv2.resize(part, small_wh, interpolation=cv2.INTER_AREA), np.uint8)
    # The centre of reduced pixel (0, 0) lies at (reduction - 1) / 2 of the full picture.
    to_full = np.array(
        [
            [reduction, 0, x0 + (reduction - 1) / 2],
            [0, reduction, y0 + (reduction - 1) / 2],
            [0, 0, 1],
        ]
    )
    return _warp(small, matrix @ to_full, side)


def _span(first: int, last: int, limit: int) -> tuple[int, int]:
    """The part of first..last that lies inside 0..limit; at least the pixel nearest to it."""
    start = min(max(first, 0), limit - 1)
    return start, max(min(last, limit), start + 1)


def _warp(image_rgb: UInt8Array, matrix: Float64Array, side: int) -> UInt8Array:
    return np.asarray(
        cv2.warpAffine(
            image_rgb,
            matrix,
            (side, side),
            flags=cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REPLICATE,
        ),
        np.uint8,
    )
