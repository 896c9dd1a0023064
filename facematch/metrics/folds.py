"""What a rule gives on people it was not chosen on: cross-validation over subjects.

A threshold is chosen on the comparisons among the people outside a fold and judged on those
among the people within it; comparisons across the border are in neither. Where people are
compared with few others, whole groups of people that hang together go into one fold, so that
few comparisons are lost that way.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from facematch.metrics.clustering import RateEstimate, estimate_from_sums, hardest
from facematch.metrics.components import connected_components
from facematch.metrics.decision import accepts
from facematch.metrics.protocol import HeldOut, JudgedFold
from facematch.metrics.resampling import Units
from facematch.metrics.rules import ThresholdRule
from facematch.metrics.thresholds import threshold_for
from facematch.metrics.verification import decision_counts, verification_curve
from facematch.types import BoolArray, Float64Array, Int64Array


@dataclass(frozen=True, slots=True, eq=False)
class Folds:
    """Which fold the people of n comparisons are in.

    Attributes:
        count: folds, at least 2.
        a: int64 (n,), fold of the first subject, in [0, count).
        b: int64 (n,), fold of the second.
    """

    count: int
    a: Int64Array
    b: Int64Array

    def split(self) -> Iterator[tuple[BoolArray, BoolArray]]:
        """For each fold the comparisons to choose on and those to judge on, bool (n,) each."""
        for fold in range(self.count):
            in_a, in_b = self.a == fold, self.b == fold
            yield ~in_a & ~in_b, in_a & in_b


def subject_folds(units: Units, folds: int, generator: np.random.Generator) -> Folds | None:
    """Puts every subject into one of the folds.

    Args:
        units: who is compared.
        folds: how many; fewer if there are fewer subjects.
        generator: for the shuffle.

    Returns:
        None if there are fewer than two subjects.
    """
    appearances = units.appearances()
    present = np.flatnonzero(appearances > 0)
    count = min(folds, len(present))
    if count < 2:
        return None
    parts = connected_components(units.count, units.a, units.b)
    load = np.bincount(parts, appearances, units.count)
    # A part that outweighs half a fold is taken apart: its comparisons are lost in part.
    heavy = load > load.sum() / (2 * count)
    block = np.where(heavy[parts], np.arange(units.count), parts)
    weight = np.bincount(block, appearances, units.count).astype(np.float64)
    fold_of_subject = _dealt(weight, count, generator)[block]
    return Folds(count, fold_of_subject[units.a], fold_of_subject[units.b])


def fold_of_each(
    appearances: Int64Array, folds: int, generator: np.random.Generator
) -> Int64Array | None:
    """The folds of :func:`subject_folds` where everybody is compared with everybody.

    Args:
        appearances: int64 (s,), comparisons that each subject takes part in.
        folds: how many; fewer if there are fewer subjects.
        generator: for the shuffle.

    Returns:
        int64 (s,), in [0, folds); 0 for a subject in no comparison. None if there are fewer
        than two subjects.
    """
    count = min(folds, int((appearances > 0).sum()))
    return None if count < 2 else _dealt(appearances.astype(np.float64), count, generator)


def groups_within(
    appearances: Int64Array, folds: Int64Array, groups: int, generator: np.random.Generator
) -> Int64Array:
    """Deals the people of each fold into groups.

    Args:
        appearances: int64 (s,), comparisons that each subject takes part in.
        folds: int64 (s,), as :func:`fold_of_each` gives them.
        groups: how many in all, about; fewer if there are fewer people, and one a fold at
            least.
        generator: for the shuffle.

    Returns:
        int64 (s,), in [0, groups), none of them empty; 0 for a subject in no comparison.
    """
    present = appearances > 0
    each = -(-groups // (int(folds[present].max()) + 1))
    found = np.zeros(len(folds), np.int64)
    begun = 0
    for fold in np.unique(folds[present]).tolist():
        inside = present & (folds == fold)
        count = min(each, int(inside.sum()))
        weight = np.where(inside, appearances, 0).astype(np.float64)
        found[inside] = begun + _dealt(weight, count, generator)[inside]
        begun += count
    return found


def _dealt(weight: Float64Array, count: int, generator: np.random.Generator) -> Int64Array:
    """Deals what has a weight, the heaviest first, each into the lightest fold."""
    order = generator.permutation(np.flatnonzero(weight > 0))
    order = order[np.argsort(-weight[order], kind="stable")]
    fold_of = np.zeros(len(weight), np.int64)
    lightest = [(0.0, fold) for fold in range(count)]
    for item in order:
        filled, fold = lightest[0]
        fold_of[item] = fold
        heapq.heapreplace(lightest, (filled + float(weight[item]), fold))
    return fold_of


def held_out(
    distances: Float64Array,
    same: BoolArray,
    units: Units,
    folds: Folds,
    rule: ThresholdRule,
    share: float | None = None,
) -> HeldOut | None:
    """Chooses and judges in turn.

    Args:
        distances: float64 (n,), finite.
        same: bool (n,).
        units: who is compared, for the intervals.
        folds: of the comparisons or of their people; a comparison across two folds is left
            out.
        rule: what each threshold is chosen for.
        share: of genuine comparisons, in (0, 1), that accuracy is chosen for and stated at;
            None for that of the folds, as they are.

    Returns:
        None if a fold that holds comparisons leaves no genuine or no impostor comparison to
        choose on, or if there are none to judge on.
    """
    judged = np.zeros(len(same), np.bool_)
    accepted = np.zeros(len(same), np.bool_)
    by_fold = []
    for number, (choose, judge) in enumerate(folds.split()):
        if not bool(judge.any()):
            continue
        genuine, impostor = distances[choose & same], distances[choose & ~same]
        if len(genuine) == 0 or len(impostor) == 0:
            return None
        threshold = threshold_for(verification_curve(genuine, impostor), rule.at_share(share))
        judged |= judge
        accepted[judge] = accepts(distances[judge], threshold)
        counts = decision_counts(accepted[judge], same[judge])
        by_fold.append(JudgedFold(number, threshold, counts))
    if not bool((judged & same).any()) or not bool((judged & ~same).any()):
        return None
    wrong = accepted != same
    genuine_judged, impostor_judged = judged & same, judged & ~same
    return HeldOut(
        folds=folds.count,
        fmr=_judged_rate(wrong, impostor_judged, ~same, -distances, units),
        fnmr=_judged_rate(wrong, genuine_judged, same, distances, units),
        share=share,
        by_fold=tuple(by_fold),
    )


def _judged_rate(
    wrong: BoolArray, judged: BoolArray, kind: BoolArray, hardness: Float64Array, units: Units
) -> RateEstimate:
    """The error rate of those comparisons of a kind that are judged.

    Where errors are few, how they gather in people is judged by all comparisons of the kind.

    Args:
        wrong: bool (n,), which comparisons are errors.
        judged: bool (n,), those asked for, at least one; they are of the kind.
        kind: bool (n,), the genuine or the impostor comparisons.
        hardness: float64 (n,), the higher, the nearer to an error.
        units: who is compared.
    """
    every, inside = units.subset(kind), units.subset(judged)
    return estimate_from_sums(
        units.subset(judged & wrong).appearances(),
        inside.appearances(),
        every.subset(hardest(hardness[kind])).appearances(),
        every.appearances(),
        mixed=bool((inside.a != inside.b).any()),
    )
