"""Write a gallery for other programs, and take templates in."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from facematch.choices import DEFAULT_MODEL
from facematch.embedding.registry import find_model
from facematch.errors import EmptyGalleryError, GalleryNotFoundError, UsageError
from facematch.gallery import (
    Gallery,
    GalleryWriter,
    export_csv,
    export_gallery,
    import_templates,
    normalize_subject,
)
from facematch.gallery.duplicates import KnownFaces
from facematch.gallery.state import GalleryState, state_of
from facematch.types import ModelIdentity

ALREADY_ENROLLED = "already enrolled (same face of the same photograph)"


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
        return ExportResult(state_of(gallery), tuple(map(str, targets)), references)


def import_file(
    path: Path,
    source: Path,
    *,
    subject: str | None = None,
    model: str | None = None,
    wait_s: float = 0,
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
        wait_s: how long to wait for another writer.

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
    with GalleryWriter.open(path, identity, lock_timeout_s=wait_s) as writer:
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
                state_of(gallery), str(source), len(new), tuple(skipped), tuple(failed)
            )


def _identity(path: Path, model: str | None) -> ModelIdentity:
    if model is None:
        try:
            with Gallery.open(path) as gallery:
                return gallery.identity
        except GalleryNotFoundError:
            model = DEFAULT_MODEL
    return find_model(model).identity
