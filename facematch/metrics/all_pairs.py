"""Everybody compared with everybody, in bounded memory.

Twenty thousand photographs make two hundred million pairs, which are counted and not kept: see
:mod:`facematch.metrics.matrix`. There are two rounds. The first counts distances
(:func:`count_all_pairs`), in steps so fine that thresholds and rates are those of the pairs
themselves; by folds and groups, in steps that are 256 times as long (1.5e-5 for the cosine
distance). With
the thresholds that were chosen from those, the second counts the errors of each subject
(:func:`decide_all_pairs`), from which intervals follow that respect that pairs share people.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from facematch.metrics.matrix import (
    STEPS,
    Arranged,
    Block,
    Kind,
    Progress,
    blocks,
    last_step,
    step_size,
)
from facematch.metrics.rules import ThresholdRule
from facematch.metrics.tallies import DistanceCounts
from facematch.metrics.thresholds import operating_point
from facematch.metrics.verification import VerificationCurve, curve_of_counts
from facematch.types import BoolArray, Float64Array, Int64Array, Metric

# How often one distance occurs then fits 32 bits, and twice the product of the two classes,
# which the area under the ROC is counted in, fits 64.
MOST_PAIRS = 4_000_000_000

# Of the tables: 4 MiB a fold, 2 MiB a group.
MOST_FOLDS = 50
MOST_GROUPS = 100

_STEPS_OF_FOLDS = 1 << 17
_FINE_STEPS = STEPS // _STEPS_OF_FOLDS


@dataclass(frozen=True, slots=True)
class FoldCounts:
    """What one fold chooses on and judges.

    Attributes:
        choose: pairs of people of whom neither is in the fold.
        judge: pairs of people of whom both are.
    """

    choose: DistanceCounts
    judge: DistanceCounts


@dataclass(frozen=True, slots=True, eq=False)
class AllPairsCounts:
    """How often each distance occurred.

    Attributes:
        curve: of all pairs, a point for each distance that has some.
        rounded: of all pairs, each distance rounded up to a long step.
        folds: one a fold, rounded likewise; empty without folds.
        long: how long that step is.
        touching: int64 (g, 2, k), for each group of people the genuine and impostor pairs in
            which they take part, by rounded distance.
    """

    curve: VerificationCurve
    rounded: DistanceCounts
    folds: tuple[FoldCounts, ...]
    long: float
    touching: Int64Array

    def figures_without(
        self, figures: Callable[[VerificationCurve], Sequence[float]]
    ) -> Float64Array | None:
        """What would have been measured without each group of people.

        Args:
            figures: of a curve.

        Returns:
            float64 (g, figures); None without at least two groups, or if a class has no pair
            without one of them.
        """
        found = []
        for touched in self.touching:
            left = self.rounded.less(DistanceCounts(self.rounded.distances, *touched))
            if not left.has_both:
                return None
            found.append(figures(left.occurring().curve()))
        return np.array(found, np.float64) if len(found) > 1 else None


@dataclass(frozen=True, slots=True)
class WrongRows:
    """Two photographs that were decided wrongly.

    Attributes:
        a: row of the first, among the templates given.
        b: row of the second, above ``a``.
        distance: between them.
    """

    a: int
    b: int
    distance: float


@dataclass(frozen=True, slots=True, eq=False)
class Decisions:
    """Errors of the pairs that each subject takes part in, in the order of ``Arranged.sizes``.

    Attributes:
        false_matches: int64 (t, s), at each threshold.
        false_non_matches: int64 (t, s), at each threshold.
        false_matches_within: int64 (s,), of pairs within a fold at the threshold of the fold.
        false_non_matches_within: int64 (s,), the same.
        rejected: genuine pairs that were decided wrongly, the furthest first.
        accepted: impostor pairs that were, the nearest first.
    """

    false_matches: Int64Array
    false_non_matches: Int64Array
    false_matches_within: Int64Array
    false_non_matches_within: Int64Array
    rejected: tuple[WrongRows, ...]
    accepted: tuple[WrongRows, ...]


def count_all_pairs(
    arranged: Arranged, metric: Metric, progress: Progress = lambda done, total: None
) -> AllPairsCounts:
    """Counts the distances of all pairs.

    Args:
        arranged: at most ``MOST_PAIRS`` pairs, ``MOST_FOLDS`` folds and ``MOST_GROUPS`` groups.
        metric: which distance.
        progress: called with pairs done and in all.

    Raises:
        OneClassError: there is no genuine or no impostor pair.
        ValueError: too many of those.
    """
    for count, most, what in (
        (arranged.pairs, MOST_PAIRS, "pairs"),
        (arranged.fold_count, MOST_FOLDS, "folds"),
        (arranged.group_count, MOST_GROUPS, "groups"),
    ):
        if count > most:
            raise ValueError(f"expected at most {most} {what}, got {count}")
    fine = np.zeros((len(Kind), STEPS + 1), np.uint32)
    everything = np.zeros((len(Kind), _STEPS_OF_FOLDS + 1), np.int64)
    touching = np.zeros((arranged.fold_count, *everything.shape), np.int64)
    within = np.zeros_like(touching)
    of_groups = np.zeros((arranged.group_count, *everything.shape), np.int64)
    for block in blocks(arranged, metric, progress):
        for kind, where in block.pairs:
            chosen = block.steps.ravel() if where is None else block.steps[where]
            step = chosen.astype(np.int64)
            np.add.at(fine[kind], step, np.uint32(1))
            # Rounded up: a long step stands for all distances up to it.
            step += _FINE_STEPS - 1
            step //= _FINE_STEPS
            found = np.bincount(step, minlength=everything.shape[1])
            everything[kind] += found
            if arranged.fold_count:
                for fold in set(block.folds):
                    touching[fold, kind] += found
                if len(set(block.folds)) == 1:
                    within[block.folds[0], kind] += found
            if arranged.group_count:
                for group in set(block.groups):
                    of_groups[group, kind] += found
    size = step_size(metric, arranged.templates.shape[1])
    long = size * _FINE_STEPS
    edges = np.arange(_STEPS_OF_FOLDS + 1).astype(np.float64) * long
    rounded = DistanceCounts(edges, *everything)
    folds = tuple(
        FoldCounts(rounded.less(DistanceCounts(edges, *touched)), DistanceCounts(edges, *inside))
        for touched, inside in zip(touching, within, strict=True)
    )
    occurring = np.flatnonzero(fine.any(axis=0))
    distances, counts = np.multiply(occurring, size, dtype=np.float64), fine[:, occurring]
    del fine, occurring  # half a gigabyte that the curve can use
    curve = curve_of_counts(distances, *counts)
    return AllPairsCounts(curve, rounded, folds, long, of_groups)


def fold_thresholds(counts: AllPairsCounts, rule: ThresholdRule) -> tuple[float | None, ...]:
    """The threshold that each fold chooses.

    It lies at a border of long steps or midway between two, so that it accepts exactly what
    the fold counted up to it.

    Returns:
        None for a fold that has no genuine or no impostor pair to choose on.
    """
    return tuple(_threshold_of(fold.choose, rule, counts.long) for fold in counts.folds)


def _threshold_of(counts: DistanceCounts, rule: ThresholdRule, long: float) -> float | None:
    if not counts.has_both:
        return None
    curve = counts.occurring().curve()
    point = operating_point(curve, rule)
    if point + 1 == len(curve.thresholds):
        return float(curve.thresholds[point])
    # All pairs of the next step are farther than this.
    following = float(curve.thresholds[point + 1]) - long
    if point == 0:
        return following / 2
    return float(curve.thresholds[point]) / 2 + following / 2


def decide_all_pairs(
    arranged: Arranged,
    metric: Metric,
    thresholds: Sequence[float],
    fold_thresholds: Sequence[float],
    *,
    most: int,
    progress: Progress = lambda done, total: None,
) -> Decisions:
    """Counts the errors of each subject, and finds the pairs that are decided most wrongly.

    Args:
        arranged: as they were counted.
        metric: which distance.
        thresholds: for all pairs, at least one.
        fold_thresholds: for the pairs within each fold; empty to leave those out.
        most: wrong pairs to name of each class, at the first threshold.
        progress: called with pairs done and in all.
    """
    size = step_size(metric, arranged.templates.shape[1])
    limits = [last_step(threshold, size) for threshold in thresholds]
    of_folds = [last_step(threshold, size) for threshold in fold_thresholds]
    # The last row is of pairs within folds.
    errors = np.zeros((len(Kind), len(limits) + 1, len(arranged.row)), np.int64)
    worst = [_Worst(arranged.row, kind, most) for kind in Kind]
    for block in blocks(arranged, metric, progress):
        asked = list(enumerate(limits))
        if of_folds and block.folds[0] == block.folds[1]:
            asked.append((len(limits), of_folds[block.folds[0]]))
        for kind, where in block.pairs:
            for place, limit in asked:
                wrong = block.steps > limit if kind is Kind.GENUINE else block.steps <= limit
                if where is not None:
                    wrong &= where
                errors[kind, place, block.rows] += np.count_nonzero(wrong, axis=1)
                errors[kind, place, block.columns] += np.count_nonzero(wrong, axis=0)
                if place == 0:
                    worst[kind].add(block, wrong)
    by_subject = arranged.by_subject(errors)
    # A genuine pair was counted at both of its photographs, which are of one subject.
    by_subject[Kind.GENUINE] //= 2
    return Decisions(
        false_matches=by_subject[Kind.IMPOSTOR, :-1],
        false_non_matches=by_subject[Kind.GENUINE, :-1],
        false_matches_within=by_subject[Kind.IMPOSTOR, -1],
        false_non_matches_within=by_subject[Kind.GENUINE, -1],
        rejected=worst[Kind.GENUINE].found(size),
        accepted=worst[Kind.IMPOSTOR].found(size),
    )


def strictly_below(distance: float, metric: Metric, dimensions: int) -> float:
    """A threshold that rejects what was counted at a distance, and accepts all nearer pairs."""
    return distance - step_size(metric, dimensions) / 2


class _Worst:
    """The most wrong pairs so far: of equal ones, those that a list would name first."""

    def __init__(self, row: Int64Array, kind: Kind, most: int) -> None:
        self._row = row
        # The furthest genuine pairs, the nearest impostor pairs.
        self._sign = -1 if kind is Kind.GENUINE else 1
        self._most = most
        self._kept = np.zeros((3, 0), np.int64)

    def add(self, block: Block, wrong: BoolArray) -> None:
        if self._kept.shape[1] == self._most:
            last = np.float32(abs(self._kept[0, -1]))
            wrong = wrong & (block.steps >= last if self._sign < 0 else block.steps <= last)
        i, j = np.nonzero(wrong)
        steps = self._sign * block.steps[i, j].astype(np.int64)
        first, second = self._row[i + block.rows.start], self._row[j + block.columns.start]
        found = np.stack((steps, np.minimum(first, second), np.maximum(first, second)))
        kept = np.concatenate((self._kept, found), axis=1)
        self._kept = kept[:, np.lexsort(kept[::-1])[: self._most]]

    def found(self, size: float) -> tuple[WrongRows, ...]:
        return tuple(WrongRows(a, b, abs(steps) * size) for steps, a, b in self._kept.T.tolist())
