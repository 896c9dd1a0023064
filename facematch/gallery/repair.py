"""What is sound in a damaged gallery.

A block of 16384 bytes whose checksum fails is not used at all: which of its bytes are wrong
cannot be told. A reference is lost with its template or with the number of its subject; what
else of it is lost is left blank, and said. Of a file whose tail is missing, all before the cut
counts as sound if its blocks are whole: structure, checksums and subjects lie first, then what
is small, then templates, and crops last. Where the structure is cut, which earlier versions of
facematch spread over the file, nothing can be found, and a snapshot helps.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from facematch.gallery.checks import unit_norm_rows
from facematch.gallery.envelope import MasterKey
from facematch.gallery.format import BLOCK_BYTES
from facematch.gallery.keys import Keys
from facematch.gallery.names import name_problem
from facematch.gallery.opening import DamagedColumns, open_damaged
from facematch.gallery.quality import quality_from
from facematch.gallery.stored import TEXT_ERRORS, Stored
from facematch.gallery.unlocking import unlock
from facematch.types import BoolArray, Float32Array, Int64Array, ModelIdentity, Quality, Reference

_NO_SHA256 = "0" * 64
_NAN = float("nan")
_NO_QUALITY = Quality(_NAN, _NAN, _NAN, _NAN, _NAN, _NAN, _NAN, _NAN)
_NO_BOX = np.full(4, np.nan, np.float32)


@dataclass(frozen=True, slots=True)
class Loss:
    """What of one reference could not be saved.

    Attributes:
        row: of the damaged gallery.
        subject: whose it was; None if that is not known.
        parts: names of what is lost; with ``template`` or ``subject`` the reference is.
    """

    row: int
    subject: str | None
    parts: tuple[str, ...]

    @property
    def whole_reference(self) -> bool:
        return "template" in self.parts or "subject" in self.parts


@dataclass(frozen=True, slots=True, eq=False)
class Salvage:
    """What could be saved.

    Attributes:
        identity: the model of the templates.
        references: m that are sound, or blank in part.
        templates: float32 (m, d), all sound.
        distinct: names of subjects that are known to be different people.
        losses: one per reference that lost anything.
        renamed: placeholders for subjects whose names are lost.
        crops_lost: crops of which it is not known whose they are.
        pairs_lost: pairs of the list of different people that cannot be read.
        rows: references of the damaged gallery.
        master: the key that it was encrypted with; None if it was not.
    """

    identity: ModelIdentity
    references: tuple[Reference, ...]
    templates: Float32Array
    distinct: tuple[tuple[str, str], ...]
    losses: tuple[Loss, ...]
    renamed: tuple[str, ...]
    crops_lost: int
    pairs_lost: int
    rows: int
    master: MasterKey | None


@dataclass(slots=True)
class _Columns:
    """Columns with what is sound of each, found out once. What is missing is not sound."""

    stored: Mapping[str, Stored]
    rows: Mapping[str, int]
    _sound: dict[str, BoolArray] = field(default_factory=dict)

    def sound(self, name: str) -> BoolArray:
        """bool (rows,): which rows lie in sound blocks only, of those that are in the file."""
        if name not in self._sound:
            column = self.stored[name]
            sound = np.ones(len(column), bool)
            for block in column.damaged().tolist():
                first = block * BLOCK_BYTES // column.row_bytes
                sound[first : -(-(block + 1) * BLOCK_BYTES // column.row_bytes)] = False
            self._sound[name] = sound
        return self._sound[name]

    def has(self, name: str, row: int) -> bool:
        """Whether a row of a column is in the file and sound."""
        return row < len(self.sound(name)) and bool(self.sound(name)[row])

    def lost(self, name: str) -> int:
        """How many rows of a column are missing or not sound."""
        return self.rows.get(name, 0) - int(self.sound(name).sum())

    def text(self, name: str, row: int) -> str | None:
        """One string of a column; None if it is not sound."""
        offsets, utf8 = f"{name}/offsets", f"{name}/utf8"
        if not (self.has(offsets, row) and self.has(offsets, row + 1)):
            return None
        start, stop = self.stored[offsets].array[row : row + 2].tolist()
        inside = 0 <= start <= stop <= len(self.stored[utf8])
        if not inside or not self.sound(utf8)[start:stop].all():
            return None
        blob = self.stored[utf8].array[start:stop].tobytes()
        return blob.decode("utf-8", TEXT_ERRORS)


def salvage(path: Path, keys: Keys | None = None) -> Salvage:
    """Read all that is sound, and list what is not.

    Raises:
        GalleryKeyError: it is encrypted, and the keys are missing or wrong.
        GalleryFormatError: it is no gallery, or its structure cannot be read at all.
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        unlocked = unlock(file, path, keys, damaged=True)
        found = open_damaged(unlocked.file, path)
    return _salvage(found, _Columns(found.columns, found.rows), unlocked.master)


