"""The first stage: P-Net over the levels of the pyramid, or over a part of them."""

from __future__ import annotations

import copy
import math
from collections import deque
from collections.abc import Iterator, Sequence

import numpy as np

from facematch.imaging.mtcnn import networks
from facematch.imaging.mtcnn.canvases import CELL_PX, STRIDE_PX, Piece, cells, lay_out
from facematch.imaging.mtcnn.sampling import AreaSampler
from facematch.imaging.mtcnn.suppression import suppress
from facematch.runtime import Engine
from facematch.types import Float32Array, Float64Array, Int64Array

# Large enough that starting the work costs little and that pieces overlap little, small enough
# that little of the last canvas is empty.
CANVAS_PX = 192
CANVAS_SHAPE = (1, CANVAS_PX, CANVAS_PX, 3)


class Proposer:
    """P-Net on an engine.

    Args:
        engine: runs it.
        threshold: of the face probability.
    """

    def __init__(self, engine: Engine, threshold: float) -> None:
        self._pnet = engine.load(networks.source("pnet", CANVAS_SHAPE))
        self._threshold = threshold

    def beside(self) -> Proposer:
        """The same for one more thread."""
        twin = copy.copy(self)
        twin._pnet = self._pnet.beside()
        return twin

    def propose(
        self,
        sampler: AreaSampler,
        scales: Sequence[float],
        centres_xyxy: Float64Array | None = None,
    ) -> Float32Array:
        """Boxes that may be faces; of those that overlap within a level, the best.

        Args:
            sampler: of the picture.
            scales: of the levels.
            centres_xyxy: float64 (4,) box in the picture where the faces' middles must be;
                those a little outside may be among the boxes. None for anywhere.

        Returns:
            float32 (n, 9): box, score, and the offsets by which the box is to be moved, as
            fractions of its sides.
        """
        candidates, levels = self.scan(sampler, scales, centres_xyxy)
        return candidates[suppress(candidates[:, :5], 0.5, levels)]

    def scan(
        self,
        sampler: AreaSampler,
        scales: Sequence[float],
        centres_xyxy: Float64Array | None = None,
    ) -> tuple[Float32Array, Int64Array]:
        """The same with all that overlap, and the level of each."""
        sizes_hw = [
            (int(sampler.height * scale + 1), int(sampler.width * scale + 1)) for scale in scales
        ]
        blocks = [
            (_within(height, scale, centres_xyxy, 1), _within(width, scale, centres_xyxy, 0))
            for (height, width), scale in zip(sizes_hw, scales, strict=True)
        ]
        canvases = lay_out(blocks, CANVAS_PX)
        lent: deque[Float32Array] = deque()
        spare: list[Float32Array] = []

        def painted() -> Iterator[Float32Array]:
            for canvas in canvases:
                # Fresh memory costs as much as painting it. What an older canvas left between
                # the pieces is seen by no cell that is read.
                lent.append(spare.pop() if spare else np.zeros(CANVAS_SHAPE, np.float32))
                _paint(lent[-1], sampler, sizes_hw, canvas)
                yield lent[-1]

        outputs = self._pnet.stream(painted())
        found, levels = [np.zeros((0, 9), np.float32)], [np.zeros(0, np.int64)]
        for canvas, (output,) in zip(canvases, outputs, strict=True):
            spare.append(lent.popleft())
            for piece in canvas:
                rows = slice(piece.top // STRIDE_PX, piece.top // STRIDE_PX + piece.rows)
                columns = slice(piece.left // STRIDE_PX, piece.left // STRIDE_PX + piece.columns)
                boxes = over_threshold(
                    output[0, 0, rows, columns],
                    output[0, 1:, rows, columns],
                    scales[piece.level],
                    self._threshold,
                    (piece.row, piece.column),
                )
                found.append(boxes)
                levels.append(np.full(len(boxes), piece.level, np.int64))
        return np.concatenate(found), np.concatenate(levels)


def _within(length: int, scale: float, centres_xyxy: Float64Array | None, axis: int) -> range:
    """Cells along a side of a level from which faces with such middles may come.

    A face is found from cells around its middle, so half a cell more is looked at.
    """
    count = cells(length)
    if centres_xyxy is None:
        return range(count)
    low, high = (float(centres_xyxy[axis + edge]) * scale for edge in (0, 2))
    # The middle of cell i lies at 2 i + 6.
    first = math.floor((low - CELL_PX) / STRIDE_PX)
    return range(min(max(first, 0), count), max(min(math.ceil(high / STRIDE_PX) + 1, count), 0))


def _paint(
    painted: Float32Array,
    sampler: AreaSampler,
    sizes_hw: list[tuple[int, int]],
    canvas: list[Piece],
) -> None:
    """Puts its pieces on a canvas, float32 of ``CANVAS_SHAPE``.

    The row or column that a level of odd size lacks is marked as outside.
    """
    for piece in canvas:
        height, width = sizes_hw[piece.level]
        rows = _pixels(piece.row, piece.size_hw[0], height)
        columns = _pixels(piece.column, piece.size_hw[1], width)
        place = painted[0, piece.top :, piece.left :][: piece.size_hw[0], : piece.size_hw[1]]
        place[: len(rows), : len(columns)] = sampler.whole(height, width, rows, columns)
        place[len(rows) :] = networks.OUTSIDE
        place[:, len(columns) :] = networks.OUTSIDE


def _pixels(first_cell: int, count: int, length: int) -> range:
    """Of ``count`` pixels from a cell on, those that a level of this length has."""
    first = first_cell * STRIDE_PX
    return range(first, min(first + count, length))


def over_threshold(
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
