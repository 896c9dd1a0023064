"""Error rates of one-to-one comparison (ISO/IEC 19795-1).

The tie rule, once and for all: a comparison is accepted when its distance is at most the
threshold. A distance equal to the threshold is accepted, and comparisons at one distance are
accepted together or not at all. Where a figure needs an order among equal distances (AUC,
EER), a genuine and an impostor comparison at the same distance count one half each way.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from facematch.errors import OneClassError
from facematch.metrics.resampling import WeightedCurve
from facematch.types import BoolArray, Float32Array, Float64Array, Int64Array, UInt32Array


@dataclass(frozen=True, slots=True, eq=False)
class VerificationCurve:
    """Every operating point that the measured distances can tell apart.

    ROC and DET are two drawings of it. As the threshold rises, FMR never falls and FNMR never
    rises.

    Attributes:
        thresholds: float64 (k,), rising strictly: minus infinity, which accepts nothing, then
            each distinct distance.
        false_matches: int64 (k,), impostor comparisons accepted at each threshold.
        false_non_matches: int64 (k,), genuine comparisons rejected at each threshold.
        n_genuine: genuine comparisons in all, at least 1.
        n_impostor: impostor comparisons in all, at least 1.
    """

    thresholds: Float64Array
    false_matches: Int64Array
    false_non_matches: Int64Array
    n_genuine: int
    n_impostor: int

    @property
    def fmr(self) -> Float64Array:
        """False match rate at each threshold, float64 (k,), from 0 up to 1."""
        return self.false_matches / self.n_impostor

    @property
    def fnmr(self) -> Float64Array:
        """False non-match rate at each threshold, float64 (k,), from 1 down to 0."""
        return self.false_non_matches / self.n_genuine

    @property
    def genuine_share(self) -> float:
        """Share of the comparisons that are genuine, strictly between 0 and 1."""
        return self.n_genuine / (self.n_genuine + self.n_impostor)


@dataclass(frozen=True, slots=True)
class DecisionCounts:
    """How the comparisons were decided at one threshold."""

    true_matches: int
    false_non_matches: int
    false_matches: int
    true_non_matches: int

    @property
    def comparisons(self) -> int:
        """How many there are."""
        genuine = self.true_matches + self.false_non_matches
        return genuine + self.false_matches + self.true_non_matches

    @property
    def has_both(self) -> bool:
        """Whether comparisons of both classes were decided."""
        genuine = self.true_matches + self.false_non_matches
        return genuine > 0 and self.false_matches + self.true_non_matches > 0

    @property
    def fmr(self) -> float:
        """Share of the impostor comparisons that were accepted."""
        return self.false_matches / (self.false_matches + self.true_non_matches)

    @property
    def fnmr(self) -> float:
        """Share of the genuine comparisons that were rejected."""
        return self.false_non_matches / (self.false_non_matches + self.true_matches)

    @property
    def accuracy(self) -> float:
        """Share of all comparisons decided rightly; depends on the mix of the two classes."""
        right = self.true_matches + self.true_non_matches
        return right / (right + self.false_matches + self.false_non_matches)

    @property
    def precision(self) -> float | None:
        """Share of the accepted comparisons that are genuine; None if nothing was accepted."""
        accepted = self.true_matches + self.false_matches
        return None if accepted == 0 else self.true_matches / accepted

    @property
    def recall(self) -> float:
        """Share of the genuine comparisons that were accepted (TAR, ``1 - FNMR``)."""
        return self.true_matches / (self.true_matches + self.false_non_matches)

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall; 0 if no genuine comparison was accepted."""
        errors = self.false_matches + self.false_non_matches
        return 2 * self.true_matches / (2 * self.true_matches + errors)


