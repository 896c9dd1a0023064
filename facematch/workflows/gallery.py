"""Look into a gallery and change who is in it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from facematch.gallery import (
    Gallery,
    GalleryWriter,
    IntegrityReport,
    SubjectSummary,
    normalize_subject,
)
from facematch.gallery.state import GalleryState, StoredReference, state_of, stored_references


@dataclass(frozen=True, slots=True)
class ListResult:
    """All subjects, in order of first enrolment."""

    state: GalleryState
    subjects: tuple[SubjectSummary, ...]


@dataclass(frozen=True, slots=True, eq=False)
class ShowResult:
    """One subject with all references, by row."""

    state: GalleryState
    subject: str
    references: tuple[StoredReference, ...]


@dataclass(frozen=True, slots=True)
class RenameResult:
    """A subject under a new name, and the gallery after it."""

    state: GalleryState
    old: str
    new: str
    references: int


@dataclass(frozen=True, slots=True)
class MergeResult:
    """Subjects that became one, and the gallery after it.

    Attributes:
        state: of the gallery.
        sources: subjects that are no more.
        into: the subject that has their references now.
        moved: references that changed hands.
        references: that the subject has now.
    """

    state: GalleryState
    sources: tuple[str, ...]
    into: str
    moved: int
    references: int


@dataclass(frozen=True, slots=True)
class VerifyGalleryResult:
    """What a check of every byte found."""

    state: GalleryState
    report: IntegrityReport


def list_subjects(path: Path) -> ListResult:
    """All subjects with their numbers of references.

    Raises:
        GalleryError: the gallery cannot be read.
    """
    with Gallery.open(path) as gallery:
        return ListResult(state_of(gallery), gallery.subjects())


def show_subject(path: Path, subject: str) -> ShowResult:
    """What is stored of a subject.

    Raises:
        GalleryError: the gallery cannot be read, or has no such subject.
    """
    with Gallery.open(path) as gallery:
        name = gallery.subject_names[gallery.find_subject(subject)]
        return ShowResult(state_of(gallery), name, stored_references(gallery, name))


def rename_subject(path: Path, old: str, new: str, *, wait_s: float = 0) -> RenameResult:
    """Gives a subject another name.

    Args:
        path: the gallery.
        old: the subject's name.
        new: the name it gets.
        wait_s: how long to wait for another writer.

    Raises:
        GalleryError: the gallery cannot be used, or has no subject ``old``.
        UsageError: ``new`` is not allowed, or is the name of another subject.
        OutputError: the gallery cannot be written.
    """
    with GalleryWriter.open(path, create=False, lock_timeout_s=wait_s) as writer:
        writer.rename(old, new)
        writer.commit()
        with Gallery.open(path) as gallery:
            references = len(gallery.subject_rows(new))
            return RenameResult(
                state_of(gallery), normalize_subject(old), normalize_subject(new), references
            )


def merge_subjects(
    path: Path, sources: Iterable[str], into: str, *, wait_s: float = 0
) -> MergeResult:
    """Gives all references of some subjects to another one.

    Args:
        path: the gallery.
        sources: subjects that are no more afterwards.
        into: the subject that gets their references.
        wait_s: how long to wait for another writer.

    Raises:
        GalleryError: the gallery cannot be used, or has no subject of one of the names.
        UsageError: there is no source, or a subject is to be merged into itself.
        OutputError: the gallery cannot be written.
    """
    names = tuple(dict.fromkeys(normalize_subject(source) for source in sources))
    with GalleryWriter.open(path, create=False, lock_timeout_s=wait_s) as writer:
        moved = writer.merge(names, into)
        writer.commit()
        with Gallery.open(path) as gallery:
            references = len(gallery.subject_rows(into))
            return MergeResult(state_of(gallery), names, normalize_subject(into), moved, references)


def verify_gallery(path: Path) -> VerifyGalleryResult:
    """Checks every byte and every number that is stored.

    Raises:
        GalleryError: it is no gallery, or so damaged that it cannot be opened.
    """
    with Gallery.open(path) as gallery:
        return VerifyGalleryResult(state_of(gallery), gallery.verify())
