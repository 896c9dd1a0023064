"""What is known of comparisons beside their distances: labels, people, folds, columns."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from facematch.metrics.components import connected_components
from facematch.metrics.resampling import Units
from facematch.types import BoolArray, Int64Array


@dataclass(frozen=True, slots=True, eq=False)
class Column:
    """A column of text, each distinct value once.

    Attributes:
        name: its heading, in lower case.
        values: the distinct texts in the order of their first appearance.
        codes: int64 (n,), for each comparison the index of its text in ``values``.
    """

    name: str
    values: tuple[str, ...]
    codes: Int64Array

    @classmethod
    def of(cls, name: str, texts: Iterable[str]) -> Column:
        """The column that holds these texts."""
        index: dict[str, int] = {}
        codes = [index.setdefault(text, len(index)) for text in texts]
        return cls(name, tuple(index), np.array(codes, np.int64))

    def subset(self, chosen: BoolArray) -> Column:
        """The column of the chosen comparisons, with all its values."""
        return Column(self.name, self.values, self.codes[chosen])


@dataclass(frozen=True, slots=True, eq=False)
class SubjectPairs:
    """Whose pictures each comparison is between.

    Attributes:
        count: subjects there are names for, at least one more than the largest code.
        a: int64 (n,), the subject of the first picture, in [0, count).
        b: int64 (n,), the subject of the second.
        inferred: whether nobody named them. Pictures that genuine pairs link, directly or
            through others, are then one subject, and a picture in no genuine pair is one of
            its own.
    """

    count: int
    a: Int64Array
    b: Int64Array
    inferred: bool

    def subset(self, chosen: BoolArray) -> SubjectPairs:
        """Those of the chosen comparisons."""
        return SubjectPairs(self.count, self.a[chosen], self.b[chosen], self.inferred)


@dataclass(frozen=True, slots=True, eq=False)
class PairLabels:
    """What is known of n comparisons.

    Attributes:
        same: bool (n,), whether both pictures show one subject.
        subjects: None if nothing is known of who is compared.
        folds: int64 (n,), for lists that come in folds, counted from 0; else None.
        columns: further columns of the list.
    """

    same: BoolArray
    subjects: SubjectPairs | None
    folds: Int64Array | None = None
    columns: tuple[Column, ...] = ()

    def __post_init__(self) -> None:
        n = len(self.same)
        lengths = {len(column.codes) for column in self.columns}
        if self.subjects is not None:
            lengths |= {len(self.subjects.a), len(self.subjects.b)}
        if self.folds is not None:
            lengths.add(len(self.folds))
        if not lengths <= {n}:
            raise ValueError(f"expected labels for {n} comparisons, got {sorted(lengths)}")

    def subset(self, chosen: BoolArray) -> PairLabels:
        """The labels of the comparisons that are chosen, bool (n,)."""
        return PairLabels(
            self.same[chosen],
            None if self.subjects is None else self.subjects.subset(chosen),
            None if self.folds is None else self.folds[chosen],
            tuple(column.subset(chosen) for column in self.columns),
        )

    def units(self) -> Units:
        """What to resample: the subjects, or each comparison where nothing is known of them."""
        if self.subjects is None:
            return Units.independent(len(self.same))
        return Units(self.subjects.count, self.subjects.a, self.subjects.b)

    def column(self, name: str) -> Column | None:
        """The further column of that name, if the list has it."""
        return next((c for c in self.columns if c.name == name.strip().lower()), None)


def subjects_of_genuine_pairs(
    pictures: int, a: Int64Array, b: Int64Array, same: BoolArray
) -> SubjectPairs:
    """Subjects where only pictures are known: what genuine pairs link is one subject.

    Args:
        pictures: how many distinct pictures there are.
        a: int64 (n,), the first picture of each pair, in [0, pictures).
        b: int64 (n,), the second.
        same: bool (n,).
    """
    subject = connected_components(pictures, a[same], b[same])
    return SubjectPairs(pictures, subject[a], subject[b], inferred=True)