def verification_curve(
    genuine: Float32Array | Float64Array, impostor: Float32Array | Float64Array
) -> VerificationCurve:
    """Counts the errors at every distinct threshold.

    Args:
        genuine: (n,) finite distances between pictures of one subject.
        impostor: (m,) finite distances between pictures of two subjects.

    Raises:
        OneClassError: either is empty.
        ValueError: either is not one-dimensional, or holds NaN or infinity.

    >>> curve = verification_curve(np.array([0.1, 0.3]), np.array([0.3, 0.9]))
    >>> curve.thresholds.tolist()
    [-inf, 0.1, 0.3, 0.9]
    >>> curve.fmr.tolist(), curve.fnmr.tolist()
    ([0.0, 0.0, 0.5, 1.0], [1.0, 0.5, 0.0, 0.0])
    """
    classes = {"genuine": _checked(genuine, "genuine"), "impostor": _checked(impostor, "impostor")}
    for name, distances in classes.items():
        _require_some(len(distances), name)
    # Ten million comparisons are to pass in a second and a gigabyte: nothing is copied that
    # need not be.
    n_genuine, n_impostor = len(genuine), len(impostor)
    pooled = np.concatenate(tuple(classes.values()))
    pooled.sort()
    is_last_of_ties = np.ones(len(pooled), np.bool_)
    np.not_equal(pooled[1:], pooled[:-1], out=is_last_of_ties[:-1])
    last_of_ties = np.flatnonzero(is_last_of_ties)
    thresholds = np.empty(len(last_of_ties) + 1, np.float64)
    thresholds[0] = -np.inf
    np.take(pooled, last_of_ties, out=thresholds[1:])
    del pooled
    accepted_genuine = np.searchsorted(np.sort(classes["genuine"]), thresholds[1:], side="right")
    false_matches = np.zeros(len(thresholds), np.int64)
    np.subtract(last_of_ties + 1, accepted_genuine, out=false_matches[1:])
    false_non_matches = np.full(len(thresholds), n_genuine, np.int64)
    false_non_matches[1:] -= accepted_genuine
    for array in (thresholds, false_matches, false_non_matches):
        array.setflags(write=False)
    return VerificationCurve(thresholds, false_matches, false_non_matches, n_genuine, n_impostor)


def curve_of_counts(
    distances: Float64Array,
    genuine: Int64Array | UInt32Array,
    impostor: Int64Array | UInt32Array,
) -> VerificationCurve:
    """The curve of comparisons that were counted by distance instead of kept.

    Args:
        distances: float64 (k,), finite, rising strictly.
        genuine: integers (k,), genuine comparisons at each distance.
        impostor: integers (k,), impostor comparisons at each distance.

    Raises:
        OneClassError: a class has no comparison.

    >>> counted = curve_of_counts(np.array([0.1, 0.3]), np.array([1, 1]), np.array([0, 2]))
    >>> counted.false_matches.tolist(), counted.false_non_matches.tolist()
    ([0, 0, 2], [2, 1, 0])
    """
    thresholds = np.empty(len(distances) + 1, np.float64)
    thresholds[0], thresholds[1:] = -np.inf, distances
    false_matches, accepted = (np.zeros(len(thresholds), np.int64) for _ in range(2))
    np.cumsum(impostor, out=false_matches[1:])
    np.cumsum(genuine, out=accepted[1:])
    for name, count in (("genuine", accepted[-1]), ("impostor", false_matches[-1])):
        _require_some(int(count), name)
    n_genuine, n_impostor = int(accepted[-1]), int(false_matches[-1])
    false_non_matches = np.subtract(n_genuine, accepted, out=accepted)
    for array in (thresholds, false_matches, false_non_matches):
        array.setflags(write=False)
    return VerificationCurve(thresholds, false_matches, false_non_matches, n_genuine, n_impostor)


def decision_counts(accepted: BoolArray, same: BoolArray) -> DecisionCounts:
    """How comparisons were decided, from the decisions themselves.

    Args:
        accepted: bool (n,).
        same: bool (n,), whether of one subject.

    >>> decision_counts(np.array([True, True, False]), np.array([True, False, True]))
    DecisionCounts(true_matches=1, false_non_matches=1, false_matches=1, true_non_matches=0)
    """
    return DecisionCounts(
        true_matches=int((accepted & same).sum()),
        false_non_matches=int((~accepted & same).sum()),
        false_matches=int((accepted & ~same).sum()),
        true_non_matches=int((~accepted & ~same).sum()),
    )


