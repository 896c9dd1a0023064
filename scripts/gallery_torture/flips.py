"""Single bits, flipped at random offsets of the file."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, field
from io import FileIO
from pathlib import Path

from facematch.errors import GalleryError
from facematch.gallery import Gallery
from facematch.types import Metric
from gallery_torture.children import BrokenPromiseError
from gallery_torture.world import IDENTITY, Enrol, Entry, difference, templates_of

_PEOPLE = tuple(Entry(name, i) for i, name in enumerate(("Ada", "Bob", "Ada", "Zoë", "Eve") * 8))


@dataclass
class FlipFigures:
    """Counts of one run.

    Attributes:
        flips: bits that were flipped, one at a time.
        at_open: flips after which the gallery was not opened.
        by_verify: flips that ``verify`` listed.
        in_use: flips that reading all references and searching ran into and refused.
        harmless: flips after which all that was read was as it was written, bit for bit;
            ``verify`` had found those too.
        bytes: size of the file.
        by_first_word: how verify or open named the damage.
    """

    flips: int = 0
    at_open: int = 0
    by_verify: int = 0
    in_use: int = 0
    harmless: int = 0
    bytes: int = 0
    by_first_word: Counter[str] = field(default_factory=Counter)

    @property
    def found(self) -> int:
        return self.at_open + self.by_verify


def flip_bits(path: Path, flips: int, seed: int) -> FlipFigures:
    """Flip one bit, look, and flip it back.

    Raises:
        BrokenPromiseError: a flip was not found by opening or ``verify``, or what differed
            from what was written was served.
    """
    Enrol(_PEOPLE).run(path)
    figures = FlipFigures(bytes=path.stat().st_size)
    rng = random.Random(seed)
    with FileIO(path, "r+") as file:
        for _ in range(flips):
            offset, bit = rng.randrange(figures.bytes), 1 << rng.randrange(8)
            _flip(file, offset, bit)
            _look(path, f"bit {bit:#04x} of byte {offset}", rng, figures)
            _flip(file, offset, bit)
    found = difference(path, _PEOPLE)
    if found is not None:
        raise BrokenPromiseError(f"flipped back: {found}")
    return figures


def _flip(file: FileIO, offset: int, bit: int) -> None:
    file.seek(offset)
    value = file.read(1)[0]
    file.seek(offset)
    file.write(bytes([value ^ bit]))


def _look(path: Path, label: str, rng: random.Random, figures: FlipFigures) -> None:
    figures.flips += 1
    try:
        opened = Gallery.open(path, IDENTITY)
    except GalleryError:
        figures.at_open += 1
        return
    with opened as gallery:
        problems = gallery.verify().problems
    if not problems:
        raise BrokenPromiseError(f"{label}: not found")
    figures.by_verify += 1
    figures.by_first_word[problems[0].partition(":")[0]] += 1
    # As somebody who never verifies: each answer is right, or there is none.
    refused = False
    row = rng.randrange(len(_PEOPLE))
    entry = _PEOPLE[row]
    try:
        with Gallery.open(path, IDENTITY) as gallery:
            found = gallery.search(templates_of([entry]), 1, Metric.COSINE)[0][0]
            if (found.subject, found.distance) != (entry.subject, 0):
                raise BrokenPromiseError(f"{label}: {entry} was taken for {found}")
    except GalleryError:
        refused = True
    with Gallery.open(path, IDENTITY) as gallery:
        for row, entry in enumerate(_PEOPLE):
            try:
                served = gallery.reference(row)
                template = gallery.column("templates").rows(row, row + 1)[0]
            except GalleryError:
                refused = True
                continue
            if repr(served) != repr(entry.reference()) or (template != entry.template()).any():
                raise BrokenPromiseError(f"{label}: reference {row} was served with damage")
    figures.in_use += refused
    figures.harmless += not refused
