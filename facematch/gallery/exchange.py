"""Templates on their way between galleries and programs.

The exchange form is a plain HDF5 file that any HDF5 tool reads, written by
``facematch gallery export`` and ``facematch embed -o templates.h5`` alike. Root attributes::

    format           "facematch templates"
    version          int32, 1
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

Strings are padded with zero bytes to the longest.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from facematch import __version__
from facematch.errors import (
    GalleryFormatError,
    GalleryModelMismatchError,
    GalleryNotFoundError,
    UsageError,
)
from facematch.gallery.atomic import replacing
from facematch.gallery.format import CROP_SHAPE, QUALITY_COLUMNS, SHA256_HEX, UNIT_NORM_TOLERANCE
from facematch.gallery.names import name_problem
from facematch.gallery.patient import writing_hdf5
from facematch.gallery.quality import joined_warnings, quality_from, quality_rows
from facematch.gallery.reader import Gallery
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

EXCHANGE_NAME = "facematch templates"
EXCHANGE_VERSION = 1
_KIND = "file of exported templates"
_CSV_NAMES = ("subject", "source_path", "source_sha256")
_CSV_START = ",".join(_CSV_NAMES).encode()
_NPY_START = b"\x93NUMPY"

# What makes a spreadsheet run a cell, the wide forms of East Asian fonts among them.
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


@dataclass(frozen=True, slots=True, eq=False)
class TemplateSet:
    """Templates with what is known of each, outside of a gallery.

    Attributes:
        identity: the model that made the templates.
        references: m of them; the subject is empty where nobody was named.
        templates: float32 (m, d), unit norm.
    """

    identity: ModelIdentity
    references: tuple[Reference, ...]
    templates: Float32Array


def export_gallery(gallery: Gallery, path: str | os.PathLike[str]) -> int:
    """Write everything that a gallery holds in the exchange form; returns the references.

    Raises:
        OutputError: the file cannot be written; an older one is as it was.
        GalleryCorruptError: the gallery is damaged.
    """
    references = [gallery.reference(row) for row in range(len(gallery))]
    templates = gallery.column("templates").checked
    write_templates(path, gallery.identity, references, templates)
    return len(references)


def write_templates(
    path: str | os.PathLike[str],
    identity: ModelIdentity,
    references: Sequence[Reference],
    templates: Float32Array,
) -> None:
    """Write templates in the exchange form.

    Args:
        path: the file; an older one of the same form is replaced.
        identity: the model that made the templates.
        references: m of them; the subject may be empty.
        templates: float32 (m, d), unit norm.

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
    }
    with replacing(Path(path)) as temporary:
        _write(temporary, identity, columns)


def require_templates_place(path: str | os.PathLike[str]) -> None:
    """Lets exported templates replace nothing but exported templates.

    Raises:
        OutputError: something else is there, as a gallery.
    """
    require_replaceable(Path(path), f"a {_KIND}", _is_exchange)


def import_templates(
    path: str | os.PathLike[str],
    identity: ModelIdentity | None = None,
    *,
    subject: str | None = None,
) -> TemplateSet:
    """Read a file in the exchange form; nothing in it is taken on trust.

    Args:
        path: the file.
        identity: the model of the gallery that they are for; None accepts any.
        subject: whose templates those are that carry no name.

    Raises:
        GalleryNotFoundError: there is no such file.
        GalleryFormatError: it is not in the exchange form, or a template is not finite, of
            unit norm, and of the stated size.
        GalleryModelMismatchError: the templates are of another model.
        UsageError: templates without a name, and no ``subject``.
    """
    path = Path(path)
    try:
        if not path.is_file():
            raise GalleryNotFoundError(
                f"there is no file {path}; make one with `facematch gallery export` or "
                "`facematch embed -o`"
            )
        with h5py.File(path, "r", locking=False) as file:
            found = _read(StrictReader(file, path, _KIND, path.stat().st_size))
    except H5_ERRORS as exc:
        raise GalleryFormatError(
            f"{path} is not a readable {_KIND} ({first_line(exc)}); export it again"
        ) from exc
    if identity is not None and found.identity.fingerprint != identity.fingerprint:
        raise GalleryModelMismatchError(
            f"{path} holds templates of model {found.identity.name} "
            f"({found.identity.fingerprint[:12]}), not of {identity.name} "
            f"({identity.fingerprint[:12]}); make them again with --model {identity.name}"
        )
    unnamed = sum(reference.subject == "" for reference in found.references)
    if unnamed == 0:
        return found
    if subject is None:
        raise UsageError(f"{path} has {unnamed} templates without a subject; give --subject NAME")
    named = tuple(r if r.subject else replace(r, subject=subject) for r in found.references)
    return replace(found, references=named)


