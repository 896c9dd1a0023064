"""Search for people who may not be enrolled (ISO/IEC 19795-1, NIST FRTE 1:N).

A search names the nearest subject if it is within the threshold. A non-mated probe for which
it names anybody is a *false positive identification* (FPIR); a mated probe for which it does
not name the right subject, because another is as near or because the threshold is passed, is
a *false negative identification* (FNIR, at rank 1).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from facematch.metrics.decision import accepts
from facematch.metrics.ranking import ProbeRanks
from facematch.metrics.searches import SearchOutcomes
from facematch.types import BoolArray, Float64Array, Int64Array


@dataclass(frozen=True, slots=True, eq=False)
class OpenSetCurve:
    """Every operating point of an open-set search.

    Attributes:
        thresholds: float64 (k,), rising strictly from minus infinity, which names nobody.
        false_positives: int64 (k,), non-mated probes for which somebody is named.
        misses: int64 (k,), mated probes for which the right subject is not named.
        n_mated: probes whose subject is enrolled, at least 1.
        n_nonmated: probes whose subject is not, at least 1.
    """

    thresholds: Float64Array
    false_positives: Int64Array
    misses: Int64Array
    n_mated: int
    n_nonmated: int

    @property
    def fpir(self) -> Float64Array:
        """False positive identification rate at each threshold, rising from 0 to 1."""
        return self.false_positives / self.n_nonmated

    @property
    def fnir(self) -> Float64Array:
        """False negative identification rate at each threshold, falling from 1 to the share
        of mated probes that rank 1 misses."""
        return self.misses / self.n_mated


def misses_at(ranks: ProbeRanks, threshold: float) -> BoolArray:
    """bool (m,), for each mated probe whether the search fails to name its subject."""
    mated = ranks.mated
    return (ranks.rank[mated] > 1) | ~accepts(ranks.own_distance[mated], threshold)


def false_positives_at(ranks: ProbeRanks, threshold: float) -> BoolArray:
    """bool (n,), for each non-mated probe whether the search names somebody."""
    return accepts(ranks.nearest_distance[~ranks.mated], threshold)


def open_set_curve(ranks: ProbeRanks) -> OpenSetCurve | None:
    """Counts false positives and misses at every threshold that tells probes apart.

    Returns:
        None if there are no mated or no non-mated probes.
    """
    return open_set_curve_of(
        SearchOutcomes(
            ranks.mated,
            ranks.rank == 1,
            ranks.own_distance,
            ranks.nearest_distance,
            ranks.average_precision,
        )
    )


def open_set_curve_of(outcomes: SearchOutcomes) -> OpenSetCurve | None:
    """The same of outcomes; probes without a template are named by no threshold."""
    mated = outcomes.mated
    n_mated, n_nonmated = int(mated.sum()), int((~mated).sum())
    if n_mated == 0 or n_nonmated == 0:
        return None
    named, strangers = (
        np.sort(distances[chosen & np.isfinite(distances)])
        for chosen, distances in (
            (mated & outcomes.first, outcomes.own_distance),
            (~mated, outcomes.nearest_distance),
        )
    )
    thresholds = np.concatenate(([-np.inf], np.unique(np.concatenate((named, strangers)))))
    return OpenSetCurve(
        thresholds,
        np.searchsorted(strangers, thresholds, side="right").astype(np.int64),
        n_mated - np.searchsorted(named, thresholds, side="right").astype(np.int64),
        n_mated,
        n_nonmated,
    )


def point_at_fpir(curve: OpenSetCurve, target: float) -> int:
    """Index of the loosest operating point whose FPIR is at most the target.

    Raises:
        ValueError: the target is not in [0, 1].
    """
    if not 0 <= target <= 1:
        raise ValueError(f"the target FPIR must lie in [0, 1], got {target}")
    return int(np.searchsorted(curve.fpir, target, side="right")) - 1
