"""Where pictures made from photographs go: never over a photograph, nor over each other."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from facematch.errors import OutputError

_SUFFIX = ".png"


class Placing:
    """Gives names to the PNG files that are made from photographs.

    Args:
        photographs: what they are made from.
        folders: where they will lie; not all of them need be there yet.

    Raises:
        OutputError: a photograph lies in one of the folders under a name like theirs, so
            that a file might replace it.
    """

    def __init__(self, photographs: Iterable[Path], folders: Iterable[Path]) -> None:
        photographs = list(photographs)
        inputs = {identity for path in photographs if (identity := _identity(path)) is not None}
        for folder in dict.fromkeys(folders):
            for present in _pictures_in(folder):
                if _identity(present) in inputs:
                    raise OutputError(
                        f"{present}: is one of the photographs, and writing to {folder} could "
                        "replace it; choose another folder"
                    )
        self._originals_in = {_identity(path.parent) for path in photographs}
        self._taken: set[Path] = set()

    def name(self, folder: Path, stem: str) -> Path:
        """A path that was not given before: ``stem.png``, or ``stem-2.png``, ``-3`` … .

        An older file of that name is replaced, except among the photographs themselves, where
        it may be an original that was not asked for.
        """
        path, number = folder / f"{stem}{_SUFFIX}", 1
        among_originals = _identity(folder) in self._originals_in
        while path in self._taken or (among_originals and path.exists()):
            number += 1
            path = folder / f"{stem}-{number}{_SUFFIX}"
        self._taken.add(path)
        return path


def _pictures_in(folder: Path) -> list[Path]:
    try:
        return [path for path in folder.iterdir() if path.suffix.lower() == _SUFFIX]
    except OSError:  # not there yet, or no folder, which making it tells
        return []


def _identity(path: Path) -> tuple[int, int] | None:
    """Device and inode, which links share with their files."""
    try:
        status = path.stat()
    except (OSError, ValueError):  # ValueError: a NUL byte in the name
        return None
    return status.st_dev, status.st_ino
