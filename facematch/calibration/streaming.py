"""All pairs of many photographs, measured without keeping them.

What :class:`facematch.calibration.LabelledComparisons` are to listed pairs. Thresholds, counts
and rates are those of the pairs themselves; see :mod:`facematch.metrics.all_pairs` for how
finely distances are told apart.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from facematch.calibration.mistakes import MOST_SHOWN, WrongPair
from facematch.calibration.sources import AllPairs, Remarks, ScoreKind, require_left
from facematch.errors import UsageError
from facematch.metrics import (
    AllPairsCounts,
    Arranged,
    DecisionCounts,
    Decisions,
    HeldOut,
    JudgedFold,
    Progress,
    RateEstimate,
    ThresholdRule,
    VerificationCurve,
    WrongRows,
    count_all_pairs,
    decide_all_pairs,
    errors_to_judge_by,
    estimate_from_sums,
    fold_of_each,
    fold_thresholds,
    groups_within,
    numbers_of_pairs,
    strictly_below,
)
from facematch.metrics.all_pairs import MOST_FOLDS
from facematch.types import Float32Array, Int64Array, Metric

# Enough for an interval of 1.96 standard errors to become one of 2.02, and each still large.
_GROUPS = 40


@dataclass(frozen=True, slots=True, eq=False)
class StreamedComparisons:
    """All pairs of both classes, counted.

    Attributes:
        name: of the folder that they come from.
        sha256: see :class:`AllPairs`.
        metric: which distance.
        photographs: that have a template, as texts, in the order of the list.
        arranged: those photographs.
        counts: of their distances.
        lost_genuine: genuine pairs that could not be compared, because a photograph gave no
            template; they are not among those counted.
        lost_impostor: the same of impostor pairs.
        remarks: on the list.
        kind: how the distances were had.
        photographs_sha256: see :class:`AllPairs`.
    """

    name: str
    sha256: str
    metric: Metric
    photographs: tuple[str, ...]
    arranged: Arranged
    counts: AllPairsCounts
    lost_genuine: int
    lost_impostor: int
    remarks: Remarks = field(default_factory=Remarks)
    kind: ScoreKind = ScoreKind.PHOTOGRAPHS
    photographs_sha256: str | None = None

    @property
    def curve(self) -> VerificationCurve:
        """All operating points."""
        return self.counts.curve

    @property
    def share(self) -> float:
        """Share of genuine pairs."""
        return self.curve.genuine_share

    @property
    def n_subjects(self) -> int:
        """People in the pairs."""
        return len(self.arranged.sizes)

    def thresholds_of_folds(self, rule: ThresholdRule) -> tuple[float, ...]:
        """The threshold that the people outside each fold choose, for the share of all pairs.

        Returns:
            As many as folds; empty if the pairs outside one that holds some lack a class.
        """
        chosen = fold_thresholds(self.counts, rule.at_share(self.share))
        decides = [fold.judge.n_genuine + fold.judge.n_impostor > 0 for fold in self.counts.folds]
        if any(t is None and needed for t, needed in zip(chosen, decides, strict=True)):
            return ()
        # Nothing is decided by that of a fold without pairs.
        return tuple(0.0 if threshold is None else threshold for threshold in chosen)


@dataclass(frozen=True, slots=True, eq=False)
class Dealt:
    """Where each of s subjects is put.

    Attributes:
        folds: int64 (s,), to be held back.
        groups: int64 (s,), to be left out for intervals; each lies within a fold.
    """

    folds: Int64Array
    groups: Int64Array


def deal_people(sizes: Int64Array, folds: int, seed: int) -> Dealt | None:
    """Puts each subject into a fold, and into a group within it.

    Args:
        sizes: int64 (s,), photographs of each subject.
        folds: how many; fewer if there are fewer subjects.
        seed: of the shuffles.

    Returns:
        None if there are fewer than two subjects.

    Raises:
        UsageError: more folds than there are tables for.
    """
    n = int(sizes.sum())
    appearances = sizes * (sizes - 1) // 2 + sizes * (n - sizes)
    dealt = fold_of_each(appearances, folds, np.random.default_rng((seed, 1)))
    if dealt is not None and int(dealt.max()) >= MOST_FOLDS:
        raise UsageError(
            f"at most {MOST_FOLDS} folds can be kept apart where pairs are not held in memory; "
            "give fewer with --folds, or draw pairs with --impostors N"
        )
    if dealt is None:
        return None
    generator = np.random.default_rng((seed, 4))
    return Dealt(dealt, groups_within(appearances, dealt, _GROUPS, generator))


def stream_photographs(
    pairs: AllPairs,
    templates: Float32Array,
    metric: Metric,
    dealt: Dealt | None,
    why_lost: str = "",
    progress: Progress = lambda done, total: None,
) -> StreamedComparisons:
    """Measures all pairs of photographs that have templates.

    Args:
        pairs: of which photographs.
        templates: float32 (p, d), one row a photograph, unit norm; NaN where there is none.
        metric: which distance.
        dealt: people, as :func:`deal_people` does; None for no folds and no intervals.
        why_lost: a reason for a missing template, for the message.
        progress: called with pairs done and in all.

    Raises:
        OneClassError: no genuine or no impostor pair is left.
    """
    acquired = np.flatnonzero(~np.isnan(templates[:, 0]))
    listed = numbers_of_pairs(np.bincount(pairs.subject))
    left = numbers_of_pairs(np.bincount(pairs.subject[acquired]))
    require_left(pairs.name, left, len(templates) - len(acquired), why_lost)
    arranged = Arranged(
        *(templates[acquired], pairs.subject[acquired]),
        folds=None if dealt is None else dealt.folds,
        groups=None if dealt is None else dealt.groups,
    )
    return StreamedComparisons(
        name=pairs.name,
        sha256=pairs.sha256,
        metric=metric,
        photographs=tuple(str(pairs.photographs[row]) for row in acquired.tolist()),
        arranged=arranged,
        counts=count_all_pairs(arranged, metric, progress),
        lost_genuine=listed[0] - left[0],
        lost_impostor=listed[1] - left[1],
        photographs_sha256=pairs.photographs_sha256,
    )


class StreamedDecisions:
    """The pairs, decided at thresholds.

    Args:
        measured: the pairs.
        thresholds: for all of them, at least one.
        fold_thresholds: for the pairs within each fold; empty to leave those out.
        progress: called with pairs done and in all.
    """

    def __init__(
        self,
        measured: StreamedComparisons,
        thresholds: Sequence[float],
        fold_thresholds: Sequence[float] = (),
        *,
        progress: Progress = lambda done, total: None,
    ) -> None:
        self._measured = measured
        self._thresholds = tuple(thresholds)
        self._fold_thresholds = tuple(fold_thresholds)
        self._found: Decisions = decide_all_pairs(
            *(measured.arranged, measured.metric),
            # Errors of a kind that is common enough to see how they gather in people.
            (*thresholds, _looser(measured), _tighter(measured)),
            self._fold_thresholds,
            most=MOST_SHOWN,
            progress=progress,
        )

    def fmr(self, threshold: float) -> RateEstimate:
        """The false match rate of all pairs at one of the thresholds."""
        errors = self._found.false_matches
        place = self._thresholds.index(threshold)
        everybody = self._measured.arranged.impostors_of_each()
        return estimate_from_sums(errors[place], everybody, errors[-2], mixed=True)

    def fnmr(self, threshold: float) -> RateEstimate:
        """The false non-match rate likewise."""
        errors = self._found.false_non_matches
        place = self._thresholds.index(threshold)
        everybody = self._measured.arranged.genuine_of_each()
        return estimate_from_sums(errors[place], everybody, errors[-1], mixed=False)

    def held_out(self) -> HeldOut | None:
        """What the thresholds of the folds gave; None if they decide no pair of a class."""
        arranged, found = self._measured.arranged, self._found
        genuine, impostor = arranged.genuine_of_each(), arranged.impostors_within_folds()
        if not self._fold_thresholds or not (bool(genuine.any()) and bool(impostor.any())):
            return None
        false_matches, missed = found.false_matches_within, found.false_non_matches_within
        # An impostor pair is counted at both of its subjects.
        counts = [
            DecisionCounts(
                true_matches=of_genuine - misses,
                false_non_matches=misses,
                false_matches=accepted // 2,
                true_non_matches=(of_impostor - accepted) // 2,
            )
            for of_genuine, misses, of_impostor, accepted in zip(
                *(arranged.by_fold(sums) for sums in (genuine, missed, impostor, false_matches)),
                strict=True,
            )
        ]
        chosen = zip(self._fold_thresholds, counts, strict=True)
        return HeldOut(
            folds=arranged.fold_count,
            fmr=estimate_from_sums(
                false_matches,
                impostor,
                found.false_matches[-2],
                arranged.impostors_of_each(),
                mixed=True,
            ),
            fnmr=estimate_from_sums(missed, genuine, found.false_non_matches[-1], mixed=False),
            share=self._measured.share,
            by_fold=tuple(
                JudgedFold(fold, threshold, decided)
                for fold, (threshold, decided) in enumerate(chosen)
                if decided.comparisons > 0
            ),
        )

    def worst(self) -> tuple[WrongPair, ...]:
        """As :func:`facematch.calibration.wrong_pairs` gives them."""
        named = self._measured.photographs

        def pair(rows: WrongRows, same: bool) -> WrongPair:
            return WrongPair(named[rows.a], named[rows.b], 0, same, rows.distance)

        return (
            *(pair(rows, True) for rows in self._found.rejected),
            *(pair(rows, False) for rows in self._found.accepted),
        )


def _looser(measured: StreamedComparisons) -> float:
    """The nearest threshold with false matches enough."""
    curve = measured.curve
    enough = errors_to_judge_by(curve.n_impostor)
    return float(curve.thresholds[np.searchsorted(curve.false_matches, enough)])


def _tighter(measured: StreamedComparisons) -> float:
    """The nearest threshold with false non-matches enough."""
    curve, arranged = measured.curve, measured.arranged
    enough = errors_to_judge_by(curve.n_genuine)
    missed = curve.false_non_matches
    first = bisect_left(range(len(missed)), True, key=lambda point: bool(missed[point] < enough))
    distance = float(curve.thresholds[first])
    return strictly_below(distance, measured.metric, arranged.templates.shape[1])
