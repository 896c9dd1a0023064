"""What others wrote is printed so that it can do no harm, and read so that it can be known."""

from __future__ import annotations

import io
import json
import math
import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from facematch.cli import asking
from facematch.cli.foreign import escaped, finite, json_text, shortened


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Zoë Müller", "Zoë Müller"),
        ("山田\u3000太郎", "山田\u3000太郎"),
        ("نیلوفر\u200cها", "نیلوفر\u200cها"),  # written with a joiner
        ("\x1b[2J", "\\x1b[2J"),
        ("a\nb\r\tc", "a\\nb\\r\\tc"),
        ("\x9b31m", "\\x9b31m"),  # the one-byte form of an escape sequence
        ("evil\u202efdp.exe", "evil\\u202efdp.exe"),
        ("caf\udce9.jpg", "caf\\udce9.jpg"),  # a byte that is not UTF-8
        ("\u2028\ue000\U000e0041", "\\u2028\\ue000\\U000e0041"),
    ],
)
def test_escaped(text: str, shown: str) -> None:
    assert escaped(text) == shown


@given(st.text())
def test_escaped_text_can_be_printed_and_steers_nothing(text: str) -> None:
    shown = escaped(text)
    shown.encode("utf-8")
    assert all(unicodedata.category(c) not in {"Cc", "Cs"} for c in shown)
    assert escaped(shown) == shown


@given(st.dictionaries(st.text(), st.text()))
def test_json_steers_nothing_and_loses_nothing(document: dict[str, str]) -> None:
    shown = json_text(document)
    assert all(unicodedata.category(c) not in {"Cc", "Cs", "Co", "Cn", "Zl", "Zp"} for c in shown)
    assert json.loads(shown) == document


def test_json_shows_names_as_they_are_written() -> None:
    assert json_text({"Zoë": "نیلوفر\u200cها 山田"}) == '{"Zoë": "نیلوفر\u200cها 山田"}'
    assert json_text("a\u202eb\x7f\x9b\U000e0041") == '"a\\u202eb\\u007f\\u009b\\udb40\\udc41"'


@given(st.text(max_size=40).map(escaped), st.integers(2, 30))
def test_shortened_text_fits(text: str, cells: int) -> None:
    shown = shortened(text, cells)
    assert cell_len(shown) <= cells
    assert (shown == text) == (cell_len(text) <= cells)


def test_finite_replaces_only_what_json_does_not_know() -> None:
    document = {"a": [1, 2.5, math.nan], "b": {"c": -math.inf, "d": "NaN", "e": None, "f": True}}
    assert finite(document) == {
        "a": [1, 2.5, None],
        "b": {"c": None, "d": "NaN", "e": None, "f": True},
    }
    json.dumps(finite(document), allow_nan=False)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("stdin", "stderr", "possible"),
    [
        (Terminal(), Terminal(), True),
        (io.StringIO(), Terminal(), False),
        (Terminal(), io.StringIO(), False),  # the question would not be seen
    ],
)
def test_a_question_needs_both_ends_of_a_terminal(
    monkeypatch: pytest.MonkeyPatch, stdin: io.StringIO, stderr: io.StringIO, possible: bool
) -> None:
    monkeypatch.setattr(sys, "stdin", stdin)
    monkeypatch.setattr(sys, "stderr", stderr)
    assert asking.can_ask() is possible
