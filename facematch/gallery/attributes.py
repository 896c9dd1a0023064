"""The attributes of a gallery's root: in its header, or in a heap beside it.

Up to eight lie in the header. More lie in a fractal heap, listed by a B-tree of version 2. The
nine of a gallery, of some hundred bytes, take a tree of one node and the first blocks of a heap;
what would take more is refused. See ``headers.py``.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from facematch.gallery.headers import (
    Cursor,
    ForeignFormError,
    Headers,
    UnreadableError,
    require_checksum,
    shape_of,
    size_of,
)

_TREE_BYTES, _HEAP_BYTES = 34, 142
_BY_NAME = 8
_RECORD_BYTES = 17
_NAME_BYTES = 8
_MOST_ATTRIBUTES = 64
_LARGEST_BLOCK = 1 << 16
_MOST_ROWS = 8


@dataclass(frozen=True, slots=True)
class Attribute:
    """One attribute.

    Attributes:
        kind: its datatype, encoded.
        shape: of it; empty for a scalar.
        value: its bytes.
    """

    kind: bytes
    shape: tuple[int, ...]
    value: bytes


def read_attributes(headers: Headers, group: int) -> dict[str, Attribute]:
    """All attributes of a group, by name.

    Args:
        headers: of the file.
        group: address of the group.

    Raises:
        UnreadableError: one is not where it should be.
        ForeignFormError: one is of a form that a gallery's never has.
        OSError: the file cannot be read.
    """
    messages, elsewhere = headers.attribute_messages(group)
    if elsewhere is not None:
        messages = [*messages, *_messages_beside(headers, elsewhere)]
    found = [_attribute(message) for message in messages]
    if len({name for name, _ in found}) < len(found):
        raise ForeignFormError("two attributes have one name")
    return dict(found)


def _attribute(message: bytes) -> tuple[str, Attribute]:
    found = Cursor(message)
    version, flags = found.number(1), found.number(1)
    if version != 3 or flags != 0:
        raise ForeignFormError("an attribute is of another form")
    sizes = [found.number(2) for _ in range(3)]
    found.take(1)  # ASCII or UTF-8
    name, kind, space = (found.take(size) for size in sizes)
    shape = shape_of(space)
    value = found.take(prod(shape) * size_of(kind))
    return name.rstrip(b"\0").decode(errors="backslashreplace"), Attribute(kind, shape, value)


def _messages_beside(headers: Headers, info: bytes) -> list[bytes]:
    """The attribute messages that an attribute info message leads to."""
    found = Cursor(info)
    version, flags = found.number(1), found.number(1)
    if version != 0 or flags & ~3:
        raise ForeignFormError("the attributes are of another form")
    if flags & 1:
        found.take(2)  # how many there have ever been
    heap_at, tree_at = found.address(), found.address()
    if heap_at is None or tree_at is None:
        return []
    heap = _Heap(headers, heap_at)
    return [heap.object(name) for name in _heap_names(headers, tree_at)]


def _heap_names(headers: Headers, address: int) -> list[bytes]:
    """What a B-tree lists: names of objects in the heap."""
    tree = Cursor(headers.sealed(address, b"BTHD", _TREE_BYTES)[4:])
    version, kind = tree.number(1), tree.number(1)
    tree.take(4)  # size of a node
    record_bytes, depth = tree.number(2), tree.number(2)
    tree.take(2)  # when to split and to merge
    root, records = tree.number(8), tree.number(2)
    if (version, kind, record_bytes, depth) != (0, _BY_NAME, _RECORD_BYTES, 0):
        raise ForeignFormError("the list of attributes is of another form")
    if records > _MOST_ATTRIBUTES:
        raise ForeignFormError(f"it has {records} attributes")
    node = Cursor(headers.sealed(root, b"BTLF", 6 + records * _RECORD_BYTES)[4:])
    if (node.number(1), node.number(1)) != (0, _BY_NAME):
        raise ForeignFormError("the list of attributes is of another form")
    names = []
    for _ in range(records):
        names.append(node.take(_NAME_BYTES))
        if node.number(1) != 0:
            raise ForeignFormError("attributes are shared")
        node.take(8)  # which one it was, and the hash of its name
    return names


class _Heap:
    """A fractal heap: objects in blocks of doubling size, without filters."""

    def __init__(self, headers: Headers, address: int) -> None:
        self._headers = headers
        found = Cursor(headers.sealed(address, b"FRHP", _HEAP_BYTES)[4:])
        version, name_bytes, filters, self._flags = (found.number(n) for n in (1, 2, 2, 1))
        self._largest_object = found.number(4)
        found.take(12 * 8)  # what is free, what is too large for it, and statistics
        self._width, self._first_block, self._largest_block = (found.number(n) for n in (2, 8, 8))
        self._offset_bytes = -(-found.number(2) // 8)
        found.take(2)
        root, self._rows = found.number(8), found.number(2)
        if (version, name_bytes, filters) != (0, _NAME_BYTES, 0) or not (
            0 < self._first_block <= self._largest_block <= _LARGEST_BLOCK
            and 0 < self._width <= _MOST_ROWS
            and self._rows <= _MOST_ROWS
            and 0 < self._offset_bytes <= 5
        ):
            raise ForeignFormError("the heap of attributes is of another form")
        self._blocks = [(0, self._first_block, root)] if self._rows == 0 else self._children(root)
        self._read: dict[int, bytes] = {}

    def object(self, name: bytes) -> bytes:
        """What lies in the heap under a name."""
        found = Cursor(name)
        kind, offset = found.number(1), found.number(self._offset_bytes)
        size = found.number((min(self._largest_object, self._largest_block).bit_length() + 7) // 8)
        if kind != 0:
            raise ForeignFormError("an attribute is too large")
        for start, nbytes, address in self._blocks:
            if start <= offset < start + nbytes:
                within = Cursor(self._block(address, nbytes))
                within.take(offset - start)
                return within.take(size)
        raise UnreadableError("an attribute lies outside its heap")

    def _children(self, address: int) -> list[tuple[int, int, int]]:
        """(offset in the heap, bytes, address) of the blocks that the root block lists."""
        before = 4 + 1 + 8 + self._offset_bytes
        entries = self._rows * self._width
        block = Cursor(self._headers.sealed(address, b"FHIB", before + 8 * entries)[before:])
        blocks = []
        offset = 0
        for row in range(self._rows):
            nbytes = self._first_block << max(0, row - 1)
            if nbytes > self._largest_block:
                raise ForeignFormError("the heap of attributes is too large")
            for _ in range(self._width):
                child = block.address()
                if child is not None:
                    blocks.append((offset, nbytes, child))
                offset += nbytes
        return blocks

    def _block(self, address: int, nbytes: int) -> bytes:
        if address not in self._read:
            found = self._headers.piece(address, nbytes)
            if not found.startswith(b"FHDB"):
                raise ForeignFormError("there is no FHDB where one should be")
            if self._flags & 2:
                at = 4 + 1 + 8 + self._offset_bytes
                require_checksum(found[:at] + bytes(4) + found[at + 4 :], found[at : at + 4])
            self._read[address] = found
        return self._read[address]
