"""Is the trained network better than its start? Both on the same pairs, with what luck explains."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from facematch.metrics import (
    PairedDifference,
    Sweep,
    Units,
    WeightedCurve,
    paired_difference,
    resampled,
    tar_at_fmr,
    verification_curve,
)
from facematch.types import BoolArray, Float32Array, Float64Array, Int64Array

TARGET_FMR = 0.01
CONFIDENCE = 0.95
RESAMPLES = 500
# Resamples weigh every pair; of impostors so many say what all would.
_RESAMPLED_IMPOSTORS = 100_000
_SEED = 0


@dataclass(frozen=True, slots=True)
class Verdict:
    """True accepts at FMR 1 %, of the start and of what was trained.

    Attributes:
        genuine: pairs of one person.
        impostor: pairs of two people.
        accepted_before: genuine pairs that the start accepts, at its own threshold of FMR 1 %.
        accepted_after: the same of what was trained, at its own threshold.
        difference: of the two rates, with an interval; None if people are too few for one.
        people: whose pictures they are; 0 if nobody said.
        learned_from: how many of them were learned from.
        target_fmr: the FMR.
    """

    genuine: int
    impostor: int
    accepted_before: int
    accepted_after: int
    difference: PairedDifference | None
    people: int = 0
    learned_from: int = 0
    target_fmr: float = TARGET_FMR

    @property
    def before(self) -> float:
        """True accept rate of the start."""
        return self.accepted_before / self.genuine

    @property
    def after(self) -> float:
        """True accept rate of what was trained."""
        return self.accepted_after / self.genuine

    @property
    def better(self) -> bool:
        """Whether more genuine pairs are accepted than by the start."""
        return self.accepted_after > self.accepted_before

    @property
    def certain(self) -> bool:
        """Whether the interval of the difference excludes none at all."""
        return self.difference is not None and self.difference.significant


def verdict(
    before: Float32Array, after: Float32Array, same: BoolArray, people: Units | None
) -> Verdict:
    """Compares two networks on the same pairs.

    Args:
        before: float32 (n,), distances by the start.
        after: float32 (n,), distances by what was trained.
        same: bool (n,), of both kinds.
        people: who is compared; None takes each pair for independent of the others.
    """
    rates = [tar_at_fmr(verification_curve(d[same], d[~same]), TARGET_FMR) for d in (before, after)]
    genuine = int(same.sum())
    accepted = [round(rate * genuine) for rate in rates]
    return Verdict(
        genuine,
        len(same) - genuine,
        accepted[0],
        accepted[1],
        _difference(rates, before, after, same, people),
        0 if people is None else people.count,
    )


def _difference(
    rates: list[float],
    before: Float32Array,
    after: Float32Array,
    same: BoolArray,
    people: Units | None,
) -> PairedDifference | None:
    rows = _resampled_rows(same)
    units = Units.independent(len(rows)) if people is None else _of_rows(people, rows)
    found = resampled(
        [Sweep(d[rows].astype(np.float64), same[rows]) for d in (before, after)],
        units,
        [[_true_accepts]] * 2,
        RESAMPLES,
        np.random.default_rng(_SEED),
    )
    if found is None:
        return None
    return paired_difference(rates[1], rates[0], found[:, 1, 0] - found[:, 0, 0], CONFIDENCE)


def _resampled_rows(same: BoolArray) -> Int64Array:
    """All genuine pairs, and impostor pairs evenly from all; int64, ascending."""
    impostors = np.flatnonzero(~same)
    if len(impostors) <= _RESAMPLED_IMPOSTORS:
        return np.arange(len(same))
    chosen = np.linspace(0, len(impostors) - 1, _RESAMPLED_IMPOSTORS).astype(np.int64)
    return np.sort(np.concatenate((np.flatnonzero(same), impostors[chosen])))


def _of_rows(people: Units, rows: Int64Array) -> Units:
    return replace(people, a=people.a[rows], b=people.b[rows])


def _true_accepts(curve: WeightedCurve, weights: Float64Array) -> float:
    return tar_at_fmr(curve, TARGET_FMR)
