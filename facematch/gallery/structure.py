"""What the HDF5 structure of a gallery says, read strictly and without the HDF5 library.

The library dies of some structures that somebody forged, and takes the fifth of a second to
load. ``headers.py`` reads the one form that a gallery has.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from facematch.errors import GalleryFormatError
from facematch.gallery.attributes import Attribute, read_attributes
from facematch.gallery.format import (
    CHECKSUMS,
    DIGEST_BYTES,
    FORMAT_NAME,
    FORMAT_VERSION,
    Count,
    block_count,
    columns_of,
)
from facematch.gallery.headers import ForeignFormError, Headers, UnreadableError
from facematch.gallery.seal import Extent
from facematch.types import ModelIdentity

_MAX_SUBJECTS = 2**31 - 1
_SNAPSHOTS_SINCE = 2


@dataclass(frozen=True, slots=True)
class GalleryInfo:
    """Root attributes of a gallery.

    Attributes:
        identity: the model that made the templates.
        created_at: seconds since the epoch, UTC.
        updated_at: the same, of the last commit.
        library_version: of the facematch that wrote the file.
        snapshots: how many older versions writers keep beside it.
    """

    identity: ModelIdentity
    created_at: float
    updated_at: float
    library_version: str
    snapshots: int = 0


@dataclass(frozen=True, slots=True)
class Structure:
    """What the HDF5 structure of a gallery says.

    Attributes:
        version: of the layout.
        info: the root attributes.
        rows: number of rows per column name, ``checksums`` included.
        extents: where each of them lies.
    """

    version: int
    info: GalleryInfo
    rows: Mapping[str, int]
    extents: Mapping[str, Extent]


def first_line(error: BaseException) -> str:
    """The first line of what an error says, or its kind if it says nothing."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def not_valid(path: Path, kind: str, problem: str) -> GalleryFormatError:
    """The error for a file that is not what it should be."""
    return GalleryFormatError(
        f"{path} is not a valid {kind}: {problem}; use a sound copy or make the file again"
    )


# Datatypes as HDF5 encodes them, but for the version in the upper half of their first byte:
# class, three bytes of flags, size, and for numbers: offset and bits; for floats: where their
# exponent and mantissa are, and the bias.
_KINDS = {
    "|u1": bytes.fromhex("00 000000 01000000 0000 0800"),
    "<i4": bytes.fromhex("00 080000 04000000 0000 2000"),
    "<i8": bytes.fromhex("00 080000 08000000 0000 4000"),
    "<f4": bytes.fromhex("01 201f00 04000000 0000 2000 17080017 7f000000"),
    "<f8": bytes.fromhex("01 203f00 08000000 0000 4000 340b0034 ff030000"),
}
_STRING = 3


class StructureReader:
    """Takes the structure of a gallery apart and accepts nothing but plain datasets inside it.

    Args:
        headers: of the file.
        path: for messages.
        file_size: bytes; no dataset may reach beyond.
    """

    def __init__(self, headers: Headers, path: Path, file_size: int) -> None:
        self._headers = headers
        self._path = path
        self._file_size = file_size
        self._attributes = read_attributes(headers, headers.root)
        self._groups = {"": headers.links(headers.root)}

    def refuse(self, problem: str) -> GalleryFormatError:
        return not_valid(self._path, "gallery", problem)

    def members(self, group: str, expected: set[str]) -> None:
        """Refuse a group, "" for the root, with other members than the expected ones."""
        if self._group(group).keys() != expected:
            raise self.refuse(f"the members of group {group or '/'} are not {sorted(expected)}")

    def column(self, name: str, dtype: str, row_shape: tuple[int, ...]) -> tuple[int, Extent]:
        """Number of rows and place of a dataset of exactly this type and row shape.

        Raises:
            GalleryFormatError: it is missing, or another.
            UnreadableError: it is not in the file as a whole.
            OSError: the file cannot be read.
        """
        try:
            dataset = self._headers.dataset(self._address(name))
        except ForeignFormError as exc:
            raise self.refuse(f"dataset {name}: {exc}") from exc
        shape, place = dataset.shape, dataset.place
        if not _is_kind(dataset.kind, dtype) or shape[:1] == () or shape[1:] != row_shape:
            raise self.refuse(
                f"dataset {name} of shape {shape} is not {dtype} (rows, *{row_shape})"
            )
        if place is None:
            raise self.refuse(f"dataset {name} has no bytes in the file")
        if place.offset + place.nbytes > self._file_size:
            raise UnreadableError(f"dataset {name} of shape {shape} exceeds the file")
        return shape[0], place

    def text(self, name: str) -> str:
        """A root attribute: one string of fixed length."""
        found = self._attribute(name)
        if found.kind[:1] == b"" or found.kind[0] & 15 != _STRING:
            raise self.refuse(f"attribute {name} is of another type")
        try:
            return found.value.rstrip(b"\0").decode()
        except UnicodeDecodeError:
            raise self.refuse(f"attribute {name} is not UTF-8") from None

    def integer(self, name: str) -> int:
        return int.from_bytes(self._number(name, "<i4"), "little", signed=True)

    def number(self, name: str) -> float:
        (value,) = struct.unpack("<d", self._number(name, "<f8"))
        return float(value)

    def identity(self) -> ModelIdentity:
        size = self.integer("embedding_size")
        if not 1 <= size <= 65536:
            raise self.refuse(f"templates of {size} numbers")
        try:
            return ModelIdentity(self.text("model"), self.text("fingerprint"), size)
        except ValueError as exc:
            raise self.refuse(str(exc)) from exc

    def _number(self, name: str, dtype: str) -> bytes:
        found = self._attribute(name)
        if not _is_kind(found.kind, dtype):
            raise self.refuse(f"attribute {name} is of another type")
        return found.value

    def _attribute(self, name: str) -> Attribute:
        found = self._attributes.get(name)
        if found is None:
            raise self.refuse(f"it has no attribute {name}")
        if found.shape != ():
            raise self.refuse(f"attribute {name} is of another type")
        return found

    def _group(self, name: str) -> dict[str, int]:
        if name not in self._groups:
            try:
                self._groups[name] = self._headers.links(self._address(name))
            except ForeignFormError as exc:
                raise self.refuse(f"group {name}: {exc}") from exc
        return self._groups[name]

    def _address(self, name: str) -> int:
        group, _, last = name.rpartition("/")
        address = self._group(group).get(last)
        if address is None:
            raise self.refuse(f"{name} is missing")
        return address


