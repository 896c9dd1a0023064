"""Writing a file so that a reader sees the old one or the new one, never a part."""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path

from facematch.errors import OutputError
from facematch.overwriting import require_regular


def write_atomically(path: Path, content: bytes) -> None:
    """Writes beside the target, flushes to disk, then renames over it. Links are followed.

    The folder is flushed too, as far as the system allows it: without that, a power cut could
    undo the rename.

    Raises:
        OutputError: no folder of that name, no permission, no space, or a folder or a device
            at ``path``.
    """
    require_regular(path)
    target = Path(os.path.realpath(path))
    beside = target.parent / f".facematch-{secrets.token_hex(8)}.tmp"
    try:
        try:
            with beside.open("xb") as stream:
                stream.write(content)
                stream.flush()
                os.fsync(stream.fileno())
            os.replace(beside, target)
        finally:
            # Gone after the rename; left over when anything before it failed.
            beside.unlink(missing_ok=True)
    except OSError as exc:
        raise OutputError(
            f"{path}: cannot be written ({exc.strerror or exc}); choose another place with -o"
        ) from exc
    with contextlib.suppress(OSError):
        _flush_folder(target.parent)


def _flush_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