def counts_at(curve: VerificationCurve, threshold: float) -> DecisionCounts:
    """How the comparisons behind the curve are decided at any threshold.

    Raises:
        ValueError: the threshold is NaN.
    """
    if math.isnan(threshold):
        raise ValueError("the threshold is NaN")
    point = int(np.searchsorted(curve.thresholds, threshold, side="right")) - 1
    return counts_of(curve, max(point, 0))


def counts_of(curve: VerificationCurve, point: int) -> DecisionCounts:
    """How the comparisons are decided at the operating point of that index."""
    false_matches = int(curve.false_matches[point])
    false_non_matches = int(curve.false_non_matches[point])
    return DecisionCounts(
        true_matches=curve.n_genuine - false_non_matches,
        false_non_matches=false_non_matches,
        false_matches=false_matches,
        true_non_matches=curve.n_impostor - false_matches,
    )


def fmr_at(curve: VerificationCurve, threshold: float) -> float:
    """False match rate at any threshold."""
    return counts_at(curve, threshold).fmr


def fnmr_at(curve: VerificationCurve, threshold: float) -> float:
    """False non-match rate at any threshold."""
    return counts_at(curve, threshold).fnmr


def tar_at_fmr(curve: VerificationCurve | WeightedCurve, target_fmr: float) -> float:
    """The highest true accept rate among operating points whose FMR is at most the target.

    Raises:
        ValueError: the target is not in [0, 1].
    """
    if not 0 <= target_fmr <= 1:
        raise ValueError(f"the target FMR must lie in [0, 1], got {target_fmr}")
    point = int(np.searchsorted(curve.fmr, target_fmr, side="right")) - 1
    return float((curve.n_genuine - curve.false_non_matches[point]) / curve.n_genuine)


def auc(curve: VerificationCurve | WeightedCurve) -> float:
    """Area under the ROC: the probability that a genuine pair is nearer than an impostor pair.

    Ties count one half (Hanley and McNeil, Radiology 143, 1982). Counted in integers, so the
    result is the rounding of the exact fraction.
    """
    accepted = curve.n_genuine - curve.false_non_matches
    # For each impostor step: twice the genuine comparisons nearer, plus those tied, once.
    twice: float = np.dot(np.diff(curve.false_matches), accepted[:-1] + accepted[1:]).item()
    return twice / (2 * curve.n_genuine * curve.n_impostor)


def eer(curve: VerificationCurve | WeightedCurve) -> float:
    """Equal error rate: where FMR and FNMR cross on the straight line between two neighbouring
    operating points, as if ties at that distance were split in proportion.
    """
    # FMR - FNMR times both counts: rises strictly from -1 to 1, compared in exact integers.
    excess = curve.false_matches * curve.n_genuine - curve.false_non_matches * curve.n_impostor
    above = int(np.searchsorted(excess, 0, side="left"))
    below_excess: float = excess[above - 1].item()
    above_excess: float = excess[above].item()
    weight = -below_excess / (above_excess - below_excess)
    below_fmr, above_fmr = (
        float(n.item() / curve.n_impostor) for n in curve.false_matches[[above - 1, above]]
    )
    return below_fmr + weight * (above_fmr - below_fmr)


def _require_some(count: int, name: str) -> None:
    if count == 0:
        raise OneClassError(
            f"there are no {name} comparisons, so no error rates can be measured; "
            "add pairs of the same and of different people"
        )


def _checked(distances: Float32Array | Float64Array, name: str) -> Float64Array:
    if distances.ndim != 1:
        raise ValueError(f"{name} distances must have shape (n,), got {distances.shape}")
    if not bool(np.isfinite(distances).all()):
        raise ValueError(f"{name} distances hold NaN or infinity")
    return distances.astype(np.float64, copy=False)
