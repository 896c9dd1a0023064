"""From the paths that a person types to the photographs they mean.

Only names are looked at here: whether a file is a picture is decided by its bytes when it is
decoded.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from facematch.errors import ImageNotFoundError, InputError

PHOTOGRAPH_SUFFIXES = frozenset(
    {
        ".jpg",
        ".jpeg",
        ".jpe",
        ".jfif",
        ".png",
        ".webp",
        ".bmp",
        ".dib",
        ".tif",
        ".tiff",
        ".gif",
        ".heic",
        ".heif",
        ".hif",
        ".avif",
    }
)


def find_photographs(paths: Sequence[Path]) -> list[Path]:
    """List photographs: files as given, folders searched with all their sub-folders.

    In folders, names that start with a dot and names without one of ``PHOTOGRAPH_SUFFIXES``
    are skipped; symbolic links are followed, each folder once. A file that is named outright is
    listed whatever it is called. Nothing is removed when paths overlap.

    Args:
        paths: files and folders, in the order wanted.

    Returns:
        The files in the order of ``paths``, those of one folder sorted by path. A folder
        without photographs adds none.

    Raises:
        ImageNotFoundError: one of ``paths`` does not exist.
        InputError: a folder cannot be read.
    """
    found: list[Path] = []
    for path in paths:
        try:
            is_folder = path.is_dir()
            exists = is_folder or path.exists()
        except OSError as exc:
            raise _unreadable(path, exc) from exc
        if not exists:
            raise ImageNotFoundError(f"{path}: no such file or folder; check the path")
        found.extend(sorted(_walk(path)) if is_folder else [path])
    return found


def _walk(folder: Path) -> Iterator[Path]:
    """Photographs below ``folder``, in any order."""
    # Links may lead back up: a folder is known by device and inode, not by its path.
    seen: set[tuple[int, int]] = set()
    pending = [folder]
    while pending:
        current = pending.pop()
        try:
            status = current.stat()
            if (status.st_dev, status.st_ino) in seen:
                continue
            seen.add((status.st_dev, status.st_ino))
            folders = []
            for path in current.iterdir():
                if path.name.startswith("."):
                    continue
                if path.is_dir():
                    folders.append(path)
                elif path.suffix.lower() in PHOTOGRAPH_SUFFIXES and _is_file_or_link(path):
                    yield path
            # Sorted, so that of two ways into one folder the same is taken every time.
            pending.extend(sorted(folders, reverse=True))
        except OSError as exc:
            raise _unreadable(current, exc) from exc


def _is_file_or_link(path: Path) -> bool:
    """False for pipes and devices. A broken link stays in: decoding it says what is wrong."""
    return path.is_symlink() or path.is_file()


def _unreadable(path: Path, exc: OSError) -> InputError:
    return InputError(f"{path}: cannot be read ({exc.strerror}); check its permissions")
