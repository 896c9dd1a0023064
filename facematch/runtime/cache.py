"""Compiled networks in the user's cache folder.

An entry is one file: the SHA-256 of the rest, then the rest. It is written beside and
renamed, so concurrent first starts each see nothing or a whole entry; an entry that fails
its hash is treated as absent and written again. A cache that cannot be written costs time
at every start and nothing else. ``FACEMATCH_CACHE_DIR`` moves it.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import logging
import os
import tempfile
from pathlib import Path

_LOG = logging.getLogger(__name__)
_DIGEST_BYTES = 32


def cache_dir() -> Path:
    """The folder for everything that can be made again. Not created by this call."""
    override = os.environ.get("FACEMATCH_CACHE_DIR")
    if override:
        return Path(override)
    from platformdirs import user_cache_path

    return user_cache_path("facematch", appauthor=False)


def read_entry(key: str) -> bytes | None:
    """Returns the payload stored under ``key``, or None if there is no sound entry."""
    try:
        content = _entry_path(key).read_bytes()
    except OSError:
        return None
    payload = content[_DIGEST_BYTES:]
    if hashlib.sha256(payload).digest() != content[:_DIGEST_BYTES]:
        _LOG.warning("%s: damaged cache entry, made again", _entry_path(key))
        return None
    return payload


def write_entry(key: str, payload: bytes) -> None:
    """Stores ``payload`` atomically; says so once, and goes on, if it cannot."""
    path = _entry_path(key)
    partial: str | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, partial = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        with os.fdopen(descriptor, "wb") as file:
            file.write(hashlib.sha256(payload).digest())
            file.write(payload)
        os.replace(partial, path)
    except OSError as error:
        if partial is not None:
            with contextlib.suppress(OSError):
                Path(partial).unlink()
        _say_unwritable(path.parent, error.strerror)


@functools.cache  # once a process: four networks would say it four times
def _say_unwritable(folder: Path, reason: str) -> None:
    _LOG.warning(
        "the cache folder %s cannot be written (%s): every start converts the networks "
        "again; set FACEMATCH_CACHE_DIR to a writable folder",
        folder,
        reason,
    )


def _entry_path(key: str) -> Path:
    return cache_dir() / "networks" / key
