"""Folders with one sub-folder per identity, as ``facematch enroll`` takes them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from facematch.errors import TrainingDataError
from facematch.training.data.files import FileSource, stamp
from facematch.training.data.source import CropCutter, Picture

# As in imaging.paths, which this room does not see; a test holds the two together.
PICTURE_SUFFIXES = frozenset(
    {
        *(".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".bmp", ".dib"),
        *(".tif", ".tiff", ".gif", ".heic", ".heif", ".hif", ".avif"),
    }
)


def folder_source(root: Path, name: str, cut: CropCutter | None) -> FileSource:
    """Lists a folder of identities.

    The first folder below ``root`` is the identity, whatever lies deeper; pictures directly
    in ``root`` are of nobody. Names that begin with a dot, and names without a picture's
    suffix, are passed over; symbolic links are followed, each folder once.

    Args:
        root: the folder.
        name: what to call it in reports.
        cut: makes crops of photographs.

    Raises:
        TrainingDataError: it cannot be read, or holds no pictures.
    """
    try:
        paths = sorted(_pictures(root), key=lambda path: path.relative_to(root).as_posix())
    except OSError as error:
        raise TrainingDataError(
            f"{error.filename}: cannot be read ({error.strerror}); check its permissions"
        ) from error
    if not paths:
        raise TrainingDataError(
            f"{root}: no pictures there; expected a folder with one sub-folder per person"
        )
    pictures = []
    for path in paths:
        inside = path.relative_to(root)
        pictures.append(
            Picture(
                name=f"{name}:{inside.as_posix()}",
                place=str(path.absolute()),
                identity=inside.parts[0] if len(inside.parts) > 1 else None,
                source=name,
                stamp=stamp(path),
            )
        )
    return FileSource(name, tuple(pictures), cut)


def _pictures(root: Path) -> Iterator[Path]:
    def fail(error: OSError) -> None:
        raise error

    # Links may lead back up: a folder is known by device and inode, not by its path.
    seen: set[tuple[int, int]] = set()
    for folder, folders, files in os.walk(root, onerror=fail, followlinks=True):
        status = Path(folder).stat()
        if (status.st_dev, status.st_ino) in seen:
            folders.clear()
            continue
        seen.add((status.st_dev, status.st_ino))
        folders[:] = sorted(entry for entry in folders if not entry.startswith("."))
        for entry in files:
            path = Path(folder, entry)
            if not entry.startswith(".") and path.suffix.lower() in PICTURE_SUFFIXES:
                yield path
