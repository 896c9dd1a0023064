"""Curves in characters, for a terminal at the other end of an ssh connection.

Half blocks double the vertical resolution and are in nearly every font; ``plain`` does
without them for terminals that know only ASCII. Nothing is wider than 80 columns.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from facematch.types import Float64Array

WIDTH = 78
HEIGHT = 14
_LABEL = 7


@dataclass(frozen=True, slots=True)
class Tick:
    """A label below the horizontal axis.

    Attributes:
        at: from 0, the left edge, to 1, the right one.
        text: the label.
    """

    at: float
    text: str


@dataclass(frozen=True, slots=True)
class Mark:
    """A point to be marked.

    Attributes:
        at: from 0, the left edge, to 1, the right one.
        value: its height.
    """

    at: float
    value: float


def terminal_is_plain() -> bool:
    """Whether stdout cannot show the characters that curves are drawn with."""
    try:
        "▀▄█●│└─┤".encode(sys.stdout.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return True
    return False


def roc_text(
    fmr: Float64Array,
    tar: Float64Array,
    *,
    n_impostor: int,
    mark: tuple[float, float] | None = None,
    width: int = WIDTH,
    height: int = HEIGHT,
    plain: bool = False,
) -> str:
    """The ROC with a logarithmic FMR axis.

    Args:
        fmr: float64 (k,), rising, from 0 to 1.
        tar: float64 (k,), the true accept rate at each.
        n_impostor: how many comparisons FMR is of; the axis begins at one of them, or below.
        mark: FMR and TAR of the point in use.
        width: columns in all.
        height: rows of the drawing.
        plain: ASCII only.

    Returns:
        Lines of at most ``width`` characters, joined by line ends.
    """
    import numpy as np

    decades = max(1, math.ceil(math.log10(n_impostor)))
    columns = _columns(width)
    at_fmr = 10.0 ** (decades * (np.arange(columns) / (columns - 1) - 1))
    # A hair above, so that 10 ** -2 is not below an FMR of 0.01.
    points = np.searchsorted(fmr, at_fmr * (1 + 1e-9), side="right") - 1
    ticks = [Tick(1 - d / decades, _power(d)) for d in range(decades, -1, -1)]
    marked = None
    if mark is not None:
        share = 0.0 if mark[0] <= 0 else 1 + math.log10(mark[0]) / decades
        marked = Mark(min(max(share, 0.0), 1.0), mark[1])
    drawn = curve_text(tar[points], ticks, mark=marked, width=width, height=height, plain=plain)
    return f"{drawn}\n{'true accept rate over false match rate (FMR, logarithmic)':>{width}}"


def curve_text(
    values: Float64Array,
    ticks: Sequence[Tick],
    *,
    mark: Mark | None = None,
    width: int = WIDTH,
    height: int = HEIGHT,
    plain: bool = False,
) -> str:
    """Any curve of rates.

    Args:
        values: float64 (k,) in [0, 1], from the left edge to the right.
        ticks: labels below, from left to right.
        mark: a point to be marked.
        width: columns in all, at least 20.
        height: rows of the drawing, at least 3.
        plain: ASCII only.
    """
    columns = _columns(width)
    last = len(values) - 1
    heights = [float(values[round(c * last / (columns - 1))]) for c in range(columns)]
    grid = [[" "] * columns for _ in range(height)]
    previous = _half_row(heights[0], height)
    for column, value in enumerate(heights):
        half = _half_row(value, height)
        _stroke(grid, column, previous, half, plain)
        previous = half
    if mark is not None:
        row = height - 1 - _half_row(mark.value, height) // 2
        grid[row][round(mark.at * (columns - 1))] = "O" if plain else "●"
    labels = {0: "100 %", height - 1: "0 %", (height - 1) // 2: "50 %"}
    side, corner, floor = ("|", "+", "-") if plain else ("┤", "└", "─")
    lines = [
        f"{labels.get(row, ''):>{_LABEL - 1}}{side}{''.join(cells).rstrip()}"
        for row, cells in enumerate(grid)
    ]
    lines.append(f"{'':>{_LABEL - 1}}{corner}{floor * columns}")
    lines.append(_below(ticks, columns))
    return "\n".join(lines)


def _columns(width: int) -> int:
    return max(width, 20) - _LABEL


def _half_row(value: float, height: int) -> int:
    """Half rows from the bottom."""
    return round(min(max(value, 0.0), 1.0) * (2 * height - 1))


def _stroke(grid: list[list[str]], column: int, start: int, end: int, plain: bool) -> None:
    """Draws one column from where the curve was to where it is."""
    low, high = min(start, end), max(start, end)
    if high > low:
        # The former height is drawn in its own column already.
        low, high = (low + 1, high) if end > start else (low, high - 1)
    for half in range(low, high + 1):
        row = len(grid) - 1 - half // 2
        dot = "*" if plain else ("▀" if half % 2 else "▄")
        before = grid[row][column]
        grid[row][column] = dot if plain or before in (" ", dot) else "█"


def _below(ticks: Sequence[Tick], columns: int) -> str:
    line = ""
    for tick in ticks:
        middle = _LABEL + round(tick.at * (columns - 1))
        start = min(middle - len(tick.text) // 2, _LABEL + columns - len(tick.text))
        if start > len(line) or line == "":
            line = f"{line:<{start}}{tick.text}"
    return line


def _power(decades: int) -> str:
    """10 ** -decades as per cent: 100 %, 1 %, 0.01 %."""
    return f"{10.0 ** (2 - decades):g} %" if decades <= 6 else f"1e{2 - decades} %"
