"""Lists of pictures: CSV with the columns ``path``, ``identity`` and, if wanted, ``source``.

Paths are relative to the list's folder. An empty identity is nobody's; the same identity in
two sources of one list is one person. Without the column, the list is one source.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path

from facematch.errors import TrainingDataError
from facematch.training.data.files import FileSource, stamp
from facematch.training.data.source import CropCutter, Picture

LARGEST_BYTES = 1 << 30
_REQUIRED = ("path", "identity")


def manifest_source(path: Path, name: str, cut: CropCutter | None) -> FileSource:
    """Reads a list of pictures. Whether they exist turns out when they are decoded.

    Args:
        path: the CSV file, UTF-8.
        name: what to call it in reports.
        cut: makes crops of photographs.

    Raises:
        TrainingDataError: it cannot be read, does not follow the form (the message names the
            line), or is empty.
    """
    pictures = tuple(_pictures(path, name, _text(path)))
    if not pictures:
        raise TrainingDataError(f"{path}: the list holds no pictures; add some below its header")
    return FileSource(name, pictures, cut)


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST_BYTES + 1)
    except OSError as error:
        raise TrainingDataError(f"{path}: cannot be read ({error.strerror})") from error
    if len(content) > LARGEST_BYTES:
        raise TrainingDataError(f"{path}: larger than {LARGEST_BYTES >> 20} MiB; split the list")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise TrainingDataError(f"{path}: line {line}: not UTF-8 text") from error


def _pictures(path: Path, name: str, text: str) -> Iterator[Picture]:
    # strict: otherwise a quote that is never closed swallows the rest of the file silently.
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header = [column.strip().lower() for column in next(reader, [])]
        if any(header.count(column) != 1 for column in _REQUIRED) or header.count("source") > 1:
            raise TrainingDataError(
                f"{path}: line 1 must name the columns path,identity and, if wanted, source, "
                "each once"
            )
        for row in reader:
            if not row:
                continue
            if len(row) != len(header):
                raise TrainingDataError(
                    f"{path}: line {reader.line_num}: expected {len(header)} fields, got {len(row)}"
                )
            fields = dict(zip(header, (field.strip() for field in row), strict=True))
            if not fields["path"] or "\0" in fields["path"]:
                raise TrainingDataError(
                    f"{path}: line {reader.line_num}: the path is empty or no file name"
                )
            place = path.parent.absolute() / fields["path"]
            part = fields.get("source", "")
            yield Picture(
                name=f"{name}:{fields['path']}",
                place=str(place),
                identity=fields["identity"] or None,
                source=f"{name}:{part}" if part else name,
                stamp=stamp(place),
            )
    except csv.Error as error:
        raise TrainingDataError(
            f"{path}: line {reader.line_num}: not valid CSV ({error})"
        ) from error
