"""Look into a gallery and change who is in it."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from facematch.choices import DEFAULT_MODEL
from facematch.embedding.registry import find_model
from facematch.errors import EmptyGalleryError, GalleryError, GalleryNotFoundError, UsageError
from facematch.gallery import (
    Gallery,
    GalleryWriter,
    IntegrityReport,
    SubjectSummary,
    export_csv,
    export_gallery,
    import_templates,
    normalize_subject,
)
from facematch.gallery.duplicates import KnownFaces
from facematch.types import ModelIdentity, Reference

ALREADY_ENROLLED = "already enrolled (same face of the same photograph)"


@dataclass(frozen=True, slots=True)
class GalleryState:
    """A gallery in a few figures; ``updated_at`` is in seconds since the epoch, UTC."""

    path: str
    references: int
    subjects: int
    model: ModelIdentity
    updated_at: float


@dataclass(frozen=True, slots=True)
class ListResult:
    """All subjects, in order of first enrolment."""

    state: GalleryState
    subjects: tuple[SubjectSummary, ...]


@dataclass(frozen=True, slots=True, eq=False)
class StoredReference:
    """A reference and its row in the gallery."""

    row: int
    reference: Reference


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


@dataclass(frozen=True, slots=True, eq=False)
class Removal:
    """What is to be removed.

    Attributes:
        state: of the gallery before.
        subject: whose references they are.
        references: that go.
        whole_subject: whether the subject goes with them.
    """

    state: GalleryState
    subject: str
    references: tuple[StoredReference, ...]
    whole_subject: bool


@dataclass(frozen=True, slots=True, eq=False)
class RemoveResult:
    """The receipt of a removal.

    Attributes:
        removed: what is in the gallery no more.
        state: of the gallery after it.
        sha256_before: hexadecimal digest of the gallery file before.
        sha256_after: and after.
    """

    removed: Removal
    state: GalleryState
    sha256_before: str
    sha256_after: str


@dataclass(frozen=True, slots=True)
class VerifyGalleryResult:
    """What a check of every byte found."""

    state: GalleryState
    report: IntegrityReport


@dataclass(frozen=True, slots=True)
class ExportResult:
    """Files that were written."""

    state: GalleryState
    files: tuple[str, ...]
    references: int


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A template that was not imported, and why."""

    path: str
    reason: str


@dataclass(frozen=True, slots=True)
class ImportResult:
    """What happened to each template of a file.

    Attributes:
        state: of the gallery after it.
        source: the file.
        imported: templates that were added.
        skipped: those that the gallery has, for the same subject.
        failed: those that the gallery has for somebody else.
    """

    state: GalleryState
    source: str
    imported: int
    skipped: tuple[LeftOut, ...]
    failed: tuple[LeftOut, ...]


def list_subjects(path: Path) -> ListResult:
    """All subjects with their numbers of references.

    Raises:
        GalleryError: the gallery cannot be read.
    """
    with Gallery.open(path) as gallery:
        return ListResult(_state(gallery), gallery.subjects())


def show_subject(path: Path, subject: str) -> ShowResult:
    """What is stored of a subject.

    Raises:
        GalleryError: the gallery cannot be read, or has no such subject.
    """
    with Gallery.open(path) as gallery:
        name = gallery.subject_names[gallery.find_subject(subject)]
        return ShowResult(_state(gallery), name, _stored(gallery, name))


def rename_subject(path: Path, old: str, new: str) -> RenameResult:
    """Gives a subject another name.

    Raises:
        GalleryError: the gallery cannot be used, or has no subject ``old``.
        UsageError: ``new`` is not allowed, or is the name of another subject.
        OutputError: the gallery cannot be written.
    """
    with GalleryWriter.open(path, create=False) as writer:
        writer.rename(old, new)
        writer.commit()
        with Gallery.open(path) as gallery:
            references = len(gallery.subject_rows(new))
            return RenameResult(
                _state(gallery), normalize_subject(old), normalize_subject(new), references
            )


def merge_subjects(path: Path, sources: Iterable[str], into: str) -> MergeResult:
    """Gives all references of some subjects to another one.

    Raises:
        GalleryError: the gallery cannot be used, or has no subject of one of the names.
        UsageError: there is no source, or a subject is to be merged into itself.
        OutputError: the gallery cannot be written.
    """
    names = tuple(dict.fromkeys(normalize_subject(source) for source in sources))
    with GalleryWriter.open(path, create=False) as writer:
        moved = writer.merge(names, into)
        writer.commit()
        with Gallery.open(path) as gallery:
            references = len(gallery.subject_rows(into))
            return MergeResult(_state(gallery), names, normalize_subject(into), moved, references)


