"""Galleries and exported templates as a forger changes them: with every checksum made to fit.

HDF5 guards its newer structures with Jenkins' lookup3, a gallery has its seal and its block
checksums. Without mending those, hardly a change would get past them.
"""

from __future__ import annotations

import hashlib
import random
import tempfile
from dataclasses import dataclass
from functools import cache
from io import BytesIO
from pathlib import Path

import h5py
import numpy as np
from gallery_torture.world import IDENTITY, Entry, templates_of

from facematch.gallery import Gallery, GalleryWriter, write_templates
from facematch.gallery.format import CHECKSUMS, FORMAT_VERSION
from facematch.gallery.lookup3 import lookup3
from facematch.gallery.seal import SEAL_BYTES, Extent, Seal, structure_digest
from facematch.gallery.structure import read_structure
from fuzzing.mutation import mutated

# Magic numbers of HDF5 structures that end with a checksum.
_SIGNATURES = (b"OHDR", b"OCHK", b"FRHP", b"FHIB", b"BTHD", b"BTLF", b"BTIN", b"SMTB")
_SUPERBLOCK = b"\x89HDF\r\n\x1a\n"
_PEOPLE = (Entry("Ada", 1), Entry("Bob", 2), Entry("Ada", 3), Entry("Zoë", 5))
# Blocks of a fractal heap have their checksum inside, over all of the first one's 1024 bytes.
_HEAP, _HEAP_SUM, _HEAP_BYTES = b"FHDB", 18, 1024


@dataclass(frozen=True)
class Forgeable:
    """A sound file and where its checksums are.

    Attributes:
        content: the file.
        guarded: (start, length) of each structure that is followed by its lookup3.
        heaps: start of each block of 1024 bytes that has it inside.
        hot: offsets of all bytes of those structures, and of the seal's fields.
        columns: (offset, nbytes, offset of the checksums) of each dataset of a gallery.
    """

    content: bytes
    guarded: tuple[tuple[int, int], ...]
    heaps: tuple[int, ...]
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


def _heaps(content: bytes) -> tuple[int, ...]:
    """Blocks of heaps whose checksum is found in them."""
    found = []
    at = content.find(_HEAP)
    while at >= 0:
        if _heap_sum(content[at : at + _HEAP_BYTES]) == content[at + _HEAP_SUM :][:4]:
            found.append(at)
        at = content.find(_HEAP, at + 1)
    return tuple(found)


def _heap_sum(block: bytes) -> bytes:
    return _sum(block[:_HEAP_SUM] + bytes(4) + block[_HEAP_SUM + 4 :])


def _sum(structure: bytes) -> bytes:
    return lookup3(structure).to_bytes(4, "little")


def _hot(content: bytes) -> tuple[list[int], tuple[tuple[int, int], ...], tuple[int, ...]]:
    """Offsets of the bytes of all structures, and where they are."""
    guarded, heaps = _guarded(content), _heaps(content)
    inside = [i for start, length in guarded for i in range(start, start + length)]
    # Of a heap, what is used; several times, because it is small and all is decided there.
    used = [at + i for at in heaps for i in range(_HEAP_BYTES) if content[at + i]]
    return inside + 3 * used, guarded, heaps


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
    structures, guarded, heaps = _hot(content)
    values = [offset + i for offset, nbytes, _ in columns for i in range(min(nbytes, 64))]
    return Forgeable(content, guarded, heaps, (*structures, *values), tuple(columns))


@cache
def templates() -> Forgeable:
    """Four exported templates: the older structures of HDF5, which have no checksums."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "t.h5"
        references = [entry.reference() for entry in _PEOPLE]
        write_templates(path, IDENTITY, references, templates_of(_PEOPLE))
        content = path.read_bytes()
    used = np.flatnonzero(np.frombuffer(content, np.uint8)[:8192]).tolist()
    return Forgeable(content, (), (), tuple(used), ())


@cache
def newer_templates() -> Forgeable:
    """The same in newer structures, with more attributes than lie in a header."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "t.h5"
        path.write_bytes(templates().content)
        newer = path.with_name("newer.h5")
        with h5py.File(path) as old, h5py.File(newer, "w", libver=("v110", "v110")) as file:
            for name in old:
                old.copy(name, file)
            for name, value in old.attrs.items():
                file.attrs[name] = value
            for number in range(4):
                file.attrs[f"more {number}"] = number
        content = newer.read_bytes()
    structures, guarded, heaps = _hot(content)
    return Forgeable(content, guarded, heaps, tuple(structures), ())


def gallery_case(rng: random.Random) -> bytes:
    """A gallery, changed; mostly with the checksums that the change asks for."""
    seed = gallery()
    data = bytearray(mutated(rng, seed.content, [seed.content], seed.hot, most=4))
    if rng.random() < 0.1 or len(data) < SEAL_BYTES:
        return bytes(data)
    _fit_structures(data, seed)
    if rng.random() < 0.7:
        _fit_blocks(data, seed)
    size = len(data)
    if rng.random() < 0.9 and size == len(seed.content):
        data[:SEAL_BYTES] = Seal(FORMAT_VERSION, size, _digest(data, seed)).pack()
    return bytes(data)


def _fit_structures(data: bytearray, seed: Forgeable) -> None:
    for start, length in seed.guarded:
        if data[start : start + length] != seed.content[start : start + length]:
            data[start + length : start + length + 4] = _sum(bytes(data[start : start + length]))
    for start in seed.heaps:
        block = bytes(data[start : start + _HEAP_BYTES])
        if len(block) == _HEAP_BYTES and block != seed.content[start : start + _HEAP_BYTES]:
            data[start + _HEAP_SUM : start + _HEAP_SUM + 4] = _heap_sum(block)


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
    extents = [Extent(offset, nbytes) for offset, nbytes, _ in seed.columns]
    return structure_digest(BytesIO(data), extents, len(data)) or bytes(32)


def templates_case(rng: random.Random) -> bytes:
    """Exported templates, changed."""
    seed = templates() if rng.random() < 0.5 else newer_templates()
    data = bytearray(mutated(rng, seed.content, [seed.content], seed.hot, most=4))
    if rng.random() < 0.9:
        _fit_structures(data, seed)
    return bytes(data)
