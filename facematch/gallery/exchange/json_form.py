"""The exchange form in JSON: one document, one reference a line.

::

    {"format": "facematch templates", "version": 2,
     "model": …, "fingerprint": …, "embedding_size": d, "library_version": …,
     "distinct": [["Ann", "Anna"], …],
     "references": [
      {"subject": …, "source_path": …, "source_sha256": …,
       "box_xyxy": [left, top, right, bottom],
       "quality": {"face_px": …, …}, "warnings": [phrase, …],
       "enrolled_at": seconds since the epoch,
       "template": [d numbers],
       "crop_rgb": null or base64 of 112 x 112 x 3 bytes, row by row},
      …]}

Numbers are written with as many digits as it takes to get the same bits back; those that JSON
does not know stand as "NaN", "Infinity" and "-Infinity". Bytes of a path that are not UTF-8
stand as half surrogates, as Python has them. All is ASCII.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from facematch import __version__
from facematch.errors import GalleryFormatError, OutputError
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
from facematch.overwriting import head_of, require_replaceable
from facematch.types import Float32Array, Quality, Reference, UInt8Array

# Reading takes a few times as much memory; about 25,000 templates of 512 numbers.
LARGEST_JSON_BYTES = 1 << 28

_START = json.dumps({"format": EXCHANGE_NAME})[:-1]
_UNKNOWN_TO_JSON = ("NaN", "Infinity", "-Infinity")


def write_json(path: str | os.PathLike[str], found: TemplateSet) -> None:
    """Write templates as JSON.

    Raises:
        OutputError: the file cannot be written, holds something else, or would be too large
            to be read back; it is as it was.
    """
    path = Path(path)
    require_replaceable(path, f"a {KIND}", _is_exchange)
    head = {
        "format": EXCHANGE_NAME,
        "version": EXCHANGE_VERSION,
        "model": found.identity.name,
        "fingerprint": found.identity.fingerprint,
        "embedding_size": found.identity.embedding_size,
        "library_version": __version__,
        "distinct": found.distinct,
    }
    with replacing(path) as temporary:
        with temporary.open("w", encoding="ascii") as file:
            file.write(f'{json.dumps(head)[:-1]}, "references": [')
            for row, (reference, template) in enumerate(
                zip(found.references, found.templates, strict=True)
            ):
                line = json.dumps(_reference_json(reference, template), allow_nan=False)
                file.write(f"{',' if row else ''}\n{line}")
            file.write("\n]}\n")
        if temporary.stat().st_size > LARGEST_JSON_BYTES:
            raise OutputError(
                f"{path}: more than {LARGEST_JSON_BYTES >> 20} MiB of JSON could not be imported "
                "again, so nothing was written; use --format h5"
            )


def read_json(path: Path) -> TemplateSet:
    """Read templates from JSON; nothing in it is taken on trust.

    Raises:
        GalleryFormatError: it does not follow the form.
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        content = file.read(LARGEST_JSON_BYTES + 1)
    if len(content) > LARGEST_JSON_BYTES:
        raise refusal(path, f"it has more than {LARGEST_JSON_BYTES >> 20} MiB")
    try:
        document = json.loads(content, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as exc:
        raise refusal(path, f"it is no JSON ({str(exc).splitlines()[0]})") from exc
    return checked(path, _Reader(path).set_of(document))


class _Reader:
    """Takes a document apart and accepts nothing but what the form names."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def set_of(self, document: Any) -> TemplateSet:
        if (
            not isinstance(document, dict)
            or document.get("format") != EXCHANGE_NAME
            or document.get("version") != EXCHANGE_VERSION
        ):
            raise refusal(self._path, f"it is not {EXCHANGE_NAME!r} of version {EXCHANGE_VERSION}")
        size = document.get("embedding_size")
        if type(size) is not int or not 1 <= size <= 65536:
            raise self._wrong("embedding_size")
        model, fingerprint = self._text(document, "model"), self._text(document, "fingerprint")
        identity = identity_of(self._path, model, fingerprint, size)
        rows = self._list(document, "references")
        templates = [self._numbers(row, "template", size) for row in rows]
        return TemplateSet(
            identity,
            tuple(self._reference(row) for row in rows),
            np.array(templates, "<f4").reshape(len(rows), size),
            tuple(self._pair(pair) for pair in self._list(document, "distinct")),
        )

    def _reference(self, row: Any) -> Reference:
        measured = row.get("quality")
        if not isinstance(measured, dict) or measured.keys() != set(QUALITY_COLUMNS):
            raise self._wrong("quality")
        warnings = self._list(row, "warnings")
        if not all(isinstance(phrase, str) for phrase in warnings):
            raise self._wrong("warnings")
        return Reference(
            subject=self._text(row, "subject"),
            source_path=self._text(row, "source_path"),
            source_sha256=self._text(row, "source_sha256"),
            box_xyxy=self._numbers(row, "box_xyxy", 4),
            quality=Quality(
                **{name: self._number(measured, name) for name in QUALITY_COLUMNS},
                warnings=tuple(warnings),
            ),
            enrolled_at=self._number(row, "enrolled_at"),
            crop_rgb=self._crop(row),
        )

    def _numbers(self, row: Any, name: str, count: int) -> Float32Array:
        if not isinstance(row, dict):
            raise self._wrong("references")
        values = self._list(row, name)
        if len(values) != count:
            raise self._wrong(name)
        with np.errstate(over="ignore"):
            return np.array([self._float(value, name) for value in values], "<f4")

    def _number(self, row: dict[str, Any], name: str) -> float:
        return self._float(row.get(name), name)

    def _float(self, value: Any, name: str) -> float:
        if type(value) not in (int, float) and value not in _UNKNOWN_TO_JSON:
            raise self._wrong(name)
        try:
            return float(value)
        except OverflowError:
            raise self._wrong(name) from None

    def _text(self, row: dict[str, Any], name: str) -> str:
        value = row.get(name)
        if not isinstance(value, str):
            raise self._wrong(name)
        return value

    def _list(self, row: dict[str, Any], name: str) -> list[Any]:
        value = row.get(name)
        if not isinstance(value, list):
            raise self._wrong(name)
        return value

    def _pair(self, pair: Any) -> tuple[str, str]:
        if not isinstance(pair, list) or len(pair) != 2:
            raise self._wrong("distinct")
        a, b = pair
        if not (isinstance(a, str) and isinstance(b, str)):
            raise self._wrong("distinct")
        return a, b

    def _crop(self, row: dict[str, Any]) -> UInt8Array | None:
        if row.get("crop_rgb") is None:
            return None
        try:
            pixels = base64.b64decode(self._text(row, "crop_rgb"), validate=True)
        except (binascii.Error, ValueError):
            raise self._wrong("crop_rgb") from None
        if len(pixels) != math.prod(CROP_SHAPE):
            raise self._wrong("crop_rgb")
        return np.frombuffer(pixels, np.uint8).reshape(CROP_SHAPE)

    def _wrong(self, name: str) -> GalleryFormatError:
        return refusal(self._path, f"{name} is missing or not what it should be")


def _reference_json(reference: Reference, template: Float32Array) -> dict[str, Any]:
    crop = reference.crop_rgb
    return {
        "subject": reference.subject,
        "source_path": reference.source_path,
        "source_sha256": reference.source_sha256,
        "box_xyxy": _floats(reference.box_xyxy.tolist()),
        "quality": {n: _floats([getattr(reference.quality, n)])[0] for n in QUALITY_COLUMNS},
        "warnings": reference.quality.warnings,
        "enrolled_at": _floats([reference.enrolled_at])[0],
        "template": template.tolist(),
        "crop_rgb": None if crop is None else base64.b64encode(crop.tobytes()).decode("ascii"),
    }


def _floats(values: Sequence[float]) -> list[float | str]:
    return [v if math.isfinite(v) else json.dumps(v) for v in map(float, values)]


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"it holds {name}")


def _is_exchange(path: Path) -> bool:
    return head_of(path, len(_START)) == _START.encode()
