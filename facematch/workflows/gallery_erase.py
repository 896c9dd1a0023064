"""Remove people from a gallery, so that nothing of them is left in its files."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from facematch.errors import UsageError
from facematch.gallery import Gallery, GalleryWriter
from facematch.gallery.erasing import ErasedSnapshot, erase_from_snapshots
from facematch.gallery.keys import Keys
from facematch.gallery.state import (
    GalleryState,
    StoredReference,
    file_sha256,
    state_of,
    stored_references,
)


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
        snapshots: older versions from which it was erased, too.
        sha256_before: hexadecimal digest of the gallery file before.
        sha256_after: and after.
    """

    removed: Removal
    state: GalleryState
    snapshots: tuple[ErasedSnapshot, ...]
    sha256_before: str
    sha256_after: str


def remove_subject(
    path: Path,
    subject: str,
    *,
    row: int | None = None,
    confirm: Callable[[Removal], bool],
    wait_s: float = 0,
    keys: Keys | None = None,
) -> RemoveResult:
    """Removes a subject, or one of its references, so that no byte of it stays in the file.

    Snapshots of the gallery are rewritten first. If that is interrupted, the subject is still
    in the gallery, and the same call finishes the work.

    The gallery is locked while ``confirm`` decides, so that what it agreed to is what goes.

    Args:
        path: the gallery.
        subject: whose references go.
        row: of the one reference that goes; None for all.
        confirm: agrees, or nothing is removed.
        wait_s: how long to wait for another writer.
        keys: to open it if it is encrypted.

    Raises:
        GalleryError: the gallery cannot be used, or has no such subject.
        UsageError: the row is not one of the subject, or ``confirm`` did not agree.
        OutputError: the gallery cannot be written.
    """
    with GalleryWriter.open(path, create=False, lock_timeout_s=wait_s, keys=keys) as writer:
        removal = _removal(writer.gallery, subject, row)
        rows = [stored.row for stored in removal.references]
        templates = writer.gallery.column("templates").checked[rows].copy()
        if not confirm(removal):
            raise UsageError(f"{path}: not confirmed, nothing was removed")
        sha256_before = file_sha256(path)
        snapshots = erase_from_snapshots(
            writer,
            [stored.reference for stored in removal.references],
            templates,
            subject=removal.subject if removal.whole_subject else None,
        )
        if removal.whole_subject:
            writer.remove_subject(removal.subject)
        for stored in () if removal.whole_subject else removal.references:
            writer.remove_reference(stored.row)
        writer.commit()
        return RemoveResult(
            removal, state_of(writer.gallery), snapshots, sha256_before, file_sha256(path)
        )


def _removal(gallery: Gallery, subject: str, row: int | None) -> Removal:
    name = gallery.subject_names[gallery.find_subject(subject)]
    stored = stored_references(gallery, name)
    going = stored if row is None else tuple(one for one in stored if one.row == row)
    if not going:
        raise UsageError(
            f"{gallery.path}: row {row} is no reference of {name!r}; "
            "`facematch gallery show` lists the rows"
        )
    return Removal(state_of(gallery), name, going, len(going) == len(stored))
