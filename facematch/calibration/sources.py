"""Labelled comparisons, before and after they are measured.

A list of pairs of photographs becomes :class:`PhotographPairs`; with the photographs'
templates these become :class:`LabelledComparisons`. A list of distances is that at once.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

import numpy as np

from facematch.calibration.labels import PairLabels
from facematch.errors import OneClassError
from facematch.metrics.distances import distance
from facematch.types import BoolArray, Float32Array, Float64Array, Int64Array, Metric

# Pairs whose templates are gathered at once: 64 MiB of them for 256 numbers a template.
_PAIRS_PER_BLOCK = 1 << 16


class ScoreKind(StrEnum):
    """Where the distances come from."""

    PHOTOGRAPHS = "photographs"
    DISTANCES = "distances"
    SIMILARITIES = "similarities"


@dataclass(frozen=True, slots=True)
class Remarks:
    """What a list holds that its author may not know.

    Attributes:
        duplicates: pairs that were listed before; they are counted again.
        self_pairs: pairs of a picture with itself, which were allowed.
        contradictions: impostor pairs within what genuine pairs say is one subject.
        contradiction_line: line of the first of those, from 1; 0 if there is none.
    """

    duplicates: int = 0
    self_pairs: int = 0
    contradictions: int = 0
    contradiction_line: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class PhotographPairs:
    """Labelled pairs of photographs, of both classes, in the order of their list.

    Attributes:
        name: of the list or folder, without what cannot be printed.
        path: of it, as given.
        sha256: hexadecimal digest of the list's bytes; for a folder, of the names of its
            photographs, of the pairs that were drawn and, by :meth:`with_contents`, of what
            the photographs hold.
        photographs: each once.
        a: int64 (n,), the first photograph of each pair, an index into ``photographs``.
        b: int64 (n,), the second.
        lines: int64 (n,), where in the list the pair stands, from 1; 0 for a folder.
        labels: of the pairs.
        remarks: on the list.
        self_pairs_allowed: whether a picture may be compared with itself.
        photographs_sha256: hexadecimal digest over those of the photographs' bytes, in the
            order of the list; None before they are known.
    """

    name: str
    path: Path
    sha256: str
    photographs: tuple[Path, ...]
    a: Int64Array
    b: Int64Array
    lines: Int64Array
    labels: PairLabels
    remarks: Remarks
    self_pairs_allowed: bool = False
    photographs_sha256: str | None = None

    def with_contents(self, sha256: Sequence[str | None]) -> PhotographPairs:
        """The pairs with the digests of their photographs.

        Args:
            sha256: hexadecimal, of the bytes of each photograph; None where it was not read.
        """
        contents = contents_digest(sha256)
        # A list has lines; what stands for a folder is its names, pairs and contents.
        of_folder = int(self.lines[0]) == 0
        whole = _joined(self.sha256, contents) if of_folder else self.sha256
        return replace(self, sha256=whole, photographs_sha256=contents)

    def compared(self, acquired: BoolArray) -> BoolArray:
        """bool (n,): pairs of which both photographs, bool (p,) acquired, have a template."""
        return acquired[self.a] & acquired[self.b]


@dataclass(frozen=True, slots=True, eq=False)
class AllPairs:
    """All pairs of the photographs of a folder, which are too many to be listed.

    Attributes:
        name: of the folder, without what cannot be printed.
        path: of it, as given.
        sha256: hexadecimal digest of the names of its photographs and, by
            :meth:`with_contents`, of what they hold.
        photographs: each once, in the order of their subjects.
        subject: int64 (p,), whose photograph each is, from 0 and never falling.
        self_pairs_allowed: whether a picture may be compared with its copy.
        photographs_sha256: see :class:`PhotographPairs`.
    """

    name: str
    path: Path
    sha256: str
    photographs: tuple[Path, ...]
    subject: Int64Array
    self_pairs_allowed: bool = False
    photographs_sha256: str | None = None

    def with_contents(self, sha256: Sequence[str | None]) -> AllPairs:
        """As :meth:`PhotographPairs.with_contents`."""
        contents = contents_digest(sha256)
        return replace(self, sha256=_joined(self.sha256, contents), photographs_sha256=contents)


@dataclass(frozen=True, slots=True, eq=False)
class LabelledComparisons:
    """Measured comparisons of both classes.

    A list of scores may hold pairs that could not be compared; :meth:`measured` leaves those out.

    Attributes:
        name: of the list or folder that they come from.
        sha256: see :class:`PhotographPairs`.
        kind: how the distances were had.
        distances: float64 (n,), finite; smaller is more alike. For similarities, their
            negatives. NaN, in a list of scores, where the pair could not be compared.
        labels: of the comparisons.
        lost_genuine: genuine pairs that could not be compared, because a photograph gave no
            template; they are not among the n.
        lost_impostor: the same of impostor pairs.
        remarks: on the list.
        photographs_sha256: see :class:`PhotographPairs`; None for scores made elsewhere.
    """

    name: str
    sha256: str
    kind: ScoreKind
    distances: Float64Array
    labels: PairLabels
    lost_genuine: int = 0
    lost_impostor: int = 0
    remarks: Remarks = Remarks()
    photographs_sha256: str | None = None

    @property
    def compared(self) -> BoolArray:
        """bool (n,): pairs that have a distance."""
        compared: BoolArray = ~np.isnan(self.distances)
        return compared

    def measured(self) -> LabelledComparisons:
        """Those that have a distance, the others counted as lost.

        Raises:
            OneClassError: no genuine or no impostor pair is left.
        """
        compared, same = self.compared, self.labels.same
        if bool(compared.all()):
            return self
        for kept, kind in ((compared & same, "genuine"), (compared & ~same, "impostor")):
            if not bool(kept.any()):
                raise OneClassError(
                    f"{self.name}: no {kind} pair has a distance; {int((~compared).sum())} pairs "
                    "could not be compared"
                )
        return replace(
            self,
            distances=self.distances[compared],
            labels=self.labels.subset(compared),
            lost_genuine=int((~compared & same).sum()),
            lost_impostor=int((~compared & ~same).sum()),
        )

    @property
    def genuine(self) -> Float64Array:
        """Distances between pictures of one subject."""
        return self.distances[self.labels.same]

    @property
    def impostor(self) -> Float64Array:
        """Distances between pictures of two subjects."""
        return self.distances[~self.labels.same]


def compare_photographs(
    pairs: PhotographPairs, templates: Float32Array, metric: Metric, why_lost: str = ""
) -> LabelledComparisons:
    """Measures all pairs whose photographs have templates.

    Args:
        pairs: what to compare.
        templates: float32 (p, d), one row a photograph, unit norm; NaN where there is none.
        metric: which distance.
        why_lost: a reason for a missing template, for the message.

    Raises:
        OneClassError: no genuine or no impostor pair is left.
    """
    acquired = ~np.isnan(templates[:, 0])
    compared = pairs.compared(acquired)
    same = pairs.labels.same
    left = int((compared & same).sum()), int((compared & ~same).sum())
    require_left(pairs.name, left, int((~acquired).sum()), why_lost)
    first, second = pairs.a[compared], pairs.b[compared]
    distances = np.empty(len(first), np.float64)
    for start in range(0, len(first), _PAIRS_PER_BLOCK):
        block = slice(start, start + _PAIRS_PER_BLOCK)
        distances[block] = distance(templates[first[block]], templates[second[block]], metric)
    return LabelledComparisons(
        name=pairs.name,
        sha256=pairs.sha256,
        kind=ScoreKind.PHOTOGRAPHS,
        distances=distances,
        labels=pairs.labels.subset(compared),
        lost_genuine=int((~compared & same).sum()),
        lost_impostor=int((~compared & ~same).sum()),
        remarks=pairs.remarks,
        photographs_sha256=pairs.photographs_sha256,
    )


def contents_digest(sha256: Sequence[str | None]) -> str:
    """Hexadecimal SHA-256 over the hexadecimal digests of photographs, one a line.

    Args:
        sha256: of the bytes of each photograph; None, an empty line, where it was not read.
    """
    lines = "".join(f"{digest or ''}\n" for digest in sha256)
    return hashlib.sha256(lines.encode("ascii")).hexdigest()


def _joined(first: str, second: str) -> str:
    return hashlib.sha256(f"{first}\n{second}\n".encode("ascii")).hexdigest()


def require_left(name: str, left: tuple[int, int], failed: int, why_lost: str) -> None:
    """Refuses to measure one class only.

    Args:
        name: of the list or folder.
        left: genuine and impostor pairs that can be compared.
        failed: photographs without a template.
        why_lost: a reason for one of those, for the message; may be empty.

    Raises:
        OneClassError: no genuine or no impostor pair is left.
    """
    for count, kind in zip(left, ("genuine", "impostor"), strict=True):
        if count == 0:
            raise OneClassError(
                f"{name}: after {failed} failures to acquire, no {kind} pair is left"
                + (f"; first failure: {why_lost}" if why_lost else "")
            )
