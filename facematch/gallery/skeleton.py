"""Writing the HDF5 side of the gallery file: an empty skeleton to fill.

Bulk data does not go through HDF5. It only says where each dataset lies; the bytes are written
and mapped directly, which is faster and turns a full disk into a plain OSError instead of a
library that cannot close its file.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from math import prod
from typing import Any, BinaryIO

import h5py
import numpy as np

from facematch.gallery.format import (
    CHECKSUMS,
    COLUMNS,
    DIGEST_BYTES,
    DISK_ORDER,
    FORMAT_NAME,
    FORMAT_VERSION,
    PAGE_BYTES,
    block_count,
)
from facematch.gallery.patient import writing_hdf5
from facematch.gallery.seal import Extent
from facematch.gallery.structure import GalleryInfo, Structure, first_line
from facematch.types import ModelIdentity


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


def write_identity(file: h5py.File, identity: ModelIdentity) -> None:
    """Record the model as root attributes."""
    file.attrs["model"] = np.bytes_(identity.name.encode())
    file.attrs["fingerprint"] = np.bytes_(identity.fingerprint)
    file.attrs.create("embedding_size", identity.embedding_size, dtype="<i4")
