"""The exchange form for spreadsheets and numpy: a CSV, and an NPZ of the same name beside it.

The CSV has a line per reference and these columns::

    row                       of the arrays; lines may be sorted and left out, but not repeated
    subject, source_path, source_sha256
    left, top, right, bottom  pixels of the photograph
    face_px, …, score         format.QUALITY_COLUMNS
    warnings                  one a line of the cell
    enrolled_at               seconds since the epoch, UTC

Names may be changed and lines removed before it is imported again. It is UTF-8; bytes of a path
that are not stand as they are. Text that a spreadsheet would run as a formula, and text that
begins with a quotation mark itself, has one ``'`` in front, which reading takes away.

The NPZ holds, uncompressed and without pickled objects::

    format, version, model, fingerprint, embedding_size    as in HDF5
    templates       float32 (m, d)
    source_sha256   uint8 (m, 32), by which a CSV of another export is known
    crop_row        int64 (c,), crop_rgb  uint8 (c, 112, 112, 3)
    distinct        fixed-length UTF-8 (p, 2), subjects that are different people

Numbers are written with as many digits as it takes to get the same bits back.
"""

from __future__ import annotations

import csv
import math
import os
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt
from numpy.lib import format as npy_format

from facematch.gallery.atomic import replacing
from facematch.gallery.exchange.records import (
    EXCHANGE_NAME,
    EXCHANGE_VERSION,
    KIND,
    TemplateSet,
    checked,
    identity_of,
    refusal,
)
from facematch.gallery.format import CROP_SHAPE, QUALITY_COLUMNS
from facematch.gallery.quality import quality_from
from facematch.gallery.stored import TEXT_ERRORS
from facematch.gallery.structure import first_line
from facematch.overwriting import head_of, require_replaceable
from facematch.types import Reference, UInt8Array

_BOX = ("left", "top", "right", "bottom")
COLUMNS = (
    *("row", "subject", "source_path", "source_sha256", *_BOX),
    *(*QUALITY_COLUMNS, "warnings", "enrolled_at"),
)
TABLE_START = ",".join(COLUMNS[:4]).encode()
# Tables that earlier versions wrote; they may be replaced.
_OLD_START = ",".join(COLUMNS[1:4]).encode()

_INTEGERS = {"version": "<i4", "embedding_size": "<i4"}
_TEXTS = ("format", "model", "fingerprint")
_ARRAYS = {
    "templates": "<f4",
    "source_sha256": "|u1",
    "crop_row": "<i8",
    "crop_rgb": "|u1",
    "distinct": "S",
}

# What makes a spreadsheet run a cell, the wide forms of East Asian fonts among them.
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
_GUARD = "'"

# Whatever zipfile and numpy raise on files that were damaged or made to hurt.
_ZIP_ERRORS = (OSError, zipfile.BadZipFile, ValueError, RuntimeError, EOFError, MemoryError)


def arrays_beside(path: Path) -> Path:
    """Where the arrays of a table are."""
    return path.with_suffix(".npz")


def write_table(path: str | os.PathLike[str], found: TemplateSet) -> None:
    """Write templates as CSV and NPZ.

    Raises:
        OutputError: a file cannot be written, or holds something else.
    """
    path = Path(path)
    require_replaceable(path, f"a {KIND}", _is_table)
    require_replaceable(arrays_beside(path), f"a {KIND}", _is_archive)
    with replacing(arrays_beside(path)) as temporary, temporary.open("wb") as file:
        np.savez(file, allow_pickle=False, **_arrays(found))
    with (
        replacing(path) as temporary,
        temporary.open("w", encoding="utf-8", errors=TEXT_ERRORS, newline="") as text,
    ):
        table = csv.writer(text)
        table.writerow(COLUMNS)
        for row, r in enumerate(found.references):
            table.writerow(
                [row, _guarded(r.subject), _guarded(r.source_path), r.source_sha256]
                + [float(v) for v in r.box_xyxy]
                + [getattr(r.quality, name) for name in QUALITY_COLUMNS]
                + [_guarded("\n".join(r.quality.warnings)), r.enrolled_at]
            )


