"""Results of evaluations as JSON files, with what a comparison of systems needs.

The file that ``facematch evaluate PAIRS -o FILE`` writes is the document of ``--json`` with one
key more, ``comparisons``:

    {"n": pairs of the list,
     "pairs_sha256": of the list,
     "same": packed, "distances": packed, "accepted": packed, "fold": packed,
     "at_list_share": true or false,
     "subject_a": packed or null, "subject_b": packed or null}

It is null where pairs were counted and not kept.

The file of a search (``--gallery``) has the key ``searches`` in its place:

    {"n": probes of the list, "probes_sha256": of the list,
     "searched": packed, "mated": packed, "first": packed, "subject": packed,
     "own_distance": packed, "nearest_distance": packed, "average_precision": packed}

A packed array is base64 of a zlib stream: of float64 little-endian for distances (infinity
where a photograph gave no template: the pair is rejected, the probe not found) and precisions,
of int32 little-endian for subjects (numbered by first appearance, so that the numbers are no
names) and folds (-1 for a pair that no fold decided), else of bits, most significant first. Pairs
are in the order of the list, probes in that of their subjects and contents.

Results of pairs have schema version 2. Those of version 1 knew no folds, and their accuracy was
another figure: they are refused.

A file may come from anywhere: it is read up to a limit, streams are unpacked to the length
that they must have and no further, and whatever is wrong is an :class:`EvaluationFormatError`.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from facematch.errors import EvaluationFormatError, UsageError
from facematch.metrics import SearchOutcomes
from facematch.overwriting import head_of
from facematch.types import BoolArray, Float64Array, Int64Array
from facematch.workflows.evaluate.records import (
    IdentificationResult,
    ListedOutcomes,
    ListedProbes,
    VerificationResult,
)

PAIRS_SCHEMA_VERSION = 2
MAX_BYTES = 1 << 29
MAX_PAIRS = 20_000_000

_BEGINNING = re.compile(rb'\s*\{\s*"schema_version":\s*\d+,\s*"task":\s*"[a-z]+"')


@dataclass(frozen=True, slots=True, eq=False)
class StoredSystem:
    """One system, read back.

    Attributes:
        name: file name without its suffix.
        path: as given.
        model: name of the model; None for scores made elsewhere.
        model_fingerprint: of it.
        failures_to_acquire: photographs without a template.
        listed: of every pair of the list, or of every probe.
        measured_photographs: whether the distances are of this program's own making, so that
            the hash of the list names the photographs.
    """

    name: str
    path: str
    model: str | None
    model_fingerprint: str | None
    failures_to_acquire: int
    listed: ListedOutcomes | ListedProbes
    measured_photographs: bool

    @property
    def pairs_lost(self) -> int | None:
        """Pairs that the system could not compare; None of searches."""
        if isinstance(self.listed, ListedProbes):
            return None
        return int(np.isinf(self.listed.distances).sum())


def comparisons_document(listed: ListedOutcomes | None) -> dict[str, Any] | None:
    """The value of the key ``comparisons``."""
    if listed is None:
        return None
    return {
        "n": len(listed.same),
        "pairs_sha256": listed.pairs_sha256,
        "same": _packed(np.packbits(listed.same)),
        "distances": _packed(listed.distances.astype("<f8")),
        "accepted": _packed(np.packbits(listed.accepted)),
        "fold": _packed(listed.fold.astype("<i4")),
        "at_list_share": listed.at_list_share,
        "subject_a": _subjects(listed.subject_a),
        "subject_b": _subjects(listed.subject_b),
    }


def searches_document(listed: ListedProbes) -> dict[str, Any]:
    """The value of the key ``searches``."""
    found = listed.outcomes
    return {
        "n": len(listed.searched),
        "probes_sha256": listed.probes_sha256,
        "searched": _packed(np.packbits(listed.searched)),
        "subject": _subjects(listed.subject),
        "mated": _packed(np.packbits(found.mated)),
        "first": _packed(np.packbits(found.first)),
        "own_distance": _packed(found.own_distance.astype("<f8")),
        "nearest_distance": _packed(found.nearest_distance.astype("<f8")),
        "average_precision": _packed(found.average_precision.astype("<f8")),
    }


def system_of(result: VerificationResult | IdentificationResult, name: str) -> StoredSystem:
    """A result as if it had been written and read back.

    Raises:
        UsageError: its pairs were counted and not kept.
    """
    if result.listed is None:
        raise UsageError(f"{name}: its pairs were counted and not kept, so nothing is comparable")
    return StoredSystem(
        name=name,
        path=name,
        model=None if result.identity is None else result.identity.name,
        model_fingerprint=None if result.identity is None else result.identity.fingerprint,
        failures_to_acquire=len(result.failures),
        listed=result.listed,
        measured_photographs=result.identity is not None,
    )


def load_system(path: Path) -> StoredSystem:
    """Reads a result file of ``facematch evaluate … -o FILE``, of pairs or of searches.

    Raises:
        EvaluationFormatError: it cannot be read, or is no such file.
    """
    document = _document(path)
    model, fingerprint = document.get("model"), document.get("model_fingerprint")
    failures = document.get("failures_to_acquire")
    if not isinstance(failures, int):
        raise _wrong(path, "failures_to_acquire is missing")
    if not all(text is None or isinstance(text, str) for text in (model, fingerprint)):
        raise _wrong(path, "model or model_fingerprint is no text")
    searched = document.get("task") == "identification"
    return StoredSystem(
        name=path.stem,
        path=str(path),
        model=model,
        model_fingerprint=fingerprint,
        failures_to_acquire=failures,
        listed=_probes(path, document) if searched else _pairs(path, document),
        measured_photographs=searched or document.get("scores") == "photographs",
    )


def _part(path: Path, document: Mapping[str, Any], name: str, digest: str) -> Mapping[str, Any]:
    """The packed outcomes; their number and the hash of their list are there."""
    part = document.get(name)
    if part is None and name in document:
        raise _wrong(path, "its pairs were counted and not kept; draw some with --impostors N")
    if not isinstance(part, dict):
        raise _wrong(path, f"it holds no {name}, which only -o writes (--json does not)")
    n = part.get("n")
    if not isinstance(n, int) or isinstance(n, bool) or not 1 <= n <= MAX_PAIRS:
        raise _wrong(path, f"{name}.n is no number of them")
    if not isinstance(part.get(digest), str):
        raise _wrong(path, f"{name}.{digest} is missing")
    return part


def _probes(path: Path, document: Mapping[str, Any]) -> ListedProbes:
    part = _part(path, document, "searches", "probes_sha256")
    n = part["n"]
    own, nearest, precision = (
        _unpacked(path, part, name, n, "<f8").astype(np.float64)
        for name in ("own_distance", "nearest_distance", "average_precision")
    )
    if bool(np.isnan(own).any() | np.isnan(nearest).any()):
        raise _wrong(path, "a distance is NaN")
    if not bool(((precision >= 0) & (precision <= 1)).all()):
        raise _wrong(path, "an average precision is not in [0, 1]")
    searched, mated, first = (_bits(path, part, k, n) for k in ("searched", "mated", "first"))
    subject = _codes(path, part, "subject", n)
    if subject is None:
        raise _wrong(path, "searches.subject is missing")
    outcomes = SearchOutcomes(mated, first, own, nearest, precision)
    return ListedProbes(part["probes_sha256"], searched, subject, outcomes)


def _pairs(path: Path, document: Mapping[str, Any]) -> ListedOutcomes:
    if document.get("schema_version") != PAIRS_SCHEMA_VERSION:
        raise EvaluationFormatError(
            f"{path}: of schema version {document.get('schema_version')!r:.20}, and this facematch "
            f"compares pairs of version {PAIRS_SCHEMA_VERSION} (accuracy is another figure since); "
            "evaluate the pairs again with `facematch evaluate PAIRS -o FILE`"
        )
    part = _part(path, document, "comparisons", "pairs_sha256")
    n = part["n"]
    distances: Float64Array = _unpacked(path, part, "distances", n, "<f8").astype(np.float64)
    if bool(np.isnan(distances).any()):
        raise _wrong(path, "a distance is NaN")
    first, second = (_codes(path, part, name, n) for name in ("subject_a", "subject_b"))
    same, accepted = (_bits(path, part, name, n) for name in ("same", "accepted"))
    fold = _codes(path, part, "fold", n, lowest=-1)
    at_list_share = part.get("at_list_share")
    if fold is None or not isinstance(at_list_share, bool):
        raise _wrong(path, "comparisons.fold or comparisons.at_list_share is missing")
    if bool(same.all()) or not bool(same.any()):
        raise _wrong(path, "its pairs are of one class")
    if (first is None) != (second is None):
        raise _wrong(path, "the subjects of one side are missing")
    return ListedOutcomes(
        *(part["pairs_sha256"], same, distances, accepted, fold, at_list_share, first, second)
    )


def is_result(path: Path) -> bool:
    """Whether a file begins as the results of evaluations do, of pairs or not."""
    return _BEGINNING.match(head_of(path, 256)) is not None


def _document(path: Path) -> Mapping[str, Any]:
    try:
        with path.open("rb") as stream:
            content = stream.read(MAX_BYTES + 1)
    except OSError as exc:
        raise EvaluationFormatError(
            f"{path}: cannot be read ({exc.strerror or exc}); give the result of an earlier "
            "`facematch evaluate PAIRS -o FILE`"
        ) from exc
    if len(content) > MAX_BYTES:
        raise _wrong(path, f"it is larger than {MAX_BYTES >> 20} MiB")
    try:
        document = json.loads(content)
    except (ValueError, RecursionError) as exc:
        raise _wrong(path, "it is not JSON") from exc
    if not isinstance(document, dict):
        raise _wrong(path, "it is no JSON object")
    return document


def _wrong(path: Path, reason: str) -> EvaluationFormatError:
    return EvaluationFormatError(
        f"{path}: not the result of an evaluation: {reason}; "
        "make one with `facematch evaluate … -o FILE`"
    )


def _packed(array: npt.NDArray[Any]) -> str:
    return base64.b64encode(zlib.compress(array.tobytes())).decode("ascii")


def _subjects(codes: Int64Array | None) -> str | None:
    return None if codes is None else _packed(codes.astype("<i4"))


def _bits(path: Path, part: Mapping[str, Any], name: str, n: int) -> BoolArray:
    packed = _unpacked(path, part, name, (n + 7) // 8, "u1")
    return np.unpackbits(packed, count=n).astype(np.bool_)


def _codes(
    path: Path, part: Mapping[str, Any], name: str, n: int, *, lowest: int = 0
) -> Int64Array | None:
    if part.get(name) is None:
        return None
    codes: Int64Array = _unpacked(path, part, name, n, "<i4").astype(np.int64)
    if int(codes.min()) < lowest or int(codes.max()) >= 2 * n:
        raise _wrong(path, f"{name} holds numbers out of range")
    return codes


def _unpacked(
    path: Path, part: Mapping[str, Any], name: str, count: int, dtype: str
) -> npt.NDArray[Any]:
    expected = count * np.dtype(dtype).itemsize
    text = part.get(name)
    try:
        stream = base64.b64decode(text if isinstance(text, str) else "", validate=True)
        # One byte more than there may be, to find out whether there is more.
        content = zlib.decompressobj().decompress(stream, expected + 1)
    except (binascii.Error, zlib.error, ValueError) as exc:
        raise _wrong(path, f"{name} cannot be unpacked") from exc
    if len(content) != expected:
        raise _wrong(path, f"{name} is not of {count} values")
    return np.frombuffer(content, dtype)
