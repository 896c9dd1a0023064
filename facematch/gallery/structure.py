"""The HDF5 side of the gallery file: an empty skeleton to fill, and a strict reading.

Bulk data goes through neither function. HDF5 only says where each dataset lies; the bytes
are written and mapped directly, which is faster and turns a full disk into a plain OSError
instead of a library that cannot close its file.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any, BinaryIO

import h5py
import numpy as np

from facematch.errors import GalleryFormatError
from facematch.gallery.format import (
    CHECKSUMS,
    COLUMNS,
    DIGEST_BYTES,
    DISK_ORDER,
    FORMAT_NAME,
    FORMAT_VERSION,
    PAGE_BYTES,
    Count,
    block_count,
    columns_of,
)
from facematch.gallery.patient import PatientFile, writing_hdf5
from facematch.gallery.seal import Extent
from facematch.types import ModelIdentity

# Whatever h5py raises on files that were damaged or made to hurt.
H5_ERRORS = (OSError, RuntimeError, KeyError, ValueError, TypeError, AttributeError, MemoryError)

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


def create_skeleton(file: BinaryIO, info: GalleryInfo, rows: Mapping[str, int]) -> Structure:
    """Write an HDF5 file with all datasets in place and none of their bytes.

    Args:
        file: an empty one without a buffer, or in memory.
        info: the root attributes.
        rows: number of rows per column name.

    Raises:
        OSError: the file cannot be written.
    """
    size = info.identity.embedding_size
    shapes = {c.name: (c.dtype, c.shape(rows[c.name], size)) for c in COLUMNS}
    blocks = sum(block_count(c.nbytes(rows[c.name], size)) for c in COLUMNS)
    shapes[CHECKSUMS] = ("|u1", (blocks, DIGEST_BYTES))
    with (
        plain_errors(),
        writing_hdf5(
            file,
            libver=("v110", "v110"),
            userblock_size=PAGE_BYTES,
            alignment_threshold=1,
            alignment_interval=PAGE_BYTES,
        ) as opened,
    ):
        datasets = {
            name: _create_dataset(opened, name, dtype, shape)
            for name, (dtype, shape) in shapes.items()
        }
        opened.attrs["format"] = np.bytes_(FORMAT_NAME)
        opened.attrs.create("version", FORMAT_VERSION, dtype="<i4")
        write_identity(opened, info.identity)
        opened.attrs.create("created_at", info.created_at, dtype="<f8")
        opened.attrs.create("updated_at", info.updated_at, dtype="<f8")
        opened.attrs["library_version"] = np.bytes_(info.library_version)
        opened.attrs.create("snapshots", info.snapshots, dtype="<i4")
        # All that HDF5 writes for itself comes before the data, so that a file whose tail is
        # missing can still be taken apart. It puts some of it off until it is flushed.
        opened.flush()
        extents = {name: _allocate(datasets[name]) for name in DISK_ORDER}
    return Structure(FORMAT_VERSION, info, {**rows, CHECKSUMS: blocks}, extents)


def _create_dataset(file: h5py.File, name: str, dtype: str, shape: tuple[int, ...]) -> Any:
    """A contiguous dataset that has no space yet; a low-level ``h5py.h5d.DatasetID``."""
    creation = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    creation.set_layout(h5py.h5d.CONTIGUOUS)
    creation.set_alloc_time(h5py.h5d.ALLOC_TIME_LATE)
    creation.set_fill_time(h5py.h5d.FILL_TIME_NEVER)
    linking = h5py.h5p.create(h5py.h5p.LINK_CREATE)
    linking.set_create_intermediate_group(True)
    space = h5py.h5s.create_simple(shape)
    kind = h5py.h5t.py_create(np.dtype(dtype))
    return h5py.h5d.create(file.id, name.encode(), kind, space, creation, linking)


def _allocate(dataset: Any) -> Extent:
    """Take the space of a dataset, without filling it."""
    nbytes = prod(dataset.shape) * dataset.dtype.itemsize
    if nbytes == 0:
        return Extent(0, 0)
    # HDF5 takes all of it for the first element that is written.
    one = (1,) * len(dataset.shape)
    chosen = dataset.get_space()
    chosen.select_hyperslab((0,) * len(one), one)
    dataset.write(h5py.h5s.create_simple(one), chosen, np.zeros(one, dataset.dtype))
    return Extent(dataset.get_offset(), nbytes)


@contextmanager
def plain_errors() -> Iterator[None]:
    """Turn h5py's failed writes into an OSError of one line.

    Its own text runs over several, and a failed close is a RuntimeError.
    """
    try:
        yield
    except (OSError, RuntimeError) as exc:
        code = getattr(exc, "errno", None)
        if code is None:
            raise OSError(first_line(exc)) from exc
        raise OSError(code, os.strerror(code)) from exc


def first_line(error: BaseException) -> str:
    """The first line of what an error says, or its kind if it says nothing."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def write_identity(file: h5py.File, identity: ModelIdentity) -> None:
    """Record the model as root attributes."""
    file.attrs["model"] = np.bytes_(identity.name.encode())
    file.attrs["fingerprint"] = np.bytes_(identity.fingerprint)
    file.attrs.create("embedding_size", identity.embedding_size, dtype="<i4")


