"""Older versions of a gallery, kept beside it.

A snapshot of ``faces.h5`` is ``faces.h5.snapshot-000012``: the very file that a commit
replaced, under a second name, so that taking one costs nothing. Numbers only rise.
"""

from __future__ import annotations

import errno
import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from facematch.errors import OutputError

_NUMBER = re.compile(r"\d{6,9}")

# What file systems without hard links say.
_NO_LINKS = {errno.EPERM, errno.ENOTSUP, errno.EMLINK, errno.ENOSYS}


@dataclass(frozen=True, slots=True)
class Snapshot:
    """An older version of a gallery.

    Attributes:
        number: rises with time.
        path: of the file, a gallery like any other.
    """

    number: int
    path: Path


def snapshots_of(path: Path) -> tuple[Snapshot, ...]:
    """The snapshots beside a gallery, oldest first.

    Raises:
        OSError: the folder cannot be read.
    """
    prefix = f"{path.name}.snapshot-"
    found = [
        Snapshot(int(entry.name.removeprefix(prefix)), entry)
        for entry in path.parent.iterdir()
        if entry.name.startswith(prefix)
        and _NUMBER.fullmatch(entry.name.removeprefix(prefix)) is not None
    ]
    return tuple(sorted(found, key=lambda snapshot: snapshot.number))


def is_snapshot(path: Path) -> bool:
    """Whether a file has the name of a snapshot."""
    before, _, number = path.name.rpartition(".snapshot-")
    return before != "" and _NUMBER.fullmatch(number) is not None


def take_snapshot(path: Path) -> None:
    """Keep the present version of a gallery, unless the newest snapshot is that already.

    Raises:
        OSError: it cannot be written; there is no half of one.
    """
    older = snapshots_of(path)
    if older and older[-1].path.samefile(path):
        return
    number = older[-1].number + 1 if older else 1
    target = path.with_name(f"{path.name}.snapshot-{number:06}")
    try:
        os.link(path, target)
    except OSError as exc:
        if exc.errno not in _NO_LINKS:
            raise
        # In the form of a dead writer's file, which the next writer removes if we die here.
        temporary = path.with_name(f".{path.name}.{os.getpid()}0.tmp")
        shutil.copy2(path, temporary)
        temporary.rename(target)


def prune_snapshots(path: Path, keep: int) -> None:
    """Remove all but the newest ``keep`` snapshots, after a commit.

    Raises:
        OutputError: one cannot be removed.
    """
    try:
        older = snapshots_of(path)
        for snapshot in older[: max(0, len(older) - keep)]:
            snapshot.path.unlink(missing_ok=True)
    except OSError as exc:
        raise OutputError(
            f"{path} was written, but an old snapshot cannot be removed: {exc.strerror or exc}; "
            "check the permissions of the folder"
        ) from exc
