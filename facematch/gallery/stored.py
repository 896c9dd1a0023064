"""Columns of an open gallery: mapped from disk, checked as they are used."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from facematch.errors import GalleryCorruptError
from facematch.gallery.format import BLOCK_BYTES, block_count
from facematch.gallery.seal import as_bytes, damaged_blocks
from facematch.types import Int64Array, UInt8Array

# Encoding of all text in the file; see format.py.
TEXT_ERRORS = "surrogateescape"


class Stored:
    """One dataset of a gallery.

    Attributes:
        name: path inside the file.
        array: the data where it lies on disk, read-only and *not* checked.
        digests: uint8 (blocks, 32), stored SHA-256 of each block of 16384 bytes.
    """

    def __init__(self, path: Path, name: str, array: npt.NDArray[Any], digests: UInt8Array) -> None:
        self._path = path
        self.name = name
        self.array = array
        self.digests = digests
        self._sound = np.zeros(len(digests), bool)

    def __len__(self) -> int:
        return len(self.array)

    @property
    def row_bytes(self) -> int:
        """Bytes of one row."""
        return self.array.strides[0]

    def rows(self, start: int, stop: int) -> npt.NDArray[Any]:
        """Rows ``start`` to ``stop``, after their checksums were found right, once.

        Raises:
            GalleryCorruptError: they are not what was written.
        """
        if stop > start:
            first = start * self.row_bytes // BLOCK_BYTES
            last = block_count(stop * self.row_bytes)
            new = first + np.flatnonzero(~self._sound[first:last])
            if len(damaged_blocks(as_bytes(self.array), self.digests, new)) > 0:
                raise self.corrupt(f"rows {start} to {stop - 1} of {self.name} fail their checksum")
            self._sound[first:last] = True
        return self.array[start:stop]

    @property
    def checked(self) -> npt.NDArray[Any]:
        """All rows, after their checksums were found right.

        Raises:
            GalleryCorruptError: they are not what was written.
        """
        return self.rows(0, len(self))

    def damaged(self) -> Int64Array:
        """Numbers of all blocks that are not what was written."""
        return damaged_blocks(as_bytes(self.array), self.digests, np.arange(len(self.digests)))

    def corrupt(self, problem: str) -> GalleryCorruptError:
        return GalleryCorruptError(
            f"{self._path} is damaged: {problem}; `facematch gallery verify` lists all damage"
        )


class StoredText:
    """A column of strings: offsets into a blob of UTF-8."""

    def __init__(self, offsets: Stored, utf8: Stored) -> None:
        self.offsets = offsets
        self.utf8 = utf8

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, row: int) -> str:
        start, stop = (int(v) for v in self.offsets.rows(row, row + 2))
        if not 0 <= start <= stop <= len(self.utf8):
            raise self.offsets.corrupt(f"row {row} of {self.offsets.name} points outside")
        return self._decode(self.utf8.rows(start, stop).tobytes())

    def all(self) -> list[str]:
        """Every string, in order."""
        ends = self.checked_offsets().tolist()
        blob = self.utf8.checked.tobytes()
        if blob.isascii():
            # Characters lie where the bytes do: one decoding instead of a million.
            text = blob.decode("ascii")
            return [text[a:b] for a, b in pairwise(ends)]
        return [self._decode(blob[a:b]) for a, b in pairwise(ends)]

    def checked_offsets(self) -> Int64Array:
        """int64 (rows + 1,), whose checksums hold and which cut the blob into pieces.

        Raises:
            GalleryCorruptError: they do not.
        """
        offsets: Int64Array = self.offsets.checked
        if not offsets_sound(offsets, len(self.utf8)):
            raise self.offsets.corrupt(f"{self.offsets.name} does not fit its strings")
        return offsets

    def _decode(self, encoded: bytes) -> str:
        return encoded.decode("utf-8", TEXT_ERRORS)


def offsets_sound(offsets: Int64Array, nbytes: int) -> bool:
    """Whether offsets start at 0, never fall, and end at the length of the blob."""
    return bool(offsets[0] == 0 and offsets[-1] == nbytes and np.all(offsets[1:] >= offsets[:-1]))
