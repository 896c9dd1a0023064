"""Full disks, failing disks, and power cuts, at every call that changes a file.

``faults.c`` is compiled and loaded below everything else. Each scenario, an operation on a
small gallery, is first run once to count its calls, and then once for every call and way of
failing.
"""

from __future__ import annotations

import ctypes
import errno
import mmap
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from itertools import product
from pathlib import Path

from facematch.errors import FacematchError
from facematch.gallery import GalleryWriter
from facematch.gallery.keys import Keys
from gallery_torture.children import BrokenPromiseError, fork
from gallery_torture.world import (
    IDENTITY,
    KEYS,
    Enrol,
    Entry,
    Import,
    Merge,
    Move,
    Operation,
    Remove,
    RemoveReference,
    Rename,
    World,
    difference,
)

SOURCE = Path(__file__).with_name("faults.c")
_CALLS = 4096
_BEFORE: World = tuple(Entry(name, i) for i, name in enumerate(("Ada", "Bob", "Ada", "Zoë")))
_DIED = 99


class Mode(IntEnum):
    """As in ``faults.c``."""

    OFF = 0
    COUNT = 1
    FAIL_ONCE = 2
    FAIL_ON = 3
    DIE = 4
    TEAR = 5


# A disk that stays full, one that is full for a moment, one that fails once; an end before the
# call, and an end with half of a write done.
_FAULTS = (
    (Mode.FAIL_ON, errno.ENOSPC),
    (Mode.FAIL_ONCE, errno.ENOSPC),
    (Mode.FAIL_ONCE, errno.EIO),
    (Mode.DIE, 0),
    (Mode.TEAR, 0),
)


@dataclass(frozen=True)
class Scenario:
    """An operation and the world that it starts from.

    ``start`` is None for a missing gallery, ``keys`` for one in plain.
    """

    name: str
    operation: Operation
    start: World | None = _BEFORE
    keys: Keys | None = None

    def run(self, path: Path) -> None:
        self.operation.run(path, self.keys)

    @property
    def before(self) -> World:
        return self.start or ()

    @property
    def after(self) -> World:
        return self.operation.after(self.before)


SCENARIOS = (
    Scenario("first enrol", Enrol((Entry("Ada", 0), Entry("Bob", 1))), None),
    Scenario("enrol", Enrol((Entry("Eve", 8), Entry("Ada", 9)))),
    Scenario("import", Import((Entry("Eve", 8), Entry("Ada", 9)))),
    Scenario("remove", Remove("Ada")),
    Scenario("remove one", RemoveReference(2, "Ada")),
    Scenario("rename", Rename("Bob", "Robert")),
    Scenario("merge", Merge("Bob", "Ada")),
    Scenario("move", Move(0, "Ada", "Bob", False)),
    Scenario("first encrypted", Enrol((Entry("Ada", 0), Entry("Bob", 1))), None, KEYS),
    Scenario("remove encrypted", Remove("Ada"), keys=KEYS),
)


@dataclass(frozen=True)
class Call:
    """One noted call: its kind as in ``faults.c``, and the file's inode if it had a descriptor."""

    kind: str
    inode: int


class Layer:
    """The loaded fault layer, with the memory in which it notes calls."""

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, 8 + 16 * _CALLS)
        address = ctypes.addressof(ctypes.c_char.from_buffer(self._memory))
        self._count = ctypes.c_uint64.from_address(address)
        self._notes = (ctypes.c_uint64 * (2 * _CALLS)).from_address(address + 8)
        self._library = ctypes.CDLL(None)

    @staticmethod
    def loaded() -> bool:
        return hasattr(ctypes.CDLL(None), "torture_arm")

    def arm(self, mode: Mode, at: int, code: int, folder: Path) -> None:
        self._library.torture_arm(
            ctypes.c_int(mode),
            ctypes.c_uint64(at),
            ctypes.c_int(code),
            os.fsencode(folder),
            ctypes.byref(self._count),
            ctypes.byref(self._notes),
            ctypes.c_uint64(_CALLS),
        )

    def disarm(self) -> None:
        self._library.torture_disarm()

    def calls(self) -> list[Call]:
        """All calls since the layer was armed, also by a child that is no more."""
        notes = list(self._notes)[: 2 * self._count.value]
        return [Call(chr(k), i) for k, i in zip(notes[::2], notes[1::2], strict=True)]


