"""Forked children that read one case after the other, and what is made of their ends.

A child tells in shared memory which case it is at; the case follows from target, seed and
number alone, so that nothing else has to be passed on or saved when it dies.
"""

from __future__ import annotations

import ctypes
import logging
import mmap
import os
import random
import resource
import shutil
import signal
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from facematch.errors import FacematchError
from fuzzing.targets import Target, require_one_line

MOST_CPU_S = 2.0
MOST_BYTES = 1 << 30
# Far enough above what a case may take for the case to be told from a lack of memory.
_ADDRESSES = MOST_BYTES + (1 << 30)
# For what waits and does not compute. Generous: on a busy machine everything waits.
_MOST_WALL_S = 30.0
_LOOK_EVERY_S = 0.02
# What a library does that reads where there is nothing, finds itself out, or finds no end.
_DEATHS = {
    -number
    for number in (
        *(signal.SIGSEGV, signal.SIGBUS, signal.SIGABRT, signal.SIGFPE, signal.SIGILL),
        *(signal.SIGPROF, signal.SIGKILL),
    )
}


class _Shared(ctypes.Structure):
    """What a child tells while it works, and what it leaves behind."""

    _fields_ = [
        ("number", ctypes.c_uint64),
        ("started", ctypes.c_double),
        ("accepted", ctypes.c_uint64),
        ("refused", ctypes.c_uint64),
        ("worst_s", ctypes.c_double),
        ("worst_s_number", ctypes.c_uint64),
        ("worst_bytes", ctypes.c_uint64),
        ("worst_bytes_number", ctypes.c_uint64),
    ]


@dataclass(frozen=True)
class Failure:
    """A case that should have been read or refused.

    Attributes:
        target: whose it is.
        number: of the case; -1 for a file that was given.
        what: the kind of failure and where; the same for cases that fail alike.
        detail: for people.
    """

    target: str
    number: int
    what: str
    detail: str


@dataclass
class Tally:
    """What became of the cases of one target; of the refused ones, ``died`` killed a child."""

    cases: int = 0
    accepted: int = 0
    refused: int = 0
    died: int = 0
    failed: int = 0
    elapsed_s: float = 0.0
    worst_s: float = 0.0
    worst_s_number: int = 0
    worst_bytes: int = 0
    worst_bytes_number: int = 0

    def take(self, shared: _Shared) -> None:
        self.accepted += shared.accepted
        self.refused += shared.refused
        if shared.worst_s > self.worst_s:
            self.worst_s, self.worst_s_number = shared.worst_s, shared.worst_s_number
        if shared.worst_bytes > self.worst_bytes:
            self.worst_bytes = shared.worst_bytes
            self.worst_bytes_number = shared.worst_bytes_number


def content_of(target: Target, seed: int, number: int) -> bytes:
    """The file of one case."""
    return target.case(random.Random(f"{seed} {target.name} {number}"))


def run_cases(target: Target, seed: int, numbers: Sequence[int], tally: Tally) -> list[Failure]:
    """Read the cases in children, a new one after each that died."""
    return _run(target, lambda i: content_of(target, seed, numbers[i]), numbers, tally)


def run_content(target: Target, content: bytes) -> Failure | None:
    """Read one given file in a child of its own; what is wrong, or None."""
    found = _run(target, lambda i: content, [-1], Tally())
    return found[0] if found else None


def _run(
    target: Target, content: Callable[[int], bytes], numbers: Sequence[int], tally: Tally
) -> list[Failure]:
    failures: list[Failure] = []
    started = time.monotonic()
    folder = Path(tempfile.mkdtemp(prefix="fuzz-", dir=_memory_folder()))
    at = 0
    try:
        while at < len(numbers):
            memory = mmap.mmap(-1, ctypes.sizeof(_Shared))
            shared = _Shared.from_buffer(memory)
            shared.started = time.monotonic()
            reading, writing = os.pipe()
            pid = os.fork()
            if pid == 0:
                os.close(reading)
                _work(target, content, range(at, len(numbers)), shared, writing, folder)
            os.close(writing)
            status = _watch(pid, shared)
            with os.fdopen(reading, encoding="utf-8") as stream:
                told = stream.read()
            tally.take(shared)
            at = shared.number + 1
            if target.apart and status in _DEATHS:
                tally.refused += 1
                tally.died += 1
                continue
            failure = _ended(status, told)
            if failure is not None:
                what, detail = failure
                failures.append(Failure(target.name, numbers[shared.number], what, detail))
            else:
                at = len(numbers)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    tally.cases += len(numbers)
    tally.failed += len(failures)
    tally.elapsed_s += time.monotonic() - started
    return failures


