"""Putting a new version of a gallery in the place of the old one."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from facematch.gallery.atomic import replacing
from facematch.gallery.contents import Content, write_contents
from facematch.gallery.snapshots import take_snapshot
from facematch.gallery.structure import GalleryInfo


def write_version(
    path: Path, info: GalleryInfo, contents: Mapping[str, Content], *, snapshot: bool
) -> None:
    """Replace a gallery, whole or not at all. Call under the lock.

    Args:
        path: the gallery, no symbolic link.
        info: the root attributes of the new version.
        contents: every column of the layout.
        snapshot: keep the old version beside it.

    Raises:
        OutputError: it could not be written; the old gallery is as it was.
        GalleryCorruptError: old rows do not have their checksums.
    """
    with replacing(path) as temporary:
        write_contents(temporary, info, contents)
        if snapshot:
            take_snapshot(path)
