"""Batches of people who look alike to the network, so that mining finds hard negatives.

Among random identities most negatives are far away and teach nothing. Here the identities
of a batch are neighbours in the embedding as it was when somebody last looked (after
Smirnov et al., "Doppelganger Mining for Face Representation Learning", ICCV Workshops 2017,
who keep for each identity the one that it was last confused with).
"""

from __future__ import annotations

import numpy as np

from facematch.training.sampling.identities import Members, identity_share
from facematch.types import Float32Array, Int64Array


class LookAlikeBatches:
    """P identities with K crops each, in groups of near neighbours.

    A batch is a function of the seed, its number and the centroids in force for it; before
    the first :meth:`refresh`, identities are drawn at random.

    Args:
        labels: int (n,); negative labels (no identity) never take part.
        identities: P, identities in a batch.
        crops: K, crops of each; identities with fewer are left out.
        seed: of the draw.
        group: identities in a group: one drawn at random, with neighbours; all P by default.
            Smaller groups keep batches mixed.
        pool: neighbours are drawn from the ``pool * (group - 1)`` nearest, not used in the
            batch already. With 1 the nearest are always taken, and with them, always, those
            who are one person under two names.
    """

    def __init__(
        self,
        labels: Int64Array,
        identities: int,
        crops: int,
        seed: int,
        group: int | None = None,
        pool: int = 2,
    ) -> None:
        self._members = Members(labels, crops)
        self._members.require(identities)
        self._identities = identities
        self._crops = crops
        self._seed = seed
        self._group = identities if group is None else group
        self._pool = pool
        if not 1 <= self._group <= identities or pool < 1:
            raise ValueError(
                f"group must be in [1, {identities}] and pool at least 1, got {group} and {pool}"
            )
        # (first step, unit rows for the members), by rising step.
        self._versions: list[tuple[int, Float32Array]] = []

    def refresh(self, centroids: Float32Array, first_step: int) -> None:
        """Puts centroids in force from a step on; earlier steps keep the ones they had.

        For a run that can be repeated, ``first_step`` lies beyond the batches that a loader
        has drawn ahead, and a resumed run refreshes at the same steps with the same numbers.

        Args:
            centroids: (n_identities, d), row i for label i; rows of identities without
                enough crops do not matter.
            first_step: must not be before that of the last refresh.

        Raises:
            ValueError: too few rows, numbers that are not finite, or a step in the past.
        """
        if len(self._members.labels) and len(centroids) <= self._members.labels[-1]:
            raise ValueError(
                f"{len(centroids)} centroids where label {self._members.labels[-1]} needs one"
            )
        own = np.asarray(centroids[self._members.labels], np.float32)
        if not np.isfinite(own).all():
            raise ValueError("centroids hold NaN or infinity")
        if self._versions and first_step < self._versions[-1][0]:
            raise ValueError(f"step {first_step} is before the last refresh")
        unit = own / np.maximum(np.linalg.norm(own, axis=1, keepdims=True), 1e-12)
        kept = [version for version in self._versions if version[0] != first_step]
        # Two are enough: batches of before the last refresh but one are long drawn.
        self._versions = [*kept[-1:], (first_step, unit)]

    def indices(self, step: int) -> Int64Array:
        rng = np.random.default_rng((self._seed, step))
        unit = next((u for first, u in reversed(self._versions) if first <= step), None)
        if unit is None:
            rows = rng.choice(len(self._members), self._identities, replace=False)
        else:
            rows = self._neighbours(unit, rng)
        return self._members.draw(rows, self._crops, rng)

    def _neighbours(self, unit: Float32Array, rng: np.random.Generator) -> Int64Array:
        """Rows of the identities of one batch, group by group."""
        free = np.ones(len(unit), bool)
        rows: list[int] = []
        while len(rows) < self._identities:
            wanted = min(self._group, self._identities - len(rows)) - 1
            centre = int(rng.choice(np.flatnonzero(free)))
            free[centre] = False
            distances = np.where(free, 1 - unit @ unit[centre], np.inf)
            count = min(wanted * self._pool, int(free.sum()))
            nearest = np.argsort(distances, kind="stable")[:count]
            chosen = rng.choice(nearest, wanted, replace=False)
            free[chosen] = False
            rows += [centre, *chosen.tolist()]
        return np.asarray(rows, np.int64)

    def share(self, rank: int, world: int) -> Int64Array:
        return identity_share(self._identities, self._crops, rank, world)
