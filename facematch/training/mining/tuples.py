"""Index tuples into a batch: what miners give to losses."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True, slots=True, eq=False)
class Pairs:
    """Pairs of crops; int64 (m,) each, and bool (m,)."""

    first: Tensor
    second: Tensor
    genuine: Tensor

    def __len__(self) -> int:
        return len(self.first)


@dataclass(frozen=True, slots=True, eq=False)
class Triplets:
    """``anchor`` and ``positive`` share an identity, ``negative`` has another; int64 (m,)."""

    anchor: Tensor
    positive: Tensor
    negative: Tensor

    def __len__(self) -> int:
        return len(self.anchor)


@dataclass(frozen=True, slots=True, eq=False)
class Quadruplets:
    """Index tuples into a batch; int64 (m,) each.

    ``anchor`` and ``positive`` share an identity; ``anchor``, ``negative1`` and
    ``negative2`` belong to three different ones.
    """

    anchor: Tensor
    positive: Tensor
    negative1: Tensor
    negative2: Tensor

    def __len__(self) -> int:
        return len(self.anchor)
