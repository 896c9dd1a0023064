"""Encrypt a gallery with all its snapshots, decrypt it, or give it another secret."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from facematch.errors import GalleryError, GalleryKeyError, UsageError
from facematch.gallery import Gallery
from facematch.gallery.atomic import remove_stale, replacing
from facematch.gallery.envelope import HEADER_BYTES, MasterKey, is_encrypted
from facematch.gallery.keys import Keys
from facematch.gallery.locking import WriterLock
from facematch.gallery.reader import not_found
from facematch.gallery.snapshots import snapshots_of
from facematch.gallery.state import GalleryState, state_of
from facematch.gallery.unlocking import Unlocked, unlock, write_locked


@dataclass(frozen=True, slots=True)
class EncryptionResult:
    """A gallery after its encryption was changed.

    Attributes:
        state: of the gallery.
        method: how its key is made from the secret: ``argon2id``, ``scrypt`` or ``key_file``;
            None if it is not encrypted any more.
        files: that were written anew, the snapshots first.
    """

    state: GalleryState
    method: str | None
    files: tuple[str, ...]


def encrypt_gallery(path: Path, keys: Keys, *, wait_s: float = 0) -> EncryptionResult:
    """Encrypts a gallery and its snapshots.

    If it is interrupted, the same call with the same secret finishes the work.

    Args:
        path: the gallery.
        keys: the secret that it gets.
        wait_s: how long to wait for another writer.

    Raises:
        GalleryError: the gallery cannot be used.
        UsageError: it and all its snapshots are encrypted already, or the secret cannot be one.
        OutputError: a file cannot be written.
    """
    with _locked(path, wait_s) as files:
        plain = [file for file in files if not _is_encrypted(file)]
        if not plain:
            raise UsageError(
                f"{path} is encrypted already; `facematch gallery rekey` gives it another secret"
            )
        master = keys.new_master(path)
        for file in files:
            if file not in plain:  # by a call that was interrupted, with the same secret
                _plain(file, [keys])
        Gallery.open(path, keys=keys).close()  # it is a sound one that is locked away
        return _rewritten(path, plain, [keys], master)


def decrypt_gallery(path: Path, keys: Keys, *, wait_s: float = 0) -> EncryptionResult:
    """Takes the encryption from a gallery and its snapshots.

    Args:
        path: the gallery.
        keys: the secret that it has.
        wait_s: how long to wait for another writer.

    Raises:
        GalleryError: the gallery or a snapshot cannot be used.
        UsageError: none of them is encrypted.
        OutputError: a file cannot be written.
    """
    with _locked(path, wait_s) as files:
        locked = [file for file in files if _is_encrypted(file)]
        if not locked:
            raise UsageError(f"{path} is not encrypted")
        return _rewritten(path, locked, [keys], None)


def rekey_gallery(path: Path, keys: Keys, new: Keys, *, wait_s: float = 0) -> EncryptionResult:
    """Gives an encrypted gallery and its snapshots another secret.

    If it is interrupted, the same call with the same secrets finishes the work.

    Args:
        path: the gallery.
        keys: the secret that it has.
        new: the one that it gets.
        wait_s: how long to wait for another writer.

    Raises:
        GalleryError: the gallery or a snapshot cannot be used.
        UsageError: it is not encrypted, or the new secret cannot be one.
        OutputError: a file cannot be written.
    """
    with _locked(path, wait_s) as files:
        if not _is_encrypted(files[-1]):
            raise UsageError(f"{path} is not encrypted; use `facematch gallery encrypt`")
        _plain(files[-1], [keys])  # before the question for a new secret
        return _rewritten(path, files, [keys, new], new.new_master(path))


def _rewritten(
    path: Path, files: Sequence[Path], keys: Sequence[Keys], master: MasterKey | None
) -> EncryptionResult:
    """Write files anew, the gallery last; nothing is changed if one of them cannot be read."""
    for file in files:
        _plain(file, keys)
    for file in files:
        plain = _plain(file, keys)
        with replacing(file) as temporary:
            write_locked(plain, temporary, master)
    with Gallery.open(path, keys=keys[-1]) as gallery:
        method = None if gallery.master is None else gallery.master.stretch.method.name.lower()
        return EncryptionResult(state_of(gallery), method, tuple(map(str, files)))


def _plain(path: Path, keys: Sequence[Keys]) -> io.BytesIO:
    """A file as it is without encryption, in memory. The first secret that fits opens it."""
    *others, last = keys
    with _reading(path) as file:
        for candidate in others:
            try:
                return _in_memory(unlock(file, path, candidate))
            except GalleryKeyError:
                continue
        return _in_memory(unlock(file, path, last))


def _in_memory(unlocked: Unlocked) -> io.BytesIO:
    if isinstance(unlocked.file, io.BytesIO):
        return unlocked.file
    unlocked.file.seek(0)
    return io.BytesIO(unlocked.file.read())


def _is_encrypted(path: Path) -> bool:
    with _reading(path) as file:
        return is_encrypted(file.read(HEADER_BYTES))


@contextmanager
def _reading(path: Path) -> Iterator[BinaryIO]:
    try:
        with path.open("rb") as file:
            yield file
    except OSError as error:
        raise GalleryError(
            f"cannot read {path}: {error.strerror or error}; check that you may read it"
        ) from error


@contextmanager
def _locked(path: Path, wait_s: float) -> Iterator[list[Path]]:
    """The snapshots of a gallery and the gallery itself, under the lock."""
    real = Path(os.path.realpath(path))
    if not real.is_file():
        raise not_found(path)
    lock = WriterLock(real, wait_s)
    try:
        remove_stale(real)
        yield [*(snapshot.path for snapshot in snapshots_of(real)), real]
    finally:
        lock.release()
