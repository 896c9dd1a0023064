"""Checksums: SHA-256 per block of each dataset, and the seal over everything else."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

from facematch.gallery.format import BLOCK_BYTES, DIGEST_BYTES
from facematch.types import Int64Array, UInt8Array

MAGIC = b"FACEMTCH"
_FIELDS = struct.Struct("<8sIIQ32s")
SEAL_BYTES = _FIELDS.size + DIGEST_BYTES
_READ_BYTES = 1 << 22


@dataclass(frozen=True, slots=True)
class Extent:
    """Where the bytes of one dataset lie in the file."""

    offset: int
    nbytes: int


@dataclass(frozen=True, slots=True)
class Seal:
    """The start of the user block.

    Attributes:
        version: of the layout.
        file_size: bytes.
        structure: SHA-256 of what belongs to no dataset with block checksums.
    """

    version: int
    file_size: int
    structure: bytes

    def pack(self) -> bytes:
        fields = _FIELDS.pack(MAGIC, self.version, 0, self.file_size, self.structure)
        return fields + hashlib.sha256(fields).digest()

    @classmethod
    def unpack(cls, head: bytes) -> Seal | None:
        """The seal at the start of ``head``, or None if its own digest does not hold."""
        fields, digest = head[: _FIELDS.size], head[_FIELDS.size : SEAL_BYTES]
        if len(fields) < _FIELDS.size or hashlib.sha256(fields).digest() != digest:
            return None
        _, version, _, file_size, structure = _FIELDS.unpack(fields)
        return cls(version, file_size, structure)


def structure_digest(file: BinaryIO, extents: Iterable[Extent], file_size: int) -> bytes | None:
    """SHA-256 of all bytes behind the seal that lie in none of the extents.

    Returns:
        The digest, or None if extents overlap each other, the seal, or the end of the file.
    """
    sha = hashlib.sha256()
    position = SEAL_BYTES
    used = sorted((e for e in extents if e.nbytes > 0), key=lambda e: e.offset)
    for extent in (*used, Extent(file_size, 0)):
        if extent.offset < position:
            return None
        file.seek(position)
        while position < extent.offset:
            piece = file.read(min(_READ_BYTES, extent.offset - position))
            if not piece:
                return None
            sha.update(piece)
            position += len(piece)
        position += extent.nbytes
    return sha.digest()


def as_bytes(array: npt.NDArray[np.generic]) -> UInt8Array:
    """The bytes of a contiguous array, without a copy."""
    return array.reshape(-1).view(np.uint8)


class BlockHasher:
    """SHA-256 per block of a stream that comes in pieces of any size.

    Args:
        carried: uint8 (k, 32), digests of the first k blocks if they are known already;
            those bytes pass through without being hashed.
    """

    def __init__(self, carried: UInt8Array) -> None:
        self._carried = [row.tobytes() for row in carried]
        self._digests: list[bytes] = []
        self._block = hashlib.sha256()
        self._filled = 0

    def update(self, data: UInt8Array) -> None:
        view = data.data
        while len(view) > 0:
            piece = view[: BLOCK_BYTES - self._filled]
            if len(self._digests) >= len(self._carried):
                self._block.update(piece)
            self._filled += len(piece)
            view = view[len(piece) :]
            if self._filled == BLOCK_BYTES:
                self._close_block()

    def digests(self) -> bytes:
        """All digests, one after the other. Ends the stream."""
        if self._filled > 0:
            self._close_block()
        return b"".join(self._digests)

    def _close_block(self) -> None:
        number = len(self._digests)
        carried = number < len(self._carried)
        self._digests.append(self._carried[number] if carried else self._block.digest())
        self._block = hashlib.sha256()
        self._filled = 0


def damaged_blocks(data: UInt8Array, digests: UInt8Array, blocks: Int64Array) -> Int64Array:
    """The blocks among ``blocks`` whose bytes do not have the stored digest.

    Args:
        data: uint8 (nbytes,), a whole dataset.
        digests: uint8 (blocks, 32), its stored digests.
        blocks: int64 (k,), which to check.
    """
    view = data.data
    found = [
        block
        for block in blocks.tolist()
        if hashlib.sha256(view[block * BLOCK_BYTES : (block + 1) * BLOCK_BYTES]).digest()
        != digests[block].tobytes()
    ]
    return np.array(found, np.int64)