@dataclass
class FaultFigures:
    """Counts of one run.

    Attributes:
        by_name: how many calls each scenario makes: writes, syncs, renames and the like.
        errors: failing calls that the operation reported, in one line with an exit code.
        absorbed: failing calls in spite of which it was done.
        deaths: how often a process ended before or in the middle of a call.
        power_cuts: states of the disk that were made up from what had not been synced.
    """

    by_name: dict[str, int] = field(default_factory=dict)
    errors: int = 0
    absorbed: int = 0
    deaths: int = 0
    power_cuts: int = 0


def compile_layer(folder: Path) -> Path | None:
    """Build the layer; None where there is no compiler."""
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        return None
    library = folder / "faults.so"
    command = [compiler, "-shared", "-fPIC", "-O1", "-o", str(library), str(SOURCE), "-ldl"]
    subprocess.run(command, check=True)
    return library


def fail_everywhere(
    folder: Path, scenarios: Sequence[Scenario] = SCENARIOS, *, every: int = 1
) -> FaultFigures:
    """Try every scenario with every fault at every call.

    Args:
        folder: an empty one, for galleries.
        scenarios: what to try.
        every: 1 for all cases; n for each n-th of them.

    Raises:
        BrokenPromiseError: a gallery was neither old nor new, a failure was not reported as
            the library reports failures, or something stayed behind.
    """
    layer = Layer()
    figures = FaultFigures()
    number = 0
    for scenario in scenarios:
        calls = _count(layer, folder, scenario, figures)
        figures.by_name[scenario.name] = calls
        for at, (mode, code) in product(range(1, calls + 1), _FAULTS):
            number += 1
            if number % every > 0:
                continue
            if mode in (Mode.DIE, Mode.TEAR):
                _die(layer, folder, scenario, (mode, at), figures)
            else:
                _fail(layer, folder, scenario, (mode, at, code), figures)
    return figures


def _fresh(folder: Path, scenario: Scenario) -> tuple[Path, Path]:
    """The start of the scenario in an empty folder, and a second name of that file."""
    place = folder / "gallery"
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir()
    path = place / "g.h5"
    if scenario.start is not None:
        made = folder / f"{hash(scenario.start)}-{scenario.keys is not None}.h5"
        if not made.exists():
            Enrol(scenario.start).run(made, scenario.keys)
        shutil.copy(made, path)
    old = folder / "old.h5"
    old.unlink(missing_ok=True)
    if path.exists():
        os.link(path, old)
    return path, old


def _count(layer: Layer, folder: Path, scenario: Scenario, figures: FaultFigures) -> int:
    """How many calls the scenario makes; and what a power cut takes after the last of them."""
    path, old = _fresh(folder, scenario)

    def work() -> Iterator[str]:
        layer.arm(Mode.COUNT, 0, 0, path.parent)
        scenario.run(path)
        layer.disarm()
        yield "done"

    lines, status = fork(work).end()
    if (lines, status) != (["done"], 0):
        raise BrokenPromiseError(f"{scenario.name}: fails without any fault: {lines}")
    _expect(scenario, path, scenario.after, scenario.name)
    for what, cut in _power_cuts(path, old, layer.calls()):
        cut()
        figures.power_cuts += 1
        _expect(scenario, path, scenario.after, f"{scenario.name}, power cut after it: {what}")
    return len(layer.calls())


