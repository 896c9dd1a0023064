"""The network is shut for the processes that the tests start, and every attempt is noted.

A library of a few calls, compiled when the tests start, is loaded into each of them below all
else, native code included. Where there is no C compiler, Python itself watches in the Pythons
among them, which is less, and the run says so.

The process of pytest is watched by Python in any case, and has the library if it was started by
``python tests/network_guard COMMAND``, as ``scripts/test`` does.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from network_guard.network_watch import LOG_VARIABLE

HERE = Path(__file__).parent
FOLDER_VARIABLE = "FACEMATCH_NETWORK_GUARD"
SOURCE = HERE / "network_guard.c"


class NetworkGuard:
    """Guards the processes that are started with :meth:`environment`.

    Attributes:
        log: where attempts are noted, a line each.
        library: what is loaded into them; None where Python has to watch.
        weakness: why the library is None, in a line.
    """

    def __init__(self, folder: Path) -> None:
        """``folder`` gets the library, unless it is there, and the log."""
        self.log = folder / "attempts"
        self.library: Path | None = folder / "network_guard.so"
        self.weakness = _compile(self.library)
        if self.weakness is not None:
            self.library = None
        self._read = 0

    def environment(self, base: Mapping[str, str]) -> dict[str, str]:
        """``base`` with the guard before all that is preloaded or on the path already."""
        guarded = {LOG_VARIABLE: str(self.log), **base}
        name, guard = "PYTHONPATH", str(HERE)
        if self.library is not None:
            name, guard = "LD_PRELOAD", str(self.library)
        present = [entry for entry in base.get(name, "").split(os.pathsep) if entry]
        if guard not in present:
            guarded[name] = os.pathsep.join([guard, *present])
        return guarded

    def attempts(self) -> list[str]:
        """The attempts since this was last asked."""
        if not self.log.exists():
            return []
        noted = self.log.read_bytes()[self._read :]
        self._read += len(noted)
        return noted.decode("utf-8", "backslashreplace").splitlines()


def _compile(library: Path) -> str | None:
    """Why there is no library; None if there is one."""
    if library.exists():
        return None
    if not sys.platform.startswith("linux"):
        return f"nothing is preloaded on {sys.platform}"
    if set(str(library)) & set(": "):
        return f"a path with a colon or a space is not preloaded: {library}"
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        return "no C compiler"
    command = [compiler, "-shared", "-fPIC", "-O1", "-o", str(library), str(SOURCE), "-ldl"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return None if done.returncode == 0 else f"{compiler}: {done.stderr.strip()}"
