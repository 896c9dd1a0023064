"""How much comparisons that share people tell."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from facematch.metrics.clustering import RateEstimate


@dataclass(frozen=True, slots=True)
class EffectiveCounts:
    """How many independent comparisons would tell as much, above 0.

    Attributes:
        genuine: of one subject.
        impostor: of two.
        genuine_people: who stand behind them, as :class:`RateEstimate` counts; infinite if no
            people are shared.
        impostor_people: the same.
    """

    genuine: float
    impostor: float
    genuine_people: float = math.inf
    impostor_people: float = math.inf

    @classmethod
    def of(cls, fnmr: RateEstimate, fmr: RateEstimate) -> EffectiveCounts:
        """Those behind two estimates."""
        return cls(fnmr.effective, fmr.effective, fnmr.people, fmr.people)

    @property
    def people(self) -> float:
        """Who stand behind figures of both classes."""
        return min(self.genuine_people, self.impostor_people)

    def part(self, genuine: float, impostor: float) -> EffectiveCounts:
        """Of such shares of the comparisons of each class, in (0, 1]."""
        return replace(self, genuine=self.genuine * genuine, impostor=self.impostor * impostor)
