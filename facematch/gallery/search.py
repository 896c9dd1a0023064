"""Exact search: every reference is compared, block by block, where it lies on disk."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from facematch.errors import GalleryCorruptError
from facematch.metrics.distances import distance, pairwise
from facematch.types import Float32Array, Int64Array, Metric

Int32Array = npt.NDArray[np.int32]

BLOCK_ROWS = 16384

# The first block admits every row to the candidates; a small one soon gives a bound.
_FIRST_BLOCK_ROWS = 1024

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
    block_rows: int = BLOCK_ROWS,
) -> SearchResult:
    """The ``top`` nearest subjects of each probe, each by its nearest reference.

    One matrix product per block serves all probes (cosine and both Euclidean distances rank
    alike by ``a.b``); the few rows that can matter are then measured by
    :func:`facematch.metrics.distances.distance`, and the result rounded to 2^-24.

    Args:
        gallery_templates: float32 (n, d), unit norm; may be a memory map.
        subject_index: int32 (n,), rows of one number belong to one subject.
        probes: float32 (p, d), unit norm.
        top: at least 1; more than there are subjects gives all of them.
        metric: which distance.
        block_rows: references per matrix product.

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
    if subject_index.shape != (n,) or top < 1 or block_rows < 1:
        raise ValueError(f"{subject_index.shape} subjects of {n} rows, top {top}, {block_rows=}")
    if not np.all(np.abs(np.linalg.norm(probes, axis=1) - 1) <= _MAX_PRODUCT - 1):
        raise ValueError("a probe is not finite or not of unit norm")

    empty = _Pool(np.empty(0, np.int64), np.empty(0, np.float32), np.float32(np.inf))
    pools = [empty] * len(probes)
    for block in _blocks(n, block_rows):
        scores = _scores(probes, gallery_templates[block], metric, block.start)
        bounds = np.array([pool.bound for pool in pools], np.float32)
        hit_probes, hit_columns = np.nonzero(scores <= bounds[:, None])
        ends = np.searchsorted(hit_probes, np.arange(len(probes) + 1))
        for probe in np.unique(hit_probes).tolist():
            columns = hit_columns[ends[probe] : ends[probe + 1]]
            pools[probe] = _admit(
                pools[probe],
                (block.start + columns).astype(np.int64),
                scores[probe, columns],
                subject_index,
                top,
            )
    ranked = [
        _rank(probe, pool.rows, gallery_templates, subject_index, top, metric)
        for probe, pool in zip(probes, pools, strict=True)
    ]
    k = len(ranked[0][0]) if ranked else 0
    rows = np.array([r for r, _ in ranked], np.int64).reshape(len(probes), k)
    distances = np.array([d for _, d in ranked], np.float32).reshape(len(probes), k)
    return SearchResult(subject_index[rows], rows, distances, n * len(probes))


def _blocks(n: int, block_rows: int) -> Iterator[slice]:
    start, step = 0, min(_FIRST_BLOCK_ROWS, block_rows)
    while start < n:
        yield slice(start, min(start + step, n))
        start, step = start + step, block_rows


def _scores(probes: Float32Array, block: Float32Array, metric: Metric, first: int) -> Float32Array:
    """float32 (p, rows) that rises with the distance."""
    scores: Float32Array
    # Damaged templates overflow; the check below says so better than a warning.
    with np.errstate(invalid="ignore", over="ignore"):
        if metric in (Metric.COSINE, Metric.EUCLIDEAN, Metric.SQUARED_EUCLIDEAN):
            scores = (-probes) @ block.T
            limit = _MAX_PRODUCT
        else:
            scores = pairwise(probes, block, metric)
            # Pearson reaches 2, Manhattan 2 sqrt(d).
            limit = max(2.0, 2 * block.shape[1] ** 0.5) * _MAX_PRODUCT
    # min and max hand NaN on, and NaN fails every comparison.
    if scores.size > 0 and not (scores.min() >= -limit and scores.max() <= limit):
        row = int(np.flatnonzero(~(np.abs(scores) <= limit).all(axis=0))[0])
        finite = bool(np.isfinite(block[row]).all())
        problem = "not of unit norm" if finite else "not finite"
        raise UnsoundTemplateError(first + row, problem)
    return scores


def _admit(
    pool: _Pool,
    rows: Int64Array,
    scores: Float32Array,
    subject_index: Int32Array,
    top: int,
) -> _Pool:
    """Take in the hits of one block; drop what can no longer be in the result."""
    rows = np.concatenate([pool.rows, rows])
    scores = np.concatenate([pool.scores, scores])
    subjects = subject_index[rows]
    order = np.lexsort((scores, subjects))
    rows, scores, subjects = rows[order], scores[order], subjects[order]

    is_best = np.r_[True, subjects[1:] != subjects[:-1]]
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
