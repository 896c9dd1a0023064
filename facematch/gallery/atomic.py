"""Files that appear whole or not at all."""

from __future__ import annotations

import errno
import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from facematch.errors import OutputError
from facematch.overwriting import require_regular

# Templates are biometric data: a new file is for its owner alone.
_PRIVATE = 0o600


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give an empty file beside ``path`` to write to; rename it over ``path`` at the end.

    The order is: write beside, fsync, rename, fsync the folder. A crash at any instant leaves
    the old file or the new one. On any error the temporary file is removed and the old one
    is as it was. Permissions of the old file are kept; a new one is private to its owner.

    Raises:
        OutputError: the file could not be written, or ``path`` is a folder or a device.
    """
    require_regular(path)
    path = Path(os.path.realpath(path))
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        _create(temporary, _mode(path))
        yield temporary
        _sync(temporary)
        os.replace(temporary, path)
    except OSError as exc:
        _discard(temporary)
        raise OutputError(
            f"cannot write {path}: {exc.strerror or exc}; nothing was changed, "
            "check that the folder exists, may be written to and has space left"
        ) from exc
    except BaseException:
        _discard(temporary)
        raise
    try:
        _sync(path.parent)
    except OSError as exc:
        # Some network file systems cannot sync a folder and say so with EINVAL.
        if exc.errno != errno.EINVAL:
            raise OutputError(
                f"{path} was written but may not survive a power cut: {exc.strerror or exc}"
            ) from exc


def remove_stale(path: Path) -> None:
    """Remove temporary files that dead writers left beside ``path``. Call under the lock.

    They are those of the gallery and those of its snapshots.

    Raises:
        OutputError: one cannot be removed.
    """
    name = re.compile(rf"\.{re.escape(path.name)}(\.snapshot-\d+)?\.\d+\.tmp")
    try:
        for entry in list(path.parent.iterdir()):
            if name.fullmatch(entry.name) is not None:
                entry.unlink(missing_ok=True)
    except OSError as exc:
        raise OutputError(
            f"cannot write beside {path}: {exc.strerror or exc}; check the folder's permissions"
        ) from exc


def _mode(path: Path) -> int:
    try:
        return stat.S_IMODE(path.stat().st_mode)
    except FileNotFoundError:
        return _PRIVATE


def _create(path: Path, mode: int) -> None:
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, _PRIVATE)
    try:
        path.chmod(mode)
    finally:
        os.close(descriptor)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _discard(path: Path) -> None:
    # The first error is the one to report; what is left is removed by the next writer.
    with suppress(OSError):
        path.unlink(missing_ok=True)
