"""Calibrations as JSON files.

One flat object in UTF-8. Every field of :class:`Calibration` is there under its own name, with
these forms: ``metric`` and ``rule`` as text (``"cosine"``, ``"fmr<=0.001"``), intervals as
``{"low": x, "high": y}``, ``match_probability`` as ``{"slope": x, "intercept": y, "prior": z}``
or null. ``schema_version`` is 1. Unknown keys are left alone, so that a later version can add
some without a new schema.

A file may come from anywhere. It is read up to a limit, each field is checked for its type
and range, and whatever is wrong is a :class:`CalibrationFormatError` that names the field.
"""

from __future__ import annotations

import json
import math
import stat
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any, TypeVar

from facematch.calibration.files import write_atomically
from facematch.calibration.record import SCHEMA_VERSION, Calibration
from facematch.errors import CalibrationError, CalibrationFormatError, CalibrationNotFoundError
from facematch.metrics import Interval, MatchProbability, ThresholdRule
from facematch.types import Metric

MAX_BYTES = 1 << 20

_MAX_INTEGER = 2**63 - 1

_T = TypeVar("_T")


def save_calibration(calibration: Calibration, path: Path) -> None:
    """Writes the file atomically.

    Raises:
        OutputError: it cannot be written; what was there before is still there.
    """
    probability = calibration.match_probability
    document: dict[str, object] = {
        field.name: getattr(calibration, field.name) for field in fields(calibration)
    }
    document["metric"] = calibration.metric.value
    document["rule"] = str(calibration.rule)
    document["fmr_interval"] = _interval_json(calibration.fmr_interval)
    document["fnmr_interval"] = _interval_json(calibration.fnmr_interval)
    document["match_probability"] = (
        None
        if probability is None
        else {
            "slope": probability.slope,
            "intercept": probability.intercept,
            "prior": probability.prior,
        }
    )
    ordered = {"schema_version": document.pop("schema_version"), **document}
    text = json.dumps(ordered, indent=2, ensure_ascii=False, allow_nan=False)
    write_atomically(path, (text + "\n").encode("utf-8"))


def load_calibration(path: Path) -> Calibration:
    """Reads and checks a calibration file.

    Raises:
        CalibrationNotFoundError: there is no such file.
        CalibrationFormatError: the file does not follow the schema.
        CalibrationError: the file cannot be read.
    """
    content = _read(path)
    if len(content) > MAX_BYTES:
        raise _malformed(path, f"it is larger than {MAX_BYTES} bytes")
    try:
        # utf-8-sig: editors on Windows put a byte order mark before JSON.
        document = json.loads(content.decode("utf-8-sig"))
    except RecursionError as exc:
        raise _malformed(path, "it is nested too deeply") from exc
    except UnicodeDecodeError as exc:
        raise _malformed(path, f"it is not UTF-8 text (byte {exc.start})") from exc
    except ValueError as exc:  # JSONDecodeError, and integers of too many digits
        raise _malformed(path, f"it is not JSON ({exc})") from exc
    try:
        return _calibration(document)
    except ValueError as exc:
        raise _malformed(path, str(exc)) from exc


def _read(path: Path) -> bytes:
    """The first ``MAX_BYTES + 1`` bytes."""
    try:
        # Opening a pipe or a device could wait for ever.
        if not stat.S_ISREG(path.stat().st_mode):
            raise _malformed(path, "it is a folder or a device, not a file")
        with path.open("rb") as stream:
            return stream.read(MAX_BYTES + 1)
    except (FileNotFoundError, NotADirectoryError) as exc:
        raise CalibrationNotFoundError(
            f"{path}: there is no such calibration; make one with `facematch calibrate PAIRS`"
        ) from exc
    except OSError as exc:
        raise CalibrationError(
            f"{path}: cannot be read ({exc.strerror or exc}); check its permissions"
        ) from exc


def _malformed(path: Path, reason: str) -> CalibrationFormatError:
    return CalibrationFormatError(
        f"{path}: not a facematch calibration: {reason}; "
        "make a new one with `facematch calibrate PAIRS`"
    )