def read_table(path: Path) -> TemplateSet:
    """Read templates from a CSV and the NPZ beside it; nothing is taken on trust.

    Raises:
        GalleryFormatError: they do not follow the form, or are not of one export.
        OSError: one cannot be read.
    """
    beside = arrays_beside(path)
    if not beside.is_file():
        raise refusal(path, f"its templates should be in {beside}, which is not there")
    arrays = _read_arrays(beside)
    identity = identity_of(
        beside,
        _text(beside, arrays["model"]),
        _text(beside, arrays["fingerprint"]),
        int(arrays["embedding_size"]),
    )
    _check_shapes(beside, arrays, identity.embedding_size)
    crops = dict(zip(arrays["crop_row"].tolist(), arrays["crop_rgb"], strict=True))
    digests = [digest.tobytes().hex() for digest in arrays["source_sha256"]]
    references: dict[int, Reference] = {}
    for line, cells in _lines(path):
        try:
            row = int(cells["row"])
            reference = _reference(cells, crops.get(row))
        except ValueError as exc:
            raise refusal(path, f"line {line}: {exc}") from exc
        if row in references or not 0 <= row < len(digests):
            raise refusal(path, f"line {line}: row {row} is not one of {len(digests)}, or twice")
        if reference.source_sha256 != digests[row]:
            raise refusal(path, f"line {line}: {beside} is not of the same export")
        references[row] = reference
    names = [_text(beside, name) for name in arrays["distinct"].ravel()]
    return checked(
        path,
        TemplateSet(
            identity,
            tuple(references.values()),
            arrays["templates"][list(references)],
            tuple(zip(names[::2], names[1::2], strict=True)),
        ),
    )


def _arrays(found: TemplateSet) -> dict[str, npt.NDArray[Any]]:
    crops = [(row, r.crop_rgb) for row, r in enumerate(found.references) if r.crop_rgb is not None]
    digests = b"".join(bytes.fromhex(r.source_sha256) for r in found.references)
    distinct = [[name.encode() for name in pair] for pair in found.distinct]
    return {
        "format": np.array(EXCHANGE_NAME.encode()),
        "version": np.array(EXCHANGE_VERSION, "<i4"),
        "model": np.array(found.identity.name.encode()),
        "fingerprint": np.array(found.identity.fingerprint.encode()),
        "embedding_size": np.array(found.identity.embedding_size, "<i4"),
        "templates": np.asarray(found.templates, "<f4"),
        "source_sha256": np.frombuffer(digests, np.uint8).reshape(-1, 32),
        "crop_row": np.array([row for row, _ in crops], "<i8"),
        "crop_rgb": np.array([crop for _, crop in crops], np.uint8).reshape(-1, *CROP_SHAPE),
        "distinct": np.array(distinct, "S").reshape(-1, 2) if distinct else np.empty((0, 2), "S1"),
    }


