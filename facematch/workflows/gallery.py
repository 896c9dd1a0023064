"""Look into a gallery and change who is in it."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

from facematch.errors import UsageError
from facematch.gallery import (
    Gallery,
    GalleryWriter,
    IntegrityReport,
    SubjectSummary,
    normalize_subject,
)
from facematch.gallery.keys import Keys
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
class MoveResult:
    """References that went from one subject to another, and the gallery after it.

    Attributes:
        state: of the gallery.
        source: whose they were.
        source_left: references that it has now; with none it is no more.
        to: whose they are now.
        moved: how many.
        references: that the new owner has now.
    """

    state: GalleryState
    source: str
    source_left: int
    to: str
    moved: int
    references: int


@dataclass(frozen=True, slots=True)
class DistinctResult:
    """Pairs of subjects that are known to be different people, and the gallery.

    ``changed`` is whether the call changed the list.
    """

    state: GalleryState
    pairs: tuple[tuple[str, str], ...]
    changed: bool


@dataclass(frozen=True, slots=True)
class VerifyGalleryResult:
    """What a check of every byte found."""

    state: GalleryState
    report: IntegrityReport


def list_subjects(path: Path, *, keys: Keys | None = None) -> ListResult:
    """All subjects with their numbers of references.

    Raises:
        GalleryError: the gallery cannot be read.
    """
    with Gallery.open(path, keys=keys) as gallery:
        return ListResult(state_of(gallery), gallery.subjects())


def show_subject(path: Path, subject: str, *, keys: Keys | None = None) -> ShowResult:
    """What is stored of a subject.

    Raises:
        GalleryError: the gallery cannot be read, or has no such subject.
    """
    with Gallery.open(path, keys=keys) as gallery:
        name = gallery.subject_names[gallery.find_subject(subject)]
        return ShowResult(state_of(gallery), name, stored_references(gallery, name))


def rename_subject(
    path: Path, old: str, new: str, *, wait_s: float = 0, keys: Keys | None = None
) -> RenameResult:
    """Gives a subject another name.

    Args:
        path: the gallery.
        old: the subject's name.
        new: the name it gets.
        wait_s: how long to wait for another writer.
        keys: to open it if it is encrypted.

    Raises:
        GalleryError: the gallery cannot be used, or has no subject ``old``.
        UsageError: ``new`` is not allowed, or is the name of another subject.
        OutputError: the gallery cannot be written.
    """
    with GalleryWriter.open(path, create=False, lock_timeout_s=wait_s, keys=keys) as writer:
        writer.rename(old, new)
        writer.commit()
        gallery = writer.gallery
        references = len(gallery.subject_rows(new))
        return RenameResult(
            state_of(gallery), normalize_subject(old), normalize_subject(new), references
        )


def merge_subjects(
    path: Path,
    sources: Iterable[str],
    into: str,
    *,
    wait_s: float = 0,
    keys: Keys | None = None,
) -> MergeResult:
    """Gives all references of some subjects to another one.

    Args:
        path: the gallery.
        sources: subjects that are no more afterwards.
        into: the subject that gets their references.
        wait_s: how long to wait for another writer.
        keys: to open it if it is encrypted.

    Raises:
        GalleryError: the gallery cannot be used, or has no subject of one of the names.
        UsageError: there is no source, or a subject is to be merged into itself.
        OutputError: the gallery cannot be written.
    """
    names = tuple(dict.fromkeys(normalize_subject(source) for source in sources))
    with GalleryWriter.open(path, create=False, lock_timeout_s=wait_s, keys=keys) as writer:
        moved = writer.merge(names, into)
        writer.commit()
        gallery = writer.gallery
        references = len(gallery.subject_rows(into))
        return MergeResult(state_of(gallery), names, normalize_subject(into), moved, references)


def move_references(
    path: Path,
    source: str,
    rows: Collection[int],
    to: str,
    *,
    make: bool,
    wait_s: float = 0,
    keys: Keys | None = None,
) -> MoveResult:
    """Gives some references of a subject to another one.

    Args:
        path: the gallery.
        source: whose they are.
        rows: of the references, as ``show`` lists them.
        to: whose they are to be.
        make: whether that subject is a new one, which must not exist; or one that exists.
        wait_s: how long to wait for another writer.
        keys: to open it if it is encrypted.

    Raises:
        GalleryError: the gallery cannot be used, or has no subject of one of the names.
        UsageError: a row is not one of the subject, the name is not allowed, the two are one,
            or the new one exists already.
        OutputError: the gallery cannot be written.
    """
    with GalleryWriter.open(path, create=False, lock_timeout_s=wait_s, keys=keys) as writer:
        gallery = writer.gallery
        own = gallery.subject_rows(source).tolist()
        exists = normalize_subject(to) in gallery.subject_names
        if not make:
            gallery.find_subject(to)
        foreign = sorted(set(rows) - set(own))
        if foreign:
            raise UsageError(
                f"{path}: row {foreign[0]} is no reference of {source!r}; "
                "`facematch gallery show` lists the rows"
            )
        if normalize_subject(source) == normalize_subject(to):
            raise UsageError(f"{path}: the references are those of {to!r} already")
        if make and exists:
            raise UsageError(
                f"{path} has a subject {to!r} already; use `facematch gallery move` if the "
                "references are of that person"
            )
        if make and len(set(rows)) == len(own):
            raise UsageError(
                f"{path}: that is all of {source!r}; use `facematch gallery rename` instead"
            )
        moved = writer.move(sorted(set(rows)), to)
        writer.commit()
        gallery = writer.gallery
        counts = {summary.subject: summary.references for summary in gallery.subjects()}
        old, new = normalize_subject(source), normalize_subject(to)
        return MoveResult(state_of(gallery), old, counts.get(old, 0), new, moved, counts[new])


def mark_distinct(
    path: Path,
    a: str,
    b: str,
    *,
    undo: bool,
    wait_s: float = 0,
    keys: Keys | None = None,
) -> DistinctResult:
    """Notes that two subjects are different people however alike, or takes that back.

    ``merge`` refuses such a pair, ``audit`` leaves it out, and ``identify`` says so when both
    are within the threshold.

    Raises:
        GalleryError: the gallery cannot be used, or has no subject of one of the names.
        UsageError: they are one subject.
        OutputError: the gallery cannot be written.
    """
    with GalleryWriter.open(path, create=False, lock_timeout_s=wait_s, keys=keys) as writer:
        changed = writer.mark_distinct(a, b, distinct=not undo)
        writer.commit()
        return DistinctResult(state_of(writer.gallery), writer.gallery.distinct_names, changed)


def list_distinct(path: Path, *, keys: Keys | None = None) -> DistinctResult:
    """Which subjects are marked as different people.

    Raises:
        GalleryError: the gallery cannot be read.
    """
    with Gallery.open(path, keys=keys) as gallery:
        return DistinctResult(state_of(gallery), gallery.distinct_names, changed=False)


def verify_gallery(path: Path, *, keys: Keys | None = None) -> VerifyGalleryResult:
    """Checks every byte and every number that is stored.

    Raises:
        GalleryError: it is no gallery, or so damaged that it cannot be opened.
    """
    with Gallery.open(path, keys=keys) as gallery:
        return VerifyGalleryResult(state_of(gallery), gallery.verify())
