"""Suggestions for names that no subject has."""

from __future__ import annotations

import pytest

from facematch.errors import UsageError
from facematch.gallery.names import name_problem, normalize_subject, suggestions

NAMES = ["Angela Merkel", "Angelina Jolie", "Barack Obama", "Zoë Müller", "Øystein", "李雷"]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("angela merkle", "Angela Merkel"),  # two letters changed places
        ("BARACK OBAMA", "Barack Obama"),
        ("obama, barack", "Barack Obama"),
        ("Barrack_Obamma", "Barack Obama"),
        ("zoe muller", "Zoë Müller"),
        ("Zoe Mueller", "Zoë Müller"),
        ("李蕾", None),  # one of two letters is another: half of the name
        ("qqq", None),
        ("", None),
    ],
)
def test_suggestions_forgive_spelling(given: str, expected: str | None) -> None:
    found = suggestions(given, NAMES)
    assert found[:1] == (() if expected is None else (expected,))


def test_suggestions_come_best_first_and_three_at_most() -> None:
    names = ["Anna Bergx", "Anna Berg", "Anna Bergxy", "Anna Bergxyz"]
    assert suggestions("anna berg", names) == ("Anna Berg", "Anna Bergx", "Anna Bergxy")
    assert suggestions("x", []) == ()


def test_suggestions_in_a_large_gallery() -> None:
    names = [f"{chr(97 + i % 26)} person {i}" for i in range(50_000)]
    assert suggestions("b persom 27", names)[0] == "b person 27"


def test_limits_of_names() -> None:
    assert normalize_subject("e\u0301") == "é"
    assert name_problem("é" * 127) is None
    assert name_problem("a" * 255) is None
    assert name_problem("a" * 256) is not None
    assert name_problem("a\u200cb") is None  # joiners belong to Persian names


@pytest.mark.parametrize(
    "name",
    [
        *("../../etc/passwd", "a/b", "a\\b", ".", "..", "", "  "),
        *("a\0b", "a\x1b[2J", "a\x7f", "a\x9b1m", "a\nb", "a\u2028b"),
        *("a\u202egpj.exe", "a\u200fb", "a\u2066b", "a\u061cb", "a\ud800"),
    ],
)
def test_names_that_could_hurt_are_refused(name: str) -> None:
    assert name_problem(name) is not None
    with pytest.raises(UsageError, match="cannot be a subject name") as caught:
        normalize_subject(name)
    assert str(caught.value).isprintable()
