"""The exchange form in HDF5: a plain file that any HDF5 tool reads.

It is written by ``facematch gallery export`` and ``facematch embed -o templates.h5`` alike. Root
attributes::

    format           "facematch templates"
    version          int32, 2
    model, fingerprint, embedding_size    as in a gallery, see format.py
    library_version

Datasets, row i of each for template i, all contiguous and little endian::

    templates      float32 (m, d)                 unit norm
    subject        fixed-length UTF-8 (m,)        empty where nobody was named
    source_path    fixed-length UTF-8 (m,)
    source_sha256  fixed-length ASCII (m,)        64 hexadecimal digits
    box_xyxy       float32 (m, 4)
    quality        float64 (m, 8)                 format.QUALITY_COLUMNS
    warnings       fixed-length UTF-8 (m,)        joined by line feeds
    enrolled_at    float64 (m,)                   seconds since the epoch, UTC
    crop_row       int64 (c,)                     which rows have a crop
    crop_rgb       uint8 (c, 112, 112, 3)
    distinct       fixed-length UTF-8 (p, 2)      subjects that are different people; since 2

Strings are padded with zero bytes to the longest.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterable, Sequence
from math import prod
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from facematch import __version__
from facematch.gallery.atomic import replacing
from facematch.gallery.exchange.inspection import ask, contents_of, is_exchange
from facematch.gallery.exchange.layout import EXCHANGE_COLUMNS, TEXT, Contents, ExchangeColumn
from facematch.gallery.exchange.records import (
    EXCHANGE_NAME,
    EXCHANGE_VERSION,
    KIND,
    TemplateSet,
    checked,
    identity_of,
    refusal,
)
from facematch.gallery.format import CROP_SHAPE
from facematch.gallery.quality import joined_warnings, quality_from, quality_rows
from facematch.gallery.stored import TEXT_ERRORS
from facematch.overwriting import require_replaceable
from facematch.types import Float32Array, ModelIdentity, Reference

# Far more than a path or the warnings of a face take.
_WIDEST_TEXT = 1 << 20
_COUNTED_APART = {"crop_row", "crop_rgb", "distinct"}


def write_templates(
    path: str | os.PathLike[str],
    identity: ModelIdentity,
    references: Sequence[Reference],
    templates: Float32Array,
    distinct: Sequence[tuple[str, str]] = (),
) -> None:
    """Write templates in the exchange form.

    Args:
        path: the file; an older one of the same form is replaced.
        identity: the model that made the templates.
        references: m of them; the subject may be empty.
        templates: float32 (m, d), unit norm.
        distinct: names of subjects that are known to be different people.

    Raises:
        OutputError: the file cannot be written, or holds something else; it is as it was.
        ValueError: the shapes do not fit.
    """
    require_templates_place(path)
    if templates.shape != (len(references), identity.embedding_size):
        raise ValueError(f"{len(references)} references with templates of {templates.shape}")
    crop_rows = [i for i, r in enumerate(references) if r.crop_rgb is not None]
    crops = [r.crop_rgb for r in references if r.crop_rgb is not None]
    columns: dict[str, npt.NDArray[Any]] = {
        "templates": np.asarray(templates, "<f4"),
        "subject": _texts(r.subject for r in references),
        "source_path": _texts(r.source_path for r in references),
        "source_sha256": _texts(r.source_sha256 for r in references),
        "box_xyxy": np.array([r.box_xyxy for r in references], "<f4").reshape(-1, 4),
        "quality": quality_rows(references),
        "warnings": _texts(joined_warnings(references)),
        "enrolled_at": np.array([r.enrolled_at for r in references], "<f8"),
        "crop_row": np.array(crop_rows, "<i8"),
        "crop_rgb": np.array(crops, np.uint8).reshape(-1, *CROP_SHAPE),
        "distinct": _texts(name for pair in distinct for name in pair).reshape(-1, 2),
    }
    with replacing(Path(path)) as temporary:
        _write(temporary, identity, columns)


def require_templates_place(path: str | os.PathLike[str]) -> None:
    """Lets exported templates replace nothing but exported templates.

    Raises:
        OutputError: something else is there, as a gallery.
    """
    require_replaceable(Path(path), f"a {KIND}", is_exchange)


def read_hdf5(path: Path) -> TemplateSet:
    """Read a file in the exchange form; nothing in it is taken on trust.

    Raises:
        GalleryFormatError: it is not in the exchange form, or a template is not finite, of
            unit norm, and of the stated size.
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        return read_described(file, path, ask(file, path))


