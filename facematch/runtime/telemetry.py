"""OpenVINO's telemetry is kept out of the process.

When it is imported, OpenVINO sends a message to a web analytics service, from a forked
process, and keeps an identifier of the user under ``~/intel``: without asking, on every
start, unless the machine looks like CI. A program that handles faces talks to nobody and
writes where it was told. OpenVINO has a stub of its own for the case that the package
``openvino_telemetry`` cannot be imported, and this makes that the case.
"""

from __future__ import annotations

import sys


def keep_out() -> None:
    """Makes imports of ``openvino_telemetry`` fail from now on.

    Process-wide, and so the one exception to a rule of this project; a program that has
    loaded the package before it loads facematch keeps it.
    """
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