def _fail(
    layer: Layer,
    folder: Path,
    scenario: Scenario,
    fault: tuple[Mode, int, int],
    figures: FaultFigures,
) -> None:
    path, _ = _fresh(folder, scenario)
    mode, at, code = fault

    def work() -> Iterator[str]:
        layer.arm(mode, at, code, path.parent)
        try:
            scenario.run(path)
        except FacematchError as error:
            layer.disarm()
            yield f"{error.exit_code} {error}"
        else:
            layer.disarm()
            yield "done"
        # The same process can go on once there is space again.
        if difference(path, scenario.before, scenario.keys) is None:
            scenario.run(path)

    label = f"{scenario.name}, {errno.errorcode[code]} at call {at} ({mode.name})"
    lines, status = fork(work).end()
    if status != 0 or len(lines) != 1:
        raise BrokenPromiseError(f"{label}: {lines}, exit status {status}")
    if lines[0] == "done":
        figures.absorbed += 1
    else:
        figures.errors += 1
    _expect(scenario, path, scenario.after, f"{label}, then tried again")
    _expect_no_stray(scenario, path, label)


def _die(
    layer: Layer, folder: Path, scenario: Scenario, fault: tuple[Mode, int], figures: FaultFigures
) -> None:
    mode, at = fault
    path, old = _fresh(folder, scenario)

    def work() -> Iterator[str]:
        layer.arm(mode, at, 0, path.parent)
        scenario.run(path)
        yield "done"

    lines, status = fork(work).end()
    if status != _DIED:
        raise BrokenPromiseError(f"{scenario.name}: did not die at call {at}: {lines}")
    figures.deaths += 1
    label = f"{scenario.name}, dead at call {at} ({mode.name})"
    allowed = (scenario.after,) if lines == ["done"] else (scenario.before, scenario.after)
    _expect_one(scenario, path, allowed, label)
    for what, cut in _power_cuts(path, old, layer.calls()[: at - 1]):
        cut()
        figures.power_cuts += 1
        _expect_one(scenario, path, allowed, f"{label}, power cut: {what}")
    _expect_no_stray(scenario, path, label)


def _power_cuts(
    path: Path, old: Path, calls: Sequence[Call]
) -> Iterator[tuple[str, Callable[[], None]]]:
    """What the disk may look like after the power failed, given the calls before.

    Data written since a file was last synced may be lost while names survive, and names
    changed since the folder was last synced may be lost while data survive.
    """
    unsynced: set[int] = set()
    renamed = False
    for call in calls:
        if call.kind in "wt":
            unsynced.add(call.inode)
        elif call.kind == "s":
            unsynced.discard(call.inode)
        elif call.kind == "r":
            renamed = True
        elif call.kind == "d":
            renamed = False
    victims = [f for f in path.parent.iterdir() if f.is_file() and f.stat().st_ino in unsynced]
    if victims:
        yield "half of the data lost", lambda: _each(victims, _zero_second_half)
        yield "zeros in place of data", lambda: _each(victims, _zero)
        yield "empty files", lambda: _each(victims, lambda file: os.truncate(file, 0))
    if renamed and old.exists():
        yield "the rename lost", lambda: _undo_rename(path, old)


def _each(files: Sequence[Path], change: Callable[[Path], None]) -> None:
    for file in files:
        change(file)


def _zero_second_half(file: Path) -> None:
    size = file.stat().st_size
    os.truncate(file, size // 2)
    os.truncate(file, size)


def _zero(file: Path) -> None:
    size = file.stat().st_size
    os.truncate(file, 0)
    os.truncate(file, size)


def _undo_rename(path: Path, old: Path) -> None:
    path.rename(path.with_name(f".{path.name}.1.tmp"))
    os.link(old, path)


def _expect(scenario: Scenario, path: Path, world: World, label: str) -> None:
    found = difference(path, world, scenario.keys)
    if found is not None:
        raise BrokenPromiseError(f"{label}: {found}")


def _expect_one(scenario: Scenario, path: Path, worlds: Sequence[World], label: str) -> None:
    found = [difference(path, world, scenario.keys) for world in worlds]
    if None not in found:
        raise BrokenPromiseError(f"{label}: {' / '.join(map(str, found))}")


def _expect_no_stray(scenario: Scenario, path: Path, label: str) -> None:
    with GalleryWriter.open(path, IDENTITY, keys=scenario.keys):
        pass
    allowed = {path.name, f"{path.name}.lock", f"{path.stem}-in"}
    stray = {entry.name for entry in path.parent.iterdir()} - allowed
    if stray:
        raise BrokenPromiseError(f"{label}: {sorted(stray)} left behind")
