"""Reads a page as a browser would and says what it asks the outside for."""

from __future__ import annotations

import re
from html.parser import HTMLParser

# Elements that load, run or leave; a report has none of them.
_FORBIDDEN = {"script", "link", "iframe", "object", "embed", "base", "form", "video", "audio", "a"}
_VOID = {"meta", "img", "br", "hr"}


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.ids: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_startendtag(tag, attrs)
        if tag not in _VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _FORBIDDEN:
            self.found.append(tag)
        for name, value in attrs:
            text = value or ""
            if name == "id":
                self.ids.append(text)
            if name.startswith("on") or name.startswith("xmlns"):
                self.found.append(f"{name}={text}")
            elif name == "src" and not text.startswith("data:image/jpeg;base64,"):
                self.found.append(f"src={text}")
            elif name.endswith("href") and not text.startswith("#"):
                self.found.append(f"{name}={text}")

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.found.append(f"stray </{tag}>")


def requests_of(page: str) -> list[str]:
    """What the page would load or run, references to nothing, and tags that do not match."""
    reader = _Reader()
    reader.feed(page)
    reader.close()
    plain = re.sub(r"data:image/jpeg;base64,[A-Za-z0-9+/=]*", "", page)
    found = reader.found + [f"unclosed {tag}" for tag in reader.open]
    found += re.findall(r"https?:|//|@import|<script|<link|javascript:", plain)
    found += re.findall(r"url\((?!#)[^)]*\)?", plain)
    referenced = re.findall(r'(?:url\(#|href="#)([^)"]+)', plain)
    found += [f"reference to nothing: {name}" for name in referenced if name not in reader.ids]
    found += [f"id twice: {name}" for name in set(reader.ids) if reader.ids.count(name) > 1]
    return found
