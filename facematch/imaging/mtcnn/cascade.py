"""The three-stage cascade: proposal, refinement, output with landmarks.

The arithmetic follows facenet-pytorch, pixel conventions and truncations included, so that
the same settings find the same faces (``tests/imaging/test_mtcnn_parity.py``). What differs
is how it is done: one integral image instead of a resize per level and crop, and all crops
of a stage in one batch.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from facematch.imaging.mtcnn import networks
from facematch.imaging.mtcnn.sampling import AreaSampler
from facematch.runtime import Engine, Network
from facematch.types import Face, Float32Array, Int64Array, UInt8Array

PNET_CELL = 12
PNET_STRIDE = 2
LARGEST_BATCH = 256
# Pixels of a level that P-Net sees at once; its first layer makes ten numbers of each.
LARGEST_LEVEL = 1 << 20


@dataclass(frozen=True, slots=True)
class DetectorSettings:
    """Settings of the cascade; the defaults are facenet-pytorch's.

    Attributes:
        min_face_size: side in pixels of the smallest face to look for; at least 12.
        thresholds: of the face probability after each stage, each in [0, 1].
        factor: between the levels of the image pyramid, in (0, 1).
    """

    min_face_size: int = 20
    thresholds: tuple[float, float, float] = (0.6, 0.7, 0.7)
    factor: float = 0.709

    def __post_init__(self) -> None:
        if self.min_face_size < PNET_CELL:
            raise ValueError(f"min_face_size must be at least 12, got {self.min_face_size}")
        if len(self.thresholds) != 3 or not all(0 <= t <= 1 for t in self.thresholds):
            raise ValueError(f"thresholds must be three numbers in [0, 1]: {self.thresholds}")
        if not 0 < self.factor < 1:
            raise ValueError(f"factor must be in (0, 1), got {self.factor}")


class FaceDetector:
    """MTCNN on an engine.

    Args:
        engine: runs the three networks.
        settings: of the cascade.
    """

    def __init__(self, engine: Engine, settings: DetectorSettings | None = None) -> None:
        self._settings = settings or DetectorSettings()
        self._pnet = engine.load(networks.source("pnet"))
        self._rnet = engine.load(networks.source("rnet"))
        self._onet = engine.load(networks.source("onet"))

    def detect(self, image_rgb: UInt8Array) -> list[Face]:
        """Finds the faces of a picture, most certain first.

        Args:
            image_rgb: uint8 (h, w, 3), upright.

        Returns:
            The faces; none for pictures smaller than ``min_face_size``.
        """
        sampler = AreaSampler(image_rgb)
        boxes = self._propose(sampler)
        boxes = self._refine(sampler, boxes)
        return self._output(sampler, boxes)

    def _propose(self, sampler: AreaSampler) -> Float32Array:
        """P-Net over the pyramid: float32 (n, 4) square boxes."""
        kept = [np.zeros((0, 9), np.float32)]
        for scale in self._scales(min(sampler.height, sampler.width)):
            height, width = int(sampler.height * scale + 1), int(sampler.width * scale + 1)
            candidates = self._scan(sampler, height, width, scale)
            kept.append(candidates[_suppress(candidates[:, :5], 0.5)])
        candidates = np.concatenate(kept)
        candidates = candidates[_suppress(candidates[:, :5], 0.7)]
        sides = candidates[:, 2:4] - candidates[:, 0:2]
        moved = candidates[:, :4] + candidates[:, 5:9] * np.tile(sides, 2)
        return _squared(moved)

    def _scan(self, sampler: AreaSampler, height: int, width: int, scale: float) -> Float32Array:
        """P-Net over one level, in strips of bounded memory: float32 (n, 9) of its cells."""
        # Of the first layer and its pooling, which takes a last odd row by itself.
        rows = (height - 3) // 2 - 3
        at_once = max(1, (LARGEST_LEVEL // width - PNET_CELL) // PNET_STRIDE)
        found = []
        for first in range(0, rows, at_once):
            # The input of a row of cells begins at its double and is one cell high.
            last = first + at_once - 1
            stop = height if last >= rows - 1 else last * PNET_STRIDE + PNET_CELL
            strip = sampler.whole(height, width, slice(first * PNET_STRIDE, stop))[None]
            probability, offsets = self._pnet(strip)
            threshold = self._settings.thresholds[0]
            found.append(_cells(probability[0, 1], offsets[0], scale, threshold, first))
        return np.concatenate(found)

    def _scales(self, shorter_side: int) -> list[float]:
        scales = []
        scale = PNET_CELL / self._settings.min_face_size
        while shorter_side * scale >= PNET_CELL:
            scales.append(scale)
            scale *= self._settings.factor
        return scales

    def _refine(self, sampler: AreaSampler, boxes: Float32Array) -> Float32Array:
        """R-Net: float32 (m, 4) square boxes of the candidates that it accepts."""
        boxes, windows = _inside(boxes, sampler)
        outputs = _in_batches(self._rnet, sampler, windows, 24, (2, 4))
        scores = outputs[0][:, 1]
        passed = scores > self._settings.thresholds[1]
        boxes, offsets = boxes[passed], outputs[1][passed]
        kept = _suppress(np.column_stack([boxes, scores[passed]]), 0.7)
        return _squared(_regressed(boxes[kept], offsets[kept]))

    def _output(self, sampler: AreaSampler, boxes: Float32Array) -> list[Face]:
        """O-Net: the faces with landmarks."""
        boxes, windows = _inside(boxes, sampler)
        outputs = _in_batches(self._onet, sampler, windows, 48, (2, 4, 10))
        scores = outputs[0][:, 1]
        passed = scores > self._settings.thresholds[2]
        boxes, scores, offsets = boxes[passed], scores[passed], outputs[1][passed]
        sides = boxes[:, 2:4] - boxes[:, 0:2] + 1
        points = outputs[2][passed].reshape(-1, 2, 5).transpose(0, 2, 1)
        points = points * sides[:, None, :] + boxes[:, None, 0:2] - 1
        boxes = _regressed(boxes, offsets)
        return [
            Face(boxes[i].astype(np.float32), points[i].astype(np.float32), float(scores[i]))
            for i in _suppress_nested(boxes, scores, 0.7)
        ]


def _cells(
    probability: Float32Array,
    offsets: Float32Array,
    scale: float,
    threshold: float,
    first_row: int = 0,
) -> Float32Array:
    """P-Net cells over the threshold: float32 (n, 9) of box, score and four offsets."""
    rows, columns = np.nonzero(probability >= threshold)
    corner = np.column_stack([columns, rows + first_row]).astype(np.float32) * PNET_STRIDE
    scale32 = np.float32(scale)
    first = np.floor((corner + 1) / scale32)
    last = np.floor((corner + PNET_CELL) / scale32)
    score = probability[rows, columns][:, None]
    return np.concatenate([first, last, score, offsets[:, rows, columns].T], axis=1)


def _squared(boxes: Float32Array) -> Float32Array:
    """The smallest square around the same centre as each box."""
    sides = boxes[:, 2:4] - boxes[:, 0:2]
    longest = sides.max(axis=1, keepdims=True)
    corner = boxes[:, 0:2] + sides * 0.5 - longest * 0.5
    return np.concatenate([corner, corner + longest], axis=1)


def _regressed(boxes: Float32Array, offsets: Float32Array) -> Float32Array:
    """Boxes moved by the network's offsets, which are fractions of their sides."""
    sides = boxes[:, 2:4] - boxes[:, 0:2] + 1
    return boxes + offsets * np.tile(sides, 2)


