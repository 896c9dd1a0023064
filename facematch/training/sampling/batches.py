"""The protocol of samplers, and those that know nothing of identities."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from facematch.types import Int64Array


class BatchSampler(Protocol):
    """Draws the crop indices of one batch."""

    def indices(self, step: int) -> Int64Array:
        """Returns the int64 (batch,) crop indices of batch ``step`` (from 0)."""


class DivisibleSampler(BatchSampler, Protocol):
    """A sampler whose batches several ranks can share; they all have one size."""

    def share(self, rank: int, world: int) -> Int64Array:
        """Which places of every batch are one rank's, of ``world`` ranks.

        Returns:
            int64, ascending, in [0, batch). The shares of all ranks are disjoint and hold
            every place; crops that a loss compares as one identity are in one share.
        """


def even_share(count: int, rank: int, world: int) -> Int64Array:
    """Places ``0 .. count - 1`` cut into ``world`` runs whose lengths differ by one at most."""
    if not 0 <= rank < world:
        raise ValueError(f"rank must be in [0, {world}), got {rank}")
    return np.arange(count * rank // world, count * (rank + 1) // world, dtype=np.int64)


@dataclass(frozen=True)
class ShuffledBatches:
    """Every crop once per epoch, in a new order each time; the last short batch is dropped."""

    count: int
    batch_size: int
    seed: int
    # The order of one epoch, which hundreds of batches are cut from: (epoch, int64 (count,)).
    _order: list[tuple[int, Int64Array]] = field(default_factory=list, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not 1 <= self.batch_size <= self.count:
            raise ValueError(f"batch_size must be in [1, {self.count}], got {self.batch_size}")

    def indices(self, step: int) -> Int64Array:
        epoch, position = divmod(step, self.count // self.batch_size)
        start = position * self.batch_size
        return self._order_of(epoch)[start : start + self.batch_size].copy()

    def _order_of(self, epoch: int) -> Int64Array:
        kept = self._order[-1] if self._order else None
        if kept is None or kept[0] != epoch:
            order = np.random.default_rng((self.seed, epoch)).permutation(self.count)
            kept = (epoch, order.astype(np.int64))
            self._order[:] = [kept]
        return kept[1]

    def share(self, rank: int, world: int) -> Int64Array:
        return even_share(self.batch_size, rank, world)


@dataclass(frozen=True)
class MixedBatches:
    """Batches joined from several samplers, in their order.

    Each rank's share holds its share of every part, so that its batches are put together as
    the whole ones are.
    """

    parts: tuple[DivisibleSampler, ...]

    def indices(self, step: int) -> Int64Array:
        return np.concatenate([part.indices(step) for part in self.parts])

    def share(self, rank: int, world: int) -> Int64Array:
        held: list[list[Int64Array]] = [[] for _ in range(world)]
        totals = np.zeros(world, np.int64)
        first = 0
        for part in self.parts:
            shares = [part.share(other, world) for other in range(world)]
            sizes = np.array([len(share) for share in shares])
            # What does not divide goes to the ranks that have least so far.
            largest_first = np.argsort(-sizes, kind="stable")
            for owner, row in zip(np.argsort(totals, kind="stable"), largest_first, strict=True):
                held[owner].append(first + shares[row])
                totals[owner] += sizes[row]
            first += int(sizes.sum())
        return np.concatenate(held[rank])


@dataclass(frozen=True, eq=False)
class SubsetBatches:
    """Batches of some of the crops: what is left after cleaning, or one source.

    Args:
        sampler: draws from ``0 .. len(members) - 1``.
        members: int64 (m,), the crops that these stand for.
    """

    sampler: DivisibleSampler
    members: Int64Array

    def indices(self, step: int) -> Int64Array:
        return self.members[self.sampler.indices(step)]

    def share(self, rank: int, world: int) -> Int64Array:
        return self.sampler.share(rank, world)
