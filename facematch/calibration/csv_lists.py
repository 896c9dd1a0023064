"""Lists of pairs, and of distances, as CSV.

The header decides: with a column ``distance`` or ``similarity`` it is a list of scores, else
of pairs of photographs. Each column goes into a sink that checks and packs it while the file
is read, because ten million scores as Python strings would take a gigabyte.

An empty cell in the column of scores says that the pair could not be compared, for a failure to
acquire of the other system.
"""

from __future__ import annotations

import csv
import io
import math
from array import array
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from facematch.calibration.labels import Column, PairLabels, SubjectPairs
from facematch.calibration.screening import require_consistent_subjects
from facematch.calibration.sources import ScoreKind
from facematch.errors import PairsFormatError
from facematch.types import BoolArray, Float64Array, Int64Array

_PICTURES = ("a", "b")
_SUBJECTS = ("subject_a", "subject_b")
_SCORES = ("distance", "similarity")
_MOST = 1e12  # of a larger one, no digit that is printed or drawn would fit
_DELIMITERS = {";": "semicolons", "\t": "tabs", "|": "bars"}
_SAME = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}


@dataclass(frozen=True, slots=True, eq=False)
class CsvList:
    """What a CSV holds.

    Attributes:
        kind: photographs, or scores of which sort.
        pictures: the distinct texts of the columns ``a`` and ``b``; empty without them.
        a: int64 (n,) indices into ``pictures``; empty without them.
        b: the same.
        distances: float64 (n,), similarities with their sign turned, NaN where the cell is
            empty; none for photographs.
        lines: int64 (n,), from 1.
        labels: of the n rows; with subjects if the list names them.
    """

    kind: ScoreKind
    pictures: tuple[str, ...]
    a: Int64Array
    b: Int64Array
    distances: Float64Array
    lines: Int64Array
    labels: PairLabels


def wrong(path: Path, line: int, problem: str) -> PairsFormatError:
    """The error that names file and line."""
    return PairsFormatError(f"{path}, line {line}: {problem}")


def printable(text: str) -> str:
    """Without control characters and bytes of no encoding, which file names may hold."""
    return "".join(c if c.isprintable() else "?" for c in text)


def read_csv(path: Path, text: str) -> CsvList:
    """Reads a list.

    Args:
        path: for messages.
        text: its content.

    Raises:
        PairsFormatError: it does not follow the form; the message names the line.
    """
    # strict: otherwise a quote that is never closed swallows the rest of the file silently.
    reader = csv.reader(io.StringIO(text, newline=""), strict=True, skipinitialspace=True)
    lines = array("q")
    try:
        header = [name.strip().lower() for name in next(reader, [])]
        table = _Table(path, header)
        for row in reader:
            if len(row) == 0:
                continue
            if len(row) != len(header):
                raise wrong(path, reader.line_num, f"expected {len(header)} fields, got {len(row)}")
            for column, put in table.sinks:
                try:
                    put(row[column])
                except ValueError as exc:
                    raise wrong(path, reader.line_num, str(exc)) from exc
            lines.append(reader.line_num)
    except csv.Error as exc:
        raise wrong(path, reader.line_num, f"this is not valid CSV ({exc})") from exc
    return table.packed(np.array(lines, np.int64))


