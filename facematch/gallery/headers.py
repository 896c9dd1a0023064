"""The HDF5 structures of a gallery, read without the HDF5 library.

The library dies of structures that were forged together with their checksums. A gallery has few
of them, always in the one form in which ``skeleton.py`` has HDF5 write them: a superblock of
version 3, object headers of version 2, links in the headers of their groups, contiguous
datasets, and attributes in the header of the root or, from the ninth on, beside it
(``attributes.py``). So a gallery is read by these two, and what is of another form is refused.

"HDF5 File Format Specification", version 3.0, The HDF Group; its names are used here. All
numbers are little endian, addresses are counted from the superblock.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from typing import BinaryIO

from facematch.gallery.format import PAGE_BYTES
from facematch.gallery.lookup3 import lookup3
from facematch.gallery.seal import Extent

# A gallery has some 12 KiB of structures; whatever one from elsewhere asks for ends here.
_MOST_BYTES = 1 << 18
_UNDEFINED = (1 << 64) - 1
_ADDRESS_BYTES = 8
_CHECKSUM_BYTES = 4

_SIGNATURE = b"\x89HDF\r\n\x1a\n"
_SUPERBLOCK = _SIGNATURE + b"\x03\x08\x08"
_LARGEST_USER_BLOCK = 1 << 20
_SUPERBLOCK_BYTES = 44

# Kinds of header messages.
_NIL, _SPACE, _LINK_INFO, _TYPE, _FILL_VALUE, _LINK, _LAYOUT = 0, 1, 2, 3, 5, 6, 8
_GROUP_INFO, _ATTRIBUTE, _CONTINUATION, _ATTRIBUTE_INFO = 0x0A, 0x0C, 0x10, 0x15
_OF_GROUPS = {_NIL, _LINK_INFO, _LINK, _GROUP_INFO, _ATTRIBUTE, _CONTINUATION, _ATTRIBUTE_INFO}
_OF_DATASETS = {_NIL, _SPACE, _TYPE, _FILL_VALUE, _LAYOUT, _CONTINUATION}

_SCALAR, _SIMPLE = 0, 1
_CONTIGUOUS = 1


class UnreadableError(Exception):
    """A structure is not where it should be, or fails its checksum."""


class ForeignFormError(Exception):
    """A structure has a form that a gallery's never has."""


@dataclass(frozen=True, slots=True)
class PlainDataset:
    """What the header of a contiguous dataset says.

    Attributes:
        kind: its datatype, encoded.
        shape: of it; empty for a scalar.
        place: where its bytes lie in the file; None if they were given no place.
    """

    kind: bytes
    shape: tuple[int, ...]
    place: Extent | None


class Cursor:
    """Bytes that are taken from front to back.

    Every method raises :class:`UnreadableError` when there are too few.
    """

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    @property
    def left(self) -> int:
        return len(self._data) - self._at

    def take(self, count: int) -> bytes:
        if count > self.left:
            raise UnreadableError("a structure is too short")
        self._at += count
        return self._data[self._at - count : self._at]

    def number(self, nbytes: int) -> int:
        """An unsigned one."""
        return int.from_bytes(self.take(nbytes), "little")

    def address(self) -> int | None:
        """None where there is nothing."""
        found = self.number(_ADDRESS_BYTES)
        return None if found == _UNDEFINED else found


