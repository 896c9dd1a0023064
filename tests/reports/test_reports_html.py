"""Pages: complete, escaped, and alone in the world."""

from __future__ import annotations

import numpy as np
import pytest
from self_contained import requests_of

from facematch.metrics import verification_curve
from facematch.reports import (
    Code,
    Fact,
    Facts,
    Figures,
    Notice,
    Page,
    Paragraph,
    Photo,
    PhotoPair,
    PhotoPairs,
    Section,
    Table,
    Texts,
    Trace,
    det_plot,
    render,
    roc_plot,
    small_jpeg,
)

HOSTILE = '</p><script src="http://evil"></script><img src=x onerror="alert(1)">&amp; \' \udcff'


def everything(text: str) -> Page:
    """A page with the text in every place that takes one."""
    curve = verification_curve(np.array([0.1, 0.4]), np.array([0.3, 0.9]))
    picture = small_jpeg(np.full((112, 112, 3), 90, np.uint8))
    pair = PhotoPair(Photo(picture, text), Photo(None, text), text)
    blocks = (
        Paragraph(text),
        Notice(text),
        Code(text),
        Texts((text, text)),
        Facts((Fact(text, text),)),
        Facts((Fact(text, text),), large=True),
        Table((text, text), ((text, text),), text),
        Figures((roc_plot([Trace("", curve)]), det_plot([Trace("", curve)]))),
        PhotoPairs(text, (pair,)),
    )
    return Page(text, text, text, (Section(text, blocks),))


def test_every_text_is_there_and_nothing_is_loaded() -> None:
    page = render(everything("Größe & more")).decode()
    assert page.count("Größe &amp; more") == 23
    assert "Größe & " not in page
    assert requests_of(page) == []


def test_no_text_becomes_markup() -> None:
    plain = render(everything("x")).decode()
    page = render(everything(HOSTILE)).decode()
    assert page.count("<") == plain.count("<")
    for dangerous in ("<script", "<img src=x", 'onerror="'):
        assert dangerous not in page
    assert "\\udcff" in page


def test_the_page_forbids_itself_requests() -> None:
    page = render(everything("x")).decode()
    assert "default-src 'none'" in page
    assert page.startswith("<!DOCTYPE html>")
    assert "prefers-color-scheme: dark" in page
    assert "@media print" in page


def test_pictures_are_part_of_the_page() -> None:
    page = render(everything("x")).decode()
    assert page.count("data:image/jpeg;base64,") == 1
    jpeg = small_jpeg(np.zeros((112, 112, 3), np.uint8))
    assert jpeg.startswith(b"\xff\xd8")
    assert len(jpeg) < 8000


def test_plots_are_found_in_order() -> None:
    assert [plot.name for plot in everything("x").plots] == ["roc", "det"]


def test_rows_have_as_many_cells_as_columns() -> None:
    with pytest.raises(ValueError, match="expected 2 cells"):
        Table(("a", "b"), (("1",),))


@pytest.mark.parametrize(
    ("page", "found"),
    [
        ('<p style="background:url(x)">a</p>', ["url(x)"]),
        ("<img src=x>", ["src=x"]),
        ('<script src="x"></script>', ["script", "src=x", "<script"]),
        ('<svg xmlns="a"></svg>', ["xmlns=a"]),
        ('<use href="#a"/>', ["reference to nothing: a"]),
        ('<i id="a"></i><i id="a"></i>', ["id twice: a"]),
        ("<p>", ["unclosed p"]),
        ("<p>see http://x</p>", ["http:", "//"]),
    ],
)
def test_the_reader_of_pages(page: str, found: list[str]) -> None:
    assert requests_of(page) == found
