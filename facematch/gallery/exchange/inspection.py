"""Asking the HDF5 library about a file from elsewhere, in a process that may die of it.

HDF5 checks less than it should, and ends the program on some files that were damaged or forged.
So it is a child with limits that opens exported templates. It is handed the open file, and tells
in one line of JSON where each dataset lies; the data itself is read from that same file without
HDF5. What the child says is believed as little as the file is.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any, BinaryIO

from facematch.errors import GalleryFormatError
from facematch.gallery.exchange.layout import EXCHANGE_COLUMNS, Contents, Place
from facematch.gallery.exchange.records import EXCHANGE_NAME, KIND, refusal
from facematch.gallery.headers import is_hdf5

_MOST_CPU_S = 10
_MOST_WALL_S = 120
_MOST_BYTES = 1 << 30
_MOST_TOLD = 1 << 18
_LONGEST_REASON = 500


def ask(file: BinaryIO, path: Path) -> dict[str, Any]:
    """Have a child describe a file.

    Args:
        file: opened for reading; it is left anywhere.
        path: for messages.

    Raises:
        GalleryFormatError: the library did not survive it.
        OSError: the file cannot be read, or no process can be started.
    """
    if not is_hdf5(file):
        return {"unreadable": "it is no HDF5 file"}
    searched = os.pathsep.join(entry for entry in sys.path if entry)
    file.seek(0)
    try:
        done = subprocess.run(
            [sys.executable, "-P", "-m", "facematch.gallery.exchange.inspection"],
            # Without threads, whose memory would count.
            env=os.environ | {"PYTHONPATH": searched, "OPENBLAS_NUM_THREADS": "1"},
            stdin=file,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            check=False,
            timeout=_MOST_WALL_S,
        )
    except subprocess.TimeoutExpired as exc:
        raise _unreadable(path, f"it takes HDF5 more than {_MOST_WALL_S} s") from exc
    if done.returncode != 0:
        raise _unreadable(path, f"HDF5 breaks off with {_ending(done.returncode)}")
    try:
        told = json.loads(done.stdout) if len(done.stdout) <= _MOST_TOLD else None
    except (ValueError, RecursionError):
        told = None
    if not isinstance(told, dict):
        raise _unreadable(path, "what HDF5 says of it is absurd")
    return told


def contents_of(told: dict[str, Any], path: Path) -> Contents:
    """What a file of exported templates holds.

    Args:
        told: by :func:`ask` or :func:`describe`.
        path: for messages.

    Raises:
        GalleryFormatError: the file is none.
    """
    match told:
        case {"problem": str(problem)}:
            raise refusal(path, _one_line(problem))
        case {"unreadable": str(why)}:
            raise _unreadable(path, _one_line(why))
    try:
        return _contents(told)
    except (KeyError, TypeError, ValueError) as exc:
        raise _unreadable(path, "what HDF5 says of it is absurd") from exc


def is_exchange(path: Path) -> bool:
    """Whether a file says of itself that it holds exported templates."""
    try:
        with path.open("rb") as file:
            return ask(file, path).get("format") == EXCHANGE_NAME
    except (GalleryFormatError, OSError):
        return False


def describe(file: BinaryIO) -> dict[str, Any]:
    """What the child tells: ``format`` if there is one, and ``contents``, or why not."""
    import h5py

    from facematch.gallery.exchange.strict import H5_ERRORS, RefusedError, StrictReader
    from facematch.gallery.structure import first_line

    told: dict[str, Any] = {}
    try:
        with h5py.File(file, "r") as opened:
            reader = StrictReader(opened, os.fstat(file.fileno()).st_size)
            told["format"] = reader.text("format")
            told["contents"] = asdict(reader.contents())
    except RefusedError as exc:
        told["problem"] = first_line(exc)
    except H5_ERRORS as exc:
        told["unreadable"] = first_line(exc)
    return told


def _ending(returncode: int) -> str:
    try:
        return signal.Signals(-returncode).name
    except ValueError:  # no signal, or one without a name
        return str(returncode)


def _one_line(text: str) -> str:
    return " ".join(text.split())[:_LONGEST_REASON]


def _unreadable(path: Path, why: str) -> GalleryFormatError:
    return GalleryFormatError(f"{path} is not a readable {KIND} ({why}); export it again")


def _contents(told: dict[str, Any]) -> Contents:
    """What the child told, if it can be so; KeyError, TypeError or ValueError if not."""
    found = told["contents"]
    return Contents(
        _natural(found["version"]),
        _text(found["model"]),
        _text(found["fingerprint"]),
        _natural(found["embedding_size"]),
        {
            column.name: Place(
                *(_natural(found["places"][column.name][key]) for key in Place.__slots__)
            )
            for column in EXCHANGE_COLUMNS
            if column.since <= _natural(found["version"])
        },
    )


def _natural(value: object) -> int:
    if not isinstance(value, int) or value < 0:
        raise ValueError(f"{value!r} is no natural number")
    return value


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is no text")
    return value


def main() -> int:
    """Be the child: the file is the standard input."""
    with os.fdopen(os.dup(0), "rb") as file:
        import h5py  # noqa: F401  (before the limits: it is large)

        if sys.platform != "win32":
            import resource

            limits = (
                (resource.RLIMIT_CORE, 0),
                (resource.RLIMIT_CPU, _MOST_CPU_S),
                (resource.RLIMIT_AS, _MOST_BYTES),
            )
            for kind, most in limits:
                _, allowed = resource.getrlimit(kind)
                if allowed == resource.RLIM_INFINITY or allowed > most:
                    resource.setrlimit(kind, (most, most))
        told = describe(file)
    sys.stdout.write(json.dumps(told))
    return 0


if __name__ == "__main__":
    sys.exit(main())
