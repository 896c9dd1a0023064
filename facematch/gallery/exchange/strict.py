"""What the HDF5 library says of a file of exported templates, and what of it is refused.

The library may die of a file that was made for it to; this runs in a child process, see
``inspection.py``.
"""

from __future__ import annotations

from math import prod
from typing import Any

import h5py
import numpy as np

from facematch.gallery.exchange.layout import (
    EXCHANGE_COLUMNS,
    TEXT,
    Contents,
    ExchangeColumn,
    Place,
)
from facematch.gallery.exchange.records import EXCHANGE_NAME, EXCHANGE_VERSION, OLDEST_VERSION

# Whatever h5py raises on files that were damaged or made to hurt.
H5_ERRORS = (OSError, RuntimeError, KeyError, ValueError, TypeError, AttributeError, MemoryError)

_LARGEST_ATTRIBUTE = 1 << 16


class RefusedError(Exception):
    """The file is not one of exported templates; the text says why."""


class StrictReader:
    """Takes an HDF5 file apart and accepts nothing but plain datasets inside it.

    Args:
        file: an open file.
        file_size: bytes; no dataset may reach beyond.
    """

    def __init__(self, file: h5py.File, file_size: int) -> None:
        self._file = file
        self._file_size = file_size

    def contents(self) -> Contents:
        """All that a reader needs to find the data.

        Raises:
            RefusedError: it is not what a file of exported templates has; besides, whatever
                h5py raises.
        """
        version = self._integer("version")
        if self.text("format") != EXCHANGE_NAME or not (
            OLDEST_VERSION <= version <= EXCHANGE_VERSION
        ):
            raise RefusedError(f"it is not {EXCHANGE_NAME!r} of version {EXCHANGE_VERSION}")
        size = self._integer("embedding_size")
        if not 1 <= size <= 65536:
            raise RefusedError(f"templates of {size} numbers")
        columns = [column for column in EXCHANGE_COLUMNS if column.since <= version]
        return Contents(
            version,
            self.text("model"),
            self.text("fingerprint"),
            size,
            {column.name: self._place(column, size) for column in columns},
        )

    def text(self, name: str) -> str:
        """A root attribute: one string of fixed length."""
        try:
            return bytes(self._attribute(name, "S")).decode()
        except UnicodeDecodeError:
            raise RefusedError(f"attribute {name} is not UTF-8") from None

    def _integer(self, name: str) -> int:
        return int(self._attribute(name, "i"))

    def _attribute(self, name: str, kind: str) -> Any:
        if name not in self._file.attrs:
            raise RefusedError(f"it has no attribute {name}")
        attribute = self._file.attrs.get_id(name)
        if (
            attribute.shape != ()
            or attribute.dtype.kind != kind
            or attribute.dtype.itemsize > _LARGEST_ATTRIBUTE  # memory is taken for what is stated
        ):
            raise RefusedError(f"attribute {name} is of another type")
        return self._file.attrs[name]

    def _place(self, column: ExchangeColumn, size: int) -> Place:
        """Where a dataset of exactly this type and row shape lies."""
        dataset = self._dataset(column.name)
        shape, stored = dataset.shape, dataset.id.get_type()
        if column.dtype == TEXT:
            fits = dataset.dtype.kind == TEXT
        else:
            fits = bool(stored.equal(h5py.h5t.py_create(np.dtype(column.dtype))))
        if not fits or shape[:1] == () or shape[1:] != column.shape(0, size)[1:]:
            wanted = "fixed-length strings" if column.dtype == TEXT else column.dtype
            raise RefusedError(
                f"dataset {column.name} is {dataset.dtype} {shape}, "
                f"not {wanted} (rows, *{column.shape(0, size)[1:]})"
            )
        nbytes = prod(shape) * stored.get_size()
        offset = dataset.id.get_offset() if nbytes > 0 else 0
        if offset is None:
            raise RefusedError(f"dataset {column.name} has no bytes in the file")
        if offset + nbytes > self._file_size:
            raise RefusedError(f"dataset {column.name} of shape {shape} exceeds the file")
        return Place(int(shape[0]), int(stored.get_size()), int(offset))

    def _dataset(self, name: str) -> Any:
        """A dataset whose bytes lie in one piece inside the file; an ``h5py.Dataset``."""
        links, key = self._file.id.links, name.encode()
        # Not `name in file`, which opens the file that an external link names.
        if not links.exists(key) or links.get_info(key).type != h5py.h5l.TYPE_HARD:
            raise RefusedError(f"{name} is missing or a link to elsewhere")
        dataset = self._file[name]
        if not isinstance(dataset, h5py.Dataset):
            raise RefusedError(f"{name} is not a dataset")
        creation = dataset.id.get_create_plist()
        if (
            creation.get_layout() != h5py.h5d.CONTIGUOUS
            or creation.get_external_count() > 0
            or creation.get_nfilters() > 0
            or dataset.shape is None
        ):
            raise RefusedError(f"dataset {name} is not stored in one piece inside the file")
        return dataset
