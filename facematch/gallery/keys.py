"""Where the secrets that open encrypted galleries come from: a file, or a person who is asked.

A secret is never an argument of a command nor in the environment, where other processes see it,
and no message and no ``repr`` holds one.
"""

from __future__ import annotations

import os
import re
import secrets
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from facematch.errors import GalleryKeyError, OutputError, UsageError
from facematch.gallery.envelope import (
    HEADER_BYTES,
    KEY_BYTES,
    Header,
    MasterKey,
    Method,
    Stretch,
    is_encrypted,
)

LEAST_PASSPHRASE_LENGTH = 8

# A key file is one line, so that no file is taken for one that was never meant to be.
_KEY_LINE = re.compile(rb"facematch-key-1:([0-9a-f]{64})\r?\n?")
_MOST_PASSPHRASE_BYTES = 4096


@dataclass(frozen=True, slots=True)
class Secret:
    """A passphrase (Unicode NFC, UTF-8) or the 32 bytes of a key file."""

    content: bytes = field(repr=False)
    is_key: bool


class Keys:
    """The secret that a command was given, or asks for when it first needs one.

    Master keys that were derived are remembered, since deriving them is slow on purpose.

    Args:
        secret: what was given; None to ask.
        ask: asks a person for a passphrase, with the question that it is given; None where
            nobody can be asked.
        new_stretch: how master keys of new galleries are made from passphrases.
    """

    def __init__(
        self,
        secret: Secret | None = None,
        ask: Callable[[str], str] | None = None,
        *,
        new_stretch: Callable[[], Stretch] = Stretch.of_passphrase,
    ) -> None:
        self._secret = secret
        self._ask = ask
        self._new_stretch = new_stretch
        self._derived: dict[Stretch, MasterKey] = {}

    def master(self, header: Header, path: Path) -> MasterKey:
        """The master key of an encrypted file.

        Raises:
            GalleryKeyError: there is no secret, or it is not that of the file.
            ConfigurationError: this machine cannot derive it.
        """
        known = self._derived.get(header.stretch)
        if known is not None and header.opens_with(known):
            return known
        by_key_file = header.stretch.method is Method.KEY_FILE
        secret = self._secret
        if secret is None and self._ask is not None and not by_key_file:
            secret = self._secret = passphrase(self._ask(f"Passphrase of {path}: "))
        if secret is None:
            what = "--key-file" if by_key_file else "--passphrase-file, or run this on a terminal"
            raise GalleryKeyError(f"{path} is encrypted; give {what}")
        if secret.is_key is not by_key_file:
            other = "key file; give --key-file" if by_key_file else "passphrase, not a key file"
            raise GalleryKeyError(f"{path} is encrypted with a {other}")
        master = header.stretch.derive(secret.content)
        if not header.opens_with(master):
            what = "key in the key file" if by_key_file else "passphrase"
            raise GalleryKeyError(f"{path} cannot be unlocked: this is not its {what}")
        self._derived[header.stretch] = master
        return master

    def new_master(self, path: Path) -> MasterKey:
        """A master key for a gallery that is to be encrypted.

        Raises:
            GalleryKeyError: there is no secret.
            UsageError: the passphrase is too short, or was not typed twice alike.
        """
        secret = self._secret
        if secret is None:
            if self._ask is None:
                raise GalleryKeyError(
                    f"{path} is to be encrypted; give --passphrase-file or --key-file, or run "
                    "this on a terminal"
                )
            typed = self._ask(f"New passphrase of {path}: ")
            if typed != self._ask("The same again: "):
                raise UsageError("the two passphrases differ; nothing was changed")
            secret = passphrase(typed)
        if not secret.is_key and len(secret.content.decode()) < LEAST_PASSPHRASE_LENGTH:
            raise UsageError(
                f"a passphrase needs at least {LEAST_PASSPHRASE_LENGTH} characters; "
                "nothing was changed"
            )
        self._secret = secret
        stretch = Stretch.of_key_file() if secret.is_key else self._new_stretch()
        master = self._derived[stretch] = stretch.derive(secret.content)
        return master


def new_master(path: Path, keys: Keys | None, *, wanted: bool) -> MasterKey | None:
    """The key for a gallery that may have to be made, before any work is done for it.

    Args:
        path: of the gallery.
        keys: the secret.
        wanted: whether it is to be encrypted.

    Returns:
        None if it is not, or is there and encrypted already, so that it has a key.

    Raises:
        GalleryKeyError: there is no secret.
        UsageError: it is there and not encrypted, or the passphrase cannot be one.
    """
    if not wanted:
        return None
    if path.exists():
        with path.open("rb") as file:
            if is_encrypted(file.read(HEADER_BYTES)):
                return None
        raise not_encrypted(path)
    if keys is None:
        raise GalleryKeyError(f"{path} is to be encrypted; a passphrase or key file is needed")
    return keys.new_master(path)


def not_encrypted(path: Path) -> UsageError:
    """The error for a gallery in plain where an encrypted one is to be."""
    return UsageError(
        f"{path} is there already and not encrypted; use `facematch gallery encrypt` first"
    )


def passphrase(text: str) -> Secret:
    """A passphrase, in the form in which every keyboard gives the same bytes.

    Raises:
        UsageError: it is empty or no text.
    """
    try:
        content = unicodedata.normalize("NFC", text).encode()
    except UnicodeEncodeError:
        raise UsageError("the passphrase is no text in UTF-8") from None
    if not content:
        raise UsageError("the passphrase is empty")
    return Secret(content, is_key=False)


def read_passphrase(path: Path) -> Secret:
    """The passphrase in the first line of a file; may be a pipe.

    Raises:
        GalleryKeyError: it cannot be read.
        UsageError: it holds none.
    """
    content = _read(path, _MOST_PASSPHRASE_BYTES + 1)
    line, *rest = content.split(b"\n")
    if len(content) > _MOST_PASSPHRASE_BYTES or any(rest):
        raise UsageError(f"{path}: holds more than the one line of a passphrase")
    try:
        return passphrase(line.removesuffix(b"\r").decode())
    except UnicodeDecodeError:
        raise UsageError(f"{path}: the passphrase in it is no text in UTF-8") from None


def read_key(path: Path) -> Secret:
    """The key in a key file.

    Raises:
        GalleryKeyError: it cannot be read, or is no key file.
    """
    found = _KEY_LINE.fullmatch(_read(path, 128))
    if found is None:
        raise GalleryKeyError(
            f"{path} is not a key file; `facematch gallery encrypt` makes one where there is none"
        )
    return Secret(bytes.fromhex(found[1].decode()), is_key=True)


def make_key(path: Path) -> None:
    """Write a new key file, for its owner alone.

    Raises:
        OutputError: it cannot be written, or is there already.
    """
    try:
        descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(b"facematch-key-1:" + secrets.token_hex(KEY_BYTES).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
    except OSError as exc:
        raise OutputError(f"cannot write the key file {path}: {exc.strerror or exc}") from exc


def _read(path: Path, limit: int) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(limit)
    except OSError as exc:
        raise GalleryKeyError(f"cannot read {path}: {exc.strerror or exc}") from exc
