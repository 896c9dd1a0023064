"""The upper triangle of the matrix of distances between photographs, block by block.

All photographs lie in the order of their folds, of groups of people within those, and of their
subjects. So a block belongs to one fold or to two, to one group or to two, and most blocks hold
no genuine pair.

Distances are given in whole steps: 2^25 over the range of the measure. A step is 6e-8 for the
cosine distance, which is the resolution of float32 at 1; a distance is moved by half of it at
most. What is counted and what is decided at a threshold then always agree.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from facematch.metrics.distances import largest_distance, pairwise
from facematch.types import BoolArray, Float32Array, Int64Array, Metric

STEPS = 1 << 25

# A block has a million distances at most: a few copies of them stay in the processor's cache.
_ROWS = 1024

Progress = Callable[[int, int], None]


class Kind(IntEnum):
    """Whose photographs a pair shows."""

    GENUINE = 0
    IMPOSTOR = 1


def numbers_of_pairs(sizes: Int64Array) -> tuple[int, int]:
    """How many genuine and impostor pairs there are.

    Args:
        sizes: int64 (s,), photographs of each subject.

    >>> numbers_of_pairs(np.array([2, 1, 3]))
    (4, 11)
    """
    n = int(sizes.sum())
    genuine = int((sizes * (sizes - 1) // 2).sum())
    return genuine, n * (n - 1) // 2 - genuine


class Arranged:
    """Photographs in the order in which they are compared.

    Args:
        templates: float32 (n, d), unit norm, without NaN.
        subject: int64 (n,), whose photograph each is, at least 0.
        folds: int64 (s,), the fold of each subject, from 0; None for no folds.
        groups: int64 (s,), the group of each subject, from 0, each within one fold; None for
            no groups.

    Attributes:
        row: int64 (n,), which of the templates given stands at each place.
        templates: float32 (n, d).
        subject: int64 (n,), never falling from place to place.
        fold: int64 (n,), never falling.
        sizes: int64 (s,), photographs of each subject that has some, in their order here.
        fold_of_subject: int64 (s,), the fold of each of those.
        fold_count: folds, 0 without.
        group: int64 (n,), the fold where there are no groups.
        group_count: groups, 0 without.
    """

    def __init__(
        self,
        templates: Float32Array,
        subject: Int64Array,
        folds: Int64Array | None,
        groups: Int64Array | None = None,
    ) -> None:
        fold = np.zeros(len(subject), np.int64) if folds is None else folds[subject]
        group = fold if groups is None else groups[subject]
        self.row: Int64Array = np.lexsort((subject, group, fold)).astype(np.int64)
        self.templates = templates[self.row]
        self.fold: Int64Array = fold[self.row]
        self.group: Int64Array = group[self.row]
        self.group_count = 0 if groups is None else int(groups.max()) + 1
        ordered = subject[self.row]
        self._first = np.flatnonzero(np.append(True, ordered[1:] != ordered[:-1]))
        self.sizes: Int64Array = np.diff(self._first, append=len(ordered)).astype(np.int64)
        self.subject: Int64Array = np.repeat(np.arange(len(self.sizes)), self.sizes)
        self.fold_of_subject: Int64Array = self.fold[self._first]
        self.fold_count = 0 if folds is None else int(folds.max()) + 1

    @property
    def pairs(self) -> int:
        """Pairs of photographs."""
        return len(self.row) * (len(self.row) - 1) // 2

    def by_subject(self, counts: Int64Array) -> Int64Array:
        """Sums over the photographs of each subject: int64 (…, n) to (…, s)."""
        return np.add.reduceat(counts, self._first, axis=-1)

    def by_fold(self, of_each: Int64Array) -> list[int]:
        """Sums over the subjects of each fold, of int64 (s,)."""
        sums = np.zeros(self.fold_count, np.int64)
        np.add.at(sums, self.fold_of_subject, of_each)
        return [int(total) for total in sums]

    def impostors_of_each(self) -> Int64Array:
        """Impostor pairs that each subject takes part in, int64 (s,)."""
        return self.sizes * (len(self.row) - self.sizes)

    def impostors_within_folds(self) -> Int64Array:
        """The same within its own fold."""
        people = np.bincount(self.fold_of_subject, self.sizes).astype(np.int64)
        return self.sizes * (people[self.fold_of_subject] - self.sizes)

    def genuine_of_each(self) -> Int64Array:
        """Genuine pairs of each subject, int64 (s,)."""
        return self.sizes * (self.sizes - 1) // 2


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """Distances of some photographs to others.

    Attributes:
        rows: places of the first photographs.
        columns: places of the second.
        steps: float32 (m, n), whole numbers in [0, ``STEPS``].
        pairs: the kinds of pairs that it may hold, and for each where they are, bool (m, n);
            None if they are everywhere.
        folds: of the first and of the second photographs.
        groups: the same.
    """

    rows: slice
    columns: slice
    steps: Float32Array
    pairs: tuple[tuple[Kind, BoolArray | None], ...]
    folds: tuple[int, int]
    groups: tuple[int, int]


def blocks(
    arranged: Arranged, metric: Metric, progress: Progress = lambda done, total: None
) -> Iterator[Block]:
    """All pairs once.

    Args:
        arranged: the photographs.
        metric: which distance.
        progress: called with pairs done and in all.
    """
    templates, subject = arranged.templates, arranged.subject
    fold, group = arranged.fold, arranged.group
    steps_per_unit = np.float32(1 / step_size(metric, templates.shape[1]))
    differs = (fold[1:] != fold[:-1]) | (group[1:] != group[:-1])
    edges = np.flatnonzero(np.append(True, differs)).tolist()
    parts = [
        slice(start, min(start + _ROWS, end))
        for begin, end in zip(edges, [*edges[1:], len(fold)], strict=True)
        for start in range(begin, end, _ROWS)
    ]
    done = 0
    for index, rows in enumerate(parts):
        for columns in parts[index:]:
            steps = pairwise(templates[rows], templates[columns], metric)
            np.multiply(steps, steps_per_unit, out=steps)
            np.rint(steps, out=steps)
            # Templates whose norm is off by a rounding may lie beyond the range.
            np.minimum(steps, np.float32(STEPS), out=steps)
            pairs: tuple[tuple[Kind, BoolArray | None], ...] = ((Kind.IMPOSTOR, None),)
            if subject[rows.stop - 1] >= subject[columns.start]:
                same = subject[rows, None] == subject[None, columns]
                genuine, impostor = same, ~same
                if rows == columns:
                    genuine, impostor = np.triu(genuine, 1), np.triu(impostor, 1)
                pairs = ((Kind.GENUINE, genuine), (Kind.IMPOSTOR, impostor))
            folds, groups = (
                (int(part[rows.start]), int(part[columns.start])) for part in (fold, group)
            )
            yield Block(rows, columns, steps, pairs, folds, groups)
            n = len(steps)
            done += n * (n - 1) // 2 if rows == columns else steps.size
            progress(done, arranged.pairs)


def step_size(metric: Metric, dimensions: int) -> float:
    """How long a step is: a power of two."""
    largest = largest_distance(metric, dimensions)
    return float(2.0 ** math.ceil(math.log2(largest)) / STEPS)


def last_step(threshold: float, size: float) -> np.float32:
    """The largest number of steps, as float32 has it, that is accepted at a threshold."""
    if threshold < 0:
        return np.float32(-1)
    whole = math.floor(min(threshold / size, STEPS))
    nearest = np.float32(whole)
    # As a Python float: beside a float32, NumPy would round the whole number likewise.
    return nearest if float(nearest) <= whole else np.nextafter(nearest, np.float32(0))
