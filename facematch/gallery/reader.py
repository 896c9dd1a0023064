"""Reading a gallery: open, look up, search. Nothing is copied that is not asked for."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from facematch.errors import (
    EmptyGalleryError,
    GalleryCorruptError,
    GalleryError,
    GalleryFormatError,
    GalleryModelMismatchError,
    GalleryNotFoundError,
    UnknownSubjectError,
)
from facematch.gallery.envelope import MasterKey
from facematch.gallery.format import DIGEST_BYTES
from facematch.gallery.integrity import IntegrityReport, check_integrity
from facematch.gallery.keys import Keys
from facematch.gallery.names import has_forbidden, normalize_subject, suggestions
from facematch.gallery.opening import open_columns
from facematch.gallery.quality import quality_from
from facematch.gallery.reduced import ReducedTemplates
from facematch.gallery.search import Int32Array, UnsoundTemplateError, search
from facematch.gallery.stored import Stored, StoredText
from facematch.gallery.structure import GalleryInfo
from facematch.gallery.unlocking import unlock
from facematch.types import (
    Candidate,
    Float32Array,
    Int64Array,
    Metric,
    ModelIdentity,
    Reference,
    UInt8Array,
)

_CACHED = ("subject_index", "subject_names", "distinct", "_rows_by_name", "_crop_rows")


@dataclass(frozen=True, slots=True)
class SubjectSummary:
    """A subject and the number of its references."""

    subject: str
    references: int


class Gallery:
    """An open gallery, as it was when it was opened.

    Commits of a writer replace the file; an open gallery keeps reading the one it opened.
    Opening checks the seal, the structure and the model; columns are checked against their
    checksums when they are first used. The templates as a whole are checked by
    :meth:`verify` alone; a search checks those that it reports. One that is encrypted is
    decrypted into memory, and each of its bytes checked, when it is opened.

    Attributes:
        path: as given.
        info: the root attributes.
        master: the key that it is encrypted with; None if it is not.
        sha256: hexadecimal digest of the file; None unless it was asked for.
    """

    def __init__(
        self,
        path: Path,
        info: GalleryInfo,
        columns: dict[str, Stored],
        master: MasterKey | None = None,
        sha256: str | None = None,
    ) -> None:
        self.path = path
        self.info = info
        self.master = master
        self.sha256 = sha256
        self._columns = columns
        self._reduced: ReducedTemplates | None = None

    @classmethod
    def open(
        cls,
        path: str | os.PathLike[str],
        identity: ModelIdentity | None = None,
        *,
        keys: Keys | None = None,
        hashed: bool = False,
    ) -> Gallery:
        """Map a gallery file.

        Args:
            path: the file.
            identity: the model that will be used; None where no template is compared.
            keys: to open it if it is encrypted.
            hashed: whether to read all of it for ``sha256``: of the very bytes that are mapped,
                whatever a commit puts in their place.

        Raises:
            GalleryNotFoundError: there is no such file.
            GalleryKeyError: it is encrypted, and the keys are missing or wrong.
            GalleryFormatError: it is not a gallery, or of a newer version.
            GalleryCorruptError: it is truncated or its seal does not hold.
            GalleryModelMismatchError: its templates are of another model.
        """
        path = Path(path)
        try:
            if not path.exists():
                raise not_found(path)
            if not path.is_file():
                raise GalleryFormatError(f"{path} is not a file; give the path of a gallery file")
            with path.open("rb") as file:
                sha256 = hashlib.file_digest(file, "sha256").hexdigest() if hashed else None
                file.seek(0)
                unlocked = unlock(file, path, keys)
                info, columns = open_columns(unlocked.file, path)
        except OSError as exc:
            raise GalleryError(
                f"cannot read {path}: {exc.strerror or exc}; check that you may read it"
            ) from exc
        if identity is not None:
            _same_model(path, info.identity, identity)
        return cls(path, info, columns, unlocked.master, sha256)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file. Arrays taken from the gallery before stay valid."""
        self._columns = {}
        self._reduced = None
        for name in _CACHED:
            self.__dict__.pop(name, None)

    def __len__(self) -> int:
        """Number of references."""
        return len(self.column("templates"))

    @property
    def identity(self) -> ModelIdentity:
        """The model that made the templates."""
        return self.info.identity

    @property
    def templates(self) -> Float32Array:
        """float32 (n, d), unit norm, read-only, where they lie and not checked."""
        return self.column("templates").array

    @cached_property
    def subject_index(self) -> Int32Array:
        """int32 (n,): for each reference, the row of its subject in ``subject_names``."""
        stored = self.column("references/subject")
        index: Int32Array = stored.checked
        if len(index) > 0 and (index.min() < 0 or index.max() >= self.subject_count):
            raise stored.corrupt("a reference belongs to a subject that does not exist")
        return index

    @property
    def subject_count(self) -> int:
        return len(self.text("subjects/name"))

    @cached_property
    def subject_names(self) -> tuple[str, ...]:
        """All subjects in order of first enrolment."""
        names = tuple(self.text("subjects/name").all())
        if has_forbidden("".join(names)):
            raise self.column("subjects/name/utf8").corrupt("it holds unsafe subject names")
        return names

    @cached_property
    def distinct(self) -> frozenset[tuple[int, int]]:
        """Pairs of rows of subjects that are known to be different people, the smaller first."""
        stored = self.column("subjects/distinct")
        pairs = frozenset((a, b) for a, b in stored.checked.tolist())
        if any(not 0 <= a < b < self.subject_count for a, b in pairs):
            raise stored.corrupt("subjects that do not exist are marked as different people")
        return pairs

    @property
    def distinct_names(self) -> tuple[tuple[str, str], ...]:
        """The same by name, in the order of rows."""
        names = self.subject_names
        return tuple((names[a], names[b]) for a, b in sorted(self.distinct))

    def subject_name(self, subject: int) -> str:
        """The name in one row, without reading the others."""
        name = self.text("subjects/name")[subject]
        if has_forbidden(name):
            raise self.column("subjects/name/utf8").corrupt("it holds unsafe subject names")
        return name

    def subjects(self) -> tuple[SubjectSummary, ...]:
        """All subjects with their numbers of references, in order of first enrolment."""
        counts = np.bincount(self.subject_index, minlength=self.subject_count)
        names = self.subject_names
        return tuple(SubjectSummary(n, int(c)) for n, c in zip(names, counts, strict=True))

    def subject_rows(self, name: str) -> Int64Array:
        """Rows of a subject's references, rising.

        Raises:
            UnknownSubjectError: there is none of that name; the message has similar ones.
        """
        return np.flatnonzero(self.subject_index == self.find_subject(name)).astype(np.int64)

    def find_subject(self, name: str) -> int:
        """Row of a subject in ``subject_names``.

        Raises:
            UnknownSubjectError: there is none of that name; the message has similar ones.
        """
        row = self._rows_by_name.get(normalize_subject(name))
        if row is None:
            raise unknown_subject(self.path, name, self.subject_names)
        return row

    def reference(self, row: int) -> Reference:
        """What is stored of one reference beside its template.

        Raises:
            IndexError: there is no such row.
            GalleryCorruptError: it is not what was written.
        """
        if not 0 <= row < len(self):
            raise IndexError(f"row {row} of a gallery with {len(self)} references")
        measured = self.column("references/quality").rows(row, row + 1)[0]
        return Reference(
            subject=self.subject_name(int(self.subject_index[row])),
            source_path=self.text("references/source_path")[row],
            source_sha256=self.column("references/source_sha256")
            .rows(row, row + 1)
            .tobytes()
            .hex(),
            box_xyxy=self.column("references/box_xyxy").rows(row, row + 1)[0].copy(),
            quality=quality_from(measured, self.text("references/warnings")[row]),
            enrolled_at=float(self.column("references/enrolled_at").rows(row, row + 1)[0]),
            crop_rgb=self._crop(row),
        )

    def source_hashes(self) -> frozenset[str]:
        """Hexadecimal SHA-256 of every photograph that a reference comes from."""
        digits = self.column("references/source_sha256").checked.tobytes().hex()
        width = 2 * DIGEST_BYTES
        return frozenset(digits[i : i + width] for i in range(0, len(digits), width))

    def search(self, probes: Float32Array, top: int, metric: Metric) -> list[tuple[Candidate, ...]]:
        """The nearest subjects of each probe, each by its nearest reference.

        Args:
            probes: float32 (p, d), unit norm.
            top: at most this many subjects per probe, at least 1.
            metric: which distance.

        Returns:
            Per probe, candidates by rising distance; equal ones in order of first enrolment.

        Raises:
            EmptyGalleryError: there is nothing to compare with.
            GalleryCorruptError: a template is not finite or not of unit norm.
        """
        if len(self) == 0:
            raise EmptyGalleryError(
                f"{self.path} holds no templates; enroll somebody with `facematch enroll` first"
            )
        templates = self.column("templates")
        try:
            if self._reduced is None:
                result = search(templates.array, self.subject_index, probes, top=top, metric=metric)
            else:
                result = self._reduced.search(probes, top=top, metric=metric)
        except UnsoundTemplateError as exc:
            raise self._unsound(exc) from exc
        for row in np.unique(result.rows).tolist():
            templates.rows(row, row + 1)
        return [
            tuple(
                Candidate(self.subject_name(subject), distance, row)
                for subject, distance, row in zip(s.tolist(), d.tolist(), r.tolist(), strict=True)
            )
            for s, d, r in zip(result.subjects, result.distances, result.rows, strict=True)
        ]

    def reduce(self) -> None:
        """Get ready for many searches of few faces each: the same answers in half the time.

        Takes the time of about a hundred searches, and memory for a quarter of the templates.
        Nothing is written. Until the gallery is closed, one search may run at a time.

        Raises:
            GalleryCorruptError: a template is not finite or not of unit norm.
        """
        try:
            self._reduced = ReducedTemplates(self.templates, self.subject_index)
        except UnsoundTemplateError as exc:
            raise self._unsound(exc) from exc

    def verify(self) -> IntegrityReport:
        """Check everything that is stored; see :func:`check_integrity`."""
        return check_integrity(self)

    def column(self, name: str) -> Stored:
        """A dataset of the layout, for the gallery package."""
        if len(self._columns) == 0:
            raise ValueError(f"the gallery {self.path} has been closed")
        return self._columns[name]

    def text(self, name: str) -> StoredText:
        """A column of strings of the layout, for the gallery package."""
        return StoredText(self.column(f"{name}/offsets"), self.column(f"{name}/utf8"))

    def _unsound(self, error: UnsoundTemplateError) -> GalleryCorruptError:
        return GalleryCorruptError(
            f"{self.path} is damaged: template {error.row}, of subject "
            f"{self.subject_name(int(self.subject_index[error.row]))!r}, is {error.problem}; "
            "run `facematch gallery verify`"
        )

    @cached_property
    def _rows_by_name(self) -> dict[str, int]:
        return {name: row for row, name in enumerate(self.subject_names)}

    @cached_property
    def _crop_rows(self) -> Int64Array:
        rows: Int64Array = self.column("crops/row").checked
        return rows

    def _crop(self, row: int) -> UInt8Array | None:
        at = int(np.searchsorted(self._crop_rows, row))
        if at == len(self._crop_rows) or self._crop_rows[at] != row:
            return None
        crop: UInt8Array = self.column("crops/rgb").rows(at, at + 1)[0].copy()
        return crop


def not_found(path: Path) -> GalleryNotFoundError:
    """The error for a gallery that is not there."""
    return GalleryNotFoundError(
        f"there is no gallery {path}; make one with `facematch enroll` first"
    )


def unknown_subject(path: Path, name: str, names: Collection[str]) -> UnknownSubjectError:
    """The error for a name that no subject has, with those that resemble it."""
    similar = suggestions(name, names)
    hint = (
        f"did you mean {' or '.join(repr(n) for n in similar)}?"
        if similar
        else "`facematch gallery list` shows all"
    )
    return UnknownSubjectError(f"{path} has no subject {name!r}; {hint}")


def _same_model(path: Path, stored: ModelIdentity, used: ModelIdentity) -> None:
    if (stored.fingerprint, stored.embedding_size) != (used.fingerprint, used.embedding_size):
        raise GalleryModelMismatchError(
            f"{path} holds templates of model {stored.name} ({stored.fingerprint[:12]}), not of "
            f"{used.name} ({used.fingerprint[:12]}); use --model {stored.name}, or enroll again "
            f"into a new gallery with {used.name}"
        )
