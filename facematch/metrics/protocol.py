"""Accuracy as published results state it: chosen on some folds, judged on the other.

The protocol of Labeled Faces in the Wild, View 2 (Huang, Ramesh, Berg and Learned-Miller,
*Labeled Faces in the Wild*, 2007, section 3): for each of ten folds, the threshold of best
accuracy on the other nine decides the comparisons of the fold; reported are the mean of the
ten accuracies and its standard error. The same is done with folds of people where a list has
no folds of its own.

Accuracy depends on the mix of the two classes, and where people are dealt into folds the mix
within a fold is another than that of the list: comparisons of two people are mostly across two
folds, and in none. Accuracy is then stated at the share of genuine comparisons of the whole
list, ``share (1 - FNMR) + (1 - share) (1 - FMR)``, and thresholds are chosen at that same share.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from facematch.metrics.clustering import RateEstimate
from facematch.metrics.intervals import Limits
from facematch.metrics.verification import DecisionCounts
from facematch.types import BoolArray, Float64Array, Int64Array


@dataclass(frozen=True, slots=True)
class JudgedFold:
    """What one fold was decided like.

    Attributes:
        fold: its number.
        threshold: that the other folds chose.
        counts: decisions of the comparisons within it, at least one.
    """

    fold: int
    threshold: float
    counts: DecisionCounts

    def accuracy(self, share: float | None) -> float | None:
        """Share of right decisions.

        Args:
            share: of genuine comparisons, in (0, 1), that it is stated at; None for that of
                the fold itself.

        Returns:
            None if it is to be stated at a share, and the fold lacks a class.

        >>> JudgedFold(0, 0.5, DecisionCounts(8, 2, 0, 10)).accuracy(0.1)
        0.98
        """
        counts = self.counts
        if share is None:
            return counts.accuracy
        if not counts.has_both:
            return None
        return share * (1 - counts.fnmr) + (1 - share) * (1 - counts.fmr)


@dataclass(frozen=True, slots=True)
class HeldOut:
    """What a rule gave on people, or folds of a list, it was not chosen on.

    Attributes:
        folds: how many there are.
        fmr: over the judged comparisons of all folds.
        fnmr: the same.
        share: of genuine comparisons that accuracy is stated at; None for that of each fold.
        by_fold: those that hold comparisons.
    """

    folds: int
    fmr: RateEstimate
    fnmr: RateEstimate
    share: float | None
    by_fold: tuple[JudgedFold, ...]

    @property
    def accuracies(self) -> tuple[float, ...]:
        """Of each fold that has one."""
        known = (fold.accuracy(self.share) for fold in self.by_fold)
        return tuple(accuracy for accuracy in known if accuracy is not None)

    @property
    def accuracy(self) -> float:
        """Mean over the folds, each counted once; of all together if no fold has one."""
        accuracies = self.accuracies
        if self.share is not None and not accuracies:
            return self.share * (1 - self.fnmr.rate) + (1 - self.share) * (1 - self.fmr.rate)
        return math.fsum(accuracies) / len(accuracies)

    @property
    def accuracy_std(self) -> float | None:
        """Standard deviation over the folds, with k - 1 below; None with fewer than two."""
        accuracies = self.accuracies
        if len(accuracies) < 2:
            return None
        mean = self.accuracy
        spread = math.fsum((accuracy - mean) ** 2 for accuracy in accuracies)
        return math.sqrt(spread / (len(accuracies) - 1))

    @property
    def accuracy_se(self) -> float | None:
        """Standard error of the mean: the standard deviation over the root of k."""
        deviation = self.accuracy_std
        return None if deviation is None else deviation / math.sqrt(len(self.accuracies))

    @property
    def thresholds(self) -> Limits:
        """The lowest and the highest that was chosen."""
        chosen = [fold.threshold for fold in self.by_fold]
        return Limits(min(chosen), max(chosen))


class AccuracyByFolds:
    """Accuracy of decisions that folds made, under any weights of the comparisons.

    With equal weights it is :attr:`HeldOut.accuracy`.

    Args:
        accepted: bool (n,), the decisions.
        same: bool (n,).
        fold: int64 (n,), which fold decided it, from 0; -1 if none did.
        share: as in :class:`HeldOut`.

    >>> same = np.array([True, True, False, False])
    >>> found = AccuracyByFolds(np.array([True, False, False, False]), same, np.zeros(4, int), 0.1)
    >>> round(found.under(np.ones(4)), 6)
    0.95
    """

    def __init__(
        self, accepted: BoolArray, same: BoolArray, fold: Int64Array, share: float | None
    ) -> None:
        self._decided = np.flatnonzero(fold >= 0)
        self._share = share
        same, right = same[self._decided], (accepted == same)[self._decided]
        numbers, number = np.unique(fold[self._decided], return_inverse=True)
        # Of each fold: genuine wrong, genuine right, impostor wrong, impostor right.
        self._cell = 4 * number + 2 * ~same + right
        self._folds = len(numbers)

    def under(self, weights: Float64Array) -> float | None:
        """Mean over the folds.

        Args:
            weights: float64 (n,), at least 0.

        Returns:
            None if no fold has one.
        """
        cells = np.bincount(self._cell, weights[self._decided], 4 * self._folds)
        wrong, right = np.moveaxis(cells.reshape(-1, 2, 2), 2, 0)
        if self._share is None:
            wrong, right = wrong.sum(axis=1, keepdims=True), right.sum(axis=1, keepdims=True)
            mix = np.ones(1)
        else:
            mix = np.array([self._share, 1 - self._share])
        known = (wrong + right > 0).all(axis=1)
        rates = right[known] / (wrong[known] + right[known])
        return float((rates @ mix).mean()) if bool(known.any()) else None