def read_described(file: BinaryIO, path: Path, told: dict[str, Any]) -> TemplateSet:
    """Read a file of which the HDF5 library has told, without it.

    Args:
        file: opened for reading.
        path: for messages.
        told: see ``inspection.py``.

    Raises:
        GalleryFormatError: as above.
        OSError: it cannot be read.
    """
    return checked(path, _read(file, path, contents_of(told, path)))


def _write(path: Path, identity: ModelIdentity, columns: dict[str, npt.NDArray[Any]]) -> None:
    import h5py

    from facematch.gallery.patient import writing_hdf5
    from facematch.gallery.skeleton import plain_errors, write_identity

    with path.open("r+b", buffering=0) as raw, plain_errors(), writing_hdf5(raw) as file:
        file.attrs["format"] = np.bytes_(EXCHANGE_NAME)
        file.attrs.create("version", EXCHANGE_VERSION, dtype="<i4")
        write_identity(file, identity)
        file.attrs["library_version"] = np.bytes_(__version__)
        for name, column in columns.items():
            is_text = column.dtype.kind == "S"
            dtype = h5py.string_dtype("utf-8", column.itemsize) if is_text else column.dtype
            file.create_dataset(name, data=column.astype(dtype))


def _texts(values: Iterable[str]) -> npt.NDArray[np.bytes_]:
    encoded = [value.encode("utf-8", TEXT_ERRORS) for value in values]
    longest = max((len(e) for e in encoded), default=1)
    return np.array(encoded, f"S{max(1, longest)}")


def _read(file: BinaryIO, path: Path, contents: Contents) -> TemplateSet:
    columns = {
        column.name: _column(file, path, column, contents)
        for column in EXCHANGE_COLUMNS
        if column.name in contents.places
    }
    templates, crop_rows = columns["templates"], columns["crop_row"]
    rows = {len(columns[name]) for name in columns if name not in _COUNTED_APART}
    if rows != {len(templates)} or len(columns["crop_rgb"]) != len(crop_rows):
        raise refusal(path, "its datasets differ in length")
    crop_of = dict(zip(crop_rows.tolist(), columns["crop_rgb"], strict=True))
    if not crop_of.keys() <= set(range(len(templates))):
        raise refusal(path, "a crop belongs to no template")
    texts = {
        name: _strings(column) for name, column in columns.items() if column.dtype.kind == TEXT
    }
    references = tuple(
        Reference(
            subject=texts["subject"][row],
            source_path=texts["source_path"][row],
            source_sha256=texts["source_sha256"][row],
            box_xyxy=columns["box_xyxy"][row],
            quality=quality_from(columns["quality"][row], texts["warnings"][row]),
            enrolled_at=float(columns["enrolled_at"][row]),
            crop_rgb=crop_of.get(row),
        )
        for row in range(len(templates))
    )
    distinct = texts.get("distinct", [])
    pairs = tuple(zip(distinct[::2], distinct[1::2], strict=True))
    identity = identity_of(path, contents.model, contents.fingerprint, contents.embedding_size)
    return TemplateSet(identity, references, templates, pairs)


def _column(
    file: BinaryIO, path: Path, column: ExchangeColumn, contents: Contents
) -> npt.NDArray[Any]:
    """One dataset, read where it lies; no longer than the file."""
    place = contents.places[column.name]
    if not 0 < place.itemsize <= _WIDEST_TEXT:
        raise refusal(path, f"dataset {column.name} has elements of {place.itemsize} bytes")
    kind = np.dtype(f"S{place.itemsize}" if column.dtype == TEXT else column.dtype)
    shape = column.shape(place.rows, contents.embedding_size)
    file_size = file.seek(0, io.SEEK_END)
    if kind.itemsize != place.itemsize or place.offset + prod(shape) * kind.itemsize > file_size:
        raise refusal(path, f"dataset {column.name} exceeds the file")
    file.seek(place.offset)
    try:
        values = np.fromfile(file, kind, prod(shape))
    except MemoryError as exc:
        raise refusal(path, f"dataset {column.name} does not fit into memory") from exc
    if len(values) < prod(shape):
        raise refusal(path, f"dataset {column.name} cannot be read to its end")
    return values.reshape(shape)


def _strings(column: npt.NDArray[Any]) -> list[str]:
    """The strings of a list or, row by row, of a table."""
    return [bytes(value).decode("utf-8", TEXT_ERRORS) for value in column.ravel()]
