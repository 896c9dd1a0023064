"""Where a search puts the probe's own subject, and the references of that subject.

All distances between probes and gallery are looked at, a block of probes at a time: of
20,000 x 20,000 never more than a few million are there at once. Ties count against the
search: a subject as near as the probe's own is ranked before it, so that a network which
gives everybody one template identifies nobody.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from facematch.metrics.distances import pairwise
from facematch.types import BoolArray, Float32Array, Float64Array, Int64Array, Metric

# Distances held at once, 16 MiB of float32; a sorted copy and the minima come beside it.
_BLOCK_VALUES = 1 << 22


@dataclass(frozen=True, slots=True, eq=False)
class ProbeRanks:
    """What a search of n references gives for p probes.

    Attributes:
        subject: int64 (p,), the gallery's number of the probe's subject; -1 if it is not
            enrolled (a non-mated probe).
        rank: int64 (p,), place of the own subject among all, from 1; 0 of non-mated probes.
        own_distance: float64 (p,), to the nearest reference of the own subject; infinity of
            non-mated probes.
        nearest_distance: float64 (p,), to the nearest reference of anybody.
        nearest_row: int64 (p,), that reference; of several, the first.
        rival_row: int64 (p,), the nearest reference of another subject; -1 if there is none.
        average_precision: float64 (p,), of the references by distance, those of the own
            subject being the relevant ones; 0 of non-mated probes.
        relevant: int64 (p,), references of the own subject.
        depths: numbers of references looked at.
        hits: int64 (p, len(depths)), references of the own subject among the nearest so many.
        subjects: number of subjects in the gallery.
    """

    subject: Int64Array
    rank: Int64Array
    own_distance: Float64Array
    nearest_distance: Float64Array
    nearest_row: Int64Array
    rival_row: Int64Array
    average_precision: Float64Array
    relevant: Int64Array
    depths: tuple[int, ...]
    hits: Int64Array
    subjects: int

    @property
    def mated(self) -> BoolArray:
        """bool (p,), probes whose subject is enrolled."""
        return self.subject >= 0


def rank_probes(
    gallery: Float32Array,
    gallery_subject: Int64Array,
    probes: Float32Array,
    probe_subject: Int64Array,
    metric: Metric,
    *,
    depths: tuple[int, ...] = (1, 5, 10),
    block_values: int = _BLOCK_VALUES,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> ProbeRanks:
    """Compares every probe with every reference.

    Args:
        gallery: float32 (n, d), unit norm, at least one.
        gallery_subject: int64 (n,), whose reference each is, from 0.
        probes: float32 (p, d), unit norm.
        probe_subject: int64 (p,), the same numbers; -1 for people who are not enrolled.
        metric: which distance.
        depths: numbers of nearest references to count hits among, each at least 1.
        block_values: distances held at once.
        progress: called with probes done and in all.

    Raises:
        ValueError: shapes do not fit, a depth is below 1, or a probe is said to be of a
            subject without references.

    >>> gallery = np.array([[1, 0], [0, 1], [0.6, 0.8]], np.float32)
    >>> probe = np.array([[0.8, 0.6]], np.float32)
    >>> found = rank_probes(
    ...     gallery, np.array([0, 1, 1]), probe, np.array([0]), Metric.COSINE, depths=(1, 2)
    ... )
    >>> found.rank.tolist(), found.hits.tolist(), found.average_precision.tolist()
    ([2], [[0, 1]], [0.5])
    """
    n, p = len(gallery), len(probes)
    if n == 0 or gallery_subject.shape != (n,) or probe_subject.shape != (p,):
        raise ValueError(
            f"{gallery_subject.shape} subjects of {n} references, {probe_subject.shape} of {p} "
            "probes"
        )
    if not depths or min(depths) < 1:
        raise ValueError(f"depths must be at least 1, got {depths}")
    # References in the order of their subjects, so that each subject is a run of columns.
    order = np.argsort(gallery_subject, kind="stable")
    ordered = gallery_subject[order]
    present, starts = np.unique(ordered, return_index=True)
    ends = np.append(starts[1:], n)
    at = np.minimum(np.searchsorted(present, probe_subject), len(present) - 1)
    mated = probe_subject >= 0
    if bool((present[at] != probe_subject)[mated].any()):
        raise ValueError("a probe is of a subject that has no reference")
    found = _Tables(p, len(depths))
    step = max(1, block_values // n)
    for first in range(0, p, step):
        rows = slice(first, min(first + step, p))
        distances = pairwise(probes[rows], gallery, metric)[:, order]
        by_subject = np.minimum.reduceat(distances, starts, axis=1)
        for index, row in enumerate(range(rows.start, rows.stop)):
            own = int(at[row]) if bool(mated[row]) else None
            references = slice(0, 0) if own is None else slice(starts[own], ends[own])
            found.put(row, distances[index], by_subject[index], own, references, depths)
        progress(rows.stop, p)
    return ProbeRanks(
        subject=np.where(mated, probe_subject, -1),
        rank=found.rank,
        own_distance=found.own_distance,
        nearest_distance=found.nearest_distance,
        nearest_row=order[found.nearest_column],
        rival_row=np.where(found.rival_column < 0, -1, order[found.rival_column]),
        average_precision=found.average_precision,
        relevant=found.relevant,
        depths=depths,
        hits=found.hits,
        subjects=len(present),
    )


class _Tables:
    """The columns of a :class:`ProbeRanks` while they are filled."""

    def __init__(self, probes: int, depths: int) -> None:
        self.rank = np.zeros(probes, np.int64)
        self.own_distance = np.full(probes, np.inf)
        self.nearest_distance = np.zeros(probes)
        self.nearest_column = np.zeros(probes, np.int64)
        self.rival_column = np.full(probes, -1, np.int64)
        self.average_precision = np.zeros(probes)
        self.relevant = np.zeros(probes, np.int64)
        self.hits = np.zeros((probes, depths), np.int64)

    def put(
        self,
        row: int,
        distances: Float32Array,
        by_subject: Float32Array,
        own: int | None,
        references: slice,
        depths: tuple[int, ...],
    ) -> None:
        nearest = int(np.argmin(distances))
        self.nearest_column[row], self.nearest_distance[row] = nearest, distances[nearest]
        if own is None:
            self.rival_column[row] = nearest
            return
        self.own_distance[row] = by_subject[own]
        # The own subject itself is among those at most so far away, which makes it from 1.
        self.rank[row] = int((by_subject <= by_subject[own]).sum())
        before, after = distances[: references.start], distances[references.stop :]
        if len(before) + len(after) > 0:
            others = [(int(np.argmin(part)), part) for part in (before, after) if len(part) > 0]
            column, part = min(others, key=lambda item: float(item[1][item[0]]))
            self.rival_column[row] = column + (references.stop if part is after else 0)
        relevant = np.sort(distances[references])
        as_near = np.searchsorted(np.sort(distances), relevant, side="right")
        relevant_as_near = np.searchsorted(relevant, relevant, side="right")
        self.average_precision[row] = float((relevant_as_near / as_near).mean())
        self.relevant[row] = len(relevant)
        place = np.arange(1, len(relevant) + 1) + as_near - relevant_as_near
        self.hits[row] = [int((place <= depth).sum()) for depth in depths]


def cumulative_match(ranks: ProbeRanks) -> Float64Array:
    """The CMC: share of mated probes whose subject is among the first k, float64 (subjects,).

    Raises:
        ValueError: no probe is mated.
    """
    placed = ranks.rank[ranks.mated]
    if len(placed) == 0:
        raise ValueError("there are no mated probes")
    counts = np.bincount(placed, minlength=ranks.subjects + 1)[1:]
    return np.cumsum(counts) / len(placed)


def mean_average_precision(ranks: ProbeRanks) -> float:
    """Mean over mated probes of the average precision of the references by distance."""
    return float(ranks.average_precision[ranks.mated].mean())


def recall_at(ranks: ProbeRanks) -> Float64Array:
    """For each depth k the mean share of a subject's references among the k nearest."""
    mated = ranks.mated
    shares = ranks.hits[mated] / ranks.relevant[mated, None]
    result: Float64Array = shares.mean(axis=0)
    return result


def precision_at(ranks: ProbeRanks) -> Float64Array:
    """For each depth k the mean share of the k nearest references that are of the subject."""
    shares = ranks.hits[ranks.mated] / np.array(ranks.depths)
    result: Float64Array = shares.mean(axis=0)
    return result
