"""Processes that take turns, and what each of them cost."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

ROOT = Path(__file__).resolve().parents[2]
T = TypeVar("T")


class BenchError(Exception):
    """Why a workload cannot be run, in one line."""


@dataclass(frozen=True, slots=True)
class Cost:
    """Of a process from start to exit, with the children that it waited for."""

    wall_s: float
    processor_s: float
    peak_mib: float
    output: str


def cost_of(command: Sequence[str | Path], environment: Mapping[str, str], *codes: int) -> Cost:
    """Runs a command.

    The peak can be no less than that of the process that calls this, which therefore imports
    nothing large.

    Args:
        command: what to run.
        environment: all of its variables.
        codes: exit codes that are right; 0 if none is given.

    Raises:
        BenchError: it ended otherwise.
    """
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        start = time.perf_counter()
        process = subprocess.Popen(list(map(str, command)), env=environment, stdout=out, stderr=err)
        _, status, usage = os.wait4(process.pid, 0)
        wall_s = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        err.seek(0)
        if process.returncode not in (codes or (0,)):
            said = err.read().decode(errors="replace").strip().splitlines()[-1:]
            name = Path(str(command[0])).name
            raise BenchError(f"{name} ended with {process.returncode}: {' '.join(said)}")
        text = out.read().decode(errors="replace")
    return Cost(wall_s, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, text)


class Worker:
    """A process that gets ready once and then works when it is told to.

    Its program calls ``serve(work)``, where ``work()`` returns seconds.
    """

    PROLOGUE = """
import sys, time
def serve(work):
    print("ready", flush=True)
    for _ in sys.stdin:
        wall, processor = time.perf_counter(), time.process_time()
        work()
        print(time.perf_counter() - wall, time.process_time() - processor, flush=True)
"""

    def __init__(self, python: str | Path, program: str, *arguments: str | Path) -> None:
        self._process = subprocess.Popen(
            [str(python), "-c", self.PROLOGUE + program, *map(str, arguments)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=surroundings(),
        )
        if self._line() != "ready":
            raise BenchError("a worker did not get ready")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.__exit__(kind, error, trace)  # closes its input, at which it ends

    def __call__(self) -> tuple[float, float]:
        """Seconds by the clock and of the processor."""
        assert self._process.stdin is not None
        self._process.stdin.write("go\n")
        self._process.stdin.flush()
        wall_s, processor_s = map(float, self._line().split())
        return wall_s, processor_s

    def _line(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline().strip()
        if not line:
            raise BenchError(f"a worker ended with {self._process.wait()}; see above")
        return line


def in_turns(
    arms: Mapping[str, Callable[[], T]], rounds: int, *, warm_up: bool = True
) -> dict[str, list[T]]:
    """Calls each arm once a round; a round that warms up comes first and does not count."""
    found: dict[str, list[T]] = {name: [] for name in arms}
    for turn in range(-1 if warm_up else 0, rounds):
        for name, arm in arms.items():
            result = arm()
            if turn >= 0:
                found[name].append(result)
    return found


def seconds_of(work: Callable[[], object]) -> float:
    """How long one call takes by the clock."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def surroundings(cache: Path | None = None) -> dict[str, str]:
    """Variables for a process that runs this checkout's facematch."""
    added = {"PYTHONPATH": str(ROOT)}
    if cache is not None:
        added["FACEMATCH_CACHE_DIR"] = str(cache)
    return {**os.environ, **added}


def facematch() -> Path:
    """The command as it is installed beside the running Python."""
    command = Path(sys.executable).parent / "facematch"
    if not command.exists():
        raise BenchError(f"{command} is missing; run scripts/setup and use .venv's Python")
    return command


def unpack_lfw(data: Path, into: Path, count: int) -> list[Path]:
    """The first ``count`` photographs of LFW View 1 by name, in folders by person."""
    archive = data / "lfw-view1" / "images.zip"
    if not archive.exists():
        raise BenchError(f"{archive} is missing; name the data pack with --data")
    with zipfile.ZipFile(archive) as opened:
        names = sorted(name for name in opened.namelist() if name.endswith(".jpg"))[:count]
        opened.extractall(into, names)
    return [into / name for name in names]
