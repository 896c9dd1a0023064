"""Calibrations as JSON files.

One flat object in UTF-8. Every field of :class:`Calibration` is there under its own name, with
these forms: ``metric``, ``scores``, ``interval_method`` and ``rule`` as text (``"cosine"``,
``"fmr<=0.001"``), intervals as ``{"low": x, "high": y}``, ``match_probability`` as
``{"method": "logistic", "slope": x, "intercept": y, "lowest": l, "highest": h, "prior": p}`` or
``{"method": "isotonic", "distances": [...], "ratios": [...], "prior": p}``. What is not known is
null. ``held_out`` is ``{"folds": k, "fmr": RATE, "fnmr": RATE, "accuracy": x}`` or null, and
``groups`` a list of ``{"column": c, "value": v, "fmr": RATE, "fnmr": RATE}``, where RATE is
``{"rate": x, "interval": {"low": x, "high": y}, "comparisons": n}`` or null. These two and
``photographs_sha256`` may be missing, as they are from files of version 2 that were written before
they were kept.
``schema_version`` is 2. Unknown keys are left alone, so that a later version can add some without
a new schema.

Version 1, which is read as well, had no ``scores``, ``interval_method``, ``threshold_interval``,
``n_subjects``, ``lost_genuine``, ``lost_impostor`` and ``seed``, and no ``method``, ``lowest``
and ``highest`` in its probability, which was always logistic.

A file may come from anywhere. It is read up to a limit, each field is checked for its type
and range, and whatever is wrong is a :class:`CalibrationFormatError` that names the field.
"""

from __future__ import annotations

import json
import math
import stat
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, TypeVar

from facematch.calibration.files import write_atomically
from facematch.calibration.record import (
    SCHEMA_VERSION,
    Calibration,
    HeldOutRates,
    IntervalMethod,
    StoredGroup,
    StoredRate,
)
from facematch.calibration.sources import ScoreKind
from facematch.errors import CalibrationError, CalibrationFormatError, CalibrationNotFoundError
from facematch.metrics import (
    Interval,
    IsotonicProbability,
    Limits,
    MatchProbability,
    ThresholdRule,
)
from facematch.metrics.probability import MAX_LOG_ODDS
from facematch.types import Metric

MAX_BYTES = 1 << 20

# Members that every version has, and no other of our files has together.
_TELLTALE = {"schema_version", "threshold", "rule", "pairs_sha256"}

_MAX_INTEGER = 2**63 - 1

_T = TypeVar("_T")


def save_calibration(calibration: Calibration, path: Path) -> None:
    """Writes the file atomically.

    Raises:
        OutputError: it cannot be written; what was there before is still there.
    """
    document: dict[str, object] = {
        field.name: getattr(calibration, field.name) for field in fields(calibration)
    }
    document["rule"] = str(calibration.rule)
    document["groups"] = [_members_json(group) for group in calibration.groups]
    for name in (
        *("fmr_interval", "fnmr_interval", "threshold_interval", "match_probability"),
        "held_out",
    ):
        part = document[name]
        document[name] = None if part is None else _members_json(part)
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


