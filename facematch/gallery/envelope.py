"""An encrypted gallery, byte by byte.

The file of ``format.py``, as it is, lies inside an envelope. All numbers are little endian::

    0    8 bytes    "FACECRPT"
    8    uint32     version of the envelope, 1
    12   uint32     how the master key is made: 1 Argon2id, 2 scrypt, 3 it is in a key file
    16   3 uint32   what that costs: passes, lanes and KiB of Argon2id; log2(n), r and p of
                    scrypt; 0 of a key file
    28   uint32     0
    32   16 bytes   salt of the passphrase; random in case of a key file, too
    48   32 bytes   salt of the file, drawn anew for each file that is written
    80   32 bytes   HMAC-SHA-256 of bytes 0 to 79, by which a wrong passphrase is known
    112  16 bytes   the first half of the SHA-256 of bytes 0 to 111, by which damage is known
    128             chunks

Each chunk is 65536 bytes of the gallery, the last one what is left of it, encrypted by
AES-256-GCM and followed by its tag of 16 bytes. The nonce is the number of the chunk, 11 bytes
big endian, and a byte that is 1 in the last chunk and else 0. That is STREAM (Hoang,
Reyhanitabar, Rogaway and Vizár 2015, "Online authenticated-encryption and its nonce-reuse
misuse-resistance"), as age uses it: chunks that were left out, repeated, put elsewhere or cut
off at the end do not decrypt.

The *master key* is made from the passphrase (Unicode NFC, UTF-8) by Argon2id (RFC 9106) or
scrypt (RFC 7914), or is the one in the key file. HKDF-SHA-256 (RFC 5869) makes two keys of it
for each file, with the salt of the file and a purpose: one for the HMAC and one for the chunks.
No key meets a nonce twice, since no two files have one salt.

All cryptography is that of the library ``cryptography``, which is loaded when it is needed.
"""

from __future__ import annotations

import hashlib
import io
import os
import struct
from dataclasses import dataclass, field
from enum import IntEnum
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from facematch.errors import ConfigurationError, GalleryCorruptError, GalleryFormatError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM
    from cryptography.hazmat.primitives.hmac import HMAC

MAGIC = b"FACECRPT"
ENVELOPE_VERSION = 1
CHUNK_BYTES = 65536
TAG_BYTES = 16
KEY_BYTES = 32
_FIELDS = struct.Struct("<8sII3II16s32s")
_MAC_BYTES = 32
_CHECK_BYTES = 16
HEADER_BYTES = _FIELDS.size + _MAC_BYTES + _CHECK_BYTES

# A file from elsewhere may ask for any amount of work; beyond these it is refused.
_MOST_MEMORY_BYTES = 1 << 30
_MOST_PASSES = 16
_MOST_LANES = 16


class Method(IntEnum):
    """How a master key is made."""

    ARGON2ID = 1
    SCRYPT = 2
    KEY_FILE = 3


@dataclass(frozen=True, slots=True)
class Stretch:
    """How the master key of a gallery is made from a secret.

    Attributes:
        method: which function.
        cost: its three parameters.
        salt: 16 bytes.
    """

    method: Method
    cost: tuple[int, int, int]
    salt: bytes

    @classmethod
    def of_passphrase(cls) -> Stretch:
        """A new one for a passphrase, at the cost that RFC 9106 gives second.

        The first takes 2 GiB of memory. Where OpenSSL is too old for Argon2id, scrypt.
        """
        from cryptography.exceptions import UnsupportedAlgorithm

        argon2id = cls(Method.ARGON2ID, (3, 4, 1 << 16), os.urandom(16))
        try:
            _argon2id(Stretch(Method.ARGON2ID, (1, 1, 8), argon2id.salt), b"")
        except UnsupportedAlgorithm:
            return cls(Method.SCRYPT, (17, 8, 1), argon2id.salt)
        return argon2id

    @classmethod
    def of_key_file(cls) -> Stretch:
        """A new one for a key file."""
        return cls(Method.KEY_FILE, (0, 0, 0), os.urandom(16))

    def derive(self, secret: bytes) -> MasterKey:
        """The master key; takes as long as it is meant to.

        Raises:
            ConfigurationError: this machine's OpenSSL lacks the function.
        """
        from cryptography.exceptions import UnsupportedAlgorithm

        try:
            match self.method:
                case Method.ARGON2ID:
                    key = _argon2id(self, secret)
                case Method.SCRYPT:
                    key = _scrypt(self, secret)
                case Method.KEY_FILE:
                    key = secret
        except UnsupportedAlgorithm as exc:
            raise ConfigurationError(
                f"the OpenSSL of this machine has no {self.method.name}; "
                "install a newer one, or the wheel of `cryptography` from PyPI"
            ) from exc
        return MasterKey(self, key)

    @property
    def affordable(self) -> bool:
        """Whether the cost is one that facematch may have chosen."""
        first, second, third = self.cost
        match self.method:
            case Method.ARGON2ID:
                return (
                    1 <= first <= _MOST_PASSES
                    and 1 <= second <= _MOST_LANES
                    and 8 * second <= third <= _MOST_MEMORY_BYTES >> 10
                )
            case Method.SCRYPT:
                return (
                    1 <= first <= 30
                    and 1 <= second <= _MOST_LANES
                    and 1 <= third <= _MOST_PASSES
                    and 128 * second << first <= _MOST_MEMORY_BYTES
                )
            case Method.KEY_FILE:
                return self.cost == (0, 0, 0)


