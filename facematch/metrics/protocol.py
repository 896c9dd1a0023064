"""Accuracy as published results state it: chosen on some folds, judged on the other.

The protocol of Labeled Faces in the Wild, View 2 (Huang, Ramesh, Berg and Learned-Miller,
*Labeled Faces in the Wild*, 2007, section 3): for each of ten folds, the threshold of best
accuracy on the other nine decides the comparisons of the fold; reported are the mean of the
ten accuracies and its standard error. The same is done with folds of people where a list has
no folds of its own.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from facematch.metrics.decision import accepts
from facematch.metrics.folds import Folds
from facematch.metrics.rules import Criterion, ThresholdRule
from facematch.metrics.thresholds import threshold_for
from facematch.metrics.verification import verification_curve
from facematch.types import BoolArray, Float64Array

_BEST_ACCURACY = ThresholdRule(Criterion.ACCURACY)


@dataclass(frozen=True, slots=True, eq=False)
class Accuracies:
    """What k folds gave, at least two.

    Attributes:
        accuracies: of each fold, in [0, 1].
        thresholds: that each fold was judged with.
    """

    accuracies: tuple[float, ...]
    thresholds: tuple[float, ...]

    @property
    def mean(self) -> float:
        """Mean of the accuracies, each fold counted once."""
        return math.fsum(self.accuracies) / len(self.accuracies)

    @property
    def standard_deviation(self) -> float:
        """Of the accuracies, with k - 1 in the denominator."""
        spread = math.fsum((a - self.mean) ** 2 for a in self.accuracies)
        return math.sqrt(spread / (len(self.accuracies) - 1))

    @property
    def standard_error(self) -> float:
        """Of the mean: the standard deviation over the root of k."""
        return self.standard_deviation / math.sqrt(len(self.accuracies))


@dataclass(frozen=True, slots=True, eq=False)
class FoldAccuracy(Accuracies):
    """The same with the decision of each comparison.

    Attributes:
        accepted: bool (n,), the decision of each comparison; False where ``judged`` is.
        judged: bool (n,), comparisons that a fold decided: those within one fold.
    """

    accepted: BoolArray
    judged: BoolArray


def fold_accuracy(distances: Float64Array, same: BoolArray, folds: Folds) -> FoldAccuracy | None:
    """Chooses for accuracy on all folds but one and judges that one, in turn.

    Args:
        distances: float64 (n,), finite.
        same: bool (n,).
        folds: of the comparisons or of their people; a comparison across two folds is left
            out.

    Returns:
        None if a fold leaves no genuine or no impostor comparison to choose on, or if fewer
        than two folds hold comparisons, or if no comparison of one class is judged.
    """
    accuracies, thresholds = [], []
    accepted = np.zeros(len(same), np.bool_)
    judged = np.zeros(len(same), np.bool_)
    for choose, judge in folds.split():
        genuine, impostor = distances[choose & same], distances[choose & ~same]
        if not bool(judge.any()):
            continue
        if len(genuine) == 0 or len(impostor) == 0:
            return None
        threshold = threshold_for(verification_curve(genuine, impostor), _BEST_ACCURACY)
        accepted[judge] = accepts(distances[judge], threshold)
        judged |= judge
        thresholds.append(threshold)
        accuracies.append(float((accepted[judge] == same[judge]).mean()))
    if len(accuracies) < 2 or not (judged & same).any() or not (judged & ~same).any():
        return None
    return FoldAccuracy(tuple(accuracies), tuple(thresholds), accepted, judged)
