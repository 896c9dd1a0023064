"""Readers that look on while a writer commits without pause."""

from __future__ import annotations

import hashlib
import mmap
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from facematch.gallery import Gallery
from facematch.types import Metric
from gallery_torture.children import BrokenPromiseError, fork
from gallery_torture.world import (
    IDENTITY,
    Enrol,
    Entry,
    World,
    difference,
    next_operation,
    templates_of,
)

_CHECKED_IN_FULL = 8


@dataclass(frozen=True)
class ReaderFigures:
    """Counts of one run.

    Attributes:
        commits: by the one writer.
        readers: processes.
        opened: how often a reader opened the gallery and found one of the committed versions.
        versions: distinct ones that any reader saw.
        searches: identifications that named the right subject.
    """

    commits: int
    readers: int
    opened: int
    versions: int
    searches: int


def watch_commits(path: Path, commits: int, readers: int, seed: int) -> ReaderFigures:
    """Let readers check each version that they see against what was committed.

    Raises:
        BrokenPromiseError: a reader failed, saw a mixture, or an older version after a newer.
    """
    start: World = tuple(Entry("Ada One", i) for i in range(3))
    worlds = [start]
    operations = []
    rng = random.Random(seed)
    for step in range(commits):
        # The gallery never gets empty, so that it can be searched at every instant.
        operation = next_operation(rng, worlds[-1], 100 + 10 * step)
        while not operation.after(worlds[-1]):
            operation = next_operation(rng, worlds[-1], 100 + 10 * step)
        operations.append(operation)
        worlds.append(operation.after(worlds[-1]))
    Enrol(start).run(path)
    over = mmap.mmap(-1, 1)

    def write() -> Iterator[str]:
        for operation in operations:
            operation.run(path)
        yield "done"

    watching = [
        fork(lambda reader=reader: _watch(path, worlds, over, reader)) for reader in range(readers)
    ]
    lines, _ = fork(write).end()
    over[0] = 1
    reports = [child.end() for child in watching]
    if lines != ["done"]:
        raise BrokenPromiseError(f"the writer: {lines}")
    seen: set[int] = set()
    opened = 0
    for said, status in reports:
        if status != 0:
            raise BrokenPromiseError(f"a reader: {said[-1]}")
        opened += len(said)
        seen |= {int(line) for line in said}
    found = difference(path, worlds[-1])
    if found is not None:
        raise BrokenPromiseError(f"after the last commit: {found}")
    return ReaderFigures(commits, readers, opened, len(seen), opened)


def _watch(path: Path, worlds: list[World], over: mmap.mmap, reader: int) -> Iterator[str]:
    keys = [_key(world) for world in worlds]
    rng = random.Random(reader)
    newest, last_round = 0, False
    while not last_round:
        last_round = over[0] == 1
        with Gallery.open(path, IDENTITY) as gallery:
            names = [gallery.reference(row).subject for row in range(len(gallery))]
            key = _digest(names, gallery.templates.tobytes())
            # Two names given and taken back make a world that has been there before.
            if key not in keys[newest:]:
                when = "before" if key in keys else "never"
                raise BrokenPromiseError(f"after version {newest} came one committed {when}")
            newest = keys.index(key, newest)
            world = worlds[newest]
            # Identification in the version that is open, whatever the writer does meanwhile.
            entry = rng.choice(world)
            found = gallery.search(templates_of([entry]), 1, Metric.COSINE)[0][0]
            if (found.subject, found.distance) != (entry.subject, 0):
                raise BrokenPromiseError(f"{entry} was taken for {found}")
            if rng.randrange(_CHECKED_IN_FULL) == 0 and gallery.verify().problems:
                raise BrokenPromiseError(f"verify: {gallery.verify().problems[0]}")
        yield str(newest)


def _key(world: World) -> str:
    return _digest([entry.subject for entry in world], templates_of(world).tobytes())


def _digest(subjects: list[str], templates: bytes) -> str:
    return hashlib.sha256("\n".join(subjects).encode() + templates).hexdigest()
