"""One writer per gallery, across processes.

The lock is the operating system's (flock, through ``filelock``), so that of a dead process
is gone with it, and the next writer takes over. It lies on ``<name>.lock`` beside the gallery
and not on the gallery itself, which is replaced by each commit. Who holds it, and since when,
stands in ``.<name>.owner``, since some versions of ``filelock`` truncate the lock file when
another process merely tries.
"""

from __future__ import annotations

import os
import re
import socket
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock, Timeout

from facematch.errors import GalleryLockedError, OutputError

_ONLY_THE_OWNER = 0o600
_OWNER = re.compile(r"(\d{1,10}) ([\w.-]{1,255}) ([\dT:+-]{25})")


class WriterLock:
    """Holds the lock from construction until :meth:`release`.

    Args:
        path: the gallery.
        timeout_s: how long to wait for another writer.

    Raises:
        GalleryLockedError: another writer held the lock all that time.
        OutputError: the lock file cannot be made.
    """

    def __init__(self, path: Path, timeout_s: float) -> None:
        if not path.parent.is_dir():  # filelock would make the folder, a mistyped one too
            raise OutputError(
                f"cannot write {path}: there is no folder {path.parent}; make it first"
            )
        self._owner = path.with_name(f".{path.name}.owner")
        # Nobody else may open it: to hold it, reading is enough.
        self._lock = FileLock(
            str(path.with_name(f"{path.name}.lock")), mode=_ONLY_THE_OWNER, thread_local=False
        )
        try:
            self._lock.acquire(timeout=timeout_s)
        except Timeout as exc:
            if not Path(self._lock.lock_file).exists():  # where the system has files of its own
                raise OutputError(
                    f"cannot lock {path} for writing: no file can be made there; "
                    "choose another folder"
                ) from exc
            raise GalleryLockedError(
                f"{path} is being written by {self._holder()}; try again when it has finished, "
                "or wait for it with --wait"
            ) from exc
        except OSError as exc:
            raise OutputError(
                f"cannot lock {path} for writing: {exc.strerror or exc}; "
                "check the permissions of the folder"
            ) from exc
        # The record is for messages only: the lock holds without it, on a full disk too.
        with suppress(OSError):
            since = datetime.now(UTC).isoformat(timespec="seconds")
            self._owner.touch(_ONLY_THE_OWNER)
            self._owner.write_text(f"{os.getpid()} {socket.gethostname()} {since}", "utf-8")

    @property
    def held(self) -> bool:
        return bool(self._lock.is_locked)

    def release(self) -> None:
        """Let the next writer in. May be called again."""
        if self.held:
            with suppress(OSError):
                self._owner.unlink(missing_ok=True)
            self._lock.release()

    def _holder(self) -> str:
        try:
            found = _OWNER.fullmatch(self._owner.read_text("utf-8"))
        except (OSError, UnicodeDecodeError):
            found = None
        if found is None or _is_dead(int(found[1]), found[2]):
            return "another process"
        return f"process {found[1]} on {found[2]}, since {found[3]}"


def _is_dead(pid: int, host: str) -> bool:
    """Whether a record is of a process that was killed, and not of the holder of the lock."""
    if host != socket.gethostname():
        return False
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return True
    except PermissionError:  # it lives, and is somebody else's
        return False
    return False