@dataclass(frozen=True, slots=True)
class MasterKey:
    """What opens the files of one gallery, and how it was made."""

    stretch: Stretch
    key: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Header:
    """The start of an encrypted file.

    Attributes:
        stretch: how its master key is made.
        file_salt: 32 bytes.
        mac: 32 bytes.
    """

    stretch: Stretch
    file_salt: bytes
    mac: bytes

    def opens_with(self, master: MasterKey) -> bool:
        """Whether this is the master key that the file was written with."""
        from cryptography.exceptions import InvalidSignature

        try:
            _mac_of(self, master).verify(self.mac)
        except InvalidSignature:
            return False
        return True

    def fields(self) -> bytes:
        """Bytes 0 to 79."""
        stretch = self.stretch
        start = (MAGIC, ENVELOPE_VERSION, stretch.method)
        return _FIELDS.pack(*start, *stretch.cost, 0, stretch.salt, self.file_salt)

    def pack(self) -> bytes:
        """All 128 bytes."""
        start = self.fields() + self.mac
        return start + hashlib.sha256(start).digest()[:_CHECK_BYTES]


def is_encrypted(start: bytes) -> bool:
    """Whether a file that starts so is an encrypted gallery."""
    return start.startswith(MAGIC)


def read_header(start: bytes, path: Path) -> Header:
    """The header at the start of a file.

    Args:
        start: its first 128 bytes, fewer if it has no more.
        path: for messages.

    Raises:
        GalleryFormatError: it is of a newer version, or asks for too much work.
        GalleryCorruptError: it is damaged.
    """
    signed, check = start[: HEADER_BYTES - _CHECK_BYTES], start[HEADER_BYTES - _CHECK_BYTES :]
    if len(start) < HEADER_BYTES or hashlib.sha256(signed).digest()[:_CHECK_BYTES] != check:
        raise GalleryCorruptError(
            f"{path} is damaged: it is encrypted and its first bytes fail their checksum; "
            "restore a sound copy"
        )
    _, version, method, a, b, c, _, salt, file_salt = _FIELDS.unpack(signed[: _FIELDS.size])
    if version != ENVELOPE_VERSION or method not in list(Method):
        raise GalleryFormatError(
            f"{path} is encrypted in a way that this facematch does not know; "
            "use the facematch that wrote it, or a newer one"
        )
    stretch = Stretch(Method(method), (a, b, c), salt)
    if not stretch.affordable:
        raise GalleryFormatError(
            f"{path} is encrypted at a cost of {stretch.cost} for {stretch.method.name}, which "
            "facematch does not choose and does not pay; use a sound copy"
        )
    return Header(stretch, file_salt, signed[_FIELDS.size :])


