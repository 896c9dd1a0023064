"""Subject names: what may be one, and what was meant by one that is not there."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection

from facematch.errors import UsageError

MAX_NAME_BYTES = 255

# Control characters, line and paragraph separators, marks that turn the direction of writing
# (a terminal would show another name than is stored), half surrogates, and path separators
# (a name may become a folder).
_FORBIDDEN = re.compile(
    r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff/\\]"
)

# Share of letters that may differ before a name is another one: two of six.
_LEAST_SIMILARITY = 0.6


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
    """Up to three subjects that resemble the name, best first.

    By edit distance, transposed letters counting once (Damerau 1964, "A technique for computer
    detection and correction of spelling errors"), whatever the case, the accents and the order
    of the words. They are for a person to choose from: no command acts on them.
    """
    from rapidfuzz import process
    from rapidfuzz.distance import OSA

    wanted = _folded(name)
    by_key: dict[str, str] = {}
    for known in names:
        by_key.setdefault(_folded(known), known)
    found = process.extract(
        wanted,
        by_key.keys(),
        scorer=OSA.normalized_similarity,
        score_cutoff=_LEAST_SIMILARITY,
        limit=3,
    )
    return tuple(by_key[key] for key, _, _ in found)


def _folded(name: str) -> str:
    """The name without what people spell differently: case, accents, order of words."""
    plain = unicodedata.normalize("NFKD", name.casefold())
    letters = "".join(c for c in plain if not unicodedata.combining(c))
    return " ".join(sorted(letters.replace(",", " ").replace("_", " ").split()))