def remove_subject(
    path: Path,
    subject: str,
    *,
    row: int | None = None,
    confirm: Callable[[Removal], bool],
) -> RemoveResult:
    """Removes a subject, or one of its references, so that no byte of it stays in the file.

    The gallery is locked while ``confirm`` decides, so that what it agreed to is what goes.

    Args:
        path: the gallery.
        subject: whose references go.
        row: of the one reference that goes; None for all.
        confirm: agrees, or nothing is removed.

    Raises:
        GalleryError: the gallery cannot be used, or has no such subject.
        UsageError: the row is not one of the subject, or ``confirm`` did not agree.
        OutputError: the gallery cannot be written.
    """
    with GalleryWriter.open(path, create=False) as writer:
        with Gallery.open(path) as gallery:
            removal = _removal(gallery, subject, row)
        if not confirm(removal):
            raise UsageError(f"{path}: not confirmed, nothing was removed")
        sha256_before = _sha256(path)
        if removal.whole_subject:
            writer.remove_subject(removal.subject)
        for stored in () if removal.whole_subject else removal.references:
            writer.remove_reference(stored.row)
        writer.commit()
        with Gallery.open(path) as gallery:
            return RemoveResult(removal, _state(gallery), sha256_before, _sha256(path))


def verify_gallery(path: Path) -> VerifyGalleryResult:
    """Checks every byte and every number that is stored.

    Raises:
        GalleryError: it is no gallery, or so damaged that it cannot be opened.
    """
    with Gallery.open(path) as gallery:
        return VerifyGalleryResult(_state(gallery), gallery.verify())


def export(path: Path, target: Path, *, as_csv: bool = False) -> ExportResult:
    """Writes all that a gallery holds for other programs, or for another gallery.

    Args:
        path: the gallery.
        target: file to write; an older one is replaced.
        as_csv: a table, with the templates in a ``.npy`` beside it, in place of HDF5.

    Raises:
        GalleryError: the gallery cannot be read.
        UsageError: the gallery itself would be overwritten, or the table by its templates.
        OutputError: a file cannot be written.
    """
    targets = (target, target.with_suffix(".npy")) if as_csv else (target,)
    with Gallery.open(path) as gallery:
        if os.path.realpath(path) in map(os.path.realpath, targets):
            raise UsageError(f"{target}: would overwrite the gallery itself; give another name")
        if len(set(targets)) < len(targets):
            raise UsageError(f"{target}: is where the templates go; name the table *.csv")
        write = export_csv if as_csv else export_gallery
        references = write(gallery, target)
        return ExportResult(_state(gallery), tuple(map(str, targets)), references)


def import_file(
    path: Path, source: Path, *, subject: str | None = None, model: str | None = None
) -> ImportResult:
    """Adds templates that ``embed`` or :func:`export` wrote.

    A face that the gallery has is not added again: one of the same photograph (by SHA-256)
    whose box covers the same place.

    Args:
        path: the gallery; made if it does not exist.
        source: the file with the templates.
        subject: whose templates those are that carry no name.
        model: that the templates must be of; None for the gallery's own, or the default
            model if the gallery is new.

    Raises:
        GalleryError: the gallery or the file cannot be used, or they are of different models.
        ModelError: the model is unknown or unsound.
        UsageError: templates have no name and there is no ``subject``, or the reverse.
        OutputError: the gallery cannot be written.
    """
    identity = _identity(path, model)
    given = None if subject is None else normalize_subject(subject)
    found = import_templates(source, identity, subject=given)
    if not found.references:
        raise EmptyGalleryError(f"{source}: holds no templates; nothing was imported")
    if given is not None and all(reference.subject != given for reference in found.references):
        raise UsageError(f"{source}: every template in it has a name; leave out --subject")
    skipped: list[LeftOut] = []
    failed: list[LeftOut] = []
    new: list[int] = []
    with GalleryWriter.open(path, identity) as writer:
        faces = KnownFaces.of(path, writer.source_hashes(), found.references)
        for row, reference in enumerate(found.references):
            owner = faces.owner(reference)
            if owner is None:
                faces.add(reference)
                new.append(row)
            elif owner == normalize_subject(reference.subject):
                skipped.append(LeftOut(reference.source_path, ALREADY_ENROLLED))
            else:
                failed.append(LeftOut(reference.source_path, f"already enrolled as {owner}"))
        if new:
            writer.add([found.references[row] for row in new], found.templates[new])
            writer.commit()
        with Gallery.open(path) as gallery:
            return ImportResult(
                _state(gallery), str(source), len(new), tuple(skipped), tuple(failed)
            )


def _identity(path: Path, model: str | None) -> ModelIdentity:
    if model is None:
        try:
            with Gallery.open(path) as gallery:
                return gallery.identity
        except GalleryNotFoundError:
            model = DEFAULT_MODEL
    return find_model(model).identity


def _state(gallery: Gallery) -> GalleryState:
    return GalleryState(
        str(gallery.path),
        len(gallery),
        gallery.subject_count,
        gallery.identity,
        gallery.info.updated_at,
    )


def _stored(gallery: Gallery, subject: str) -> tuple[StoredReference, ...]:
    rows = gallery.subject_rows(subject).tolist()
    return tuple(StoredReference(row, gallery.reference(row)) for row in rows)


def _removal(gallery: Gallery, subject: str, row: int | None) -> Removal:
    name = gallery.subject_names[gallery.find_subject(subject)]
    stored = _stored(gallery, name)
    going = stored if row is None else tuple(one for one in stored if one.row == row)
    if not going:
        raise UsageError(
            f"{gallery.path}: row {row} is no reference of {name!r}; "
            "`facematch gallery show` lists the rows"
        )
    return Removal(_state(gallery), name, going, len(going) == len(stored))


def _sha256(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise GalleryError(
            f"{path}: cannot be read ({error.strerror}); check the disk and its permissions"
        ) from error
