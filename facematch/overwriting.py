"""Whether a file may be replaced by one that a person has named to be written."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

from facematch.errors import OutputError


def require_replaceable(path: Path, kind: str, is_of_kind: Callable[[Path], bool]) -> None:
    """Lets only a file of the kind that will be written be lost. Links are followed.

    Args:
        path: the file to write.
        kind: what it will hold, for the message.
        is_of_kind: whether a file holds such.

    Raises:
        OutputError: a folder, a device, or a file with something else in it.
    """
    require_regular(path)
    target = Path(os.path.realpath(path))
    if _size(target) > 0 and not is_of_kind(target):
        raise OutputError(
            f"{path}: is there already and not {kind}, so it is not replaced; choose another "
            "place with -o, or remove it first"
        )


def head_of(path: Path, size: int) -> bytes:
    """The first bytes of a file, by which its kind is known; none if it cannot be read."""
    try:
        with path.open("rb") as file:
            return file.read(size)
    except OSError:
        return b""


def require_regular(path: Path) -> None:
    """Refuses to put a file in the place of a device, a pipe or a folder.

    Raises:
        OutputError: there is one.
    """
    try:
        mode = Path(os.path.realpath(path)).stat().st_mode
    except OSError:  # nothing there, or writing it tells
        return
    if not stat.S_ISREG(mode):
        what = "a folder" if stat.S_ISDIR(mode) else "a device or a pipe"
        raise OutputError(f"{path}: cannot be written, it is {what}; name a file")


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