def _is_kind(kind: bytes, dtype: str) -> bool:
    wanted = _KINDS[dtype]
    return len(kind) == len(wanted) and kind[0] & 15 == wanted[0] and kind[1:] == wanted[1:]


def read_structure(file: BinaryIO, path: Path, file_size: int) -> Structure:
    """Read and check the HDF5 structure of a gallery.

    Args:
        file: opened for reading.
        path: for messages.
        file_size: bytes that the file has, or should have.

    Raises:
        GalleryFormatError: it is not that of a gallery.
        OSError: the file cannot be read.
    """
    try:
        return _read(StructureReader(Headers(file, file_size), path, file_size))
    except ForeignFormError as exc:
        raise not_valid(path, "gallery", str(exc)) from exc
    except UnreadableError as exc:
        raise GalleryFormatError(
            f"{path} is damaged: its HDF5 structure cannot be read ({exc}); "
            "restore a sound copy, go back to a snapshot with `facematch gallery rollback`, or "
            "enroll again"
        ) from exc


def _read(reader: StructureReader) -> Structure:
    if reader.text("format") != FORMAT_NAME:
        raise reader.refuse("it is of another format")
    version = reader.integer("version")
    if not 1 <= version <= FORMAT_VERSION:
        raise reader.refuse("its version is not that of its seal")
    columns = columns_of(version)
    info = GalleryInfo(
        reader.identity(),
        reader.number("created_at"),
        reader.number("updated_at"),
        reader.text("library_version"),
        reader.integer("snapshots") if version >= _SNAPSHOTS_SINCE else 0,
    )
    names = [column.name for column in columns] + [CHECKSUMS]
    # "subjects" held no dataset itself in version 1; the other groups all do.
    for group in sorted({""} | {n.rpartition("/")[0] for n in names if "/" in n} | {"subjects"}):
        prefix = f"{group}/" if group else ""
        inside = {n.removeprefix(prefix).split("/")[0] for n in names if n.startswith(prefix)}
        reader.members(group, inside)

    rows: dict[str, int] = {}
    extents: dict[str, Extent] = {}
    size = info.identity.embedding_size
    for column in columns:
        rows[column.name], extents[column.name] = reader.column(
            column.name, column.dtype, column.shape(0, size)[1:]
        )
    references = rows["templates"]
    subjects = rows["subjects/name/offsets"] - 1
    if not 0 <= subjects <= _MAX_SUBJECTS:
        raise reader.refuse(f"{subjects} subjects")
    expected = {
        Count.REFERENCES: references,
        Count.REFERENCES_AND_END: references + 1,
        Count.SUBJECTS_AND_END: subjects + 1,
        Count.CROPS: rows["crops/row"],
    }
    for column in columns:
        wanted = expected.get(column.count, rows[column.name])
        if rows[column.name] != wanted:
            raise reader.refuse(f"{column.name} has {rows[column.name]} rows instead of {wanted}")
    blocks = sum(block_count(extents[column.name].nbytes) for column in columns)
    rows[CHECKSUMS], extents[CHECKSUMS] = reader.column(CHECKSUMS, "|u1", (DIGEST_BYTES,))
    if rows[CHECKSUMS] != blocks:
        raise reader.refuse(f"{rows[CHECKSUMS]} checksums instead of {blocks}")
    return Structure(version, info, rows, extents)