def _memory_folder() -> str | None:
    shared = Path("/dev/shm")
    return str(shared) if shared.is_dir() and os.access(shared, os.W_OK) else None


def _watch(pid: int, shared: _Shared) -> int:
    """Wait for the child's end; kill one that waits for ever. Exit status or minus signal."""
    pause = 0.001
    while True:
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended == pid:
            return os.waitstatus_to_exitcode(status)
        if time.monotonic() - shared.started > _MOST_WALL_S:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            return -signal.SIGKILL
        time.sleep(pause)
        pause = min(_LOOK_EVERY_S, 1.5 * pause)


def _ended(status: int, told: str) -> tuple[str, str] | None:
    """What a child's end means; None for one that read all its cases."""
    if status == 0:
        return None
    if told:
        what, _, detail = told.partition("\n")
        return what, detail
    name = signal.Signals(-status).name if status < 0 else f"exit status {status}"
    if status == -signal.SIGPROF:
        return "hang", f"more than {MOST_CPU_S:g} s of CPU time"
    if status == -signal.SIGKILL:
        return "hang", f"more than {_MOST_WALL_S:g} s, or killed for its memory"
    return f"signal {name}", "the process died"


def _work(
    target: Target,
    content: Callable[[int], bytes],
    indices: range,
    shared: _Shared,
    writing: int,
    folder: Path,
) -> None:
    """Be the child: read cases until one fails, tell of it, and end."""
    status = 70
    try:
        place = folder / str(os.getpid())
        place.mkdir()
        written = os.open(place / "output", os.O_RDWR | os.O_CREAT)
        os.dup2(written, 1)
        os.dup2(written, 2)
        # A child process that facematch itself starts has the limit that cases are judged by.
        limit = _address_bytes() + (MOST_BYTES if target.apart else _ADDRESSES)
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        warnings.filterwarnings("ignore", module=r"PIL\.")  # as the command line does
        logging.getLogger("PIL").setLevel(logging.CRITICAL)
        failure = None
        for index in indices:
            shared.number = index
            failure = _one(target, content(index), shared, written, place)
            if failure is not None:
                break
        status = 0 if failure is None else 1
        if failure is not None:
            os.write(writing, "\n".join(failure).encode("utf-8", "backslashreplace"))
    finally:
        if status == 70:
            os.write(writing, f"harness\n{traceback.format_exc()}".encode()[:4000])
        os._exit(status)


def _one(
    target: Target, content: bytes, shared: _Shared, written: int, place: Path
) -> tuple[str, str] | None:
    output = os.fstat(written).st_size
    before = _peak_bytes()
    shared.started, cpu = time.monotonic(), time.process_time()
    failure = None
    signal.setitimer(signal.ITIMER_PROF, MOST_CPU_S)
    try:
        target.read(content, place)
        shared.accepted += 1
    except FacematchError as error:
        failure = _judge_refusal(error, target)
        shared.refused += failure is None
    except Exception as error:  # noqa: BLE001  (whatever it is, it is what is looked for)
        failure = _raised(error)
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
    spent, grown = time.process_time() - cpu, _peak_bytes() - before
    if spent > shared.worst_s:
        shared.worst_s, shared.worst_s_number = spent, shared.number
    if grown > shared.worst_bytes:
        shared.worst_bytes, shared.worst_bytes_number = grown, shared.number
    if failure is None and grown > MOST_BYTES:
        failure = "memory", f"{grown >> 20} MiB"
    if failure is None and target.silent and os.fstat(written).st_size > output:
        said = os.pread(written, 300, output)
        failure = "wrote on the terminal", repr(said)
    return failure


def _judge_refusal(error: FacematchError, target: Target) -> tuple[str, str] | None:
    cause: BaseException | None = error
    while cause is not None and not target.apart:
        if isinstance(cause, MemoryError):
            return "memory", f"more than {_ADDRESSES >> 20} MiB of addresses: {error}"
        cause = cause.__cause__
    try:
        require_one_line(error)
    except Exception as wrong:  # noqa: BLE001  (so is this)
        return _raised(wrong)
    return None


def _raised(error: Exception) -> tuple[str, str]:
    """Named by the kind of the error and the innermost line of ours."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if "/facematch/" in frame.filename] or frames
    place = f"{Path(ours[-1].filename).name}:{ours[-1].lineno}" if ours else "?"
    detail = "".join(traceback.format_exception(error))
    return f"{type(error).__name__} at {place}", detail[-3000:]


def _peak_bytes() -> int:
    """Largest memory of this process so far; never falls."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def _address_bytes() -> int:
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[0])
    except OSError:  # not Linux: the limit is then of little use
        return 1 << 40
    return pages * resource.getpagesize()
