"""Curves in characters."""

from __future__ import annotations

import io
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facematch.cli.text_plot import Mark, Tick, curve_text, roc_text, terminal_is_plain

STAIRS = np.repeat([0.0, 0.5, 1.0], 10)


def test_a_staircase() -> None:
    drawn = curve_text(STAIRS, [Tick(0, "a"), Tick(1, "z")], width=37, height=5)
    assert drawn.splitlines() == [
        " 100 %┤                    █▀▀▀▀▀▀▀▀▀",
        "      ┤                    █",
        "  50 %┤          ▄▄▄▄▄▄▄▄▄▄▀",
        "      ┤          █",
        "   0 %┤▄▄▄▄▄▄▄▄▄▄▀",
        "      └──────────────────────────────",
        "       a                            z",
    ]


def test_plain_is_ascii() -> None:
    drawn = curve_text(STAIRS, [Tick(0.5, "middle")], mark=Mark(1, 0), plain=True)
    assert drawn.isascii()
    assert drawn.count("O") == 1


@given(
    st.lists(st.floats(0, 1), min_size=1, max_size=200),
    st.integers(20, 100),
    st.integers(3, 20),
    st.booleans(),
)
def test_never_wider_and_one_stroke_a_column(
    values: list[float], width: int, height: int, plain: bool
) -> None:
    drawn = curve_text(np.array(values), [], width=width, height=height, plain=plain)
    lines = drawn.split("\n")
    assert len(lines) == height + 2
    assert max(map(len, lines)) <= width
    columns = [line[7:].ljust(width - 7) for line in lines[:height]]
    assert all(any(row[c] != " " for row in columns) for c in range(width - 7))


def test_a_roc() -> None:
    fmr, tar = np.array([0, 0.01, 0.1, 1]), np.array([0.0, 0.5, 0.75, 1])
    lines = roc_text(fmr, tar, n_impostor=100, mark=(0.01, 0.5), width=41).splitlines()
    assert lines[-2].split() == ["1", "%", "10", "%", "100", "%"]
    assert lines[7].startswith("      ┤●") or lines[6].startswith("  50 %┤●")
    assert lines[0].endswith("█")
    unplaced = roc_text(fmr, tar, n_impostor=1, mark=(0.0, 0.0))
    assert "●" in unplaced


@pytest.mark.parametrize(("encoding", "plain"), [("utf-8", False), ("ascii", True)])
def test_a_terminal_that_knows_only_ascii(
    encoding: str, plain: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO(), encoding=encoding))
    assert terminal_is_plain() is plain
