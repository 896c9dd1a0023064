"""`gallery verify`: look at every byte and every number, and list what is wrong."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from facematch.gallery.format import BLOCK_BYTES, COLUMNS, UNIT_NORM_TOLERANCE, Count
from facematch.gallery.names import name_problem
from facematch.gallery.stored import Stored, StoredText, offsets_sound

if TYPE_CHECKING:
    from facematch.gallery.reader import Gallery

_ROWS_AT_ONCE = 8192
_MAX_LISTED = 20


@dataclass(frozen=True, slots=True)
class IntegrityReport:
    """What was checked and what was found.

    Attributes:
        path: the gallery.
        references: number of templates checked.
        subjects: number of subjects.
        crops: number of aligned crops.
        bytes_checked: bytes whose checksums were computed.
        problems: one line each; empty for a sound gallery.
    """

    path: Path
    references: int
    subjects: int
    crops: int
    bytes_checked: int
    problems: tuple[str, ...]

    @property
    def sound(self) -> bool:
        return len(self.problems) == 0


def check_integrity(gallery: Gallery) -> IntegrityReport:
    """Check checksums, templates and indices of an open gallery.

    Opening has already checked the seal and the structure. Memory does not grow with the
    number of templates.

    Returns:
        All problems, where an error would show the first only.
    """
    stored = [gallery.column(column.name) for column in COLUMNS]
    problems = [
        *_checksum_problems(gallery),
        *_template_problems(gallery),
        *_index_problems(gallery),
        *_text_problems(gallery),
        *_crop_problems(gallery),
        *_pair_problems(gallery),
    ]
    return IntegrityReport(
        path=gallery.path,
        references=len(gallery),
        subjects=gallery.subject_count,
        crops=len(gallery.column("crops/row")),
        bytes_checked=sum(s.array.nbytes for s in stored),
        problems=tuple(problems),
    )


def _checksum_problems(gallery: Gallery) -> Iterator[str]:
    for column in COLUMNS:
        stored = gallery.column(column.name)
        damaged = stored.damaged()
        if len(damaged) > 0:
            yield (
                f"{column.name}: {len(damaged)} of {len(stored.digests)} blocks fail their "
                f"checksum{_rows_hit(stored, damaged.tolist(), column.count)}"
            )


def _rows_hit(stored: Stored, blocks: list[int], count: Count) -> str:
    if count is Count.BYTES:
        return ""
    spans = [
        (
            block * BLOCK_BYTES // stored.row_bytes,
            min(len(stored), -(-(block + 1) * BLOCK_BYTES // stored.row_bytes)) - 1,
        )
        for block in blocks[:_MAX_LISTED]
    ]
    more = ", ..." if len(blocks) > _MAX_LISTED else ""
    return " (rows " + ", ".join(f"{a} to {b}" for a, b in spans) + more + ")"


def _template_problems(gallery: Gallery) -> Iterator[str]:
    found = 0
    for start in range(0, len(gallery), _ROWS_AT_ONCE):
        with np.errstate(invalid="ignore"):  # what is no number is listed below
            block = gallery.templates[start : start + _ROWS_AT_ONCE].astype(np.float64)
            norms = np.sqrt(np.einsum("ij,ij->i", block, block))
        for row in np.flatnonzero(~(np.abs(norms - 1) <= UNIT_NORM_TOLERANCE)).tolist():
            found += 1
            if found <= _MAX_LISTED:
                what = (
                    "is not finite" if not np.isfinite(norms[row]) else f"has norm {norms[row]:.6g}"
                )
                yield f"templates: row {start + row} {what}"
    if found > _MAX_LISTED:
        yield f"templates: {found - _MAX_LISTED} more rows are not finite or not of unit norm"


def _index_problems(gallery: Gallery) -> Iterator[str]:
    index = gallery.column("references/subject").array
    outside = np.flatnonzero((index < 0) | (index >= gallery.subject_count))
    if len(outside) > 0:
        yield f"references/subject: {len(outside)} rows point to no subject, first {outside[0]}"
        return
    counts = np.bincount(index, minlength=gallery.subject_count)
    without = np.flatnonzero(counts == 0)
    if len(without) > 0:
        yield f"subjects: {len(without)} have no reference, first row {without[0]}"


def _text_problems(gallery: Gallery) -> Iterator[str]:
    for name in ("references/source_path", "references/warnings", "subjects/name"):
        text = gallery.text(name)
        if not offsets_sound(text.offsets.array, len(text.utf8)):
            yield f"{name}: offsets do not fit the strings"
        elif name == "subjects/name":
            yield from _name_problems(text)


def _name_problems(text: StoredText) -> Iterator[str]:
    blob = text.utf8.array.tobytes()
    seen: set[bytes] = set()
    for row, (start, stop) in enumerate(pairwise(text.offsets.array.tolist())):
        encoded = blob[start:stop]
        # Half surrogates stand for bytes that are not UTF-8, and are refused as such.
        problem = name_problem(encoded.decode("utf-8", "surrogateescape"))
        if problem is not None:
            yield f"subjects/name: row {row} is no name: {problem}"
        if encoded in seen:
            yield f"subjects/name: row {row} repeats an earlier name"
        seen.add(encoded)


def _crop_problems(gallery: Gallery) -> Iterator[str]:
    rows = gallery.column("crops/row").array
    if len(rows) == 0:
        return
    if not np.all(rows[1:] > rows[:-1]) or rows[0] < 0 or rows[-1] >= len(gallery):
        yield "crops/row: not strictly rising rows of references"


def _pair_problems(gallery: Gallery) -> Iterator[str]:
    pairs = gallery.column("subjects/distinct").array.astype(np.int64)
    if len(pairs) == 0:
        return
    first, second = pairs.T
    if first.min() < 0 or np.any(second <= first) or second.max() >= gallery.subject_count:
        yield "subjects/distinct: not pairs of subjects"
    elif np.any(np.diff(first * (gallery.subject_count + 1) + second) <= 0):
        yield "subjects/distinct: not strictly rising"