def _calibration(document: object) -> Calibration:
    top = _Fields(document, "")
    version = top.integer("schema_version")
    if version != SCHEMA_VERSION:
        raise ValueError(
            f"schema_version: this facematch reads version {SCHEMA_VERSION}, got {version}"
        )
    return Calibration(
        metric=top.parsed("metric", Metric),
        threshold=top.number("threshold"),
        rule=top.parsed("rule", ThresholdRule.parse),
        fmr=top.number("fmr"),
        fmr_interval=_interval(top, "fmr_interval"),
        fnmr=top.number("fnmr"),
        fnmr_interval=_interval(top, "fnmr_interval"),
        n_genuine=top.integer("n_genuine"),
        n_impostor=top.integer("n_impostor"),
        failures_to_acquire=top.integer("failures_to_acquire"),
        resolved=top.boolean("resolved"),
        auc=top.number("auc"),
        eer=top.number("eer"),
        accuracy=top.number("accuracy"),
        match_probability=_match_probability(top, "match_probability"),
        pairs_name=top.text("pairs_name"),
        pairs_sha256=top.text("pairs_sha256"),
        model_name=top.text("model_name"),
        model_fingerprint=top.text("model_fingerprint"),
        facematch_version=top.text("facematch_version"),
        created_at=top.text("created_at"),
        schema_version=version,
    )


class _Fields:
    """The members of one JSON object; each is asked for by name and type.

    Every refusal is a ``ValueError`` that begins with the field's name.
    """

    def __init__(self, document: object, prefix: str) -> None:
        if not isinstance(document, dict):
            raise ValueError(f"{prefix.rstrip('.') or 'content'}: expected a JSON object")
        self._members: dict[str, Any] = document
        self._prefix = prefix

    def value(self, name: str) -> object:
        if name not in self._members:
            raise ValueError(f"{self._prefix}{name}: is missing")
        return self._members[name]

    def within(self, name: str) -> _Fields:
        return _Fields(self.value(name), f"{self._prefix}{name}.")

    def text(self, name: str) -> str:
        value = self.value(name)
        if not isinstance(value, str):
            raise self._wrong(name, "text")
        return value

    def boolean(self, name: str) -> bool:
        value = self.value(name)
        if not isinstance(value, bool):
            raise self._wrong(name, "true or false")
        return value

    def integer(self, name: str) -> int:
        value = self.value(name)
        if not isinstance(value, int) or isinstance(value, bool) or abs(value) > _MAX_INTEGER:
            raise self._wrong(name, "an integer")
        return value

    def number(self, name: str) -> float:
        value = self.value(name)
        if isinstance(value, int):
            return float(self.integer(name))
        # JSON has no NaN or Infinity, but Python's parser takes both, and 1e999.
        if not isinstance(value, float) or not math.isfinite(value):
            raise self._wrong(name, "a finite number")
        return value

    def parsed(self, name: str, parse: Callable[[str], _T]) -> _T:
        text = self.text(name)
        try:
            return parse(text)
        except ValueError as exc:
            raise ValueError(f"{self._prefix}{name}: {str(exc)[:200]}") from exc

    def _wrong(self, name: str, expected: str) -> ValueError:
        return ValueError(f"{self._prefix}{name}: expected {expected}")


def _interval_json(interval: Interval) -> dict[str, float]:
    return {"low": interval.low, "high": interval.high}


def _interval(top: _Fields, name: str) -> Interval:
    members = top.within(name)
    low, high = members.number("low"), members.number("high")
    try:
        return Interval(low, high)
    except ValueError as exc:
        raise ValueError(f"{name}: {exc}") from exc


def _match_probability(top: _Fields, name: str) -> MatchProbability | None:
    if top.value(name) is None:
        return None
    members = top.within(name)
    slope, intercept = members.number("slope"), members.number("intercept")
    prior = members.number("prior")
    try:
        return MatchProbability(slope, intercept, prior)
    except ValueError as exc:
        raise ValueError(f"{name}.{exc}") from exc
