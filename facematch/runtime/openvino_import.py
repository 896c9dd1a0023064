"""OpenVINO without what it does to a process: report, load slowly, take away a stack, and hang.

All four are about the process, and so exceptions to a rule of this project: a module changes
nothing outside itself.
"""

from __future__ import annotations

import functools
import sys
import threading
from typing import Any

_CONVERTER = "openvino.tools.ovc"
_one_at_a_time = threading.Lock()


def keep_telemetry_out() -> None:
    """Makes imports of ``openvino_telemetry`` fail from now on.

    When it is imported, OpenVINO sends a message to a web analytics service, from a forked
    process, and keeps an identifier of the user under ``~/intel``: without asking, on every
    start, unless the machine looks like CI. A program that handles faces talks to nobody and
    writes where it was told. OpenVINO has a stub of its own for the case that the package
    cannot be imported, and this makes that the case; a program that has loaded the package
    before it loads facematch keeps it.
    """
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]


def import_openvino() -> Any:
    """OpenVINO, whose converter of models is loaded when it is asked for.

    The converter (``openvino.convert_model``) is two thirds of the time that the import takes,
    and nothing that runs a network needs it. OpenVINO goes on without it where it cannot be
    imported, so that is made the case, for the length of the import.
    """
    if "openvino" in sys.modules:
        return sys.modules["openvino"]
    absent = _CONVERTER not in sys.modules
    if absent:
        sys.modules[_CONVERTER] = None  # type: ignore[assignment]
    try:
        import openvino
    finally:
        if absent:
            del sys.modules[_CONVERTER]
    if not hasattr(openvino, "convert_model"):
        vars(openvino)["__getattr__"] = _late  # a module may have one (PEP 562)
    return openvino


def shared_core() -> Any:
    """The one ``openvino.Core`` of the process; nobody makes another. From any thread.

    With a core, OpenVINO puts a stack for signal handlers in the place of the one that there
    was, and with its end puts that back. Of two cores that end in the order in which they came,
    the second puts back what the first has freed, and the next Ctrl-C is a segmentation fault.
    """
    with _one_at_a_time:
        return _made_core()


@functools.cache
def _made_core() -> Any:
    openvino = import_openvino()
    # The first call makes a table, and asks Python something in between. A second thread that
    # comes meanwhile waits for the table and keeps the interpreter from the first: for ever.
    openvino.Type.f32.to_dtype()
    return openvino.Core()


def _late(name: str) -> Any:
    if name != "convert_model":
        raise AttributeError(f"module 'openvino' has no attribute {name!r}")
    from openvino.tools.ovc import convert_model

    return convert_model
