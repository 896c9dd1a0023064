"""What in a gallery looks wrong: for its owner to look at, never acted upon.

Every reference is compared with every other one, block by block: time grows with the square
of their number, memory does not grow.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from facematch.gallery.reader import Gallery
from facematch.metrics.decision import accepts
from facematch.metrics.distances import pairwise
from facematch.types import Float32Array, Metric

# Cosine distance below which two templates come from one picture, stored twice or scaled.
NEAR_DUPLICATE = 0.02

_BLOCK_VALUES = 1 << 22


@dataclass(frozen=True, slots=True)
class Outlier:
    """A reference that none of its subject's other references would be accepted for.

    Attributes:
        row: of the reference.
        subject: whose it is said to be.
        own_distance: to the nearest other reference of that subject.
        other: the nearest other subject; None if there is none.
        other_distance: to that one; infinite if there is none.
    """

    row: int
    subject: str
    own_distance: float
    other: str | None
    other_distance: float


@dataclass(frozen=True, slots=True)
class LookAlike:
    """Two subjects of whom one would be accepted for the other, by their nearest references."""

    a: str
    b: str
    row_a: int
    row_b: int
    distance: float


@dataclass(frozen=True, slots=True)
class NearDuplicate:
    """Two references that seem to come from one picture; the cosine distance between them."""

    row_a: int
    row_b: int
    subject_a: str
    subject_b: str
    distance: float


@dataclass(frozen=True, slots=True)
class PoorReference:
    """A reference whose quality was doubtful at enrolment."""

    row: int
    subject: str
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AuditReport:
    """All that looks wrong, each kind with the worst first.

    Attributes:
        outliers: likely mislabelled; those nearer to somebody else come first.
        look_alikes: twins, or one person under two names; nearest first. Pairs that are marked
            as different people are left out.
        near_duplicates: nearest first; two names for one picture come before all.
        poor: most warnings first.
        single: subjects with one reference, by name.
        compared: number of distances computed.
    """

    outliers: tuple[Outlier, ...]
    look_alikes: tuple[LookAlike, ...]
    near_duplicates: tuple[NearDuplicate, ...]
    poor: tuple[PoorReference, ...]
    single: tuple[str, ...]
    compared: int


def audit(gallery: Gallery, threshold: float, metric: Metric) -> AuditReport:
    """Compare all references of a gallery with each other.

    Args:
        gallery: open.
        threshold: accept iff ``distance <= threshold``.
        metric: of that distance.

    Raises:
        GalleryCorruptError: the gallery is damaged.
    """
    templates: Float32Array = gallery.column("templates").checked
    subjects, names = gallery.subject_index, gallery.subject_names
    outliers: list[Outlier] = []
    nearest: dict[tuple[int, int], LookAlike] = {}
    duplicates: list[NearDuplicate] = []
    for start, distances in _blocks(templates, metric):
        rows = np.arange(start, start + len(distances))
        own = subjects[rows][:, None] == subjects[None, :]
        distances[np.arange(len(rows)), rows] = np.inf
        outliers += _outliers(rows, distances, own, subjects, names, threshold)
        for i, j in np.argwhere(accepts(distances, threshold) & ~own).tolist():
            _note(nearest, start + i, j, float(distances[i, j]), subjects, names)
        cosine = distances
        if metric is not Metric.COSINE:
            cosine = pairwise(templates[rows], templates, Metric.COSINE)
        later = np.arange(len(templates))[None, :] > rows[:, None]
        for i, j in np.argwhere((cosine <= NEAR_DUPLICATE) & later).tolist():
            a, b = names[subjects[start + i]], names[subjects[j]]
            duplicates.append(NearDuplicate(start + i, j, a, b, float(cosine[i, j])))
    look_alikes = [pair for key, pair in nearest.items() if key not in gallery.distinct]
    counts = np.bincount(subjects, minlength=len(names))
    return AuditReport(
        outliers=tuple(sorted(outliers, key=lambda o: (o.other_distance - o.own_distance, o.row))),
        look_alikes=tuple(sorted(look_alikes, key=lambda p: (p.distance, p.row_a, p.row_b))),
        near_duplicates=tuple(
            sorted(duplicates, key=lambda d: (d.subject_a == d.subject_b, d.distance, d.row_a))
        ),
        poor=tuple(_poor(gallery)),
        single=tuple(sorted(name for name, count in zip(names, counts, strict=True) if count == 1)),
        compared=len(templates) ** 2,
    )


def _blocks(templates: Float32Array, metric: Metric) -> Iterator[tuple[int, Float32Array]]:
    step = max(1, _BLOCK_VALUES // max(1, len(templates)))
    for start in range(0, len(templates), step):
        yield start, pairwise(templates[start : start + step], templates, metric)


def _outliers(
    rows: np.ndarray[tuple[int], np.dtype[np.int64]],
    distances: Float32Array,
    own: np.ndarray[tuple[int, int], np.dtype[np.bool_]],
    subjects: np.ndarray[tuple[int], np.dtype[np.int32]],
    names: tuple[str, ...],
    threshold: float,
) -> Iterator[Outlier]:
    to_own = np.where(own, distances, np.inf).min(axis=1)
    to_other = np.where(own, np.inf, distances)
    other = to_other.argmin(axis=1)
    for i in np.flatnonzero(np.isfinite(to_own) & ~accepts(to_own, threshold)).tolist():
        distance = float(to_other[i, other[i]])
        yield Outlier(
            row=int(rows[i]),
            subject=names[subjects[rows[i]]],
            own_distance=float(to_own[i]),
            other=names[subjects[other[i]]] if np.isfinite(distance) else None,
            other_distance=distance,
        )


def _note(
    nearest: dict[tuple[int, int], LookAlike],
    row_a: int,
    row_b: int,
    distance: float,
    subjects: np.ndarray[tuple[int], np.dtype[np.int32]],
    names: tuple[str, ...],
) -> None:
    a, b = int(subjects[row_a]), int(subjects[row_b])
    if a > b:  # the same pair comes the other way round, too
        return
    known = nearest.get((a, b))
    if known is None or distance < known.distance:
        nearest[a, b] = LookAlike(names[a], names[b], row_a, row_b, distance)


def _poor(gallery: Gallery) -> list[PoorReference]:
    found = []
    for row in range(len(gallery)):
        warnings = tuple(filter(None, gallery.text("references/warnings")[row].split("\n")))
        if warnings:
            subject = gallery.subject_name(int(gallery.subject_index[row]))
            found.append(PoorReference(row, subject, warnings))
    return sorted(found, key=lambda poor: (-len(poor.warnings), poor.row))
