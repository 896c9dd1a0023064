"""Child processes that are meant to die, forked so that each starts in a millisecond."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import BinaryIO


class BrokenPromiseError(Exception):
    """The gallery did what it must never do."""


@dataclass(frozen=True)
class Child:
    """A forked process that reports in lines.

    Attributes:
        pid: its number.
        reports: what it has said, to its end.
    """

    pid: int
    reports: BinaryIO

    def kill(self) -> None:
        os.kill(self.pid, signal.SIGKILL)

    def end(self) -> tuple[list[str], int]:
        """Wait for its end: all lines that it said in full, and its exit status."""
        said = self.reports.read().decode()
        self.reports.close()
        _, status = os.waitpid(self.pid, 0)
        lines = said.split("\n")
        return lines[:-1], os.waitstatus_to_exitcode(status)


def fork(work: Callable[[], Iterator[str]]) -> Child:
    """Run a generator in a child; each string that it yields is reported at once.

    An exception that escapes is reported as a line ``crash: ...``, and the exit status is 70.
    """
    reading, writing = os.pipe()
    pid = os.fork()
    if pid != 0:
        os.close(writing)
        return Child(pid, os.fdopen(reading, "rb"))
    status = 70
    try:
        os.close(reading)
        for line in work():
            os.write(writing, f"{line}\n".encode())
        status = 0
    finally:
        # Whatever went wrong, the parent hears of it, and its forked copy ends here.
        error = sys.exception()
        if error is not None:
            text = " ".join(f"{type(error).__name__}: {error}".split())
            os.write(writing, f"crash: {text}\n".encode())
        os._exit(status)
