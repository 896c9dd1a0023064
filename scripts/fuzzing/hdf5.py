"""Galleries and exported templates as a forger changes them: with every checksum made to fit.

HDF5 guards its newer structures with Jenkins' lookup3, a gallery has its seal and its block
checksums. Without mending those, hardly a change would get past them.
"""

from __future__ import annotations

import hashlib
import random
import struct
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from gallery_torture.world import IDENTITY, Entry, templates_of

from facematch.gallery import Gallery, GalleryWriter, write_templates
from facematch.gallery.format import CHECKSUMS, FORMAT_VERSION
from facematch.gallery.seal import SEAL_BYTES, Seal, structure_digest
from facematch.gallery.structure import read_structure
from fuzzing.mutation import mutated

# Magic numbers of HDF5 structures that end with a checksum.
_SIGNATURES = (b"OHDR", b"OCHK", b"FRHP", b"FHDB", b"FHIB", b"BTHD", b"BTLF", b"BTIN", b"SMTB")
_SUPERBLOCK = b"\x89HDF\r\n\x1a\n"
_PEOPLE = (Entry("Ada", 1), Entry("Bob", 2), Entry("Ada", 3), Entry("Zoë", 5))
_MASK = 0xFFFFFFFF


def _rot(x: int, k: int) -> int:
    return ((x << k) | (x >> (32 - k))) & _MASK


def lookup3(data: bytes) -> int:
    """Bob Jenkins' ``hashlittle`` with the initial value 0, as HDF5 uses it."""
    a = b = c = (0xDEADBEEF + len(data)) & _MASK
    if len(data) == 0:
        return c
    words = struct.unpack(
        f"<{-(-len(data) // 12) * 3}L", data.ljust(-(-len(data) // 12) * 12, b"\0")
    )
    for i in range(0, len(words) - 3, 3):
        a, b, c = (a + words[i]) & _MASK, (b + words[i + 1]) & _MASK, (c + words[i + 2]) & _MASK
        a = ((a - c) & _MASK) ^ _rot(c, 4)
        c = (c + b) & _MASK
        b = ((b - a) & _MASK) ^ _rot(a, 6)
        a = (a + c) & _MASK
        c = ((c - b) & _MASK) ^ _rot(b, 8)
        b = (b + a) & _MASK
        a = ((a - c) & _MASK) ^ _rot(c, 16)
        c = (c + b) & _MASK
        b = ((b - a) & _MASK) ^ _rot(a, 19)
        a = (a + c) & _MASK
        c = ((c - b) & _MASK) ^ _rot(b, 4)
        b = (b + a) & _MASK
    a, b, c = (a + words[-3]) & _MASK, (b + words[-2]) & _MASK, (c + words[-1]) & _MASK
    c = ((c ^ b) - _rot(b, 14)) & _MASK
    a = ((a ^ c) - _rot(c, 11)) & _MASK
    b = ((b ^ a) - _rot(a, 25)) & _MASK
    c = ((c ^ b) - _rot(b, 16)) & _MASK
    a = ((a ^ c) - _rot(c, 4)) & _MASK
    b = ((b ^ a) - _rot(a, 14)) & _MASK
    return ((c ^ b) - _rot(b, 24)) & _MASK


@dataclass(frozen=True)
class Forgeable:
    """A sound file and where its checksums are.

    Attributes:
        content: the file.
        guarded: (start, length) of each structure that is followed by its lookup3.
        hot: offsets of all bytes of those structures, and of the seal's fields.
        columns: (offset, nbytes, offset of the checksums) of each dataset of a gallery.
    """

    content: bytes
    guarded: tuple[tuple[int, int], ...]
    hot: tuple[int, ...]
    columns: tuple[tuple[int, int, int], ...]


def _guarded(content: bytes) -> tuple[tuple[int, int], ...]:
    """Structures whose checksum is found behind them, at whatever length."""
    found = []
    for signature in (_SUPERBLOCK, *_SIGNATURES):
        at = content.find(signature)
        while at >= 0:
            for length in range(8, 2048):
                stored = content[at + length : at + length + 4]
                if len(stored) == 4 and lookup3(content[at : at + length]) == int.from_bytes(
                    stored, "little"
                ):
                    found.append((at, length))
                    break
            at = content.find(signature, at + 1)
    return tuple(found)


@cache
def gallery() -> Forgeable:
    """A gallery of four references."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "g.h5"
        with GalleryWriter.open(path, IDENTITY) as writer:
            writer.add([entry.reference() for entry in _PEOPLE], templates_of(_PEOPLE))
            writer.mark_distinct("Ada", "Bob")
            writer.commit()
        content = path.read_bytes()
        with path.open("rb") as file, Gallery.open(path) as opened:
            structure = read_structure(file, path, len(content))
            place = structure.extents[CHECKSUMS].offset
            columns = []
            for name in structure.rows:
                if name == CHECKSUMS:
                    continue
                extent = structure.extents[name]
                columns.append((extent.offset, extent.nbytes, place))
                place += 32 * len(opened.column(name).digests)
    guarded = _guarded(content)
    structures = [i for start, length in guarded for i in range(start, start + length)]
    values = [offset + i for offset, nbytes, _ in columns for i in range(min(nbytes, 64))]
    return Forgeable(content, guarded, (*structures, *values), tuple(columns))


@cache
def templates() -> Forgeable:
    """Four exported templates: the older structures of HDF5, which have no checksums."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "t.h5"
        references = [entry.reference() for entry in _PEOPLE]
        write_templates(path, IDENTITY, references, templates_of(_PEOPLE))
        content = path.read_bytes()
    used = np.flatnonzero(np.frombuffer(content, np.uint8)[:8192]).tolist()
    return Forgeable(content, (), tuple(used), ())


def gallery_case(rng: random.Random) -> bytes:
    """A gallery, changed; mostly with the checksums that the change asks for."""
    seed = gallery()
    data = bytearray(mutated(rng, seed.content, [seed.content], seed.hot, most=4))
    if rng.random() < 0.1 or len(data) < SEAL_BYTES:
        return bytes(data)
    for start, length in seed.guarded:
        if data[start : start + length] != seed.content[start : start + length]:
            data[start + length : start + length + 4] = struct.pack(
                "<L", lookup3(bytes(data[start : start + length]))
            )
    if rng.random() < 0.7:
        _fit_blocks(data, seed)
    size = len(data)
    if rng.random() < 0.9 and size == len(seed.content):
        data[:SEAL_BYTES] = Seal(FORMAT_VERSION, size, _digest(data, seed)).pack()
    return bytes(data)


def _fit_blocks(data: bytearray, seed: Forgeable) -> None:
    for offset, nbytes, place in seed.columns:
        if data[offset : offset + nbytes] != seed.content[offset : offset + nbytes]:
            for block in range(-(-nbytes // 16384)):
                piece = data[
                    offset + 16384 * block : min(offset + nbytes, offset + 16384 * (block + 1))
                ]
                at = place + 32 * block
                data[at : at + 32] = hashlib.sha256(piece).digest()


def _digest(data: bytearray, seed: Forgeable) -> bytes:
    from io import BytesIO

    from facematch.gallery.seal import Extent

    extents = [Extent(offset, nbytes) for offset, nbytes, _ in seed.columns]
    return structure_digest(BytesIO(data), extents, len(data)) or bytes(32)


def templates_case(rng: random.Random) -> bytes:
    """Exported templates, changed."""
    seed = templates()
    return mutated(rng, seed.content, [seed.content], seed.hot, most=4)
