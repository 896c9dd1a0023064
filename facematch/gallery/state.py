"""A gallery in a few figures: what commands say of it before and after they change it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from facematch.errors import GalleryError
from facematch.gallery.reader import Gallery
from facematch.types import ModelIdentity, Reference


@dataclass(frozen=True, slots=True)
class GalleryState:
    """A gallery in a few figures; ``updated_at`` is in seconds since the epoch, UTC."""

    path: str
    references: int
    subjects: int
    model: ModelIdentity
    updated_at: float


@dataclass(frozen=True, slots=True, eq=False)
class StoredReference:
    """A reference and its row in the gallery."""

    row: int
    reference: Reference


def state_of(gallery: Gallery) -> GalleryState:
    """The figures of an open gallery."""
    return GalleryState(
        str(gallery.path),
        len(gallery),
        gallery.subject_count,
        gallery.identity,
        gallery.info.updated_at,
    )


def stored_references(gallery: Gallery, subject: str) -> tuple[StoredReference, ...]:
    """All references of a subject, by row.

    Raises:
        UnknownSubjectError: there is none of that name.
        GalleryCorruptError: the gallery is damaged.
    """
    rows = gallery.subject_rows(subject).tolist()
    return tuple(StoredReference(row, gallery.reference(row)) for row in rows)


def file_sha256(path: Path) -> str:
    """Hexadecimal SHA-256 of a file's bytes.

    Raises:
        GalleryError: it cannot be read.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise GalleryError(
            f"{path}: cannot be read ({error.strerror}); check the disk and its permissions"
        ) from error
