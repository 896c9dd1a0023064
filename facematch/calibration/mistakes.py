"""The comparisons that were decided most wrongly, for a person to look at."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from facematch.calibration.sources import LabelledComparisons, PhotographPairs
from facematch.types import BoolArray

MOST_SHOWN = 20


@dataclass(frozen=True, slots=True)
class WrongPair:
    """A comparison that was decided wrongly.

    Attributes:
        a: path of the first photograph; None for scores made elsewhere.
        b: of the second.
        line: in the list, from 1; 0 if it has none.
        same: whether both show one subject.
        distance: between them.
    """

    a: str | None
    b: str | None
    line: int
    same: bool
    distance: float


def wrong_pairs(
    pairs: PhotographPairs | LabelledComparisons,
    measured: LabelledComparisons,
    compared: BoolArray,
    wrong: BoolArray,
) -> tuple[WrongPair, ...]:
    """The genuine pairs that were rejected furthest away, then the nearest false matches.

    Args:
        pairs: the list of p pairs.
        measured: the n of them that could be compared.
        compared: bool (p,), which those are.
        wrong: bool (n,), which of those were decided wrongly.

    Returns:
        At most ``MOST_SHOWN`` of each class.
    """
    same, distances = measured.labels.same, measured.distances
    row_in_list = np.flatnonzero(compared)
    found = []
    for kind, sign in ((True, -1), (False, 1)):
        rows = np.flatnonzero(wrong & (same == kind))
        rows = rows[np.argsort(sign * distances[rows], kind="stable")][:MOST_SHOWN]
        for row in rows.tolist():
            a = b = None
            line = 0
            if isinstance(pairs, PhotographPairs):
                at = int(row_in_list[row])
                a, b = (str(pairs.photographs[int(i[at])]) for i in (pairs.a, pairs.b))
                line = int(pairs.lines[at])
            found.append(WrongPair(a, b, line, kind, float(distances[row])))
    return tuple(found)
