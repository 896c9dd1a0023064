"""Zip archives of aligned crops: ``identity/name.webp``, or ``name.webp`` of nobody."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path

from facematch.errors import InputError, TrainingDataError
from facematch.training.data.source import (
    LARGEST_CROP_BYTES,
    Picture,
    decode_crop,
)
from facematch.types import UInt8Array


class ArchiveSource:
    """Reads one zip archive. Reads of several threads take turns inside ``zipfile``.

    Args:
        path: the archive.
        name: what to call it in reports.

    Raises:
        TrainingDataError: it is missing, no zip file, or holds no files.
    """

    def __init__(self, path: Path, name: str) -> None:
        try:
            self._archive = zipfile.ZipFile(path)
        except (OSError, zipfile.BadZipFile) as error:
            raise TrainingDataError(f"{path}: not a readable zip archive of crops") from error
        members = sorted(
            (info for info in self._archive.infolist() if not info.is_dir()),
            key=lambda info: info.filename,
        )
        if not members:
            self._archive.close()
            raise TrainingDataError(f"{path}: the archive holds no crops")
        self.name = name
        self.pictures = tuple(
            Picture(
                name=f"{name}:{info.filename}",
                place=info.filename,
                identity=info.filename.rpartition("/")[0] or None,
                source=name,
                stamp=f"{info.CRC:08x} {info.file_size}",
            )
            for info in members
        )

    def read(self, picture: Picture) -> UInt8Array:
        if self._archive.getinfo(picture.place).file_size > LARGEST_CROP_BYTES:
            raise InputError("larger than any aligned crop")
        try:
            data = self._archive.read(picture.place)
        except (OSError, EOFError, zipfile.BadZipFile, zlib.error) as error:
            raise InputError(f"damaged in the archive ({error})") from error
        # A rare compression, a password; a name inside that is no text.
        except (RuntimeError, UnicodeDecodeError) as error:
            raise InputError(f"cannot be unpacked ({error})") from error
        return decode_crop(data)

    def close(self) -> None:
        self._archive.close()
