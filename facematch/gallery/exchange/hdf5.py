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

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from facematch import __version__
from facematch.errors import GalleryFormatError
from facematch.gallery.atomic import replacing
from facematch.gallery.exchange.records import (
    EXCHANGE_NAME,
    EXCHANGE_VERSION,
    KIND,
    OLDEST_VERSION,
    TemplateSet,
    checked,
)
from facematch.gallery.format import CROP_SHAPE, QUALITY_COLUMNS
from facematch.gallery.patient import writing_hdf5
from facematch.gallery.quality import joined_warnings, quality_from, quality_rows
from facematch.gallery.stored import TEXT_ERRORS
from facematch.gallery.structure import (
    H5_ERRORS,
    StrictReader,
    first_line,
    plain_errors,
    write_identity,
)
from facematch.overwriting import require_replaceable
from facematch.types import Float32Array, ModelIdentity, Reference

_DISTINCT_SINCE = 2


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
    require_replaceable(Path(path), f"a {KIND}", _is_exchange)


def read_hdf5(path: Path) -> TemplateSet:
    """Read a file in the exchange form; nothing in it is taken on trust.

    Raises:
        GalleryFormatError: it is not in the exchange form, or a template is not finite, of
            unit norm, and of the stated size.
    """
    try:
        with h5py.File(path, "r", locking=False) as file:
            found = _read(StrictReader(file, path, KIND, path.stat().st_size))
    except H5_ERRORS as exc:
        raise GalleryFormatError(
            f"{path} is not a readable {KIND} ({first_line(exc)}); export it again"
        ) from exc
    return checked(path, found)


def _is_exchange(path: Path) -> bool:
    try:
        with h5py.File(path, "r", locking=False) as file:
            found = file.attrs.get("format")
            return isinstance(found, bytes) and found == EXCHANGE_NAME.encode()
    except H5_ERRORS:
        return False


def _write(path: Path, identity: ModelIdentity, columns: dict[str, npt.NDArray[Any]]) -> None:
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


def _read(reader: StrictReader) -> TemplateSet:
    version = reader.integer("version")
    if reader.text("format") != EXCHANGE_NAME or not OLDEST_VERSION <= version <= EXCHANGE_VERSION:
        raise reader.refuse(f"it is not {EXCHANGE_NAME!r} of version {EXCHANGE_VERSION}")
    identity = reader.identity()
    templates = _numbers(reader, "templates", "<f4", (identity.embedding_size,))
    subjects = _read_texts(reader, "subject")
    paths = _read_texts(reader, "source_path")
    digests = _read_texts(reader, "source_sha256")
    boxes = _numbers(reader, "box_xyxy", "<f4", (4,))
    quality = _numbers(reader, "quality", "<f8", (len(QUALITY_COLUMNS),))
    warnings = _read_texts(reader, "warnings")
    enrolled = _numbers(reader, "enrolled_at", "<f8", ())
    crop_rows = _numbers(reader, "crop_row", "<i8", ())
    crops = _numbers(reader, "crop_rgb", "|u1", CROP_SHAPE)
    columns = (subjects, paths, digests, boxes, quality, warnings, enrolled)
    if any(len(column) != len(templates) for column in columns) or len(crops) != len(crop_rows):
        raise reader.refuse("its datasets differ in length")
    distinct = _read_texts(reader, "distinct", 2) if version >= _DISTINCT_SINCE else []
    crop_of = dict(zip(crop_rows.tolist(), crops, strict=True))
    if not crop_of.keys() <= set(range(len(templates))):
        raise reader.refuse("a crop belongs to no template")
    references = tuple(
        Reference(
            subject=subjects[row],
            source_path=paths[row],
            source_sha256=digests[row],
            box_xyxy=boxes[row],
            quality=quality_from(quality[row], warnings[row]),
            enrolled_at=float(enrolled[row]),
            crop_rgb=crop_of.get(row),
        )
        for row in range(len(templates))
    )
    pairs = tuple(zip(distinct[::2], distinct[1::2], strict=True))
    return TemplateSet(identity, references, templates, pairs)


def _numbers(
    reader: StrictReader, name: str, dtype: str, row_shape: tuple[int, ...]
) -> npt.NDArray[Any]:
    reader.column(name, dtype, row_shape)
    values: npt.NDArray[Any] = reader.dataset(name)[...]
    return values


def _read_texts(reader: StrictReader, name: str, width: int = 1) -> list[str]:
    """The strings of a list, or of a table of this many columns, row by row."""
    dataset = reader.dataset(name)
    row_shape = () if width == 1 else (width,)
    if dataset.dtype.kind != "S" or dataset.shape[:1] == () or dataset.shape[1:] != row_shape:
        raise reader.refuse(f"dataset {name} is not a list of strings of fixed length")
    return [bytes(value).decode("utf-8", TEXT_ERRORS) for value in dataset[...].ravel()]
