"""Starts a command with the guard loaded: python tests/network_guard COMMAND [ARGUMENTS].

The tests remove its folder, as this process becomes that of the command.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[1])

from network_guard import FOLDER_VARIABLE, NetworkGuard  # noqa: E402
from network_guard.network_watch import LOG_VARIABLE  # noqa: E402

folder = tempfile.mkdtemp(prefix="network-guard-")
guard = NetworkGuard(Path(folder))
# Without a library the tests watch this process by themselves, and know it for theirs.
environment = dict(os.environ) if guard.library is None else guard.environment(os.environ)
environment |= {FOLDER_VARIABLE: folder, LOG_VARIABLE: str(guard.log)}
os.execve(sys.argv[1], sys.argv[1:], environment)
