"""A report as one HTML file: no script, no font, no picture and no style from anywhere else.

The page forbids itself requests by its content security policy; every text is escaped here,
where it becomes HTML, and nowhere else.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from html import escape
from pathlib import Path

from facematch.reports.drawing import Plot, inline_svg
from facematch.reports.page import (
    Block,
    Code,
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
)
from facematch.reports.style import STYLE

_SIGNATURE = '<meta name="generator" content="facematch report">'
_SIGNED_WITHIN = 1024
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


def render(page: Page) -> bytes:
    """The page as a UTF-8 file; half a surrogate, which UTF-8 has no place for, as an escape."""
    return "\n".join(_page(page)).encode("utf-8", "backslashreplace")


def is_report(path: Path) -> bool:
    """Whether a file is a page that :func:`render` made."""
    try:
        with path.open("rb") as file:
            return _SIGNATURE.encode() in file.read(_SIGNED_WITHIN)
    except OSError:
        return False


def _page(page: Page) -> Iterator[str]:
    yield '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">'
    yield f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
    yield _SIGNATURE
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">'
    yield '<meta name="referrer" content="no-referrer">'
    yield f"<title>{escape(page.title)}</title>\n<style>{STYLE}</style>\n</head>\n<body>"
    yield f"<header>\n<h1>{escape(page.title)}</h1>"
    yield f'<p class="question">{escape(page.question)}</p>'
    yield f'<p class="answer">{escape(page.answer)}</p>\n</header>\n<main>'
    for section in page.sections:
        yield from _section(section)
    yield "</main>\n</body>\n</html>\n"


def _section(section: Section) -> Iterator[str]:
    yield f"<section>\n<h2>{escape(section.title)}</h2>"
    for block in section.blocks:
        yield from _block(block)
    yield "</section>"


def _block(block: Block) -> Iterator[str]:
    match block:
        case Paragraph():
            yield f"<p>{escape(block.text)}</p>"
        case Notice():
            yield f'<p class="notice">{escape(block.text)}</p>'
        case Code():
            yield f"<pre><code>{escape(block.text)}</code></pre>"
        case Texts():
            items = "".join(f"<li>{escape(item)}</li>\n" for item in block.items)
            yield f"<ul>\n{items}</ul>"
        case Facts():
            yield from _facts(block)
        case Table():
            yield from _table(block)
        case Figures():
            yield '<div class="figures">'
            yield from (_figure(plot) for plot in block.plots)
            yield "</div>"
        case PhotoPairs():
            yield f'<h3>{escape(block.title)}</h3>\n<div class="pairs">'
            yield from (_pair(pair) for pair in block.items)
            yield "</div>"


def _facts(facts: Facts) -> Iterator[str]:
    yield '<dl class="large">' if facts.large else "<dl>"
    for fact in facts.items:
        line = f"<dt>{escape(fact.name)}</dt><dd>{escape(fact.value)}</dd>"
        yield f"<div>{line}</div>" if facts.large else line
    yield "</dl>"


def _table(table: Table) -> Iterator[str]:
    yield '<div class="wide"><table>'
    if table.caption:
        yield f"<caption>{escape(table.caption)}</caption>"
    heads = "".join(f'<th scope="col">{escape(name)}</th>' for name in table.columns)
    yield f"<thead><tr>{heads}</tr></thead>\n<tbody>"
    for row in table.rows:
        yield "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>"
    yield "</tbody></table></div>"


def _figure(plot: Plot) -> str:
    return (
        f"<figure>\n<h3>{escape(plot.title)}</h3>\n{inline_svg(plot)}\n"
        f"<figcaption>{escape(plot.caption)}</figcaption>\n</figure>"
    )


def _pair(pair: PhotoPair) -> str:
    return (
        f'<figure class="pair">\n<div class="faces">{_photo(pair.left)}{_photo(pair.right)}</div>'
        f"\n<figcaption>{escape(pair.caption)}</figcaption>\n</figure>"
    )


def _photo(photo: Photo) -> str:
    label = escape(photo.label)
    if photo.jpeg is None:
        return f'<div><span class="none"></span>{label}</div>'
    data = base64.b64encode(photo.jpeg).decode("ascii")
    return f'<div><img alt="" src="data:image/jpeg;base64,{data}">{label}</div>'
