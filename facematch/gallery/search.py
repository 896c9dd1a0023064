"""Exact search: every reference is compared, block by block, where it lies on disk."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from facematch.cores import usable_cores
from facematch.errors import GalleryCorruptError
from facematch.gallery.spreading import single_threaded_blas, spread
from facematch.metrics.distances import distance, pairwise
from facematch.types import Float32Array, Int64Array, Metric

Int32Array = npt.NDArray[np.int32]

# The most references in a block, and the most products, which should stay in a core's cache
# (1 MiB of float32) until they have been compared.
_BLOCK_ROWS = 16384
_BLOCK_PRODUCTS = 1 << 18

# A thread is worth starting for so many values of the gallery (4 MiB).
_VALUES_PER_THREAD = 1 << 20

# The first block admits every row to the candidates; a small one soon gives a bound.
_FIRST_BLOCK_ROWS = 1024

# Hits of a probe that are sorted at a time. Its bound falls later for it, and lets in a few more.
_HITS_AT_ONCE = 16

# Block distances are rounded to float32. What lies this close to the bound stays a candidate
# until distances are computed exactly, so that rounding decides neither membership nor ties.
_SLACK = np.float32(2e-5)

# Distances are rounded to 2^-24, the precision of float32 just below 1, so that equal
# templates tie: without it they may differ near zero by what SIMD did to the summation.
_QUANTUM = np.float32(2**-24)

# |a.b| of unit-norm templates exceeds 1 by rounding only.
_MAX_PRODUCT = 1.001


class UnsoundTemplateError(GalleryCorruptError):
    """A stored template that is not finite or not of unit norm.

    Attributes:
        row: which.
        problem: what it is instead.
    """

    def __init__(self, row: int, problem: str) -> None:
        super().__init__(f"template {row} is {problem}; run `facematch gallery verify`")
        self.row = row
        self.problem = problem


@dataclass(frozen=True, slots=True, eq=False)
class SearchResult:
    """Nearest subjects per probe, by rising distance, then by subject.

    Attributes:
        subjects: int32 (p, k), k the smaller of ``top`` and the number of subjects.
        rows: int64 (p, k), the nearest reference of each.
        distances: float32 (p, k).
        references_compared: number of distances computed.
    """

    subjects: Int32Array
    rows: Int64Array
    distances: Float32Array
    references_compared: int


@dataclass(frozen=True, slots=True, eq=False)
class _Hits:
    """What of one block is no farther than the bounds: probes, rising, rows and scores."""

    probes: Int64Array
    rows: Int64Array
    scores: Float32Array


@dataclass(frozen=True, slots=True, eq=False)
class _Pool:
    """Rows that may still be in the result of one probe, and the distance to beat."""

    rows: Int64Array
    scores: Float32Array
    bound: np.float32


def search(
    gallery_templates: Float32Array,
    subject_index: Int32Array,
    probes: Float32Array,
    *,
    top: int,
    metric: Metric,
    block_rows: int | None = None,
    threads: int | None = None,
) -> SearchResult:
    """The ``top`` nearest subjects of each probe, each by its nearest reference.

    One matrix product per block serves all probes (cosine and both Euclidean distances rank
    alike by ``a.b``); the few rows that can matter are then measured by
    :func:`facematch.metrics.distances.distance`, and the result rounded to 2^-24. Blocks go to
    several threads; the result depends neither on their number nor on the blocks.

    Args:
        gallery_templates: float32 (n, d), unit norm; may be a memory map.
        subject_index: int32 (n,), rows of one number belong to one subject.
        probes: float32 (p, d), unit norm.
        top: at least 1; more than there are subjects gives all of them.
        metric: which distance.
        block_rows: references per matrix product; None takes what suits the caches.
        threads: how many compute; None takes the cores that the process may use.

    Returns:
        Candidates per probe. Ties of distance go by subject, then by row.

    Raises:
        UnsoundTemplateError: a stored template is not finite or not of unit norm.
        ValueError: shapes do not fit, or a probe is not finite or not of unit norm.

    >>> gallery = np.array([[1, 0], [0, 1], [0.6, 0.8]], np.float32)
    >>> subject = np.array([0, 1, 1], np.int32)
    >>> probe = np.array([[0.8, 0.6]], np.float32)
    >>> search(gallery, subject, probe, top=5, metric=Metric.COSINE).rows.tolist()
    [[2, 0]]
    """
    n = len(gallery_templates)
    if probes.ndim != 2 or probes.shape[1] != gallery_templates.shape[1]:
        raise ValueError(
            f"probes of shape {probes.shape} for templates of {gallery_templates.shape}"
        )
    if block_rows is None:
        block_rows = max(1, min(_BLOCK_ROWS, _BLOCK_PRODUCTS // max(1, len(probes))))
    if threads is None:
        threads = min(usable_cores(), 1 + gallery_templates.size // _VALUES_PER_THREAD)
    if subject_index.shape != (n,) or top < 1 or block_rows < 1 or threads < 1:
        raise ValueError(
            f"{subject_index.shape} subjects of {n} rows, top {top}, {block_rows=}, {threads=}"
        )
    if not np.all(np.abs(np.linalg.norm(probes, axis=1) - 1) <= _MAX_PRODUCT - 1):
        raise ValueError("a probe is not finite or not of unit norm")

    pools = _Pools(len(probes), subject_index, top)
    negated = -probes

    def compare(block: slice) -> _Hits:
        # Bounds may fall meanwhile; an old one admits more than it need, never less.
        templates = gallery_templates[block]
        return _hits(probes, negated, templates, metric, block.start, pools.bounds)

    first = min(_FIRST_BLOCK_ROWS, block_rows, n)
    # One thread per product where we start several ourselves; that of one probe has no others.
    with single_threaded_blas() if threads > 1 and len(probes) > 1 else nullcontext():
        pools.take(compare(slice(0, first)))
        for hits in spread(compare, _blocks(first, n, block_rows), threads):
            pools.take(hits)
    ranked = [
        _rank(probe, pool.rows, gallery_templates, subject_index, top, metric)
        for probe, pool in zip(probes, pools.admitted(), strict=True)
    ]
    k = len(ranked[0][0]) if ranked else 0
    rows = np.array([r for r, _ in ranked], np.int64).reshape(len(probes), k)
    distances = np.array([d for _, d in ranked], np.float32).reshape(len(probes), k)
    return SearchResult(subject_index[rows], rows, distances, n * len(probes))


def _blocks(start: int, n: int, block_rows: int) -> Iterator[slice]:
    return (slice(at, min(at + block_rows, n)) for at in range(start, n, block_rows))


def _hits(
    probes: Float32Array,
    negated: Float32Array,
    block: Float32Array,
    metric: Metric,
    first: int,
    bounds: Float32Array,
) -> _Hits:
    """Compare one block; ``negated`` are the probes times -1, ``first`` the row it starts at."""
    scores, limit = _scores(probes, negated, block, metric)
    nearest = scores.min(axis=1, initial=np.inf)
    # min and max hand NaN on, and NaN fails every comparison.
    if not (np.all(nearest >= -limit) and scores.max(initial=-np.inf) <= limit):
        row = int(np.flatnonzero(~(np.abs(scores) <= limit).all(axis=0))[0])
        finite = bool(np.isfinite(block[row]).all())
        problem = "not of unit norm" if finite else "not finite"
        raise UnsoundTemplateError(first + row, problem)
    near = np.flatnonzero(nearest <= bounds)
    at, columns = np.nonzero(scores[near] <= bounds[near, None])
    return _Hits(near[at], first + columns, scores[near[at], columns])


def _scores(
    probes: Float32Array, negated: Float32Array, block: Float32Array, metric: Metric
) -> tuple[Float32Array, float]:
    """float32 (p, rows) that rises with the distance, and the most that it can be."""
    # Damaged templates overflow; the caller's check says so better than a warning.
    with np.errstate(invalid="ignore", over="ignore"):
        if metric not in (Metric.COSINE, Metric.EUCLIDEAN, Metric.SQUARED_EUCLIDEAN):
            # Pearson reaches 2, Manhattan 2 sqrt(d).
            limit = max(2.0, 2 * block.shape[1] ** 0.5) * _MAX_PRODUCT
            return pairwise(probes, block, metric), limit
        if len(probes) == 1:
            # Reads memory as fast as it comes, which OpenBLAS's product with a vector does not.
            return np.vecdot(block, negated)[None], _MAX_PRODUCT
        return negated @ block.T, _MAX_PRODUCT


class _Pools:
    """The pools of all probes. Hits gather until there are enough to be worth sorting.

    Attributes:
        bounds: float32 (p,), the score that a row of a later block has to reach.
    """

    def __init__(self, probes: int, subject_index: Int32Array, top: int) -> None:
        empty = _Pool(np.empty(0, np.int64), np.empty(0, np.float32), np.float32(np.inf))
        self._pools = [empty] * probes
        self._waiting: list[list[_Hits]] = [[] for _ in range(probes)]
        self._subject_index = subject_index
        self._top = top
        self.bounds = np.full(probes, np.inf, np.float32)

    def take(self, hits: _Hits) -> None:
        """Take in what one block has."""
        probes, starts = np.unique(hits.probes, return_index=True)
        ends = np.append(starts, len(hits.probes))[1:]
        spans = zip(probes.tolist(), starts.tolist(), ends.tolist(), strict=True)
        for probe, start, end in spans:
            part = slice(start, end)
            waiting = self._waiting[probe]
            waiting.append(_Hits(hits.probes[part], hits.rows[part], hits.scores[part]))
            if sum(len(w.rows) for w in waiting) >= _HITS_AT_ONCE:
                self._admit(probe)

    def admitted(self) -> list[_Pool]:
        """The pools with all that was taken in."""
        for probe, waiting in enumerate(self._waiting):
            if len(waiting) > 0:
                self._admit(probe)
        return self._pools

    def _admit(self, probe: int) -> None:
        waiting = self._waiting[probe]
        rows = np.concatenate([w.rows for w in waiting])
        scores = np.concatenate([w.scores for w in waiting])
        pool = _admit(self._pools[probe], rows, scores, self._subject_index, self._top)
        waiting.clear()
        self._pools[probe] = pool
        self.bounds[probe] = pool.bound


def _admit(
    pool: _Pool,
    rows: Int64Array,
    scores: Float32Array,
    subject_index: Int32Array,
    top: int,
) -> _Pool:
    """Take in hits; drop what can no longer be in the result."""
    rows = np.concatenate([pool.rows, rows])
    scores = np.concatenate([pool.scores, scores])
    subjects = subject_index[rows]
    order = np.lexsort((scores, subjects))
    rows, scores, subjects = rows[order], scores[order], subjects[order]

    is_best = np.append(True, subjects[1:] != subjects[:-1])
    best = scores[is_best]
    best_of_subject = best[np.cumsum(is_best) - 1]
    bound = np.float32(np.inf)
    if len(best) >= top:
        bound = _loosened(np.partition(best, top - 1)[top - 1 : top])[0]
    keep = (scores <= _loosened(best_of_subject)) & (best_of_subject <= bound)
    return _Pool(rows[keep], scores[keep], bound)


def _loosened(scores: Float32Array) -> Float32Array:
    return scores + _SLACK * np.maximum(np.abs(scores), 1).astype(np.float32)


def _rank(
    probe: Float32Array,
    rows: Int64Array,
    templates: Float32Array,
    subject_index: Int32Array,
    top: int,
    metric: Metric,
) -> tuple[Int64Array, Float32Array]:
    """Rows and exact distances of the nearest subjects, from the candidates of one probe."""
    repeated = np.broadcast_to(probe, (len(rows), len(probe)))
    distances = np.rint(distance(repeated, templates[rows], metric) / _QUANTUM) * _QUANTUM
    order = np.lexsort((rows, subject_index[rows], distances))
    _, first = np.unique(subject_index[rows[order]], return_index=True)
    kept = order[np.sort(first)[:top]]
    return rows[kept], distances[kept]
