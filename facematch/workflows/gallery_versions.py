"""Older versions of a gallery, and what is left of a damaged one."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from facematch.errors import (
    EmptyGalleryError,
    GalleryCorruptError,
    GalleryError,
    GalleryKeyError,
    GalleryNotFoundError,
    OutputError,
    UsageError,
)
from facematch.gallery import Gallery, GalleryWriter
from facematch.gallery.atomic import replacing
from facematch.gallery.keys import Keys
from facematch.gallery.locking import WriterLock
from facematch.gallery.repair import Loss, salvage
from facematch.gallery.snapshots import Snapshot, snapshots_of, take_snapshot
from facematch.gallery.state import GalleryState, state_of


@dataclass(frozen=True, slots=True)
class KeptVersion:
    """A snapshot; ``state`` is None if it is damaged."""

    number: int
    path: str
    state: GalleryState | None


@dataclass(frozen=True, slots=True)
class SnapshotsResult:
    """A gallery with its older versions, oldest first.

    Attributes:
        state: of the gallery.
        keep: how many older versions writers keep.
        snapshots: those that are there.
    """

    state: GalleryState
    keep: int
    snapshots: tuple[KeptVersion, ...]


@dataclass(frozen=True, slots=True)
class RollbackResult:
    """A gallery after an older version took its place.

    Attributes:
        state: of the gallery now.
        number: of the snapshot that it was made from.
        replaced: number of the snapshot that holds what was replaced.
    """

    state: GalleryState
    number: int
    replaced: int


@dataclass(frozen=True, slots=True)
class RepairResult:
    """What was saved from a damaged gallery.

    Attributes:
        source: the damaged gallery; it was not changed.
        state: of the new gallery.
        references: that the damaged gallery had.
        losses: one per reference that lost anything.
        renamed: placeholders for subjects whose names are lost.
        crops_lost: crops of which it is not known whose they are.
        pairs_lost: pairs of the list of different people that cannot be read.
    """

    source: str
    state: GalleryState
    references: int
    losses: tuple[Loss, ...]
    renamed: tuple[str, ...]
    crops_lost: int
    pairs_lost: int

    @property
    def complete(self) -> bool:
        """Whether nothing was lost."""
        return not (self.losses or self.renamed or self.crops_lost or self.pairs_lost)


def list_snapshots(
    path: Path, *, keep: int | None = None, wait_s: float = 0, keys: Keys | None = None
) -> SnapshotsResult:
    """Lists the older versions of a gallery, and sets how many there may be.

    Args:
        path: the gallery.
        keep: how many the commands that change the gallery keep from now on; those beyond are
            removed at once. None to leave it as it is.
        wait_s: how long to wait for another writer.
        keys: to open it if it is encrypted.

    Raises:
        GalleryError: the gallery cannot be used.
        OutputError: it cannot be written.
    """
    if keep is not None:
        with GalleryWriter.open(path, create=False, lock_timeout_s=wait_s, keys=keys) as writer:
            writer.keep_snapshots(keep)
            writer.commit()
    with Gallery.open(path, keys=keys) as gallery:
        kept = tuple(
            KeptVersion(snapshot.number, str(snapshot.path), _state_of(snapshot.path, keys))
            for snapshot in _snapshots(path)
        )
        return SnapshotsResult(state_of(gallery), gallery.info.snapshots, kept)


def roll_back(
    path: Path,
    *,
    number: int | None = None,
    confirm: Callable[[KeptVersion], bool],
    wait_s: float = 0,
    keys: Keys | None = None,
) -> RollbackResult:
    """Puts an older version in the place of a gallery, which becomes the newest snapshot.

    Args:
        path: the gallery; may be damaged or missing.
        number: of the snapshot; None for the newest that differs from the gallery.
        confirm: agrees, or nothing is changed.
        wait_s: how long to wait for another writer.
        keys: to open it if it is encrypted.

    Raises:
        GalleryError: there is no such snapshot, or it is damaged.
        UsageError: ``confirm`` did not agree.
        OutputError: the gallery cannot be written.
    """
    path = Path(os.path.realpath(path))
    lock = WriterLock(path, wait_s)
    try:
        chosen = _choose(path, number)
        with Gallery.open(chosen.path, keys=keys) as snapshot:
            state = state_of(snapshot)
            problems = snapshot.verify().problems
        if problems:
            raise GalleryCorruptError(
                f"{chosen.path} is damaged: {problems[0]}; choose another snapshot with --to"
            )
        if not confirm(KeptVersion(chosen.number, str(chosen.path), state)):
            raise UsageError(f"{path}: not confirmed, nothing was changed")
        with replacing(path) as temporary:
            shutil.copyfile(chosen.path, temporary)
            if path.exists():
                take_snapshot(path)
        with Gallery.open(path, keys=keys) as gallery:
            return RollbackResult(state_of(gallery), chosen.number, _snapshots(path)[-1].number)
    finally:
        lock.release()


def repair(path: Path, target: Path, *, keys: Keys | None = None) -> RepairResult:
    """Saves what is sound of a damaged gallery to a new one, encrypted if that was.

    Args:
        path: the damaged gallery, which is only read.
        target: the new one; must not exist.
        keys: to open it if it is encrypted.

    Raises:
        GalleryError: it is no gallery, or so damaged that nothing can be found in it.
        UsageError: ``target`` exists.
        OutputError: it cannot be written.
    """
    if os.path.lexists(target):
        raise UsageError(f"{target}: exists already; repair writes a new file")
    if not path.is_file():
        raise GalleryNotFoundError(f"there is no gallery {path}")
    try:
        saved = salvage(path, keys)
    except OSError as error:
        raise GalleryError(
            f"cannot read {path}: {error.strerror or error}; check that you may read it"
        ) from error
    if saved.rows > 0 and not saved.references:
        raise EmptyGalleryError(
            f"{path}: not one of {saved.rows} references is sound; "
            "`facematch gallery rollback` takes a snapshot, if there is one"
        )
    with GalleryWriter.open(target, saved.identity, keys=keys, master=saved.master) as writer:
        writer.add(saved.references, saved.templates)
        for a, b in saved.distinct:
            writer.mark_distinct(a, b)
        writer.commit()
        return RepairResult(
            str(path),
            state_of(writer.gallery),
            saved.rows,
            saved.losses,
            saved.renamed,
            saved.crops_lost,
            saved.pairs_lost,
        )


def _snapshots(path: Path) -> tuple[Snapshot, ...]:
    try:
        return snapshots_of(Path(os.path.realpath(path)))
    except OSError as error:
        raise OutputError(
            f"cannot list the folder of {path}: {error.strerror or error}; check its permissions"
        ) from error


def _state_of(path: Path, keys: Keys | None) -> GalleryState | None:
    try:
        with Gallery.open(path, keys=keys) as gallery:
            return state_of(gallery)
    except GalleryKeyError:  # it may be sound
        raise
    except GalleryError:
        return None


def _choose(path: Path, number: int | None) -> Snapshot:
    found = _snapshots(path)
    others = [s for s in found if not (path.exists() and s.path.samefile(path))]
    chosen = [s for s in others if number is None or s.number == number]
    if not chosen:
        what = "older snapshot" if number is None else f"older snapshot {number}"
        raise GalleryNotFoundError(
            f"{path} has no {what}; `facematch gallery snapshots --keep N` makes writers keep them"
        )
    return chosen[-1]