def _lines(path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    """Each line of the table with its number, by name of the column."""
    with path.open(encoding="utf-8-sig", errors=TEXT_ERRORS, newline="") as file:
        table = csv.reader(file)
        try:
            if (header := tuple(next(table, ()))) != COLUMNS:
                raise refusal(path, f"line 1 is not {','.join(COLUMNS)}, but {len(header)} others")
            for cells in table:
                if len(cells) != len(COLUMNS):
                    raise refusal(path, f"line {table.line_num}: {len(cells)} cells")
                yield table.line_num, dict(zip(COLUMNS, cells, strict=True))
        except csv.Error as exc:
            raise refusal(path, f"line {table.line_num}: {exc}") from exc


def _reference(cells: dict[str, str], crop: UInt8Array | None) -> Reference:
    """One line of the table. Raises ValueError where a number is none."""
    with np.errstate(over="ignore"):
        box = np.array([float(cells[name]) for name in _BOX], "<f4")
    measured = np.array([float(cells[name]) for name in QUALITY_COLUMNS])
    return Reference(
        subject=_unguarded(cells["subject"]),
        source_path=_unguarded(cells["source_path"]),
        source_sha256=cells["source_sha256"],
        box_xyxy=box,
        quality=quality_from(measured, _unguarded(cells["warnings"])),
        enrolled_at=float(cells["enrolled_at"]),
        crop_rgb=crop,
    )


def _read_arrays(path: Path) -> dict[str, npt.NDArray[Any]]:
    try:
        with zipfile.ZipFile(path) as archive:
            members = {member.filename: member for member in archive.infolist()}
            wanted = {f"{name}.npy" for name in (*_TEXTS, *_INTEGERS, *_ARRAYS)}
            if members.keys() != wanted or len(archive.infolist()) != len(wanted):
                raise refusal(path, "its members are not those of an export")
            # What is stored as it is cannot be larger than the file: no bomb fits in.
            if any(member.compress_type != zipfile.ZIP_STORED for member in members.values()):
                raise refusal(path, "it is compressed; write it with numpy.savez")
            if sum(member.file_size for member in members.values()) > path.stat().st_size:
                raise refusal(path, "its members overlap")
            arrays = {}
            for name, member in members.items():
                with archive.open(member) as file:
                    arrays[name.removesuffix(".npy")] = _read_array(file, member.file_size)
    except _ZIP_ERRORS as exc:
        raise refusal(path, f"it cannot be read ({first_line(exc)})") from exc
    for name, dtype in (_INTEGERS | _ARRAYS).items():
        if arrays[name].dtype.str != dtype and arrays[name].dtype.kind != dtype:
            raise refusal(path, f"{name} is {arrays[name].dtype}, not {dtype}")
    if any(arrays[name].shape != () for name in (*_TEXTS, *_INTEGERS)):
        raise refusal(path, "its description is not single values")
    if _text(path, arrays["format"]) != EXCHANGE_NAME or int(arrays["version"]) != EXCHANGE_VERSION:
        raise refusal(path, f"it is not {EXCHANGE_NAME!r} of version {EXCHANGE_VERSION}")
    return arrays


def _read_array(file: IO[bytes], size: int) -> npt.NDArray[Any]:
    """An array whose bytes are there, all of them; not numpy's own reading, which takes memory
    for any shape that a header claims, and asks pickle about objects."""
    version = npy_format.read_magic(file)
    if version != (1, 0):
        raise ValueError(f"an array of version {version}")
    shape, by_column, dtype = npy_format.read_array_header_1_0(file)
    content = file.read(size)
    if by_column or dtype.hasobject or len(content) != math.prod(shape) * dtype.itemsize:
        raise ValueError(f"an array that is not {dtype} {shape}, or holds objects")
    return np.frombuffer(content, dtype).reshape(shape)


def _check_shapes(path: Path, arrays: dict[str, npt.NDArray[Any]], size: int) -> None:
    count, crops = len(arrays["templates"]), len(arrays["crop_row"])
    shapes = {
        "templates": (count, size),
        "source_sha256": (count, 32),
        "crop_row": (crops,),
        "crop_rgb": (crops, *CROP_SHAPE),
        "distinct": (len(arrays["distinct"]), 2),
    }
    for name, shape in shapes.items():
        if arrays[name].shape != shape:
            raise refusal(path, f"{name} has the shape {arrays[name].shape}, not {shape}")
    rows = arrays["crop_row"]
    if len(set(rows.tolist())) < crops or not np.all((rows >= 0) & (rows < count)):
        raise refusal(path, "a crop belongs to no template")


def _text(path: Path, value: npt.NDArray[Any] | np.bytes_) -> str:
    try:
        return bytes(value.item()).decode()
    except (UnicodeDecodeError, TypeError):
        raise refusal(path, "a text in it is not UTF-8") from None


def _guarded(text: str) -> str:
    return f"{_GUARD}{text}" if text.startswith((*_FORMULA_STARTS, _GUARD)) else text


def _unguarded(text: str) -> str:
    return text.removeprefix(_GUARD)


def _is_table(path: Path) -> bool:
    return head_of(path, len(TABLE_START)).startswith((TABLE_START, _OLD_START))


def _is_archive(path: Path) -> bool:
    try:
        with zipfile.ZipFile(path) as archive, archive.open("format.npy") as file:
            return EXCHANGE_NAME.encode() in file.read(256)
    except (KeyError, *_ZIP_ERRORS):
        return False