def is_calibration(path: Path) -> bool:
    """Whether a file is a calibration, of whatever version, damaged in its values or not."""
    try:
        document = json.loads(_read(path).decode("utf-8-sig"))
    except (CalibrationError, ValueError, RecursionError):
        return False
    return isinstance(document, dict) and document.keys() >= _TELLTALE


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
    if not 1 <= version <= SCHEMA_VERSION:
        raise ValueError(
            f"schema_version: this facematch reads 1 to {SCHEMA_VERSION}, got {version}"
        )
    if version == 1:
        top = _from_version_1(top)
    top = top.with_defaults({"held_out": None, "groups": [], "photographs_sha256": None})
    return Calibration(
        scores=top.parsed("scores", ScoreKind),
        metric=top.optional("metric", lambda name: top.parsed(name, Metric)),
        threshold=top.number("threshold"),
        rule=top.parsed("rule", ThresholdRule.parse),
        fmr=top.number("fmr"),
        fmr_interval=_interval(top, "fmr_interval"),
        fnmr=top.number("fnmr"),
        fnmr_interval=_interval(top, "fnmr_interval"),
        interval_method=top.parsed("interval_method", IntervalMethod),
        threshold_interval=top.optional("threshold_interval", lambda name: _limits(top, name)),
        n_genuine=top.integer("n_genuine"),
        n_impostor=top.integer("n_impostor"),
        n_subjects=top.optional("n_subjects", top.integer),
        failures_to_acquire=top.integer("failures_to_acquire"),
        lost_genuine=top.optional("lost_genuine", top.integer),
        lost_impostor=top.optional("lost_impostor", top.integer),
        resolved=top.boolean("resolved"),
        auc=top.number("auc"),
        eer=top.number("eer"),
        accuracy=top.number("accuracy"),
        match_probability=top.optional(
            "match_probability", lambda name: _match_probability(top, name)
        ),
        pairs_name=top.text("pairs_name"),
        pairs_sha256=top.text("pairs_sha256"),
        seed=top.integer("seed"),
        model_name=top.optional("model_name", top.text),
        model_fingerprint=top.optional("model_fingerprint", top.text),
        facematch_version=top.text("facematch_version"),
        created_at=top.text("created_at"),
        held_out=top.optional("held_out", lambda name: _held_out(top, name)),
        groups=tuple(_group(one) for one in top.objects("groups")),
        photographs_sha256=top.optional("photographs_sha256", top.text),
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

    def with_defaults(self, defaults: Mapping[str, object]) -> _Fields:
        """The same object with members where it has none."""
        return _Fields({**defaults, **self._members}, self._prefix)

    def optional(self, name: str, read: Callable[[str], _T]) -> _T | None:
        """None for null, which must be there all the same."""
        return None if self.value(name) is None else read(name)

    def numbers(self, name: str) -> tuple[float, ...]:
        values = self.value(name)
        if not isinstance(values, list):
            raise self._wrong(name, "a list of numbers")
        items = _Fields({str(i): value for i, value in enumerate(values)}, f"{name}.")
        return tuple(items.number(str(index)) for index in range(len(values)))

    def objects(self, name: str) -> list[_Fields]:
        values = self.value(name)
        if not isinstance(values, list):
            raise self._wrong(name, "a list")
        return [_Fields(value, f"{name}.{index}.") for index, value in enumerate(values)]

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


def _members_json(part: object) -> dict[str, object]:
    """The fields of an interval or a probability, in their order."""
    if not is_dataclass(part):
        raise TypeError(f"expected a record, got {part!r}")
    members = {field.name: getattr(part, field.name) for field in fields(part)}
    return {
        name: _members_json(value) if is_dataclass(value) else value
        for name, value in members.items()
    }


def _from_version_1(top: _Fields) -> _Fields:
    defaults: dict[str, object] = {
        "scores": ScoreKind.PHOTOGRAPHS.value,
        "interval_method": IntervalMethod.INDEPENDENT.value,
        "seed": 0,
    }
    unknown = ("threshold_interval", "n_subjects", "lost_genuine", "lost_impostor")
    return top.with_defaults(defaults | dict.fromkeys(unknown))


def _interval(top: _Fields, name: str) -> Interval:
    low, high = _low_and_high(top, name)
    try:
        return Interval(low, high)
    except ValueError as exc:
        raise ValueError(f"{name}: {exc}") from exc


def _limits(top: _Fields, name: str) -> Limits:
    low, high = _low_and_high(top, name)
    try:
        return Limits(low, high)
    except ValueError as exc:
        raise ValueError(f"{name}: {exc}") from exc


def _low_and_high(top: _Fields, name: str) -> tuple[float, float]:
    members = top.within(name)
    return members.number("low"), members.number("high")


def _rate(members: _Fields, name: str) -> StoredRate:
    part = members.within(name)
    return StoredRate(part.number("rate"), _interval(part, "interval"), part.integer("comparisons"))


def _held_out(top: _Fields, name: str) -> HeldOutRates:
    part = top.within(name)
    return HeldOutRates(
        part.integer("folds"), _rate(part, "fmr"), _rate(part, "fnmr"), part.number("accuracy")
    )


def _group(part: _Fields) -> StoredGroup:
    fmr, fnmr = (part.optional(n, lambda name: _rate(part, name)) for n in ("fmr", "fnmr"))
    return StoredGroup(part.text("column"), part.text("value"), fmr, fnmr)


def _match_probability(top: _Fields, name: str) -> MatchProbability | IsotonicProbability:
    # What version 1 did not write.
    members = top.within(name).with_defaults(
        {"method": "logistic", "lowest": -MAX_LOG_ODDS, "highest": MAX_LOG_ODDS}
    )
    method, prior = members.text("method"), members.number("prior")
    if method not in ("logistic", "isotonic"):
        raise ValueError(f"{name}.method: expected logistic or isotonic")
    try:
        if method == "isotonic":
            return IsotonicProbability(
                members.numbers("distances"), members.numbers("ratios"), prior
            )
        return MatchProbability(
            members.number("slope"),
            members.number("intercept"),
            prior,
            members.number("lowest"),
            members.number("highest"),
        )
    except ValueError as exc:
        message = str(exc).removeprefix(f"{name}.")
        raise ValueError(f"{name}.{message}") from exc
