"""All levels of an image pyramid on canvases of one size, for a network that wants one shape.

P-Net looks at 12x12 pixels at every second position and at nothing else, so levels may lie
side by side on one canvas: a cell that looks at two of them is simply not read. Levels too
large for a canvas are cut into pieces that overlap by what one cell needs beside its stride.
Pieces are laid on shelves, high ones first (first fit by decreasing height).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

CELL_PX = 12
STRIDE_PX = 2
_MARGIN_PX = CELL_PX - STRIDE_PX


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a level on a canvas. Cells are counted from the level's corner.

    Attributes:
        level: which.
        row, column: first cells.
        rows, columns: numbers of cells.
        top, left: pixels on the canvas, even.
    """

    level: int
    row: int
    column: int
    rows: int
    columns: int
    top: int = 0
    left: int = 0

    @property
    def size_hw(self) -> tuple[int, int]:
        """Of its pixels: at the end of a level of odd size, one more than the level has."""
        return self.rows * STRIDE_PX + _MARGIN_PX, self.columns * STRIDE_PX + _MARGIN_PX


def cells(length: int) -> int:
    """Cells along a side of a level; its first pooling takes a last odd pixel by itself."""
    return max(0, (length - 1) // 2 - 4)


def lay_out(blocks: Sequence[tuple[range, range]], side: int) -> list[list[Piece]]:
    """Places cells of all levels on square canvases.

    Args:
        blocks: of each level the rows and the columns of cells that are wanted.
        side: of a canvas in pixels, even, at least 12.

    Returns:
        For each canvas what lies on it. Each wanted cell is on one piece.
    """
    pieces = [piece for level, block in enumerate(blocks) for piece in _cut(level, block, side)]
    pieces.sort(key=lambda piece: piece.size_hw, reverse=True)
    canvases: list[list[Piece]] = []
    shelves: list[_Shelf] = []
    below = side  # where the last canvas's next shelf begins: there is no canvas yet
    for piece in pieces:
        height, width = piece.size_hw
        shelf = next((s for s in shelves if s.free >= width and s.height >= height), None)
        if shelf is None:
            if below + height > side:
                canvases.append([])
                below = 0
            shelf = _Shelf(len(canvases) - 1, below, height, side)
            shelves.append(shelf)
            below += height
        left = side - shelf.free
        placed = Piece(
            piece.level, piece.row, piece.column, piece.rows, piece.columns, shelf.top, left
        )
        canvases[shelf.canvas].append(placed)
        shelf.free -= width
        if shelf.free < CELL_PX:
            shelves.remove(shelf)
    return canvases


@dataclass(slots=True)
class _Shelf:
    canvas: int
    top: int
    height: int
    free: int


def _cut(level: int, block: tuple[range, range], side: int) -> list[Piece]:
    at_most = (side - _MARGIN_PX) // STRIDE_PX
    rows, columns = block
    return [
        Piece(
            level, row, column, min(at_most, rows.stop - row), min(at_most, columns.stop - column)
        )
        for row in range(rows.start, rows.stop, at_most)
        for column in range(columns.start, columns.stop, at_most)
    ]
