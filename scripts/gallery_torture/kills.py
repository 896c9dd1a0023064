"""``kill -9`` at random instants of a writer that never rests."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from facematch.gallery import Gallery, GalleryWriter
from facematch.gallery.keys import Keys
from facematch.gallery.snapshots import snapshots_of
from facematch.workflows.gallery_versions import list_snapshots
from gallery_torture.children import BrokenPromiseError, fork
from gallery_torture.world import (
    IDENTITY,
    Enrol,
    Entry,
    Operation,
    World,
    difference,
    next_operation,
)

# From before the lock is taken to after several operations are done.
_LONGEST_LIFE_IN_OPERATIONS = 6.0
_LONGEST_LIFE_S = 0.5

_SNAPSHOTS = 2


@dataclass
class KillFigures:
    """Counts of one run.

    Attributes:
        kills: how many children were killed.
        acknowledged: operations that were reported as done, all of which were there after.
        in_flight: by kind of operation, how many were under way when the kill came.
        kept_old: of those, after how many the gallery was the old one.
        kept_new: and after how many the new one.
        leftovers: after how many kills a temporary file was there; the next writer removed it.
        snapshots: how many were verified after kills.
        erased: removed references for which every file was searched, in vain.
        encrypted: whether the gallery was; then all files were searched for all references.
    """

    kills: int = 0
    acknowledged: int = 0
    in_flight: Counter[str] = field(default_factory=Counter)
    kept_old: int = 0
    kept_new: int = 0
    leftovers: int = 0
    snapshots: int = 0
    erased: int = 0
    encrypted: bool = False


def kill_writers(path: Path, kills: int, seed: int, keys: Keys | None = None) -> KillFigures:
    """Kill a writer again and again; after each kill the gallery is the old or the new one.

    Args:
        path: the gallery, which does not exist yet.
        kills: how many.
        seed: of when to kill, and what.
        keys: to encrypt it with; None for one in plain.

    Raises:
        BrokenPromiseError: it was something else.
    """
    figures = KillFigures(encrypted=keys is not None)
    rng = random.Random(seed)
    world: World = (Entry("Ada One", 0),)
    number = 1
    Enrol(world).run(path, keys)
    started = time.monotonic()
    list_snapshots(path, keep=_SNAPSHOTS, keys=keys)
    longest_s = min(_LONGEST_LIFE_IN_OPERATIONS * (time.monotonic() - started), _LONGEST_LIFE_S)
    while figures.kills < kills:
        script = rng.getrandbits(32)
        child = fork(lambda start=world, n=number, s=script: _work(path, keys, start, n, s))
        time.sleep(rng.uniform(0, longest_s))
        child.kill()
        lines, status = child.end()
        if status != -9:
            raise BrokenPromiseError(f"the writer ended by itself: {lines[-1:]}")
        figures.kills += 1
        figures.acknowledged += len(lines)
        world, number = _after_kill(path, keys, world, number, script, len(lines), figures)
        _check_folder(path, keys, figures)
    return figures


def _script(world: World, number: int, seed: int) -> Iterator[tuple[Operation, World, int]]:
    """What a child does, in order, with the world after each step: the same for each call."""
    rng = random.Random(seed)
    while True:
        operation = next_operation(rng, world, number)
        world = operation.after(world)
        number += 10
        yield operation, world, number


def _work(path: Path, keys: Keys | None, world: World, number: int, seed: int) -> Iterator[str]:
    for operation, _, _ in _script(world, number, seed):
        operation.run(path, keys)
        yield "done"


def _after_kill(
    path: Path,
    keys: Keys | None,
    world: World,
    number: int,
    seed: int,
    done: int,
    figures: KillFigures,
) -> tuple[World, int]:
    script = _script(world, number, seed)
    removed: set[int] = set()
    for _ in range(done):
        before = {entry.number for entry in world}
        _, world, number = next(script)
        removed |= before - {entry.number for entry in world}
    figures.erased += len(removed)
    _check_erased(path, removed)
    operation, next_world, next_number = next(script)
    if keys is not None:
        _check_encrypted(path, (*world, *next_world))
    figures.in_flight[type(operation).__name__] += 1
    from_old = difference(path, world, keys)
    if from_old is None:
        figures.kept_old += 1
        return world, next_number
    from_new = difference(path, next_world, keys)
    if from_new is None:
        figures.kept_new += 1
        return next_world, next_number
    raise BrokenPromiseError(
        f"killed during {operation}: not the old gallery ({from_old}), nor the new one ({from_new})"
    )


def _check_folder(path: Path, keys: Keys | None, figures: KillFigures) -> None:
    kept = snapshots_of(path)
    if len(kept) > _SNAPSHOTS + 1:  # one more until the old ones are pruned
        raise BrokenPromiseError(f"{len(kept)} snapshots")
    for snapshot in kept:
        with Gallery.open(snapshot.path, IDENTITY, keys=keys) as gallery:
            if gallery.verify().problems:
                raise BrokenPromiseError(f"{snapshot.path}: {gallery.verify().problems[0]}")
        figures.snapshots += 1
    allowed = {path.name, f"{path.name}.lock", f"{path.stem}-in", *(s.path.name for s in kept)}
    before = {entry.name for entry in path.parent.iterdir()}
    figures.leftovers += any(name.endswith(".tmp") for name in before)
    with GalleryWriter.open(path, IDENTITY, keys=keys):
        pass
    stray = {entry.name for entry in path.parent.iterdir()} - allowed
    if stray:
        raise BrokenPromiseError(f"the next writer left {sorted(stray)} behind")


def _check_erased(path: Path, numbers: set[int]) -> None:
    """Search every byte of every file beside the gallery for what was removed from it."""
    traces = [Entry("", number).template().tobytes()[:16] for number in sorted(numbers)]
    files = [entry for entry in path.parent.iterdir() if entry.is_file()]
    for file in files if traces else []:
        # What the killed writer was about to write is removed by the next one.
        content = b"" if file.suffix == ".tmp" else file.read_bytes()
        if any(trace in content for trace in traces):
            raise BrokenPromiseError(f"{file.name} holds a template that was removed")


def _check_encrypted(path: Path, world: World) -> None:
    """Search every byte beside the gallery, of what is half written too, for anything in plain."""
    traces = [entry.template().tobytes()[:16] for entry in world]
    traces += [entry.reference().source_path.encode() for entry in world]
    for file in path.parent.iterdir():
        content = file.read_bytes() if file.is_file() else b""
        if any(trace in content for trace in traces):
            raise BrokenPromiseError(f"{file.name} holds a reference in plain")
