"""Reading the structure of a damaged gallery in a process that may die of it.

HDF5 checks less than it should: an attribute that was forged together with its checksum makes
it read where there is nothing (``scripts/fuzz --only gallery`` finds such files). A sound
gallery is guarded by its seal before much of it is read; a repair reads what has no seal any
more, and tries it in a child first.
"""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

from facematch.errors import FacematchError, GalleryFormatError

_MOST_CPU_S = 60
_MOST_BYTES = 4 << 30
_UNREADABLE = 3


def try_structure(path: Path, promised: int) -> None:
    """Read the structure in a child process; what that finds wrong is not this one's matter.

    Args:
        path: of a gallery in plain.
        promised: bytes that it should have; what is missing reads as zeros.

    Raises:
        GalleryFormatError: the child did not live to tell.
    """
    command = [sys.executable, "-P", "-m", "facematch.gallery.trial", str(path), str(promised)]
    searched = os.pathsep.join(entry for entry in sys.path if entry)
    done = subprocess.run(
        command,
        env=os.environ | {"PYTHONPATH": searched},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
    )
    if done.returncode not in (0, _UNREADABLE):
        ended = signal.Signals(-done.returncode).name if done.returncode < 0 else done.returncode
        raise GalleryFormatError(
            f"{path} is damaged: reading its HDF5 structure ends the program ({ended}); restore a "
            "sound copy, go back to a snapshot with `facematch gallery rollback`, or enroll again"
        )


def main() -> int:
    """Be the child."""
    from facematch.gallery.opening import Padded
    from facematch.gallery.structure import read_structure

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CPU, (_MOST_CPU_S, _MOST_CPU_S))
    resource.setrlimit(resource.RLIMIT_AS, (_MOST_BYTES, _MOST_BYTES))
    path, promised = Path(sys.argv[1]), int(sys.argv[2])
    try:
        with path.open("rb") as file:
            read_structure(Padded(file, promised), path, promised)
    except (FacematchError, OSError):
        return _UNREADABLE
    return 0


if __name__ == "__main__":
    sys.exit(main())
