"""Galleries as a forger changes them: with every checksum made to fit."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from pathlib import Path

from facematch.gallery.format import CHECKSUMS, FORMAT_VERSION
from facematch.gallery.lookup3 import lookup3
from facematch.gallery.seal import SEAL_BYTES, Seal, structure_digest
from facematch.gallery.structure import read_structure

# Structures of one size each: (signature, bytes before the checksum).
_FIXED = ((b"\x89HDF\r\n\x1a\n", 44), (b"FRHP", 142), (b"BTHD", 34), (b"BTLF", 6 + 9 * 17))


class Forgery:
    """The bytes of a gallery of layout 2, to be changed.

    Attributes:
        data: them.
    """

    def __init__(self, path: Path) -> None:
        self.data = path.read_bytes()
        structure = read_structure(BytesIO(self.data), path, len(self.data))
        self._extents = [e for name, e in structure.extents.items() if name != CHECKSUMS]

    def at(self, signature: bytes, number: int = 0) -> int:
        """Where the structure of this signature starts, of several this one."""
        found = -1
        for _ in range(number + 1):
            found = self.data.index(signature, found + 1)
        return found

    def structures(self) -> list[tuple[int, int]]:
        """(start, bytes) of each structure that is followed by its checksum."""
        found = [(self.at(signature), length) for signature, length in _FIXED]
        at = self.data.find(b"OHDR")
        while at >= 0:
            flags = self.data[at + 5]
            head = 6 + (16 if flags & 0x20 else 0) + (1 << (flags & 3))
            width = 1 << (flags & 3)
            found.append(
                (at, head + int.from_bytes(self.data[at + head - width : at + head], "little"))
            )
            at = self.data.find(b"OHDR", at + 1)
        return found

    def forge(self, change: Callable[[bytearray], None]) -> bytes:
        """The file after a change, with the checksums that it asks for."""
        structures = self.structures()
        heap = self.at(b"FHDB")
        data = bytearray(self.data)
        change(data)
        for start, length in structures:
            if data[start : start + length] != self.data[start : start + length]:
                data[start + length : start + length + 4] = _sum(data[start : start + length])
        if data[heap : heap + 1024] != self.data[heap : heap + 1024]:
            data[heap + 18 : heap + 22] = bytes(4)
            data[heap + 18 : heap + 22] = _sum(data[heap : heap + 1024])
        digest = structure_digest(BytesIO(data), self._extents, len(data)) or bytes(32)
        data[:SEAL_BYTES] = Seal(FORMAT_VERSION, len(data), digest).pack()
        return bytes(data)


def _sum(data: bytes | bytearray) -> bytes:
    return lookup3(bytes(data)).to_bytes(4, "little")
