"""Batches that hold a fixed number of crops from each source.

Sources differ in size and in difficulty; drawn by their size, a small one is hardly seen.
Each source walks through its own epochs, so a small one goes round more often.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from facematch.training.data import NO_IDENTITY
from facematch.training.sampling.batches import MixedBatches, ShuffledBatches, SubsetBatches
from facematch.training.sampling.identities import IdentityBatches
from facematch.types import Int64Array


def apportion(total: int, weights: Sequence[float]) -> tuple[int, ...]:
    """Whole numbers in proportion to weights, by the largest remainders.

    >>> apportion(10, (1, 1, 1))
    (4, 3, 3)

    Args:
        total: their sum.
        weights: finite, none negative, not all zero.

    Raises:
        ValueError: weights that are out of range, or a weight above zero that gets nothing.
    """
    wanted = np.asarray(weights, np.float64)
    if not (np.isfinite(wanted).all() and (wanted >= 0).all() and wanted.sum() > 0):
        raise ValueError(f"weights must be finite, none negative, not all 0: {list(weights)}")
    exact = total * wanted / wanted.sum()
    counts = np.floor(exact).astype(int)
    # Stable, so that equal remainders go to the first; floor has left fewer than len(weights).
    for row in np.argsort(-(exact - counts), kind="stable")[: total - int(counts.sum())]:
        counts[row] += 1
    if ((counts == 0) & (wanted > 0)).any():
        raise ValueError(f"a batch of {total} is too small for the weights {list(weights)}")
    return tuple(int(count) for count in counts)


def balanced_batches(
    sources: Int64Array, batch_size: int, seed: int, weights: Sequence[float] | None = None
) -> MixedBatches:
    """Shuffled batches with a fixed part from each source, in the order of sources.

    Args:
        sources: int64 (n,), the source of each crop, from 0.
        batch_size: crops in a batch.
        seed: of the draw.
        weights: one per source; equal by default. 0 leaves a source out.

    Raises:
        ValueError: a source has fewer crops than its part of a batch.
    """
    parts = []
    for source, count in _parts(sources, batch_size, weights):
        members = np.flatnonzero(sources == source)
        if len(members) < count:
            raise ValueError(
                f"source {source} has {len(members)} crops and {count} in each batch; "
                "lower its weight"
            )
        shuffled = ShuffledBatches(len(members), count, _seed_of(seed, source))
        parts.append(SubsetBatches(shuffled, members))
    return MixedBatches(tuple(parts))


def balanced_identity_batches(
    labels: Int64Array,
    sources: Int64Array,
    identities: int,
    crops: int,
    seed: int,
    weights: Sequence[float] | None = None,
) -> MixedBatches:
    """P x K batches with a fixed number of identities from each source.

    A crop counts to its identity only in its own source.

    Args:
        labels: int64 (n,); negative labels never take part.
        sources: int64 (n,), the source of each crop, from 0.
        identities: P, identities in a batch.
        crops: K, crops of each.
        seed: of the draw.
        weights: one per source; equal by default. 0 leaves a source out, which one without
            identities needs.

    Raises:
        ValueError: a source has fewer identities than its part of a batch.
    """
    return MixedBatches(
        tuple(
            IdentityBatches(
                np.where(sources == source, labels, NO_IDENTITY),
                count,
                crops,
                _seed_of(seed, source),
            )
            for source, count in _parts(sources, identities, weights)
        )
    )


def _parts(
    sources: Int64Array, total: int, weights: Sequence[float] | None
) -> list[tuple[int, int]]:
    """(source, its part of ``total``), without those that have none."""
    known = int(sources.max(initial=-1)) + 1
    if weights is None:
        weights = [1.0] * known
    if len(weights) != known:
        raise ValueError(f"{known} sources but {len(weights)} weights")
    counts = apportion(total, weights)
    return [(source, count) for source, count in enumerate(counts) if count > 0]


def _seed_of(seed: int, source: int) -> int:
    # With one seed for all, sources of one size would be walked through in one order.
    return int(np.random.SeedSequence((seed, source)).generate_state(1, np.uint64)[0])
