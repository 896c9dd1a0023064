"""Where levels lie on canvases: every cell once, nothing over another, nothing outside."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facematch.imaging.mtcnn.canvases import cells, lay_out

SIDES = st.integers(1, 400)


def blocks_of(sizes_hw: list[tuple[int, int]]) -> list[tuple[range, range]]:
    """All cells of levels."""
    return [(range(cells(height)), range(cells(width))) for height, width in sizes_hw]


@given(st.lists(st.tuples(SIDES, SIDES), max_size=8), st.sampled_from([12, 14, 64, 192]))
def test_every_cell_lies_on_one_piece(sizes_hw: list[tuple[int, int]], side: int) -> None:
    if side < 64:
        sizes_hw = [(height % 40 + 1, width % 40 + 1) for height, width in sizes_hw]
    blocks = blocks_of(sizes_hw)
    seen = [np.zeros((len(rows), len(columns)), int) for rows, columns in blocks]
    for canvas in lay_out(blocks, side):
        assert canvas, "no canvas is empty"
        taken = np.zeros((side, side), bool)
        for piece in canvas:
            height, width = piece.size_hw
            assert piece.top % 2 == piece.left % 2 == 0
            assert piece.top + height <= side
            assert piece.left + width <= side
            place = taken[piece.top : piece.top + height, piece.left : piece.left + width]
            assert not place.any()
            place[:] = True
            seen[piece.level][
                piece.row : piece.row + piece.rows, piece.column : piece.column + piece.columns
            ] += 1
    assert all((counts == 1).all() for counts in seen)


@pytest.mark.parametrize(
    ("length", "count"),
    [(1, 0), (11, 1), (12, 1), (13, 2), (14, 2), (15, 3), (151, 71), (152, 71)],
)
def test_cells_of_a_side(length: int, count: int) -> None:
    assert cells(length) == count


def test_small_levels_share_a_canvas() -> None:
    pyramid = [(side, side) for side in (152, 108, 76, 54, 39, 28, 20, 14)]
    assert [len(canvas) for canvas in lay_out(blocks_of(pyramid), 192)] == [2, 6]


def test_no_level_no_canvas() -> None:
    assert lay_out([], 192) == []
    assert lay_out(blocks_of([(8, 300)]), 192) == []


def test_a_part_of_a_level() -> None:
    (canvas,) = lay_out([(range(10, 13), range(5, 9)), (range(3, 3), range(9))], 192)
    assert [(p.row, p.rows, p.column, p.columns) for p in canvas] == [(10, 3, 5, 4)]
