"""Changing a gallery: one writer at a time, and every change whole or not at all."""

from __future__ import annotations

import os
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from facematch import __version__
from facematch.gallery.atomic import remove_stale
from facematch.gallery.changes import PendingChanges
from facematch.gallery.committing import write_version
from facematch.gallery.envelope import MasterKey
from facematch.gallery.keys import Keys, not_encrypted
from facematch.gallery.locking import WriterLock
from facematch.gallery.reader import Gallery, not_found
from facematch.gallery.snapshots import prune_snapshots
from facematch.gallery.structure import GalleryInfo
from facematch.types import ModelIdentity


class GalleryWriter(PendingChanges):
    """A gallery opened for changes, under a lock that other writers respect.

    Changes gather in memory until :meth:`commit`; what was not committed when the writer is
    closed is dropped. Rows are those of the gallery as of opening or of the last commit;
    removals do not shift them before the next one. Readers are never disturbed.

    Attributes:
        keys: what it was opened with.
    """

    def __init__(
        self,
        path: Path,
        lock: WriterLock,
        base: Gallery | None,
        identity: ModelIdentity,
        *,
        given: Path,
        keys: Keys | None = None,
        master: MasterKey | None = None,
        is_snapshot: bool = False,
    ) -> None:
        super().__init__(path, base, identity, snapshot_due=not is_snapshot)
        # The gallery is read under the name that it was given, which its messages then have.
        self._given = given
        self.keys = keys
        self._lock = lock
        self._master = master
        self._is_snapshot = is_snapshot

    @classmethod
    def open(
        cls,
        path: str | os.PathLike[str],
        identity: ModelIdentity | None = None,
        *,
        create: bool = True,
        lock_timeout_s: float = 0,
        keys: Keys | None = None,
        master: MasterKey | None = None,
    ) -> GalleryWriter:
        """Lock a gallery and read what it holds.

        Args:
            path: the file; a symbolic link is followed.
            identity: the model of the templates to add; None to change existing ones only.
            create: whether a missing file is made (by the first commit).
            lock_timeout_s: how long to wait for another writer.
            keys: to open it if it is encrypted, which its next versions are as well.
            master: of ``keys``, to encrypt a gallery that is made; one that is encrypted
                keeps its own.

        Raises:
            GalleryLockedError: another writer is at work; the message says which.
            GalleryKeyError: it is encrypted, and the keys are missing or wrong.
            UsageError: there is a ``master``, and a gallery that is not encrypted.
            GalleryNotFoundError: there is no such file, and it is not to be made.
            GalleryFormatError: it is not a gallery.
            GalleryCorruptError: it is damaged.
            GalleryModelMismatchError: its templates are of another model.
            OutputError: the folder cannot be written to.
        """
        given = Path(path)
        path = Path(os.path.realpath(path))
        if not os.path.lexists(path) and (identity is None or not create):
            raise not_found(path)
        lock = WriterLock(path, lock_timeout_s)
        try:
            remove_stale(path)
            base = None
            if identity is None or os.path.lexists(path):
                base = Gallery.open(given, identity, keys=keys)
                identity = base.identity
                if master is not None and base.master is None:
                    raise not_encrypted(path)
                master = base.master
            return cls(path, lock, base, identity, given=given, keys=keys, master=master)
        except BaseException:
            lock.release()
            raise

    def of_snapshot(self, path: Path, base: Gallery) -> GalleryWriter:
        """A writer of a snapshot beside the gallery, under the same lock. Not to be closed."""
        return GalleryWriter(
            path,
            self._lock,
            base,
            base.identity,
            given=path,
            keys=self.keys,
            master=base.master,
            is_snapshot=True,
        )

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
        """Drop what was not committed and let the next writer in."""
        self._load(None)
        self._lock.release()

    def commit(self) -> None:
        """Make all changes at once: write a whole new file and rename it over the old one.

        Without changes nothing is written, except that a missing gallery is made.

        Raises:
            OutputError: it could not be written; the old gallery is as it was, and the
                changes are still pending.
            GalleryCorruptError: old rows fail their checksums; nothing was changed.
        """
        if not self._lock.held:
            raise ValueError(f"the writer of {self.path} has been closed")
        if self._base is not None and not self._is_changed(self._base):
            return
        now = time.time()
        info = GalleryInfo(
            identity=self.identity,
            created_at=now if self._base is None else self._base.info.created_at,
            updated_at=now,
            library_version=__version__,
            snapshots=self._snapshots,
        )
        due = self._snapshot_due and self._snapshots > 0 and self._base is not None
        write_version(self.path, info, self._contents(), snapshot=due, master=self._master)
        self._snapshot_due = False
        if not self._is_snapshot:
            prune_snapshots(self.path, self._snapshots)
        self._load(Gallery.open(self._given, self.identity, keys=self.keys))