def encrypt(plain: io.BytesIO, master: MasterKey, file: BinaryIO) -> None:
    """Write a gallery in an envelope.

    Args:
        plain: the gallery file.
        master: its key.
        file: an empty one, opened for writing.

    Raises:
        OSError: it cannot be written.
    """
    unsigned = Header(master.stretch, os.urandom(KEY_BYTES), b"")
    header = Header(master.stretch, unsigned.file_salt, _mac_of(unsigned, master).finalize())
    file.write(header.pack())
    cipher = _cipher(header, master)
    # Of no bytes there is one chunk, too, so that nothing cannot be made of something.
    count = _chunks(plain.seek(0, io.SEEK_END), CHUNK_BYTES)
    plain.seek(0)
    for number in range(count):
        nonce = _nonce(number, last=number == count - 1)
        file.write(cipher.encrypt(nonce, plain.read(CHUNK_BYTES), None))


def decrypt(file: BinaryIO, header: Header, master: MasterKey, path: Path) -> io.BytesIO:
    """The gallery file inside an envelope, in memory.

    Raises:
        GalleryCorruptError: a chunk is not what was written there.
        OSError: it cannot be read.
    """
    plain, damaged = _decrypted(file, header, master)
    if damaged:
        raise GalleryCorruptError(
            f"{path} is damaged: {len(damaged)} of its encrypted chunks, the first at byte "
            f"{HEADER_BYTES + damaged[0] * (CHUNK_BYTES + TAG_BYTES)}, are not what was written, "
            "or its end is missing; `facematch gallery repair` saves the rest"
        )
    return plain


def decrypt_damaged(file: BinaryIO, header: Header, master: MasterKey) -> io.BytesIO:
    """The same with zeros in place of chunks that do not decrypt, for a repair."""
    return _decrypted(file, header, master)[0]


def _decrypted(file: BinaryIO, header: Header, master: MasterKey) -> tuple[io.BytesIO, list[int]]:
    cipher = _cipher(header, master)
    count = _chunks(file.seek(0, io.SEEK_END) - HEADER_BYTES, CHUNK_BYTES + TAG_BYTES)
    file.seek(HEADER_BYTES)
    plain = io.BytesIO()
    damaged = []
    for number in range(count):
        sealed = file.read(CHUNK_BYTES + TAG_BYTES)
        last = number == count - 1
        content = _opened(cipher, _nonce(number, last=last), sealed)
        if content is None:
            damaged.append(number)
            # The last one of a file that was cut between two chunks is sound, if not the last.
            inner = _opened(cipher, _nonce(number, last=False), sealed) if last else None
            content = bytes(max(0, len(sealed) - TAG_BYTES)) if inner is None else inner
        plain.write(content)
    return plain, damaged


def _opened(cipher: AESGCM, nonce: bytes, sealed: bytes) -> bytes | None:
    from cryptography.exceptions import InvalidTag

    if len(sealed) < TAG_BYTES:
        return None
    try:
        return cipher.decrypt(nonce, sealed, None)
    except InvalidTag:
        return None


def _chunks(nbytes: int, chunk_bytes: int) -> int:
    return max(1, -(-nbytes // chunk_bytes))


def _nonce(number: int, *, last: bool) -> bytes:
    return number.to_bytes(11, "big") + bytes([last])


def _cipher(header: Header, master: MasterKey) -> AESGCM:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    return AESGCM(_file_key(header, master, b"facematch gallery chunks"))


def _mac_of(header: Header, master: MasterKey) -> HMAC:
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.hmac import HMAC

    mac = HMAC(_file_key(header, master, b"facematch gallery header"), SHA256())
    mac.update(header.fields())
    return mac


def _file_key(header: Header, master: MasterKey, purpose: bytes) -> bytes:
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    derivation = HKDF(SHA256(), KEY_BYTES, salt=header.file_salt, info=purpose)
    return derivation.derive(master.key)


def _argon2id(stretch: Stretch, secret: bytes) -> bytes:
    from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

    passes, lanes, kibibytes = stretch.cost
    return Argon2id(
        salt=stretch.salt,
        length=KEY_BYTES,
        iterations=passes,
        lanes=lanes,
        memory_cost=kibibytes,
    ).derive(secret)


def _scrypt(stretch: Stretch, secret: bytes) -> bytes:
    from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

    log2_n, r, p = stretch.cost
    return Scrypt(salt=stretch.salt, length=KEY_BYTES, n=1 << log2_n, r=r, p=p).derive(secret)
