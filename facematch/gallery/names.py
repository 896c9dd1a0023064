"""Subject names: what may be one, and what was meant by one that is not there."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection
from difflib import get_close_matches
from itertools import islice

from facematch.errors import UsageError

MAX_NAME_BYTES = 255

# Control characters, line and paragraph separators, marks that turn the direction of writing
# (a terminal would show another name than is stored), half surrogates, and path separators
# (a name may become a folder).
_FORBIDDEN = re.compile(
    r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff/\\]"
)

# Comparing with every name of a large gallery would take many seconds.
_MAX_COMPARED = 20_000


def normalize_subject(name: str) -> str:
    """The form in which a subject name is stored: Unicode NFC.

    Raises:
        UsageError: the name cannot be one.
    """
    problem = name_problem(name)
    if problem is not None:
        raise UsageError(f"{name[:80]!r} cannot be a subject name: {problem}")
    return unicodedata.normalize("NFC", name)


def name_problem(name: str) -> str | None:
    """Why the name cannot be a subject's, or None."""
    if not name.strip():
        return "it is empty"
    if name in (".", ".."):
        return "it means a folder"
    if (found := _FORBIDDEN.search(name)) is not None:
        return f"it contains {found.group()!r}; control characters, / and \\ are not allowed"
    size = len(unicodedata.normalize("NFC", name).encode())
    if size > MAX_NAME_BYTES:
        return f"it has {size} bytes in UTF-8, the limit is {MAX_NAME_BYTES}"
    return None


def has_forbidden(text: str) -> bool:
    """Whether the text holds a character that no subject name may have."""
    return _FORBIDDEN.search(text) is not None


def suggestions(name: str, names: Collection[str]) -> tuple[str, ...]:
    """Up to three subjects that resemble the name, best first, whatever their case.

    In a gallery of more than 20,000 subjects, only those with the same first letter are
    compared, and no more than that many.
    """
    wanted = name.casefold()
    folded = ((known.casefold(), known) for known in names)
    if len(names) > _MAX_COMPARED:
        folded = ((key, known) for key, known in folded if key[:1] == wanted[:1])
    by_key = dict(islice(folded, _MAX_COMPARED))
    return tuple(by_key[key] for key in get_close_matches(wanted, by_key, n=3))
