"""From the paths that a person types to the photographs they mean.

Only names are looked at here: whether a file is a picture is decided by its bytes when it is
decoded.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from facematch.errors import ImageNotFoundError, InputError
from facematch.types import Failure

_Problem = tuple[Path, InputError]

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


@dataclass(frozen=True, slots=True)
class FoundPhotographs:
    """What paths stand for.

    Attributes:
        paths: the photographs.
        failures: paths that do not exist and folders that cannot be read, with reasons.
    """

    paths: tuple[Path, ...]
    failures: tuple[Failure, ...]


def gather_photographs(paths: Sequence[Path]) -> FoundPhotographs:
    """List photographs: files as given, folders searched with all their sub-folders.

    In folders, names that start with a dot and names without one of ``PHOTOGRAPH_SUFFIXES``
    are skipped; symbolic links are followed, each folder once. A file that is named outright is
    listed whatever it is called. Nothing is removed when paths overlap.

    Args:
        paths: files and folders, in the order wanted.

    Returns:
        The files in the order of ``paths``, those of one folder sorted by path. A folder
        without photographs adds none.
    """
    problems: list[_Problem] = []
    found = _search(paths, problems)
    failures = tuple(Failure(str(path), str(error)) for path, error in problems)
    return FoundPhotographs(tuple(found), failures)


def find_photographs(paths: Sequence[Path]) -> list[Path]:
    """The same where every path has to be there.

    Raises:
        ImageNotFoundError: one of ``paths`` does not exist.
        InputError: a folder cannot be read.
    """
    problems: list[_Problem] = []
    found = _search(paths, problems)
    for _, error in problems:
        raise error
    return found


def nothing_found(paths: Sequence[Path], failures: Sequence[Failure]) -> InputError:
    """The error for paths that hold no photograph at all.

    Args:
        paths: as given.
        failures: those of them that could not be searched.
    """
    if len(failures) > 0:
        more = f" (and {len(failures) - 1} more)" if len(failures) > 1 else ""
        return InputError(f"{failures[0].reason}{more}")
    named = ", ".join(map(str, paths[:3])) + (" …" if len(paths) > 3 else "")
    return InputError(
        f"no photographs found in {named}; folders are searched for .jpg, .png and the like"
    )


def path_problem(path: Path) -> InputError | None:
    """Why a path that somebody named cannot be used, if it does not exist or is out of reach."""
    try:
        exists = path.exists()
    except OSError as exc:
        return _unreadable(path, exc)
    except ValueError as exc:  # a NUL byte in the name
        return ImageNotFoundError(f"{path!r}: not a file name ({exc})")
    if not exists:
        return ImageNotFoundError(f"{path}: no such file or folder; check the path")
    return None


def _search(paths: Sequence[Path], problems: list[_Problem]) -> list[Path]:
    found: list[Path] = []
    for path in paths:
        problem = path_problem(path)
        if problem is not None:
            problems.append((path, problem))
        elif path.is_dir():
            found += sorted(_walk(path, problems))
        else:
            found.append(path)
    return found


def _walk(folder: Path, problems: list[_Problem]) -> Iterator[Path]:
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
                elif is_photograph(path):
                    yield path
            # Sorted, so that of two ways into one folder the same is taken every time.
            pending.extend(sorted(folders, reverse=True))
        except OSError as exc:
            problems.append((current, _unreadable(current, exc)))


def is_photograph(path: Path) -> bool:
    """Whether a file in a folder that is searched is listed; by its name alone."""
    hidden = path.name.startswith(".")
    return not hidden and path.suffix.lower() in PHOTOGRAPH_SUFFIXES and _is_file_or_link(path)


def _is_file_or_link(path: Path) -> bool:
    """False for pipes and devices. A broken link stays in: decoding it says what is wrong."""
    return path.is_symlink() or path.is_file()


def _unreadable(path: Path, exc: OSError) -> InputError:
    return InputError(f"{path}: cannot be read ({exc.strerror or exc}); check its permissions")
