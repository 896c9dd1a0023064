"""The bytes of a file, and their hash, within a limit and without waiting for ever."""

from __future__ import annotations

import hashlib
import os
import select
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from facematch.errors import ImageNotFoundError, ImageTooLargeError, InputError

# For somebody to write to a pipe. Opening it would wait without end.
PIPE_PATIENCE_S = 30.0


@contextmanager
def open_patiently(path: str | Path) -> Iterator[BinaryIO]:
    """Open a file, a pipe or a device for reading.

    Raises:
        InputError: a pipe that nobody writes to.
        OSError: it cannot be opened.
        ValueError: a NUL byte in the name.
    """
    with open(path, "rb", opener=_open_without_waiting) as file:
        if stat.S_ISFIFO(os.fstat(file.fileno()).st_mode):
            _await_writer(path, file.fileno())
        yield file


def read_bounded(path: str | Path, max_bytes: int) -> bytes:
    """All bytes of a file, a pipe or a device.

    Raises:
        ImageNotFoundError: no such file, or a folder.
        ImageTooLargeError: more than ``max_bytes``; at most one more is read.
        InputError: the file may not be read, or a pipe that nobody writes to.
    """
    try:
        with open_patiently(path) as file:
            status = os.fstat(file.fileno())
            # Pipes and devices have no size; reading one byte too many tells them apart.
            size = status.st_size if stat.S_ISREG(status.st_mode) else max_bytes
            data = b"" if size > max_bytes else file.read(min(size, max_bytes) + 1)
    except (FileNotFoundError, NotADirectoryError) as exc:
        raise ImageNotFoundError(f"{path}: no such file; check the path") from exc
    except IsADirectoryError as exc:
        raise ImageNotFoundError(
            f"{path}: this is a folder where a picture was expected; name a file in it"
        ) from exc
    except ValueError as exc:  # a NUL byte in the name
        raise ImageNotFoundError(f"{path!r}: not a file name ({exc})") from exc
    except OSError as exc:
        raise InputError(f"{path}: cannot be read ({exc.strerror}); check the file") from exc
    if size > max_bytes or len(data) > max_bytes:
        raise too_many_bytes(str(path), max_bytes, size)
    return data


def file_sha256(path: Path, max_bytes: int) -> str | None:
    """Hexadecimal digest of a file's bytes; None for what is not a file within the limit."""
    try:
        status = path.stat()
        # Opening a pipe or a device could wait for ever.
        if not stat.S_ISREG(status.st_mode) or status.st_size > max_bytes:
            return None
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except (OSError, ValueError):  # ValueError: a NUL byte in the name
        return None


def too_many_bytes(name: str, max_bytes: int, size: int | None = None) -> ImageTooLargeError:
    """The error for a file of ``size`` bytes, or of unknown size."""
    found = f"{size:,} bytes" if size is not None and size > max_bytes else "larger"
    return ImageTooLargeError(
        f"{name}: {found} where at most {max_bytes:,} bytes are allowed; scale the picture down"
    )


def _open_without_waiting(path: str, flags: int) -> int:
    descriptor = os.open(path, flags | os.O_NONBLOCK)
    os.set_blocking(descriptor, True)
    return descriptor


def _await_writer(path: str | Path, descriptor: int) -> None:
    if not select.select([descriptor], [], [], PIPE_PATIENCE_S)[0]:
        raise InputError(f"{path}: a pipe that nobody writes to; name a file")
