"""One rank's part of every batch."""

from __future__ import annotations

from facematch.training.sampling.batches import DivisibleSampler
from facematch.types import Int64Array


class Sharded:
    """What one of several ranks draws from a sampler that all of them have.

    The shards of a step are disjoint and together the batch that one process would draw.
    Ranks need not talk to each other: each draws the whole batch, which is only indices, and
    keeps its places.

    Args:
        sampler: the same on all ranks.
        rank: this one, from 0.
        world: number of ranks.

    Attributes:
        positions: int64, this rank's places in the whole batch, the same at every step;
            augmentation takes them, so that a crop is varied as one process would do it.
    """

    def __init__(self, sampler: DivisibleSampler, rank: int, world: int) -> None:
        self.positions = sampler.share(rank, world)
        if len(self.positions) == 0:
            raise ValueError(f"batches are too small for {world} ranks: rank {rank} has no part")
        self._sampler = sampler

    def indices(self, step: int) -> Int64Array:
        return self._sampler.indices(step)[self.positions]
