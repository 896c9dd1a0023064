"""A detector and a network that need no weights: people are colours.

A *photograph* is a black picture with saturated 60-pixel squares, one per face; the network
gives the mean colour of the crop as template, so that distances are known by arithmetic.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Self

import cv2
import numpy as np

from facematch.types import (
    ARCFACE_112,
    Alignment,
    Detection,
    Face,
    Float32Array,
    ModelIdentity,
    UInt8Array,
)

RED, GREEN, BLUE = (220, 0, 0), (0, 220, 0), (0, 0, 220)
ORANGE = (220, 90, 0)  # nearer to red than to anybody else

Colour = tuple[int, int, int]


class FakeDetector:
    """Finds the squares, top left first; larger squares are given a higher score."""

    def detect(self, image_rgb: UInt8Array) -> list[Face]:
        mask = (image_rgb.max(2) > 60).astype(np.uint8)
        _, _, stats, _ = cv2.connectedComponentsWithStats(mask)
        faces = []
        for left, top, width, height, area in stats[1:]:
            if area < 100:
                continue
            box = np.array([left, top, left + width, top + height], np.float32)
            unit = (np.array(ARCFACE_112.points_xy) - 20) / 72
            points = box[:2] + unit * [width, height]
            faces.append(Face(box, points.astype(np.float32), 0.99))
        return faces

    def search(self, image_rgb: UInt8Array, remaining: object) -> Detection:
        return Detection(tuple(self.detect(image_rgb)))

    def beside(self) -> Self:
        return self


class FakeNetwork:
    """The mean colour of the crop, as a unit vector of three numbers."""

    def __init__(self, fingerprint: str = "f" * 64, name: str = "fake-1") -> None:
        self._identity = ModelIdentity(name, fingerprint, 3)

    @property
    def identity(self) -> ModelIdentity:
        return self._identity

    @property
    def alignment(self) -> Alignment:
        return ARCFACE_112

    def embed(self, crops_rgb: UInt8Array) -> Float32Array:
        colour = crops_rgb[:, 40:72, 40:72].reshape(len(crops_rgb), -1, 3).mean(1) + 1e-3
        return (colour / np.linalg.norm(colour, axis=1, keepdims=True)).astype(np.float32)


def photograph(path: Path, colours: Sequence[Colour], sizes: Sequence[int] | None = None) -> Path:
    """Writes a picture with one square per colour, side by side, and returns its path."""
    image = np.zeros((140, 110 * max(1, len(colours)) + 10, 3), np.uint8)
    for index, colour in enumerate(colours):
        side = 60 if sizes is None else sizes[index]
        left = 20 + 110 * index
        image[30 : 30 + side, left : left + side] = colour
    path.parent.mkdir(parents=True, exist_ok=True)
    written, data = cv2.imencode(".png", image[..., ::-1])
    assert written
    path.write_bytes(data.tobytes())
    return path
