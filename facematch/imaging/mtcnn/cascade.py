"""The three-stage cascade: proposal, refinement, output with landmarks.

The arithmetic follows facenet-pytorch, pixel conventions and truncations included, so that
the same settings find the same faces (``tests/imaging/test_mtcnn_parity.py``). What differs
is how it is done: one integral image instead of a resize per level and crop, all levels on
canvases of one size, all crops of a stage in batches of one size, and batches that are made
while others are computed. What each of these is worth: ``scripts/bench/README.md``.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from facematch.imaging.mtcnn import networks
from facematch.imaging.mtcnn.canvases import CELL_PX
from facematch.imaging.mtcnn.proposals import Proposer
from facematch.imaging.mtcnn.sampling import AreaSampler
from facematch.imaging.mtcnn.suppression import suppress, suppress_nested
from facematch.runtime import Engine, Network
from facematch.types import Detection, Face, Float32Array, Float64Array, Int64Array, UInt8Array

# Crops that an engine is given at a time, and their side.
R_CROPS, R_SIDE = 16, 24
O_CROPS, O_SIDE = 4, 48

# A search from large to small begins with faces of this share of the picture's shorter side,
# for which the pyramid fits on a canvas or two, and then goes this many levels at a time.
FIRST_SHARE = 1 / 8
LEVELS_AT_ONCE = 2
# Times the smallest face that was looked for: of 618 faces of this size and more on photographs
# of LFW, wild and groups, finer levels changed none by a thousandth of its side.
SETTLED = 1.7

# Outputs of a net by the window of the picture that it saw.
_Known = dict[tuple[int, ...], tuple[Float32Array, ...]]


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
    """MTCNN on an engine, for one thread at a time.

    Args:
        engine: runs the three networks.
        settings: of the cascade.
    """

    def __init__(self, engine: Engine, settings: DetectorSettings | None = None) -> None:
        self._settings = settings or DetectorSettings()
        self._proposer = Proposer(engine, self._settings.thresholds[0])
        self._rnet = engine.load(networks.source("rnet", (R_CROPS, R_SIDE, R_SIDE, 3)))
        self._onet = engine.load(networks.source("onet", (O_CROPS, O_SIDE, O_SIDE, 3)))

    def beside(self) -> FaceDetector:
        """The same detector for one more thread; it finds the same to the bit."""
        twin = copy.copy(self)
        twin._proposer = self._proposer.beside()
        twin._rnet, twin._onet = self._rnet.beside(), self._onet.beside()
        return twin

    def detect(self, image_rgb: UInt8Array) -> list[Face]:
        """Finds the faces of a picture, most certain first.

        Args:
            image_rgb: uint8 (h, w, 3), upright.

        Returns:
            The faces; none for pictures smaller than ``min_face_size``.
        """
        sampler = AreaSampler(image_rgb)
        scales = self._scales(min(sampler.height, sampler.width))
        return self._confirm(sampler, self._proposer.propose(sampler, scales), ({}, {}))

    def search(
        self, image_rgb: UInt8Array, remaining: Callable[[Detection], Float64Array | None]
    ) -> Detection:
        """Finds the faces of a picture from large ones to small ones, as far as is asked for.

        The levels of the pyramid are those of :meth:`detect`, small ones first. Going on keeps
        what P-Net found and lets all of its boxes compete again, but no crop goes through a
        net twice.

        Args:
            image_rgb: uint8 (h, w, 3), upright.
            remaining: told all faces found so far, says where smaller ones are worth looking
                for: float64 (4,), a box in which their middles lie; None ends the search.

        Returns:
            What was found. If the whole picture was asked for each time, at the end the faces
            are those of :meth:`detect`.
        """
        sampler = AreaSampler(image_rgb)
        size_wh = sampler.width, sampler.height
        shorter, complete = min(size_wh), True
        scales = self._scales(shorter)
        level = sum(CELL_PX / scale < shorter * FIRST_SHARE for scale in scales)
        candidates = self._proposer.propose(sampler, scales[level:])
        known: tuple[_Known, _Known] = ({}, {})
        while True:
            faces = tuple(self._confirm(sampler, candidates, known))
            if level == 0:
                return Detection(faces, complete)
            detection = Detection(faces, False, SETTLED * CELL_PX / scales[level])
            centres_xyxy = remaining(detection)
            if centres_xyxy is None:
                return detection
            complete &= bool((centres_xyxy[:2] <= 0).all() and (centres_xyxy[2:] >= size_wh).all())
            finer, level = level, max(0, level - LEVELS_AT_ONCE)
            more = self._proposer.propose(sampler, scales[level:finer], centres_xyxy)
            candidates = np.concatenate([more, candidates])

    def _confirm(
        self, sampler: AreaSampler, candidates: Float32Array, known: tuple[_Known, _Known]
    ) -> list[Face]:
        """What the second and the third net make of the first one's candidates."""
        candidates = candidates[suppress(candidates[:, :5], 0.7)]
        sides = candidates[:, 2:4] - candidates[:, 0:2]
        moved = candidates[:, :4] + candidates[:, 5:9] * np.tile(sides, 2)
        refined = self._refine(sampler, _squared(moved), known[0])
        return self._output(sampler, refined, known[1])

    def _scales(self, shorter_side: int) -> list[float]:
        scales = []
        scale = CELL_PX / self._settings.min_face_size
        while shorter_side * scale >= CELL_PX:
            scales.append(scale)
            scale *= self._settings.factor
        return scales

    def _refine(self, sampler: AreaSampler, boxes: Float32Array, known: _Known) -> Float32Array:
        """R-Net: float32 (m, 4) square boxes of the candidates that it accepts."""
        boxes, windows = _inside(boxes, sampler)
        outputs = _of_crops(self._rnet, sampler, windows, (R_CROPS, R_SIDE), (2, 4), known)
        scores = outputs[0][:, 1]
        passed = scores > self._settings.thresholds[1]
        boxes, offsets = boxes[passed], outputs[1][passed]
        kept = suppress(np.column_stack([boxes, scores[passed]]), 0.7)
        return _squared(_regressed(boxes[kept], offsets[kept]))

    def _output(self, sampler: AreaSampler, boxes: Float32Array, known: _Known) -> list[Face]:
        """O-Net: the faces with landmarks."""
        boxes, windows = _inside(boxes, sampler)
        outputs = _of_crops(self._onet, sampler, windows, (O_CROPS, O_SIDE), (2, 4, 10), known)
        scores = outputs[0][:, 1]
        passed = scores > self._settings.thresholds[2]
        boxes, scores, offsets = boxes[passed], scores[passed], outputs[1][passed]
        sides = boxes[:, 2:4] - boxes[:, 0:2] + 1
        points = outputs[2][passed].reshape(-1, 2, 5).transpose(0, 2, 1)
        points = points * sides[:, None, :] + boxes[:, None, 0:2] - 1
        boxes = _regressed(boxes, offsets)
        return [
            Face(boxes[i].astype(np.float32), points[i].astype(np.float32), float(scores[i]))
            for i in suppress_nested(boxes, scores, 0.7)
        ]


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
    known: _Known,
) -> list[Float32Array]:
    """Runs a net over all windows.

    Args:
        network: R- or O-Net.
        sampler: of the picture.
        windows: int64 (n, 4).
        batch: number and side of the crops that the net takes at a time.
        widths: of its outputs.
        known: outputs of this net on this picture, by window; the new ones are added.

    Returns:
        Its outputs, float32 (n, width) each.
    """
    keys = [tuple(window) for window in windows.tolist()]
    wanted = [key for key in dict.fromkeys(keys) if key not in known]
    outputs = network.stream(_batches(sampler, np.array(wanted, np.int64), *batch))
    for start, parts in zip(range(0, len(wanted), batch[0]), outputs, strict=True):
        for row, key in enumerate(wanted[start : start + batch[0]]):
            known[key] = tuple(part[row] for part in parts)
    return [
        np.array([known[key][index] for key in keys], np.float32).reshape(-1, width)
        for index, width in enumerate(widths)
    ]


def _batches(
    sampler: AreaSampler, windows: Int64Array, count: int, side: int
) -> Iterator[Float32Array]:
    """Crops of windows, ``count`` at a time; the last batch is filled up with black ones."""
    for start in range(0, len(windows), count):
        crops = sampler.crops(windows[start : start + count], side)
        if len(crops) < count:
            missing = np.zeros((count - len(crops), side, side, 3), np.float32)
            crops = np.concatenate([crops, missing])
        yield crops
