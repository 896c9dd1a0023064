"""Augmentation of aligned crops, seeded per batch.

One affine warp does crop, shift, scale, rotation, flip and the reduction to the training
resolution, so that no pixel is interpolated twice. No vertical flips: faces have an up.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from facematch.training.data import CROP_SIZE

ALIGNED_SIZE = 112


@dataclass(frozen=True, slots=True)
class Augmentation:
    """How strongly crops are varied. Zeros (and no flip) give the plain aligned crop.

    Attributes:
        flip: probability of a horizontal flip.
        shift_px: largest shift in aligned pixels (uniform, each axis).
        scale: largest relative change of size.
        rotation_deg: largest rotation.
        colour: largest relative change of brightness, contrast and colour balance.
        grey: probability of dropping colour.
        coarse: probability of a loss of resolution (down to a quarter and back).
        jpeg: probability of JPEG compression (quality 30 to 90).
        occlusion: probability that a rectangle is covered by one colour.
    """

    flip: float = 0.5
    shift_px: float = 3.0
    scale: float = 0.06
    rotation_deg: float = 6.0
    colour: float = 0.25
    grey: float = 0.1
    coarse: float = 0.15
    jpeg: float = 0.1
    occlusion: float = 0.0

    def batch(
        self, images: npt.NDArray[np.uint8], size: int, rng: np.random.Generator
    ) -> npt.NDArray[np.uint8]:
        """Augments a batch.

        Args:
            images: uint8 (n, 128, 128, 3), RGB.
            size: side of the result in pixels.
            rng: the source of randomness.

        Returns:
            uint8 (n, size, size, 3), RGB.
        """
        out = np.empty((len(images), size, size, 3), np.uint8)
        for image, target in zip(images, out, strict=True):
            target[:] = self._one(image, size, rng)
        return out

    def _one(
        self, image: npt.NDArray[np.uint8], size: int, rng: np.random.Generator
    ) -> npt.NDArray[np.uint8]:
        draw = rng.uniform(size=16)
        if draw[0] < self.coarse:
            image = _coarsen(image, int(CROP_SIZE * (0.25 + 0.4 * draw[1])))
        if draw[2] < self.jpeg:
            image = _compress(image, int(30 + 60 * draw[3]))
        if 2 * size <= ALIGNED_SIZE:  # the warp interpolates linearly: halve first, or it aliases
            image = np.asarray(
                cv2.resize(image, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA), np.uint8
            )
        result = np.asarray(
            cv2.warpAffine(
                image,
                self._matrix(image.shape[0], size, draw[4:9]),
                (size, size),
                flags=cv2.INTER_LINEAR,
                borderMode=cv2.BORDER_REPLICATE,
            ),
            np.uint8,
        )
        if self.occlusion and draw[9] < self.occlusion:
            _occlude(result, rng)
        return _recolour(result, self.colour, draw[10] < self.grey, rng)

    def _matrix(
        self, source: int, size: int, draw: npt.NDArray[np.float64]
    ) -> npt.NDArray[np.float64]:
        """2x3 affine map from a ``source``-pixel crop to the augmented ``size``-pixel one."""
        zoom = size / ALIGNED_SIZE * (CROP_SIZE / source)
        zoom *= 1 + self.scale * (2 * draw[0] - 1)
        angle = np.deg2rad(self.rotation_deg * (2 * draw[1] - 1))
        shift = self.shift_px * (2 * draw[2:4] - 1) * size / ALIGNED_SIZE
        mirror = -1.0 if draw[4] < self.flip else 1.0
        cos, sin = zoom * np.cos(angle), zoom * np.sin(angle)
        linear = np.array([[cos * mirror, -sin], [sin * mirror, cos]])
        source_centre = np.full(2, (source - 1) / 2)
        target_centre = np.full(2, (size - 1) / 2) + shift
        offset = target_centre - linear @ source_centre
        return np.column_stack([linear, offset])


def _coarsen(image: npt.NDArray[np.uint8], side: int) -> npt.NDArray[np.uint8]:
    small = cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(small, (CROP_SIZE, CROP_SIZE)), np.uint8)


def _compress(image: npt.NDArray[np.uint8], quality: int) -> npt.NDArray[np.uint8]:
    _, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_UNCHANGED), np.uint8)


def _occlude(image: npt.NDArray[np.uint8], rng: np.random.Generator) -> None:
    """Covers a rectangle of 10 to 30 % of the area with one colour, in place."""
    side = image.shape[0]
    height, width = (rng.uniform(0.32, 0.55, 2) * side).astype(int)
    top, left = int(rng.integers(0, side - height)), int(rng.integers(0, side - width))
    image[top : top + height, left : left + width] = rng.integers(0, 256, 3)


def _recolour(
    image: npt.NDArray[np.uint8], strength: float, grey: bool, rng: np.random.Generator
) -> npt.NDArray[np.uint8]:
    if grey:
        image = np.asarray(
            cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB), np.uint8
        )
    if strength == 0:
        return image
    contrast = 1 + strength * rng.uniform(-1, 1)
    brightness = 128 * strength * rng.uniform(-1, 1)
    balance = 1 + 0.3 * strength * rng.uniform(-1, 1, 3)
    levels = np.arange(256.0)[:, None]
    table = ((levels - 128) * contrast + 128 + brightness) * (1.0 if grey else balance)
    lut = np.clip(np.broadcast_to(table, (256, 3)), 0, 255).astype(np.uint8)
    return np.asarray(cv2.LUT(image, lut[None]), np.uint8)
