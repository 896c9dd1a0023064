"""Suggestions for names that no subject has."""

from __future__ import annotations

import time

from facematch.gallery.names import name_problem, normalize_subject, suggestions


def test_suggestions_ignore_case_and_come_best_first() -> None:
    names = ["Angela Merkel", "Angelina Jolie", "Barack Obama"]
    assert suggestions("angela merkle", names)[0] == "Angela Merkel"
    assert suggestions("BARACK OBAMA", names) == ("Barack Obama",)
    assert suggestions("qqq", names) == ()
    assert suggestions("x", []) == ()


def test_suggestions_in_a_large_gallery_are_quick() -> None:
    names = [f"{chr(97 + i % 26)} person {i}" for i in range(300_000)]
    started = time.monotonic()
    assert len(suggestions("b persom 27", names)) == 3
    assert time.monotonic() - started < 5


def test_limits_of_names() -> None:
    assert normalize_subject("e\u0301") == "é"
    assert name_problem("é" * 127) is None
    assert name_problem("a" * 255) is None
    assert name_problem("a" * 256) is not None
    assert name_problem("a\u200cb") is None  # joiners belong to Persian names
