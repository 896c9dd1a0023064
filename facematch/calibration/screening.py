"""What is wrong with a list of pairs: pairs that prove nothing, labels that cannot both hold."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from facematch.calibration.labels import PairLabels
from facematch.calibration.sources import AllPairs, PhotographPairs, Remarks
from facematch.errors import PairsFormatError
from facematch.types import BoolArray, Int64Array

_SELF_PAIR = (
    "the same picture on both sides, which proves nothing; remove the pair, or allow it with "
    "--allow-self-pairs"
)


def require_consistent_subjects(
    path: Path, a: Int64Array, b: Int64Array, same: BoolArray, lines: Int64Array
) -> None:
    """Refuses a genuine pair of two subjects and an impostor pair of one.

    Raises:
        PairsFormatError: naming the first line that says both.
    """
    wrong = np.flatnonzero((a == b) != same)
    if len(wrong) > 0:
        first = int(wrong[0])
        says = "two subjects but same=1" if bool(same[first]) else "one subject but same=0"
        raise PairsFormatError(f"{path}, line {lines[first]}: {says}; correct one of them")


def screened(
    path: Path,
    a: Int64Array,
    b: Int64Array,
    lines: Int64Array,
    labels: PairLabels,
    self_pairs_allowed: bool,
) -> Remarks:
    """Counts what deserves a remark and refuses what cannot be meant.

    Args:
        path: of the list, for messages.
        a: int64 (n,), first picture of each pair.
        b: int64 (n,), second picture.
        lines: int64 (n,), where each pair stands.
        labels: of the pairs.
        self_pairs_allowed: whether a picture may be compared with itself.

    Raises:
        PairsFormatError: a picture is compared with itself and that is not allowed, or a pair
            is listed with both labels.
    """
    same, subjects = labels.same, labels.subjects
    itself = a == b
    if bool(itself.any()) and not self_pairs_allowed:
        first = int(np.argmax(itself))
        raise PairsFormatError(f"{path}, line {lines[first]}: {_SELF_PAIR}")
    earlier, later = _repeated(a, b)
    opposed = np.flatnonzero(same[earlier] != same[later])
    if len(opposed) > 0:
        first = int(opposed[np.argmin(lines[later[opposed]])])
        raise PairsFormatError(
            f"{path}, line {lines[later[first]]}: the pair of line {lines[earlier[first]]} "
            "again, with the other label; correct one of them"
        )
    contradictions = np.zeros(0, np.int64)
    if subjects is not None and subjects.inferred:
        contradictions = np.flatnonzero(~same & (subjects.a == subjects.b))
    return Remarks(
        duplicates=len(later),
        self_pairs=int(itself.sum()),
        contradictions=len(contradictions),
        contradiction_line=int(lines[contradictions[0]]) if len(contradictions) else 0,
    )


def require_photographs(pairs: PhotographPairs | AllPairs) -> None:
    """Refuses a list that names a file which does not exist.

    Raises:
        PairsFormatError: naming the first line with such a file.
    """
    missing = np.array([not path.is_file() for path in pairs.photographs], np.bool_)
    if isinstance(pairs, AllPairs):
        lacking, where = np.flatnonzero(missing), f"{pairs.path}: "
    else:
        of_pair = np.flatnonzero(missing[pairs.a] | missing[pairs.b])[:1]
        both = np.concatenate((pairs.a[of_pair], pairs.b[of_pair]))
        lacking = both[missing[both]]
        where = _where(pairs, int(of_pair[0])) if len(of_pair) else ""
    if len(lacking) > 0:
        raise PairsFormatError(
            f"{where}there is no photograph {pairs.photographs[int(lacking[0])]}; "
            "check the path or give --images DIR"
        )


def require_distinct_pictures(
    pairs: PhotographPairs | AllPairs, sha256: Sequence[str | None]
) -> None:
    """Refuses a comparison of a picture with its copy under another name.

    Args:
        pairs: what is compared.
        sha256: of the content of each photograph; None where it could not be read.

    Raises:
        PairsFormatError: naming the first such pair, unless self pairs are allowed.
    """
    if pairs.self_pairs_allowed:
        return
    codes: dict[str, int] = {}
    content = np.array(
        [-1 - row if s is None else codes.setdefault(s, len(codes)) for row, s in enumerate(sha256)]
    )
    if isinstance(pairs, AllPairs):
        a, b = _copies(content)
        where = f"{pairs.path}: "
    else:
        pair = np.flatnonzero(content[pairs.a] == content[pairs.b])[:1]
        a, b = pairs.a[pair], pairs.b[pair]
        where = _where(pairs, int(pair[0])) if len(pair) else ""
    if len(a) > 0:
        first, second = pairs.photographs[int(a[0])], pairs.photographs[int(b[0])]
        raise PairsFormatError(f"{where}{first} and {second}: {_SELF_PAIR}")


def _copies(content: Int64Array) -> tuple[Int64Array, Int64Array]:
    """Rows of equal content: each with the next such row, by the earlier one."""
    order = np.argsort(content, kind="stable").astype(np.int64)
    equal = np.flatnonzero(content[order[1:]] == content[order[:-1]])
    equal = equal[np.argsort(order[equal], kind="stable")]
    return order[equal], order[equal + 1]


def _where(pairs: PhotographPairs, pair: int) -> str:
    line = int(pairs.lines[pair])
    return f"{pairs.path}: " if line == 0 else f"{pairs.path}, line {line}: "


def _repeated(a: Int64Array, b: Int64Array) -> tuple[Int64Array, Int64Array]:
    """For each pair that was listed before, in either order: the earlier row and its own."""
    width = int(max(a.max(), b.max())) + 1
    key = np.minimum(a, b) * width + np.maximum(a, b)
    order = np.argsort(key, kind="stable").astype(np.int64)
    again = np.flatnonzero(key[order[1:]] == key[order[:-1]])
    return order[again], order[again + 1]