def _salvage(found: DamagedColumns, columns: _Columns, master: MasterKey | None) -> Salvage:
    names, renamed = _names(columns)
    crop_of = _crops(columns)
    subjects = columns.stored["references/subject"].array
    template_sound = np.zeros(len(subjects), bool)
    present = columns.stored["templates"].array
    template_sound[: len(present)] = columns.sound("templates") & unit_norm_rows(present)
    subject_sound = columns.sound("references/subject")
    subject_sound = subject_sound & (subjects >= 0) & (subjects < len(names))
    references, rows, losses = [], [], []
    for row in range(len(subjects)):
        subject = names[int(subjects[row])] if subject_sound[row] else None
        lost = [] if template_sound[row] else ["template"]
        if subject is None:
            lost.append("subject")
        else:
            reference, missing = _reference(columns, row, subject, crop_of)
            lost += missing
            if template_sound[row]:
                references.append(reference)
                rows.append(row)
        if lost:
            losses.append(Loss(row, subject, tuple(lost)))
    return Salvage(
        identity=found.info.identity,
        references=tuple(references),
        templates=columns.stored["templates"].array[rows].astype(np.float32),
        distinct=_distinct(columns, names, {r.subject for r in references}),
        losses=tuple(losses),
        renamed=tuple(name for name in renamed if any(r.subject == name for r in references)),
        crops_lost=columns.rows["crops/row"] - len(crop_of),
        pairs_lost=columns.lost("subjects/distinct"),
        rows=len(subjects),
        master=master,
    )


def _reference(
    columns: _Columns, row: int, subject: str, crop_of: dict[int, int]
) -> tuple[Reference, list[str]]:
    """A reference with blanks for what is not sound, and the names of the blanks."""
    stored = columns.stored
    parts = ("source_sha256", "box_xyxy", "quality", "enrolled_at")
    missing = [part for part in parts if not columns.has(f"references/{part}", row)]
    path = columns.text("references/source_path", row)
    warnings = columns.text("references/warnings", row)
    if path is None or "\0" in path:
        path = None
        missing.append("source_path")
    if warnings is None and "quality" not in missing:
        missing.append("quality")
    crop = crop_of.get(row)
    if crop is not None and not columns.has("crops/rgb", crop):
        crop = None
        missing.append("crop")
    quality = _NO_QUALITY
    if "quality" not in missing and warnings is not None:
        quality = quality_from(stored["references/quality"].array[row], warnings)
    sha256 = _NO_SHA256
    if "source_sha256" not in missing:
        sha256 = stored["references/source_sha256"].array[row].tobytes().hex()
    reference = Reference(
        subject=subject,
        source_path=path or "",
        source_sha256=sha256,
        box_xyxy=_NO_BOX
        if "box_xyxy" in missing
        else stored["references/box_xyxy"].array[row].copy(),
        quality=quality,
        enrolled_at=0.0
        if "enrolled_at" in missing
        else float(stored["references/enrolled_at"].array[row]),
        crop_rgb=None if crop is None else stored["crops/rgb"].array[crop].copy(),
    )
    return reference, missing


def _names(columns: _Columns) -> tuple[list[str], list[str]]:
    """A name per subject, and those among them that stand for lost ones."""
    found = [
        columns.text("subjects/name", row)
        for row in range(len(columns.stored["subjects/name/offsets"]) - 1)
    ]
    usable = [name if name is not None and name_problem(name) is None else None for name in found]
    taken = set(usable)
    names: list[str] = []
    renamed: list[str] = []
    for row, name in enumerate(usable):
        if name is None or name in names:
            placeholder = f"name lost {row}"
            while placeholder in taken:
                placeholder += "*"
            renamed.append(placeholder)
            name = placeholder
        names.append(name)
    return names, renamed


def _crops(columns: _Columns) -> dict[int, int]:
    """Which crop belongs to which reference, as far as that is known."""
    rows: Int64Array = columns.stored["crops/row"].array
    sound = columns.sound("crops/row")
    return {row: crop for crop, row in enumerate(rows.tolist()) if sound[crop]}


def _distinct(columns: _Columns, names: list[str], saved: set[str]) -> tuple[tuple[str, str], ...]:
    pairs = columns.stored["subjects/distinct"].array[columns.sound("subjects/distinct")]
    inside = [(a, b) for a, b in pairs.tolist() if 0 <= a < b < len(names)]
    named = [(names[a], names[b]) for a, b in inside]
    return tuple(pair for pair in named if saved >= set(pair))