def not_valid(path: Path, kind: str, problem: str) -> GalleryFormatError:
    """The error for a file that is not what it should be."""
    return GalleryFormatError(
        f"{path} is not a valid {kind}: {problem}; use a sound copy or make the file again"
    )


class StrictReader:
    """Takes an HDF5 file apart and accepts nothing but plain datasets inside it.

    Args:
        file: an open file or file-like object.
        path: for messages.
        kind: what the file should be, for messages.
        file_size: bytes; no dataset may reach beyond.
    """

    def __init__(self, file: h5py.File, path: Path, kind: str, file_size: int) -> None:
        self._file = file
        self._path = path
        self._kind = kind
        self._file_size = file_size

    def refuse(self, problem: str) -> GalleryFormatError:
        return not_valid(self._path, self._kind, problem)

    def members(self, group: str, expected: set[str]) -> None:
        """Refuse a group with other members than the expected ones."""
        opened = self._file[group] if group == "/" else self._object(group, h5py.Group)
        if len(opened) != len(expected) or set(opened.keys()) != expected:
            raise self.refuse(f"the members of group {group} are not {sorted(expected)}")

    def dataset(self, name: str) -> Any:
        """A dataset whose bytes lie in one piece inside the file; an ``h5py.Dataset``."""
        dataset = self._object(name, h5py.Dataset)
        creation = dataset.id.get_create_plist()
        if (
            creation.get_layout() != h5py.h5d.CONTIGUOUS
            or creation.get_external_count() > 0
            or creation.get_nfilters() > 0
            or dataset.shape is None
        ):
            raise self.refuse(f"dataset {name} is not stored in one piece inside the file")
        if self.extent(dataset).offset + self.extent(dataset).nbytes > self._file_size:
            raise self.refuse(f"dataset {name} of shape {dataset.shape} exceeds the file")
        return dataset

    def extent(self, dataset: Any) -> Extent:
        """Where a dataset lies."""
        nbytes = prod(dataset.shape) * dataset.id.get_type().get_size()
        if nbytes == 0:
            return Extent(0, 0)
        offset = dataset.id.get_offset()
        if offset is None:
            raise self.refuse(f"dataset {dataset.name} has no bytes in the file")
        return Extent(offset, nbytes)

    def column(self, name: str, dtype: str, row_shape: tuple[int, ...]) -> tuple[int, Extent]:
        """Number of rows and place of a dataset of exactly this type and row shape."""
        dataset = self.dataset(name)
        wanted = h5py.h5t.py_create(np.dtype(dtype))
        shape = dataset.shape
        if not dataset.id.get_type().equal(wanted) or shape[:1] == () or shape[1:] != row_shape:
            raise self.refuse(
                f"dataset {name} is {dataset.dtype} {shape}, not {dtype} (rows, *{row_shape})"
            )
        return int(shape[0]), self.extent(dataset)

    def text(self, name: str) -> str:
        """A root attribute: one string of fixed length."""
        value = self._attribute(name, "S")
        try:
            return bytes(value).decode()
        except UnicodeDecodeError:
            raise self.refuse(f"attribute {name} is not UTF-8") from None

    def integer(self, name: str) -> int:
        return int(self._attribute(name, "i"))

    def number(self, name: str) -> float:
        return float(self._attribute(name, "f"))

    def identity(self) -> ModelIdentity:
        size = self.integer("embedding_size")
        if not 1 <= size <= 65536:
            raise self.refuse(f"templates of {size} numbers")
        return ModelIdentity(self.text("model"), self.text("fingerprint"), size)

    def _attribute(self, name: str, kind: str) -> Any:
        if name not in self._file.attrs:
            raise self.refuse(f"it has no attribute {name}")
        attribute = self._file.attrs.get_id(name)
        if attribute.shape != () or attribute.dtype.kind != kind:
            raise self.refuse(f"attribute {name} is of another type")
        return self._file.attrs[name]

    def _object(self, name: str, kind: type) -> Any:
        """Follow hard links only, from the root to an object of the given kind."""
        here = self._file
        parts = name.split("/")
        for part in parts:
            # Not `part in here`, which opens the file that an external link names.
            links, key = here.id.links, part.encode()
            if not links.exists(key) or links.get_info(key).type != h5py.h5l.TYPE_HARD:
                raise self.refuse(f"{name} is missing or a link to elsewhere")
            here = here[part]
            if not isinstance(here, kind if part is parts[-1] else h5py.Group):
                raise self.refuse(f"{name} is not a {kind.__name__.lower()}")
        return here


def read_structure(file: BinaryIO | PatientFile, path: Path, file_size: int) -> Structure:
    """Read and check the HDF5 structure of a gallery.

    Raises:
        GalleryFormatError: it is not that of a gallery.
    """
    try:
        with h5py.File(file, "r") as opened:
            return _read(StrictReader(opened, path, "gallery", file_size))
    except H5_ERRORS as exc:
        raise GalleryFormatError(
            f"{path} is damaged: its HDF5 structure cannot be read ({first_line(exc)}); "
            "restore a sound copy, go back to a snapshot with `facematch gallery rollback`, or "
            "enroll again"
        ) from exc


def _read(reader: StrictReader) -> Structure:
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
    for group in {"/"} | {n.rpartition("/")[0] for n in names if "/" in n} | {"subjects"}:
        prefix = "" if group == "/" else f"{group}/"
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
