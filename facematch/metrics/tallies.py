"""Comparisons that are counted by distance instead of kept."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from facematch.metrics.verification import VerificationCurve, curve_of_counts
from facematch.types import BoolArray, Float64Array, Int64Array


@dataclass(frozen=True, slots=True, eq=False)
class DistanceCounts:
    """How often each distance occurred.

    Attributes:
        distances: float64 (k,), finite, rising strictly.
        genuine: int64 (k,), genuine comparisons at each; may be 0.
        impostor: int64 (k,), impostor comparisons at each; may be 0.
    """

    distances: Float64Array
    genuine: Int64Array
    impostor: Int64Array

    @property
    def n_genuine(self) -> int:
        """Genuine comparisons in all."""
        return int(self.genuine.sum())

    @property
    def n_impostor(self) -> int:
        """Impostor comparisons in all."""
        return int(self.impostor.sum())

    @property
    def has_both(self) -> bool:
        """Whether neither class is empty."""
        return self.n_genuine > 0 and self.n_impostor > 0

    def less(self, other: DistanceCounts) -> DistanceCounts:
        """What is left without comparisons that are among these, of the same distances."""
        return DistanceCounts(
            self.distances, self.genuine - other.genuine, self.impostor - other.impostor
        )

    def occurring(self) -> DistanceCounts:
        """The same without distances that did not occur."""
        kept: BoolArray = (self.genuine > 0) | (self.impostor > 0)
        return DistanceCounts(self.distances[kept], self.genuine[kept], self.impostor[kept])

    def curve(self) -> VerificationCurve:
        """Error rates at each distance.

        Raises:
            OneClassError: a class is empty.
        """
        return curve_of_counts(self.distances, self.genuine, self.impostor)

    def sample(self) -> tuple[Float64Array, BoolArray, Int64Array]:
        """Distances, whether genuine, and how often: each distance once for either class."""
        of_genuine, of_impostor = self.genuine > 0, self.impostor > 0
        return (
            np.concatenate((self.distances[of_genuine], self.distances[of_impostor])),
            np.arange(int(of_genuine.sum()) + int(of_impostor.sum())) < int(of_genuine.sum()),
            np.concatenate((self.genuine[of_genuine], self.impostor[of_impostor])),
        )
