"""Which crops make up batch number ``step``: pure functions of (seed, step).

Because a batch depends on nothing but its number, a run resumes in the middle of an epoch
exactly, and two ranks can draw disjoint parts of one batch without talking to each other.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt


class BatchSampler(Protocol):
    """Draws the crop indices of one batch."""

    def indices(self, step: int) -> npt.NDArray[np.int64]:
        """Returns the int64 (batch,) crop indices of batch ``step`` (from 0)."""


@dataclass(frozen=True)
class ShuffledBatches:
    """Every crop once per epoch, in a new order each time; the last short batch is dropped."""

    count: int
    batch_size: int
    seed: int

    def __post_init__(self) -> None:
        if not 1 <= self.batch_size <= self.count:
            raise ValueError(f"batch_size must be in [1, {self.count}], got {self.batch_size}")

    def indices(self, step: int) -> npt.NDArray[np.int64]:
        epoch, position = divmod(step, self.count // self.batch_size)
        order = np.random.default_rng((self.seed, epoch)).permutation(self.count)
        return order[position * self.batch_size : (position + 1) * self.batch_size]


class IdentityBatches:
    """P identities with K crops each (Hermans et al., arXiv 1703.07737).

    Args:
        labels: int (n,); negative labels (no identity) never take part.
        identities: P, identities in a batch.
        crops: K, crops of each; identities with fewer are left out.
        seed: of the draw.
    """

    def __init__(
        self, labels: npt.NDArray[np.int64], identities: int, crops: int, seed: int
    ) -> None:
        order = np.argsort(labels, kind="stable")
        values, starts, counts = np.unique(labels[order], return_index=True, return_counts=True)
        usable = (values >= 0) & (counts >= crops)
        if usable.sum() < identities:
            raise ValueError(
                f"a batch needs {identities} identities with at least {crops} crops, "
                f"the data has {int(usable.sum())}"
            )
        self._members = [
            order[start : start + count]
            for start, count in zip(starts[usable], counts[usable], strict=True)
        ]
        self._identities = identities
        self._crops = crops
        self._seed = seed

    def indices(self, step: int) -> npt.NDArray[np.int64]:
        rng = np.random.default_rng((self._seed, step))
        chosen = rng.choice(len(self._members), self._identities, replace=False)
        return np.concatenate(
            [rng.choice(self._members[i], self._crops, replace=False) for i in chosen]
        )


@dataclass(frozen=True)
class MixedBatches:
    """Batches joined from several samplers, in their order."""

    parts: tuple[BatchSampler, ...]

    def indices(self, step: int) -> npt.NDArray[np.int64]:
        return np.concatenate([part.indices(step) for part in self.parts])
