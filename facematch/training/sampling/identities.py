"""Batches of identities, which mining needs: P identities with K crops each."""

from __future__ import annotations

import numpy as np

from facematch.training.sampling.batches import even_share
from facematch.types import Int64Array


class IdentityBatches:
    """P identities with K crops each (Hermans et al., arXiv 1703.07737), drawn at random.

    Args:
        labels: int (n,); negative labels (no identity) never take part.
        identities: P, identities in a batch.
        crops: K, crops of each.
        seed: of the draw.
        at_least: identities with fewer crops are left out; K by default. Those with fewer
            than K repeat crops, as often each as possible, which augmentation then varies:
            1 makes of every crop its own positive.
    """

    def __init__(
        self,
        labels: Int64Array,
        identities: int,
        crops: int,
        seed: int,
        at_least: int | None = None,
    ) -> None:
        self._members = Members(labels, crops if at_least is None else at_least)
        if identities < 1 or crops < 1:
            raise ValueError(f"a batch of {identities} identities with {crops} crops is empty")
        self._members.require(identities)
        self._identities = identities
        self._crops = crops
        self._seed = seed

    def indices(self, step: int) -> Int64Array:
        rng = np.random.default_rng((self._seed, step))
        chosen = rng.choice(len(self._members), self._identities, replace=False)
        return self._members.draw(chosen, self._crops, rng)

    def share(self, rank: int, world: int) -> Int64Array:
        return identity_share(self._identities, self._crops, rank, world)


class Members:
    """The crops of each identity that has enough of them.

    Attributes:
        labels: int64 (m,), the identities, ascending.
    """

    def __init__(self, labels: Int64Array, at_least: int) -> None:
        if at_least < 1:
            raise ValueError(f"at_least must be 1 or more, got {at_least}")
        order = np.argsort(labels, kind="stable")
        values, starts, counts = np.unique(labels[order], return_index=True, return_counts=True)
        usable = (values >= 0) & (counts >= at_least)
        self.labels: Int64Array = values[usable].astype(np.int64)
        self._at_least = at_least
        self._crops = [
            order[start : start + count]
            for start, count in zip(starts[usable], counts[usable], strict=True)
        ]

    def __len__(self) -> int:
        return len(self._crops)

    def require(self, identities: int) -> None:
        """Raises ValueError unless there are so many identities."""
        if len(self) < identities:
            raise ValueError(
                f"a batch needs {identities} identities with at least {self._at_least} crops, "
                f"the data has {len(self)}"
            )

    def draw(self, rows: Int64Array, crops: int, rng: np.random.Generator) -> Int64Array:
        """``crops`` of each of some identities, given as rows of ``labels``: int64."""
        drawn = []
        for row in rows:
            own = self._crops[row]
            whole, rest = divmod(crops, len(own))
            drawn += [rng.permutation(own) for _ in range(whole)]
            drawn.append(rng.choice(own, rest, replace=False))
        return np.concatenate(drawn).astype(np.int64)


def identity_share(identities: int, crops: int, rank: int, world: int) -> Int64Array:
    """A share of whole identities, each of ``crops`` places in a row."""
    first = even_share(identities, rank, world) * crops
    return (first[:, None] + np.arange(crops)).reshape(-1)