def export_csv(gallery: Gallery, path: str | os.PathLike[str]) -> int:
    """Write a CSV for other tools, and the templates as ``.npy`` beside it.

    Row i of the CSV is row i of the array. Text that a spreadsheet would run as a formula
    gets a quotation mark in front, so this form is for reading and not for importing again.

    Raises:
        OutputError: a file cannot be written, or holds something else.
        GalleryCorruptError: the gallery is damaged.
    """
    path = Path(path)
    require_replaceable(path, "an exported list", partial(_starts_with, _CSV_START))
    require_replaceable(path.with_suffix(".npy"), "an array", partial(_starts_with, _NPY_START))
    boxes = ("left", "top", "right", "bottom")
    with replacing(path.with_suffix(".npy")) as temporary, temporary.open("wb") as file:
        np.save(file, gallery.column("templates").checked, allow_pickle=False)
    with (
        replacing(path) as temporary,
        temporary.open("w", encoding="utf-8", errors=TEXT_ERRORS, newline="") as text,
    ):
        table = csv.writer(text)
        table.writerow([*_CSV_NAMES, *boxes, *QUALITY_COLUMNS, "warnings", "enrolled_at"])
        for row in range(len(gallery)):
            r = gallery.reference(row)
            table.writerow(
                [_inert(r.subject), _inert(r.source_path), r.source_sha256]
                + [float(v) for v in r.box_xyxy]
                + [getattr(r.quality, name) for name in QUALITY_COLUMNS]
                + [_inert("; ".join(r.quality.warnings)), r.enrolled_at]
            )
    return len(gallery)


def _is_exchange(path: Path) -> bool:
    try:
        with h5py.File(path, "r", locking=False) as file:
            found = file.attrs.get("format")
            return isinstance(found, bytes) and found == EXCHANGE_NAME.encode()
    except H5_ERRORS:
        return False


def _starts_with(start: bytes, path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(len(start)) == start
    except OSError:
        return False


def _write(path: Path, identity: ModelIdentity, columns: dict[str, npt.NDArray[Any]]) -> None:
    with plain_errors(), writing_hdf5(path) as file:
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
    if reader.text("format") != EXCHANGE_NAME or reader.integer("version") != EXCHANGE_VERSION:
        raise reader.refuse(f"it is not {EXCHANGE_NAME!r} of version {EXCHANGE_VERSION}")
    identity = reader.identity()
    templates = _numbers(reader, "templates", "<f4", (identity.embedding_size,))
    norms = np.linalg.norm(templates.astype(np.float64), axis=1)
    unsound = np.flatnonzero(~(np.abs(norms - 1) <= UNIT_NORM_TOLERANCE))
    if len(unsound) > 0:
        raise reader.refuse(f"template {unsound[0]} is not finite or not of unit norm")
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
    _check_texts(reader, subjects, digests)
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
    return TemplateSet(identity, references, templates)


def _check_texts(reader: StrictReader, subjects: list[str], digests: list[str]) -> None:
    for row, (name, digest) in enumerate(zip(subjects, digests, strict=True)):
        if name != "" and (problem := name_problem(name)) is not None:
            raise reader.refuse(f"the subject of row {row} cannot be one: {problem}")
        if SHA256_HEX.fullmatch(digest) is None:
            raise reader.refuse(f"source_sha256 of row {row} is no SHA-256")


def _numbers(
    reader: StrictReader, name: str, dtype: str, row_shape: tuple[int, ...]
) -> npt.NDArray[Any]:
    reader.column(name, dtype, row_shape)
    values: npt.NDArray[Any] = reader.dataset(name)[...]
    return values


def _read_texts(reader: StrictReader, name: str) -> list[str]:
    dataset = reader.dataset(name)
    if dataset.dtype.kind != "S" or dataset.ndim != 1:
        raise reader.refuse(f"dataset {name} is not a list of strings of fixed length")
    return [bytes(value).decode("utf-8", TEXT_ERRORS) for value in dataset[...]]


def _inert(text: str) -> str:
    return f"'{text}" if text.startswith(_FORMULA_STARTS) else text