class _Table:
    """The columns of a list by what they mean, and where each field of a row goes."""

    def __init__(self, path: Path, header: list[str]) -> None:
        self._path = path
        self._header = header
        self.sinks: list[tuple[int, Callable[[str], None]]] = []
        self._require_commas()
        self._score = next((name for name in _SCORES if name in header), None)
        if all(name in header for name in _SCORES):
            raise wrong(path, 1, "'distance' and 'similarity' are both there; leave one out")
        self._pictures: dict[str, int] = {}
        self._a = self._b = array("q")
        if self._score is None or all(name in header for name in _PICTURES):
            self._a, self._b = (self._put_codes(n, self._pictures, "path") for n in _PICTURES)
        self._same = bytearray()
        self.sinks.append((self._column("same"), self._put_same))
        self._scores = array("d")
        if self._score is not None:
            self.sinks.append((self._column(self._score), self._put_score))
        self._people: dict[str, int] = {}
        self._subject_a = self._subject_b = array("q")
        if any(name in header for name in _SUBJECTS):
            self._subject_a, self._subject_b = (
                self._put_codes(name, self._people, "name") for name in _SUBJECTS
            )
        known = {*_PICTURES, *_SUBJECTS, *_SCORES, "same", ""}
        self._others: dict[str, tuple[dict[str, int], array[int]]] = {}
        for name in dict.fromkeys(header):
            if name not in known:
                values: dict[str, int] = {}
                self._others[name] = values, self._put_codes(name, values, None)

    def packed(self, lines: Int64Array) -> CsvList:
        """What the rows were; called once all have been put in."""
        same = np.frombuffer(self._same, np.uint8).astype(np.bool_)
        distances = np.array(self._scores, np.float64)
        columns = {
            name: Column(name, tuple(values), _integers(codes))
            for name, (values, codes) in self._others.items()
        }
        fold = columns.pop("fold", None)
        labels = PairLabels(
            same,
            self._subjects(same, lines),
            None if fold is None else fold.codes,
            tuple(columns.values()),
        )
        kind = ScoreKind.PHOTOGRAPHS
        if self._score is not None:
            kind = ScoreKind.DISTANCES if self._score == "distance" else ScoreKind.SIMILARITIES
        return CsvList(
            kind=kind,
            pictures=tuple(self._pictures),
            a=_integers(self._a),
            b=_integers(self._b),
            distances=-distances if kind is ScoreKind.SIMILARITIES else distances,
            lines=lines,
            labels=labels,
        )

    def _subjects(self, same: BoolArray, lines: Int64Array) -> SubjectPairs | None:
        if not self._people:
            return None
        first, second = _integers(self._subject_a), _integers(self._subject_b)
        require_consistent_subjects(self._path, first, second, same, lines)
        return SubjectPairs(len(self._people), first, second, inferred=False)

    def _require_commas(self) -> None:
        """Refuses a header that would be one with another delimiter."""
        for delimiter, called in _DELIMITERS.items():
            names = {name.strip() for name in ",".join(self._header).split(delimiter)}
            if "same" in names and not names.isdisjoint({*_PICTURES, *_SCORES}):
                raise wrong(
                    self._path,
                    1,
                    f"its fields are separated by {called}, not by commas; save the list with "
                    "commas",
                )

    def _column(self, name: str) -> int:
        if self._header.count(name) != 1:
            problem = "is missing" if name not in self._header else "is there more than once"
            found = ", ".join(self._header)[:80] or "nothing"
            raise wrong(
                self._path,
                1,
                f"the column '{name}' {problem} (found: {printable(found)}); expected a CSV "
                "header with a,b,same, or distance,same, or an LFW pairs file",
            )
        return self._header.index(name)

    def _put_codes(self, name: str, index: dict[str, int], what: str | None) -> array[int]:
        """A sink for a column of text; ``what`` it holds, where that may not be empty."""
        codes = array("q")

        def put(text: str) -> None:
            if what is not None and text.strip() == "":
                raise ValueError(f"the {what} in column '{name}' is empty")
            codes.append(index.setdefault(text.strip(), len(index)))

        self.sinks.append((self._column(name), put))
        return codes

    def _put_same(self, text: str) -> None:
        label = _SAME.get(text.strip().lower())
        if label is None:
            raise ValueError(f"'same' must be 1/0, true/false or yes/no, got {text[:40]!r}")
        self._same.append(label)

    def _put_score(self, text: str) -> None:
        if text.strip() == "":
            self._scores.append(math.nan)
            return
        try:
            score = float(text)
        except ValueError:
            score = math.nan
        if not math.isfinite(score):
            raise ValueError(
                f"'{self._score}' must be a finite number, got {text[:40]!r}; leave the cell empty "
                "where a pair could not be compared"
            )
        if abs(score) > _MOST:
            raise ValueError(
                f"'{self._score}' must lie between -{_MOST:g} and {_MOST:g}, got {text[:40]!r}; "
                "scale all of them down"
            )
        self._scores.append(score)


def _integers(values: array[int]) -> Int64Array:
    return np.array(values, np.int64)
