"""Opening a gallery file: seal, structure, and columns mapped from disk."""

from __future__ import annotations

import os
from pathlib import Path
from typing import BinaryIO

import numpy as np

from facematch.errors import GalleryCorruptError, GalleryFormatError
from facematch.gallery.format import (
    CHECKSUMS,
    COLUMNS,
    DIGEST_BYTES,
    FORMAT_VERSION,
    PAGE_BYTES,
    block_count,
    columns_of,
)
from facematch.gallery.seal import MAGIC, Seal, structure_digest
from facematch.gallery.stored import Stored
from facematch.gallery.structure import GalleryInfo, Structure, read_structure
from facematch.types import UInt8Array

_HDF5_SIGNATURE = b"\x89HDF\r\n\x1a\n"


def open_columns(file: BinaryIO, path: Path) -> tuple[GalleryInfo, dict[str, Stored]]:
    """Check the seal and the structure, and map every column.

    All of it through one descriptor, so that a commit in between cannot mix two versions.

    Args:
        file: the gallery, opened for reading; may be closed afterwards.
        path: for messages.

    Raises:
        GalleryFormatError: it is not a gallery, or of a newer version.
        GalleryCorruptError: it is truncated or its seal does not hold.
        OSError: it cannot be read.
    """
    size = os.fstat(file.fileno()).st_size
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
            f"{path} is damaged: it has {size} of {seal.file_size} bytes; restore a sound copy"
        )
    structure = read_structure(file, path, size)
    data = [extent for name, extent in structure.extents.items() if name != CHECKSUMS]
    sound = structure.version == seal.version
    if not sound or structure_digest(file, data, size) != seal.structure:
        raise GalleryCorruptError(
            f"{path} is damaged: its structure fails its checksum; restore a sound copy"
        )
    raw = np.memmap(file, np.uint8, "r").view(np.ndarray)
    return structure.info, _map_columns(path, structure, raw)


def open_damaged(file: BinaryIO, path: Path) -> tuple[GalleryInfo, dict[str, Stored]]:
    """Map what can be mapped of a gallery whose seal may not hold, for a repair.

    Each block still has a checksum of its own, which no accident makes fit.

    Raises:
        GalleryFormatError: it is not a gallery, or its structure cannot be read.
        OSError: it cannot be read.
    """
    size = os.fstat(file.fileno()).st_size
    structure = read_structure(file, path, size)
    raw = np.memmap(file, np.uint8, "r").view(np.ndarray)
    return structure.info, _map_columns(path, structure, raw)


def _what_it_is(file: BinaryIO, head: bytes) -> str:
    if len(head) == 0:
        return "is empty"
    # HDF5 looks for its signature at 0 and at powers of two from 512 on.
    for offset in (0, 512, 1024, 2048, 4096):
        file.seek(offset)
        if file.read(len(_HDF5_SIGNATURE)) == _HDF5_SIGNATURE:
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
        shape = column.shape(structure.rows[column.name], size)
        data = raw[extent.offset : extent.offset + extent.nbytes].view(column.dtype).reshape(shape)
        blocks = block_count(extent.nbytes)
        columns[column.name] = Stored(path, column.name, data, digests[first : first + blocks])
        first += blocks
    return columns
