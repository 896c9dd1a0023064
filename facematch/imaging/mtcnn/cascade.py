"""The three-stage cascade: proposal, refinement, output with landmarks.

The arithmetic follows facenet-pytorch, pixel conventions and truncations included, so that
the same settings find the same faces (``tests/imaging/test_mtcnn_parity.py``). What differs
is how it is done: one integral image instead of a resize per level and crop, all levels on
canvases of one size, all crops of a stage in batches of one size, and batches that are made
while others are computed. What each of these is worth: ``scripts/bench/README.md``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from facematch.imaging.mtcnn import networks
from facematch.imaging.mtcnn.canvases import CELL_PX, STRIDE_PX, Piece, lay_out
from facematch.imaging.mtcnn.sampling import AreaSampler
from facematch.runtime import Engine, Network
from facematch.types import Detection, Face, Float32Array, Int64Array, UInt8Array

# Sizes of the work that an engine is given at a time: large enough that starting it costs
# little, small enough that little of the last one is empty.
CANVAS_PX = 192
R_CROPS, R_SIDE = 16, 24
O_CROPS, O_SIDE = 4, 48

# A search from large to small begins with faces of this share of the picture's shorter side,
# for which the pyramid fits on a canvas or two, and then goes this many levels at a time.
FIRST_SHARE = 1 / 8
LEVELS_AT_ONCE = 2
# Times the smallest face that was looked for: of 617 faces of this size and more on photographs
# of LFW, wild and groups, finer levels moved no landmark by a hundredth of a pixel.
SETTLED = 1.7


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
        if self.min_face_size < CELL_PX:
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
        self._pnet = engine.load(networks.source("pnet", (1, CANVAS_PX, CANVAS_PX, 4)))
        self._rnet = engine.load(networks.source("rnet", (R_CROPS, R_SIDE, R_SIDE, 3)))
        self._onet = engine.load(networks.source("onet", (O_CROPS, O_SIDE, O_SIDE, 3)))

    def detect(self, image_rgb: UInt8Array) -> list[Face]:
        """Finds the faces of a picture, most certain first.

        Args:
            image_rgb: uint8 (h, w, 3), upright.

        Returns:
            The faces; none for pictures smaller than ``min_face_size``.
        """
        sampler = AreaSampler(image_rgb)
        scales = self._scales(min(sampler.height, sampler.width))
        return self._confirm(sampler, self._propose(sampler, scales))

    def search(self, image_rgb: UInt8Array) -> Iterator[Detection]:
        """Finds the faces of a picture from large ones to small ones, as far as is asked for.

        The levels of the pyramid are those of :meth:`detect`, small ones first. Going on keeps
        what P-Net found; the other stages see all of it again, because its boxes compete.

        Args:
            image_rgb: uint8 (h, w, 3), upright.

        Yields:
            All faces found so far, after each few levels. The last is what ``detect`` gives.
        """
        sampler = AreaSampler(image_rgb)
        shorter = min(sampler.height, sampler.width)
        scales = self._scales(shorter)
        first = sum(CELL_PX / scale < shorter * FIRST_SHARE for scale in scales)
        candidates = np.zeros((0, 9), np.float32)
        searched = len(scales)
        for level in (*range(first, 0, -LEVELS_AT_ONCE), 0):
            more = self._propose(sampler, scales[level:searched])
            candidates = np.concatenate([more, candidates])
            searched = level
            faces = tuple(self._confirm(sampler, candidates))
            if level == 0:
                yield Detection(faces)
            else:
                from_px = CELL_PX / scales[level]
                yield Detection(faces, from_px, SETTLED * from_px)

    def _confirm(self, sampler: AreaSampler, candidates: Float32Array) -> list[Face]:
        """What the second and the third net make of the first one's candidates."""
        candidates = candidates[_suppress(candidates[:, :5], 0.7)]
        sides = candidates[:, 2:4] - candidates[:, 0:2]
        moved = candidates[:, :4] + candidates[:, 5:9] * np.tile(sides, 2)
        return self._output(sampler, self._refine(sampler, _squared(moved)))

    def _propose(self, sampler: AreaSampler, scales: Sequence[float]) -> Float32Array:
        """P-Net over levels of the pyramid: float32 (n, 9) of box, score and offsets."""
        candidates, levels = self._scan(sampler, scales)
        return candidates[_suppress(candidates[:, :5], 0.5, levels)]

    def _scan(
        self, sampler: AreaSampler, scales: Sequence[float]
    ) -> tuple[Float32Array, Int64Array]:
        """P-Net's cells over the threshold, float32 (n, 9), and the level of each."""
        sizes_hw = [
            (int(sampler.height * scale + 1), int(sampler.width * scale + 1)) for scale in scales
        ]
        canvases = lay_out(sizes_hw, CANVAS_PX)
        outputs = self._pnet.stream(_painted(sampler, sizes_hw, canvas) for canvas in canvases)
        found, levels = [np.zeros((0, 9), np.float32)], [np.zeros(0, np.int64)]
        for canvas, (probability, offsets) in zip(canvases, outputs, strict=True):
            for piece in canvas:
                rows = slice(piece.top // STRIDE_PX, piece.top // STRIDE_PX + piece.rows)
                columns = slice(piece.left // STRIDE_PX, piece.left // STRIDE_PX + piece.columns)
                cells = _cells(
                    probability[0, 1, rows, columns],
                    offsets[0, :, rows, columns],
                    scales[piece.level],
                    self._settings.thresholds[0],
                    (piece.row, piece.column),
                )
                found.append(cells)
                levels.append(np.full(len(cells), piece.level, np.int64))
        return np.concatenate(found), np.concatenate(levels)

    def _scales(self, shorter_side: int) -> list[float]:
        scales = []
        scale = CELL_PX / self._settings.min_face_size
        while shorter_side * scale >= CELL_PX:
            scales.append(scale)
            scale *= self._settings.factor
        return scales

    def _refine(self, sampler: AreaSampler, boxes: Float32Array) -> Float32Array:
        """R-Net: float32 (m, 4) square boxes of the candidates that it accepts."""
        boxes, windows = _inside(boxes, sampler)
        outputs = _of_crops(self._rnet, sampler, windows, (R_CROPS, R_SIDE), (2, 4))
        scores = outputs[0][:, 1]
        passed = scores > self._settings.thresholds[1]
        boxes, offsets = boxes[passed], outputs[1][passed]
        kept = _suppress(np.column_stack([boxes, scores[passed]]), 0.7)
        return _squared(_regressed(boxes[kept], offsets[kept]))

    def _output(self, sampler: AreaSampler, boxes: Float32Array) -> list[Face]:
        """O-Net: the faces with landmarks."""
        boxes, windows = _inside(boxes, sampler)
        outputs = _of_crops(self._onet, sampler, windows, (O_CROPS, O_SIDE), (2, 4, 10))
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


def _painted(
    sampler: AreaSampler, sizes_hw: list[tuple[int, int]], canvas: list[Piece]
) -> Float32Array:
    """One canvas with its pieces, float32 (1, CANVAS_PX, CANVAS_PX, 4): RGB, and what is outside.

    Outside is the row or column that a level of odd size lacks.
    """
    painted = np.zeros((1, CANVAS_PX, CANVAS_PX, 4), np.float32)
    for piece in canvas:
        height, width = sizes_hw[piece.level]
        rows = _pixels(piece.row, piece.size_hw[0], height)
        columns = _pixels(piece.column, piece.size_hw[1], width)
        place = painted[0, piece.top :, piece.left :][: piece.size_hw[0], : piece.size_hw[1]]
        place[: len(rows), : len(columns), :3] = sampler.whole(height, width, rows, columns)
        place[len(rows) :, :, 3] = 1
        place[:, len(columns) :, 3] = 1
    return painted


def _pixels(first_cell: int, count: int, length: int) -> range:
    """Of ``count`` pixels from a cell on, those that a level of this length has."""
    first = first_cell * STRIDE_PX
    return range(first, min(first + count, length))


def _cells(
    probability: Float32Array,
    offsets: Float32Array,
    scale: float,
    threshold: float,
    first: tuple[int, int] = (0, 0),
) -> Float32Array:
    """P-Net cells over the threshold: float32 (n, 9) of box, score and four offsets."""
    rows, columns = np.nonzero(probability >= threshold)
    corner = np.column_stack([columns + first[1], rows + first[0]]).astype(np.float32) * STRIDE_PX
    scale32 = np.float32(scale)
    low = np.floor((corner + 1) / scale32)
    high = np.floor((corner + CELL_PX) / scale32)
    score = probability[rows, columns][:, None]
    return np.concatenate([low, high, score, offsets[:, rows, columns].T], axis=1)


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


def _of_crops(
    network: Network,
    sampler: AreaSampler,
    windows: Int64Array,
    batch: tuple[int, int],
    widths: tuple[int, ...],
) -> list[Float32Array]:
    """Runs a net over all windows.

    Args:
        network: R- or O-Net.
        sampler: of the picture.
        windows: int64 (n, 4).
        batch: number and side of the crops that the net takes at a time.
        widths: of its outputs.

    Returns:
        Its outputs, float32 (n, width) each.
    """
    count, side = batch

    def batches() -> Iterator[Float32Array]:
        for start in range(0, len(windows), count):
            crops = sampler.crops(windows[start : start + count], side)
            if len(crops) < count:
                missing = np.zeros((count - len(crops), side, side, 3), np.float32)
                crops = np.concatenate([crops, missing])
            yield crops

    parts = [tuple(np.zeros((0, width), np.float32) for width in widths)]
    parts += network.stream(batches())
    return [np.concatenate(column)[: len(windows)] for column in zip(*parts, strict=True)]


def _suppress(scored: Float32Array, overlap: float, groups: Int64Array | None = None) -> Int64Array:
    """Non-maximum suppression of float32 (n, 5) boxes with scores; kept rows, best first.

    With ``groups``, boxes of different groups leave each other alone.
    """
    if len(scored) == 0:
        return np.zeros(0, np.int64)
    rectangles = np.concatenate([scored[:, :2], scored[:, 2:4] - scored[:, :2]], axis=1)
    # OpenCV's stubs know lists only.
    boxes: Any = rectangles.astype(np.float64)
    scores: Any = scored[:, 4]
    if groups is None:
        kept = cv2.dnn.NMSBoxes(boxes, scores, 0.0, overlap)
    else:
        of_groups: Any = groups.astype(np.int32)
        kept = cv2.dnn.NMSBoxesBatched(boxes, scores, of_groups, 0.0, overlap)
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
