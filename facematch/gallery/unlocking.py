"""The one place where it matters whether a gallery is encrypted: on its way in and out."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from facematch.errors import GalleryKeyError
from facematch.gallery.envelope import (
    HEADER_BYTES,
    MasterKey,
    decrypt,
    decrypt_damaged,
    encrypt,
    is_encrypted,
    read_header,
)
from facematch.gallery.keys import Keys
from facematch.gallery.snapshots import is_snapshot


@dataclass(frozen=True, slots=True, eq=False)
class Unlocked:
    """A gallery file as ``format.py`` has it.

    Attributes:
        file: on disk, or in memory if it is encrypted there.
        master: the key to write it with; None if it is not encrypted.
    """

    file: BinaryIO
    master: MasterKey | None


def unlock(file: BinaryIO, path: Path, keys: Keys | None, *, damaged: bool = False) -> Unlocked:
    """Decrypt a gallery into memory, if it is encrypted; nothing of it touches the disk.

    Args:
        file: opened for reading.
        path: for messages.
        keys: to open it with.
        damaged: put zeros in place of what does not decrypt.

    Raises:
        GalleryKeyError: it is encrypted, and the keys are missing or wrong.
        GalleryFormatError: it is encrypted in an unknown way.
        GalleryCorruptError: it is damaged.
        OSError: it cannot be read.
    """
    file.seek(0)
    start = file.read(HEADER_BYTES)
    if not is_encrypted(start):
        return Unlocked(file, None)
    header = read_header(start, path)
    if keys is None:
        raise GalleryKeyError(f"{path} is encrypted; its passphrase or key file is needed")
    try:
        master = keys.master(header, path)
    except GalleryKeyError as exc:
        if not is_snapshot(path):
            raise
        raise GalleryKeyError(
            f"{exc}; if `facematch gallery rekey` was interrupted, the same command with the same "
            "two secrets finishes it"
        ) from exc
    if damaged:
        return Unlocked(decrypt_damaged(file, header, master), master)
    return Unlocked(decrypt(file, header, master, path), master)


def write_locked(plain: io.BytesIO, path: Path, master: MasterKey | None) -> None:
    """Write a gallery that is in memory, encrypted if there is a key.

    Args:
        plain: the gallery file.
        path: an existing file, which is overwritten.
        master: the key; None to write it as it is.

    Raises:
        OSError: it cannot be written.
    """
    with path.open("wb") as file:
        if master is None:
            file.write(plain.getbuffer())
        else:
            encrypt(plain, master, file)
