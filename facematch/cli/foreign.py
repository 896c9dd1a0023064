"""Text and numbers from files that others wrote, made safe to print.

Galleries, cards and templates may come from anywhere. A path in one can hold an escape
sequence that rewrites the terminal, and a number can be NaN, which JSON does not know.
"""

from __future__ import annotations

import json
import re
import unicodedata
from typing import Any

# Control, format, half surrogate, private, unassigned; line and paragraph separator.
_UNSAFE = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
_BEYOND_PRINTABLE = re.compile(r"[^\x20-\x7e]")
# Names of many languages are written with these two format characters.
_JOINERS = "\u200c\u200d"


def escaped(text: object) -> str:
    """The text with everything that could steer a terminal as a backslash escape."""
    return "".join(
        c
        if unicodedata.category(c) not in _UNSAFE or c in _JOINERS
        else c.encode("unicode_escape").decode("ascii")
        for c in str(text)
    )


def named(value: str) -> str:
    """The value of a column, which may be empty, as :func:`escaped`."""
    return escaped(value) or "(empty)"


def json_text(document: Any) -> str:
    """A JSON document on one line, in which no string can steer a terminal.

    Such characters stand as the escapes of JSON, so that whoever parses it gets them back.
    """
    text = json.dumps(document, ensure_ascii=False, allow_nan=False)
    return _BEYOND_PRINTABLE.sub(_json_escaped, text)


def _json_escaped(found: re.Match[str]) -> str:
    """A character beyond printable ASCII, which only strings have in JSON."""
    c = found.group()
    if unicodedata.category(c) not in _UNSAFE or c in _JOINERS:
        return c
    return "\\u007f" if c == "\x7f" else json.dumps(c)[1:-1]


def shortened(text: str, cells: int) -> str:
    """The text cut to a width on the terminal, where some characters take two cells."""
    from rich.cells import cell_len, set_cell_size

    return text if cell_len(text) <= cells else f"{set_cell_size(text, cells - 1).rstrip()}…"


def finite(document: Any) -> Any:
    """A JSON document with null in place of NaN and infinities."""
    return json.loads(json.dumps(document), parse_constant=lambda _: None)
