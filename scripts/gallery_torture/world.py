"""What should be in the gallery: a list of names and numbers, and the changes to it.

Each operation exists twice: ``run`` is the real one, on a file, through the workflows that the
command line calls; ``after`` is the slow, obvious one, on a list. A reference is known by its
number, from which its template, crop and all else can be made again.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import numpy as np

from facematch.errors import GalleryError
from facematch.gallery import Gallery, GalleryWriter, write_templates
from facematch.gallery.keys import Keys, Secret, new_master
from facematch.types import Float32Array, ModelIdentity, Quality, Reference
from facematch.workflows import gallery as workflow
from facematch.workflows.gallery_erase import remove_subject
from facematch.workflows.gallery_exchange import import_file

IDENTITY = ModelIdentity("torture-1", hashlib.sha256(b"torture").hexdigest(), 64)
NAMES = [f"{first} {last}" for first in ("Ada", "Zoë", "李", "Bob") for last in ("One", "Two")]
# A key file: to stretch a passphrase takes longer than an operation.
KEYS = Keys(Secret(bytes(range(32)), is_key=True))
_LOCK_TIMEOUT_S = 10.0


@dataclass(frozen=True)
class Entry:
    """One reference."""

    subject: str
    number: int

    def reference(self) -> Reference:
        rng = np.random.default_rng(self.number)
        crop = rng.integers(0, 256, (112, 112, 3), np.uint8) if self.number % 4 == 0 else None
        return Reference(
            subject=self.subject,
            source_path=f"photographs/IMG_{self.number:06}.jpg",
            source_sha256=hashlib.sha256(str(self.number).encode()).hexdigest(),
            box_xyxy=rng.normal(100, 30, 4).astype(np.float32),
            quality=Quality(*rng.normal(50, 9, 8).tolist(), warnings=("dark",) * (self.number % 2)),
            enrolled_at=1.7e9 + self.number / 7,
            crop_rgb=crop,
        )

    def template(self) -> Float32Array:
        row = np.random.default_rng([self.number, 1]).normal(size=IDENTITY.embedding_size)
        return np.asarray(row / np.linalg.norm(row), np.float32)


World = tuple[Entry, ...]


class Operation(Protocol):
    """A change to a gallery."""

    def run(self, path: Path, keys: Keys | None = None) -> None: ...

    def after(self, world: World) -> World: ...


@dataclass(frozen=True)
class Enrol:
    entries: World

    def run(self, path: Path, keys: Keys | None = None) -> None:
        master = new_master(path, keys, wanted=keys is not None)
        with GalleryWriter.open(
            path, IDENTITY, lock_timeout_s=_LOCK_TIMEOUT_S, keys=keys, master=master
        ) as writer:
            writer.add([entry.reference() for entry in self.entries], templates_of(self.entries))
            writer.commit()

    def after(self, world: World) -> World:
        return (*world, *self.entries)


@dataclass(frozen=True)
class Import(Enrol):
    def run(self, path: Path, keys: Keys | None = None) -> None:
        source = path.with_name(f"{path.stem}-in") / "templates.h5"
        source.parent.mkdir(exist_ok=True)
        references = [entry.reference() for entry in self.entries]
        write_templates(source, IDENTITY, references, templates_of(self.entries))
        import_file(path, source, keys=keys)


@dataclass(frozen=True)
class Remove:
    subject: str

    def run(self, path: Path, keys: Keys | None = None) -> None:
        remove_subject(path, self.subject, confirm=lambda removal: True, keys=keys)

    def after(self, world: World) -> World:
        return tuple(entry for entry in world if entry.subject != self.subject)


@dataclass(frozen=True)
class RemoveReference:
    row: int
    subject: str

    def run(self, path: Path, keys: Keys | None = None) -> None:
        remove_subject(path, self.subject, row=self.row, confirm=lambda removal: True, keys=keys)

    def after(self, world: World) -> World:
        return tuple(entry for row, entry in enumerate(world) if row != self.row)


@dataclass(frozen=True)
class Rename:
    old: str
    new: str

    def run(self, path: Path, keys: Keys | None = None) -> None:
        workflow.rename_subject(path, self.old, self.new, keys=keys)

    def after(self, world: World) -> World:
        return tuple(replace(e, subject=self.new) if e.subject == self.old else e for e in world)


@dataclass(frozen=True)
class Merge:
    source: str
    into: str

    def run(self, path: Path, keys: Keys | None = None) -> None:
        workflow.merge_subjects(path, [self.source], self.into, keys=keys)

    def after(self, world: World) -> World:
        return Rename(self.source, self.into).after(world)


@dataclass(frozen=True)
class Move:
    row: int
    source: str
    to: str
    make: bool

    def run(self, path: Path, keys: Keys | None = None) -> None:
        workflow.move_references(path, self.source, [self.row], self.to, make=self.make, keys=keys)

    def after(self, world: World) -> World:
        moved = replace(world[self.row], subject=self.to)
        return (*world[: self.row], moved, *world[self.row + 1 :])


def next_operation(rng: random.Random, world: World, number: int) -> Operation:
    """Something that can be done to this world; new references are numbered from ``number``."""
    present = sorted({entry.subject for entry in world})
    absent = sorted(set(NAMES) - set(present))
    kinds = ["enrol", "import"]
    if len(world) > 4:
        kinds += ["remove", "reference", "rename"] if absent else ["remove", "remove", "reference"]
        kinds += ["merge", "move"] if len(present) > 1 else []
    if not world:
        kinds = ["enrol"]
    match rng.choice(kinds):
        case "enrol" | "import" as kind:
            entries = tuple(Entry(rng.choice(NAMES), number + i) for i in range(rng.randint(1, 4)))
            return Enrol(entries) if kind == "enrol" else Import(entries)
        case "remove":
            return Remove(rng.choice(present))
        case "reference":
            row = rng.randrange(len(world))
            return RemoveReference(row, world[row].subject)
        case "rename":
            return Rename(rng.choice(present), rng.choice(absent))
        case "move":
            row = rng.randrange(len(world))
            source = world[row].subject
            several = sum(entry.subject == source for entry in world) > 1
            make = bool(absent) and several
            others = [name for name in present if name != source]
            return Move(row, source, rng.choice(absent if make else others), make)
        case _:
            source, into = rng.sample(present, 2)
            return Merge(source, into)


def templates_of(entries: Sequence[Entry]) -> Float32Array:
    """float32 (n, 64), unit norm."""
    rows = [entry.template() for entry in entries]
    return np.array(rows, np.float32).reshape(-1, IDENTITY.embedding_size)


def difference(path: Path, world: World, keys: Keys | None = None) -> str | None:
    """What tells the gallery at ``path`` from what it should be; None if nothing does.

    Every stored bit is compared, and every checksum is checked. The world without entries is
    a missing gallery, or one without references.
    """
    if not path.exists():
        return None if not world else "there is no gallery"
    try:
        with Gallery.open(path, IDENTITY, keys=keys) as gallery:
            problems = gallery.verify().problems
            if problems:
                return f"verify: {problems[0]}"
            if len(gallery) != len(world):
                return f"{len(gallery)} references instead of {len(world)}"
            if gallery.templates.tobytes() != templates_of(world).tobytes():
                return "templates differ"
            for row, entry in enumerate(world):
                if not _same(gallery.reference(row), entry.reference()):
                    return f"reference {row} differs"
    except GalleryError as error:
        return str(error)
    return None


def _same(a: Reference, b: Reference) -> bool:
    if (a.crop_rgb is None) != (b.crop_rgb is None):
        return False
    if a.crop_rgb is not None and b.crop_rgb is not None and (a.crop_rgb != b.crop_rgb).any():
        return False
    return (
        (a.subject, a.source_path, a.source_sha256, a.enrolled_at, a.quality)
        == (b.subject, b.source_path, b.source_sha256, b.enrolled_at, b.quality)
    ) and a.box_xyxy.tobytes() == b.box_xyxy.tobytes()
