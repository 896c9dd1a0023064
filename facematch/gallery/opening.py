"""Opening a gallery file: seal, structure, and columns mapped from disk."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np

from facematch.errors import GalleryCorruptError, GalleryFormatError
from facematch.gallery.format import (
    CHECKSUMS,
    COLUMNS,
    DIGEST_BYTES,
    FORMAT_VERSION,
    INDEX,
    PAGE_BYTES,
    block_count,
    columns_of,
)
from facematch.gallery.headers import is_hdf5
from facematch.gallery.seal import MAGIC, Seal, structure_digest
from facematch.gallery.stored import Stored
from facematch.gallery.structure import GalleryInfo, Structure, read_structure
from facematch.types import UInt8Array

# The checksums, which have to be left, are 32 bytes for each 16384 of a whole gallery, and a
# seal from elsewhere may promise anything.
_MOST_PROMISED_PER_BYTE = 1024


@dataclass(frozen=True, slots=True, eq=False)
class DamagedColumns:
    """What is there of a gallery that may be damaged or cut short.

    Attributes:
        info: the root attributes.
        columns: the rows that lie in the file as a whole; the digests of all.
        rows: how many rows each column had when it was written.
    """

    info: GalleryInfo
    columns: Mapping[str, Stored]
    rows: Mapping[str, int]


def open_columns(file: BinaryIO, path: Path) -> tuple[GalleryInfo, dict[str, Stored]]:
    """Check the seal and the structure, and map every column.

    All of it through one descriptor, so that a commit in between cannot mix two versions.

    Args:
        file: the gallery, opened for reading; may be closed afterwards. In memory, an
            ``io.BytesIO`` that is not.
        path: for messages.

    Raises:
        GalleryFormatError: it is not a gallery, or of a newer version.
        GalleryCorruptError: it is truncated or its seal does not hold.
        OSError: it cannot be read.
    """
    size = file.seek(0, io.SEEK_END)
    file.seek(0)
    head = file.read(PAGE_BYTES)
    if not head.startswith(MAGIC):
        raise GalleryFormatError(f"{path} {_what_it_is(file, head)}; give a gallery file")
    seal = Seal.unpack(head)
    if seal is None:
        raise GalleryCorruptError(
            f"{path} is damaged: its first bytes fail their checksum; restore a sound copy"
        )
    if not 1 <= seal.version <= FORMAT_VERSION:
        raise GalleryFormatError(
            f"{path} has layout version {seal.version} and this facematch reads up to "
            f"{FORMAT_VERSION}; use the facematch that wrote it, or a newer one"
        )
    if seal.file_size != size:
        raise GalleryCorruptError(
            f"{path} is damaged: it has {size} of {seal.file_size} bytes; restore a sound copy, or "
            "save what is left with `facematch gallery repair`"
        )
    structure = read_structure(file, path, size)
    data = [extent for name, extent in structure.extents.items() if name != CHECKSUMS]
    sound = structure.version == seal.version
    if not sound or structure_digest(file, data, size) != seal.structure:
        raise GalleryCorruptError(
            f"{path} is damaged: its structure fails its checksum; restore a sound copy, or save "
            "what is left with `facematch gallery repair`"
        )
    return structure.info, _map_columns(path, structure, _bytes_of(file))


def open_damaged(file: BinaryIO, path: Path) -> DamagedColumns:
    """Map what can be mapped of a gallery whose seal may not hold, for a repair.

    Each block still has a checksum of its own, which no accident makes fit. The tail of the
    file may be missing, as long as the structure and the columns of ``INDEX`` are there: with
    them, the number of references is known to be no more than fits into the file.

    Raises:
        GalleryFormatError: it is not a gallery, its structure cannot be read, or too much of
            it is missing.
        OSError: it cannot be read.
    """
    size = file.seek(0, io.SEEK_END)
    file.seek(0)
    seal = Seal.unpack(file.read(PAGE_BYTES))
    promised = size if seal is None else max(size, seal.file_size)
    too_few = GalleryFormatError(
        f"{path} is damaged: {size} of {promised} bytes are left, too few to tell whose "
        "references they are; go back to a snapshot with `facematch gallery rollback`, "
        "or enroll again"
    )
    if promised > _MOST_PROMISED_PER_BYTE * size:
        raise too_few
    structure = read_structure(file, path, promised)
    for name in INDEX:
        extent = structure.extents[name]
        if extent.offset + extent.nbytes > size:
            raise too_few
    columns = _map_columns(path, structure, _bytes_of(file))
    return DamagedColumns(structure.info, columns, structure.rows)


def _bytes_of(file: BinaryIO) -> UInt8Array:
    """uint8 (bytes,), read-only: mapped from disk, or where they lie in memory."""
    if isinstance(file, io.BytesIO):
        raw = np.frombuffer(file.getbuffer(), np.uint8)
        raw.flags.writeable = False
        return raw
    return np.memmap(file, np.uint8, "r").view(np.ndarray)


def _what_it_is(file: BinaryIO, head: bytes) -> str:
    if len(head) == 0:
        return "is empty"
    if is_hdf5(file):
        return "is an HDF5 file but not a facematch gallery"
    return "is not an HDF5 file"


def _map_columns(path: Path, structure: Structure, raw: UInt8Array) -> dict[str, Stored]:
    place = structure.extents[CHECKSUMS]
    digests = raw[place.offset : place.offset + place.nbytes].reshape(-1, DIGEST_BYTES)
    size = structure.info.identity.embedding_size
    # What an older layout lacks is empty.
    columns = {
        column.name: Stored(
            path,
            column.name,
            np.empty(column.shape(0, size), column.dtype),
            np.empty((0, DIGEST_BYTES), np.uint8),
        )
        for column in COLUMNS
        if column.since > structure.version
    }
    first = 0
    for column in columns_of(structure.version):
        extent = structure.extents[column.name]
        row_bytes = column.nbytes(1, size)
        # Of a file that was cut, the rows that are left.
        present = max(0, min(extent.nbytes, len(raw) - extent.offset)) // row_bytes
        data = raw[extent.offset : extent.offset + present * row_bytes].view(column.dtype)
        data = data.reshape(column.shape(present, size))
        blocks = block_count(extent.nbytes)
        columns[column.name] = Stored(path, column.name, data, digests[first : first + blocks])
        first += blocks
    return columns