def _inside(boxes: Float32Array, sampler: AreaSampler) -> tuple[Float32Array, Int64Array]:
    """The boxes that overlap the picture, and their part of it as half-open windows."""
    windows = np.trunc(boxes).astype(np.int64)
    windows[:, :2] = np.maximum(windows[:, :2], 1) - 1  # the cascade counts pixels from 1
    windows[:, 2] = np.minimum(windows[:, 2], sampler.width)
    windows[:, 3] = np.minimum(windows[:, 3], sampler.height)
    overlap = (windows[:, 2] > windows[:, 0]) & (windows[:, 3] > windows[:, 1])
    return boxes[overlap], windows[overlap]


def _in_batches(
    network: Network,
    sampler: AreaSampler,
    windows: Int64Array,
    side: int,
    widths: tuple[int, ...],
) -> list[Float32Array]:
    """Runs a net over all windows in batches of bounded memory; widths are of its outputs."""
    parts = [tuple(np.zeros((0, width), np.float32) for width in widths)]
    parts += [
        network(sampler.crops(windows[start : start + LARGEST_BATCH], side))
        for start in range(0, len(windows), LARGEST_BATCH)
    ]
    return [np.concatenate(column) for column in zip(*parts, strict=True)]


def _suppress(scored: Float32Array, overlap: float) -> Int64Array:
    """Non-maximum suppression of float32 (n, 5) boxes with scores; kept rows, best first."""
    if len(scored) == 0:
        return np.zeros(0, np.int64)
    rectangles = np.concatenate([scored[:, :2], scored[:, 2:4] - scored[:, :2]], axis=1)
    # OpenCV's stubs know lists only.
    boxes: Any = rectangles.astype(np.float64)
    scores: Any = scored[:, 4]
    kept = cv2.dnn.NMSBoxes(boxes, scores, 0.0, overlap)
    return np.asarray(kept, np.int64).reshape(-1)


def _suppress_nested(boxes: Float32Array, scores: Float32Array, overlap: float) -> list[int]:
    """Suppression by intersection over the *smaller* area, which removes boxes in boxes."""
    area = np.prod(boxes[:, 2:4] - boxes[:, 0:2] + 1, axis=1)
    waiting = np.argsort(scores)[::-1]
    kept = []
    while len(waiting):
        best, rest = waiting[0], waiting[1:]
        kept.append(int(best))
        low = np.maximum(boxes[best, :2], boxes[rest, :2])
        high = np.minimum(boxes[best, 2:4], boxes[rest, 2:4])
        shared = np.prod(np.maximum(0, high - low + 1), axis=1)
        waiting = rest[shared / np.minimum(area[best], area[rest]) <= overlap]
    return kept
