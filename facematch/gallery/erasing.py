"""Erasing references from the snapshots beside a gallery."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from facematch.errors import GalleryCorruptError, GalleryFormatError, OutputError
from facematch.gallery.duplicates import KnownFaces
from facematch.gallery.reader import Gallery
from facematch.gallery.snapshots import snapshots_of
from facematch.gallery.writer import GalleryWriter
from facematch.types import Float32Array, Reference


@dataclass(frozen=True, slots=True)
class ErasedSnapshot:
    """What became of one snapshot.

    Attributes:
        path: the file.
        references: how many were erased from it.
        deleted: whether the whole file was, because it is damaged and could not be searched
            for what has to go.
    """

    path: str
    references: int
    deleted: bool


def erase_from_snapshots(
    writer: GalleryWriter,
    references: Sequence[Reference],
    templates: Float32Array,
    *,
    subject: str | None,
) -> tuple[ErasedSnapshot, ...]:
    """Rewrite every snapshot that holds some references, under whatever name.

    A reference of a snapshot goes if it has the template of one of these, or is the same face
    of the same photograph.

    Args:
        writer: of the gallery, which holds the lock.
        references: m that have to go.
        templates: float32 (m, d), theirs.
        subject: a name of which nothing may stay; None if only these references go.

    Returns:
        The snapshots that were changed.

    Raises:
        GalleryKeyError: a snapshot has another passphrase or key than the gallery.
        OutputError: a snapshot cannot be written.
    """
    going = {template.tobytes() for template in templates}
    faces = KnownFaces()
    for reference in references:
        faces.add(reference)
    changed = []
    for snapshot in _listed(writer.path):
        try:
            with Gallery.open(snapshot, keys=writer.keys) as base:
                rows = [row for row in range(len(base)) if _goes(base, row, going, faces, subject)]
                if rows:
                    rewriter = writer.of_snapshot(snapshot, base)
                    for row in rows:
                        rewriter.remove_reference(row)
                    rewriter.commit()
                    changed.append(ErasedSnapshot(str(snapshot), len(rows), deleted=False))
        except (GalleryCorruptError, GalleryFormatError):
            _delete(snapshot)
            changed.append(ErasedSnapshot(str(snapshot), 0, deleted=True))
    return tuple(changed)


def _goes(
    gallery: Gallery,
    row: int,
    templates: set[bytes],
    faces: KnownFaces,
    subject: str | None,
) -> bool:
    reference = gallery.reference(row)
    template = gallery.column("templates").rows(row, row + 1)[0]
    return (
        reference.subject == subject
        or template.tobytes() in templates
        or faces.owner(reference) is not None
    )


def _listed(path: Path) -> list[Path]:
    try:
        return [snapshot.path for snapshot in snapshots_of(path)]
    except OSError as exc:
        raise OutputError(
            f"cannot list the snapshots of {path}: {exc.strerror or exc}; nothing was removed"
        ) from exc


def _delete(path: Path) -> None:
    try:
        path.unlink()
    except OSError as exc:
        raise OutputError(
            f"{path} is damaged and cannot be deleted: {exc.strerror or exc}; "
            "the gallery itself was not changed"
        ) from exc
