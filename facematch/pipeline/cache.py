"""Templates in the user's cache folder, so that no photograph is embedded twice.

One SQLite file holds the templates that were made in one way; its name is a hash over the
:class:`Recipe`, everything that decides what a template is. A row is keyed by the SHA-256 of
the photograph's bytes and holds the first half of a SHA-256 over key and content, then the
content: the templates as little-endian float32, or why there are none. SQLite keeps
processes that read and write at once apart; a row that fails its hash is treated as absent,
and a file that is no database any more is started anew. A cache that cannot be used costs
time and nothing else. ``FACEMATCH_CACHE_DIR`` moves it.

Templates are biometric data: folder and file are for their owner alone. They hold no names
and no paths.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import logging
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np

import facematch
from facematch.runtime.cache import cache_dir
from facematch.types import Float32Array

_LOG = logging.getLogger(__name__)
_T = TypeVar("_T")

# Raised whenever templates.py or analyzer.py change what is stored for a photograph.
_FORM = 1
_DIGEST_BYTES = 16
_WAIT_S = 30.0
_KEYS_PER_QUERY = 500

# The code that decodes a photograph, finds and chooses a face and cuts it out.
_CODE = ("imaging", "pipeline/analyzer.py")


@dataclass(frozen=True, slots=True)
class Recipe:
    """Everything that decides which templates a photograph gives, beside its bytes.

    Attributes:
        fingerprint: of the model.
        embedding_size: length of a template.
        device: that the networks run on; devices differ in the last digits.
        choice: which face is used.
        strict: whether poor faces are refused.
        detector: settings of the detector, as text.
    """

    fingerprint: str
    embedding_size: int
    device: str
    choice: str
    strict: bool
    detector: str

    def digest(self) -> str:
        """Hexadecimal SHA-256 over all this, the program's version and its code for faces."""
        text = f"{_FORM} {facematch.__version__} {_code_digest()} {self!r}"
        return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True, slots=True, eq=False)
class Acquired:
    """What a photograph gave.

    Attributes:
        templates: float32 (k, d) of unit norm, one row a face; k is 0 for a failure.
        failure: why there is no template, with a NUL where the path goes; else None.
    """

    templates: Float32Array
    failure: str | None = None


class TemplateCache:
    """The templates made by one recipe.

    Args:
        recipe: what made them.
    """

    def __init__(self, recipe: Recipe) -> None:
        self._size = recipe.embedding_size
        self._path = cache_dir() / "templates" / f"{recipe.digest()}.sqlite"

    def read(self, keys: Sequence[str]) -> dict[str, Acquired]:
        """What is there of these photographs.

        Args:
            keys: hexadecimal SHA-256 of their bytes.
        """
        if not self._path.exists():
            return {}
        return self._with_database(lambda database: self._read(database, keys), {})

    def write(self, entries: Mapping[str, Acquired]) -> None:
        """Adds photographs; what is there already is replaced."""
        rows = [(bytes.fromhex(key), self._sealed(key, item)) for key, item in entries.items()]

        def add(database: sqlite3.Connection) -> None:
            with database:
                database.executemany("INSERT OR REPLACE INTO photographs VALUES (?, ?)", rows)

        self._with_database(add, None)

    def _read(self, database: sqlite3.Connection, keys: Sequence[str]) -> dict[str, Acquired]:
        found: dict[str, Acquired] = {}
        for start in range(0, len(keys), _KEYS_PER_QUERY):
            block = [bytes.fromhex(key) for key in keys[start : start + _KEYS_PER_QUERY]]
            marks = ",".join("?" * len(block))
            rows = database.execute(
                f"SELECT sha256, content FROM photographs WHERE sha256 IN ({marks})", block
            )
            for key, content in rows:
                item = self._opened(key, content)
                if item is not None:
                    found[key.hex()] = item
        return found

    def _sealed(self, key: str, item: Acquired) -> bytes:
        if item.failure is not None:
            content = b"F" + item.failure.encode("utf-8", "surrogateescape")
        else:
            content = b"T" + item.templates.astype("<f4").tobytes()
        return _digest(bytes.fromhex(key), content) + content

    def _opened(self, key: object, content: object) -> Acquired | None:
        if not isinstance(key, bytes) or not isinstance(content, bytes):
            return None  # a database that others wrote may hold anything
        sealed = content[_DIGEST_BYTES:]
        if _digest(key, sealed) != content[:_DIGEST_BYTES]:
            return None
        if sealed[:1] == b"F":
            empty = np.zeros((0, self._size), np.float32)
            return Acquired(empty, sealed[1:].decode("utf-8", "surrogateescape"))
        templates = np.frombuffer(sealed[1:], "<f4").astype(np.float32)
        return Acquired(templates.reshape(-1, self._size))

    def _with_database(self, work: Callable[[sqlite3.Connection], _T], otherwise: _T) -> _T:
        """Does the work; on a damaged file once more with a new one; gives up with a word."""
        try:
            try:
                return self._connected(work)
            except sqlite3.OperationalError:  # locked, not writable, full: no damage
                raise
            except sqlite3.DatabaseError:
                _LOG.warning("%s: damaged cache of templates, made again", self._path)
                self._path.unlink(missing_ok=True)
                return self._connected(work)
        except (sqlite3.Error, OSError) as error:
            _say_unusable(self._path.parent, str(error))
            return otherwise

    def _connected(self, work: Callable[[sqlite3.Connection], _T]) -> _T:
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not self._path.exists():
            self._path.touch(mode=0o600)
        with contextlib.closing(sqlite3.connect(self._path, timeout=_WAIT_S)) as database:
            database.execute(
                "CREATE TABLE IF NOT EXISTS photographs"
                " (sha256 BLOB PRIMARY KEY, content BLOB NOT NULL)"
            )
            return work(database)


@functools.cache  # once a process, not once a batch
def _say_unusable(folder: Path, reason: str) -> None:
    _LOG.warning(
        "the cache of templates in %s cannot be used (%s): photographs are embedded again; set "
        "FACEMATCH_CACHE_DIR to a writable folder, or give --no-cache",
        folder,
        reason,
    )


@functools.cache
def _code_digest() -> str:
    """Hash of the sources: whoever changes how faces are cut meets no template of before."""
    root = Path(facematch.__file__).parent
    digest = hashlib.sha256()
    for name in _CODE:
        place = root / name
        for source in sorted(place.rglob("*.py")) if place.is_dir() else [place]:
            digest.update(hashlib.sha256(source.read_bytes()).digest())
    return digest.hexdigest()


def _digest(key: bytes, content: bytes) -> bytes:
    return hashlib.sha256(key + content).digest()[:_DIGEST_BYTES]