class Headers:
    """The objects of a gallery file, by their addresses.

    All methods raise :class:`UnreadableError`, :class:`ForeignFormError`, and OSError if the
    file cannot be read.

    Args:
        file: opened for reading.
        file_size: bytes that it has, or should have.
    """

    def __init__(self, file: BinaryIO, file_size: int) -> None:
        self._file = file
        self._file_size = file_size
        self._budget = _MOST_BYTES
        superblock = Cursor(self.sealed(0, b"", _SUPERBLOCK_BYTES))
        if superblock.take(len(_SUPERBLOCK)) != _SUPERBLOCK:
            raise ForeignFormError("it has no superblock of version 3")
        superblock.take(1)  # whether it was open for writing
        if superblock.number(_ADDRESS_BYTES) != PAGE_BYTES:
            raise ForeignFormError("its superblock is elsewhere")
        superblock.take(2 * _ADDRESS_BYTES)  # of the extension, and of the end
        self.root = superblock.number(_ADDRESS_BYTES)

    def piece(self, address: int, nbytes: int) -> bytes:
        """Bytes of the file."""
        start = PAGE_BYTES + address
        if start + nbytes > self._file_size:
            raise UnreadableError("a structure lies outside the file")
        self._budget -= nbytes
        if self._budget < 0:
            raise UnreadableError("its structures are too many or too large")
        self._file.seek(start)
        found = self._file.read(nbytes)
        if len(found) < nbytes:
            raise UnreadableError("a structure is missing")
        return found

    def sealed(self, address: int, signature: bytes, nbytes: int) -> bytes:
        """A structure of known size that starts with its signature, followed by its checksum.

        Returns:
            ``nbytes`` bytes, without the checksum, which is right.
        """
        found = self.piece(address, nbytes + _CHECKSUM_BYTES)
        if not found.startswith(signature):
            raise ForeignFormError(f"there is no {signature.decode()} where one should be")
        require_checksum(found[:nbytes], found[nbytes:])
        return found[:nbytes]

    def links(self, address: int) -> dict[str, int]:
        """The members of a group: names and addresses, hard links all."""
        members: dict[str, int] = {}
        for kind, body in self._messages(address, _OF_GROUPS, "group"):
            if kind == _LINK_INFO:
                _require_links_here(body)
            if kind == _LINK:
                name, target = _hard_link(body)
                if name in members:
                    raise ForeignFormError(f"two members are named {name}")
                members[name] = target
        return members

    def attribute_messages(self, address: int) -> tuple[list[bytes], bytes | None]:
        """The attributes in the header of a group, and what tells where more of them are."""
        direct: list[bytes] = []
        elsewhere: bytes | None = None
        for kind, body in self._messages(address, _OF_GROUPS, "group"):
            if kind == _ATTRIBUTE:
                direct.append(body)
            if kind == _ATTRIBUTE_INFO:
                elsewhere = body
        return direct, elsewhere

    def dataset(self, address: int) -> PlainDataset:
        """What the header of a dataset says; it must be contiguous."""
        found: dict[int, bytes] = {}
        for kind, body in self._messages(address, _OF_DATASETS, "plain dataset"):
            if found.setdefault(kind, body) is not body and kind not in (_NIL, _CONTINUATION):
                raise ForeignFormError("a dataset is described twice")
        if not found.keys() >= {_SPACE, _TYPE, _LAYOUT}:
            raise ForeignFormError("an object is no dataset")
        layout = Cursor(found[_LAYOUT])
        if layout.number(1) not in (3, 4) or layout.number(1) != _CONTIGUOUS:
            raise ForeignFormError("a dataset is not stored in one piece inside the file")
        start, nbytes = layout.address(), layout.number(_ADDRESS_BYTES)
        shape = shape_of(found[_SPACE])
        if prod(shape) * size_of(found[_TYPE]) != nbytes:
            raise ForeignFormError("a dataset has another size than its shape")
        if nbytes == 0:
            return PlainDataset(found[_TYPE], shape, Extent(0, 0))
        place = None if start is None else Extent(PAGE_BYTES + start, nbytes)
        return PlainDataset(found[_TYPE], shape, place)

    def _messages(self, address: int, known: set[int], what: str) -> Iterator[tuple[int, bytes]]:
        """The header messages of an object, none of a kind that it should not have."""
        start = Cursor(self.piece(address, 6))
        if start.take(4) != b"OHDR" or start.number(1) != 2:
            raise ForeignFormError("an object has no header of version 2")
        flags = start.number(1)
        # Times of change, and from how many attributes on they lie elsewhere.
        before = 6 + (16 if flags & 0x20 else 0) + (4 if flags & 0x10 else 0)
        width = 1 << (flags & 3)
        length = int.from_bytes(self.piece(address + before, width), "little")
        chunk = self.sealed(address, b"OHDR", before + width + length)
        waiting = [chunk[before + width :]]
        while waiting:
            messages = Cursor(waiting.pop())
            head = 6 if flags & 4 else 4
            while messages.left >= head:  # less is a gap
                kind, nbytes, mark = messages.number(1), messages.number(2), messages.number(1)
                messages.take(head - 4)
                body = messages.take(nbytes)
                if mark & 2:
                    raise ForeignFormError("objects share parts of their headers")
                if kind not in known:
                    raise ForeignFormError(f"a {what} has a header message of kind {kind}")
                if kind == _CONTINUATION:
                    place = Cursor(body)
                    at, size = place.number(_ADDRESS_BYTES), place.number(_ADDRESS_BYTES)
                    if size < 4 + _CHECKSUM_BYTES:
                        raise UnreadableError("a structure is too short")
                    waiting.append(self.sealed(at, b"OCHK", size - _CHECKSUM_BYTES)[4:])
                yield kind, body


def is_hdf5(file: BinaryIO) -> bool:
    """Whether a file has HDF5's signature where HDF5 looks for it: at 0, or behind a user block.

    Raises:
        OSError: it cannot be read.
    """
    offset = 0
    while offset <= _LARGEST_USER_BLOCK:
        file.seek(offset)
        found = file.read(len(_SIGNATURE))
        if found == _SIGNATURE or len(found) < len(_SIGNATURE):
            return found == _SIGNATURE
        offset = max(512, 2 * offset)
    return False


def require_checksum(data: bytes, checksum: bytes) -> None:
    """Refuse a structure whose stored checksum is another one."""
    if lookup3(data) != int.from_bytes(checksum, "little"):
        raise UnreadableError("a structure fails its checksum")


def shape_of(space: bytes) -> tuple[int, ...]:
    """The shape that an encoded dataspace states."""
    found = Cursor(space)
    version, rank, flags, kind = (found.number(1) for _ in range(4))
    if version != 2 or kind not in (_SCALAR, _SIMPLE) or flags > 1 or (rank == 0) != (kind == 0):
        raise ForeignFormError("a dataspace is of another form")
    return tuple(found.number(8) for _ in range(rank))


def size_of(kind: bytes) -> int:
    """Bytes of one element of an encoded datatype."""
    found = Cursor(kind)
    found.take(4)
    return found.number(4)


def _require_links_here(info: bytes) -> None:
    """Refuse a group whose links lie in a heap of their own."""
    found = Cursor(info)
    version, flags = found.number(1), found.number(1)
    if version != 0 or flags & ~3:
        raise ForeignFormError("the links of a group are of another form")
    if flags & 1:
        found.take(8)  # how many there have ever been
    if found.address() is not None:
        raise ForeignFormError("a group has too many members")


def _hard_link(body: bytes) -> tuple[str, int]:
    """Name and address of a link message."""
    found = Cursor(body)
    version, flags = found.number(1), found.number(1)
    kind = found.number(1) if flags & 8 else 0
    if flags & 4:
        found.take(8)  # which one it was
    if flags & 16:
        found.take(1)  # ASCII or UTF-8
    name = found.take(found.number(1 << (flags & 3)))
    if version != 1 or kind != 0:
        raise ForeignFormError(f"{name.decode(errors='backslashreplace')} is a link to elsewhere")
    return name.decode(errors="backslashreplace"), found.number(_ADDRESS_BYTES)
