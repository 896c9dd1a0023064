"""Figures of searches whose probes are weighted, for resampling the people in them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from facematch.types import BoolArray, Float64Array


@dataclass(frozen=True, slots=True, eq=False)
class SearchOutcomes:
    """What searches gave for p probes. A probe without a template is found by nobody.

    Attributes:
        mated: bool (p,), whether the probe's subject is enrolled.
        first: bool (p,), whether it is ranked first.
        own_distance: float64 (p,), to the own subject; infinity without one.
        nearest_distance: float64 (p,), to anybody; infinity for a failure to acquire.
        average_precision: float64 (p,); 0 of probes that are not mated.
    """

    mated: BoolArray
    first: BoolArray
    own_distance: Float64Array
    nearest_distance: Float64Array
    average_precision: Float64Array


class SearchFigures:
    """Rank 1, mean average precision and FNIR at target FPIRs, of weighted probes.

    Sorts once, so that each resample costs a few sums.

    Args:
        outcomes: of the probes.
        fpir_targets: in (0, 1).
    """

    def __init__(self, outcomes: SearchOutcomes, fpir_targets: Sequence[float]) -> None:
        mated = outcomes.mated
        self._mated = mated.astype(np.float64)
        self._first = (mated & outcomes.first).astype(np.float64)
        self._precision = np.where(mated, outcomes.average_precision, 0.0)
        strangers = np.flatnonzero(~mated)
        self._strangers = strangers[np.argsort(outcomes.nearest_distance[strangers], kind="stable")]
        self._stranger_distances = outcomes.nearest_distance[self._strangers]
        named = np.flatnonzero(mated & outcomes.first & np.isfinite(outcomes.own_distance))
        self._named = named[np.argsort(outcomes.own_distance[named], kind="stable")]
        self._named_distances = outcomes.own_distance[self._named]
        self._targets = tuple(fpir_targets)

    def __call__(self, weights: Float64Array) -> list[float] | None:
        """The figures, FNIR in the order of the targets.

        Args:
            weights: float64 (p,), not negative.

        Returns:
            None if no probe of a kind that is needed has weight.
        """
        all_mated = float(weights @ self._mated)
        strangers = np.cumsum(weights[self._strangers])
        if all_mated <= 0 or (self._targets and (len(strangers) == 0 or strangers[-1] <= 0)):
            return None
        figures = [
            float(weights @ self._first) / all_mated,
            float(weights @ self._precision) / all_mated,
        ]
        found = np.concatenate(([0.0], np.cumsum(weights[self._named])))
        for target in self._targets:
            # The loosest threshold stops short of the first stranger who is one too many.
            over = int(np.searchsorted(strangers / strangers[-1], target, side="right"))
            limit = np.inf if over == len(strangers) else self._stranger_distances[over]
            named = int(np.searchsorted(self._named_distances, limit, side="left"))
            figures.append(1 - float(found[named]) / all_mated)
        return figures
