"""Putting a new version of a gallery in the place of the old one."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path

from facematch.gallery.atomic import replacing
from facematch.gallery.contents import Content, row_counts, write_contents
from facematch.gallery.envelope import MasterKey
from facematch.gallery.snapshots import take_snapshot
from facematch.gallery.structure import GalleryInfo
from facematch.gallery.unlocking import write_locked


def write_version(
    path: Path,
    info: GalleryInfo,
    contents: Mapping[str, Content],
    *,
    snapshot: bool,
    master: MasterKey | None,
) -> None:
    """Replace a gallery, whole or not at all. Call under the lock.

    Args:
        path: the gallery, no symbolic link.
        info: the root attributes of the new version.
        contents: every column of the layout.
        snapshot: keep the old version beside it.
        master: the key to encrypt it with, in memory, before it is written; None to write it
            as it is.

    Raises:
        OutputError: it could not be written; the old gallery is as it was.
        GalleryCorruptError: old rows do not have their checksums.
    """
    from facematch.gallery.skeleton import create_skeleton  # loads the HDF5 library, to write

    with replacing(path) as temporary:
        if master is None:
            # HDF5 writes through its own kind of file, and bulk data goes around it.
            with temporary.open("r+b", buffering=0) as raw:
                structure = create_skeleton(raw, info, row_counts(contents))
            with temporary.open("r+b") as file:
                write_contents(file, structure, contents)
        else:
            plain = io.BytesIO()
            structure = create_skeleton(plain, info, row_counts(contents))
            write_contents(plain, structure, contents)
            write_locked(plain, temporary, master)
        if snapshot:
            take_snapshot(path)
