"""The crops that a miner chooses from: a batch, and behind it a memory of earlier ones."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from facematch.training.choices import TrainingDistance
from facematch.training.pair_distances import distance_matrix, unit_vectors


@dataclass(frozen=True, slots=True, eq=False)
class Pool:
    """Crops with identities, and which of them may be anchors.

    Miners rank by squared Euclidean distance; on unit vectors the others give the same order.

    Attributes:
        unit: float32 (n, d), unit vectors without gradient.
        labels: int64 (n,); crops with a negative label (no identity) take no part.
        anchors: so many leading rows may be anchors; the others are memory.
        distances: float32 (anchors, n), squared Euclidean.
        genuine: bool (anchors, n): another crop of the anchor's identity.
        impostor: bool (anchors, n): a crop of another identity.
    """

    unit: Tensor
    labels: Tensor
    anchors: int
    distances: Tensor
    genuine: Tensor
    impostor: Tensor

    @property
    def device(self) -> torch.device:
        return self.labels.device

    def distances_from(self, rows: Tensor) -> Tensor:
        """Squared Euclidean distances of chosen rows, anchors or not, from all; (m, n)."""
        if self.anchors == len(self.labels):
            return self.distances[rows]
        return distance_matrix(self.unit[rows], self.unit, TrainingDistance.SQUARED_EUCLIDEAN)


def pool_of(embeddings: Tensor, labels: Tensor, anchors: int | None = None) -> Pool:
    """Prepares a batch for mining.

    Args:
        embeddings: (n, d), not normalised.
        labels: int64 (n,); negative for crops without an identity.
        anchors: so many leading rows may be anchors; None for all.

    Raises:
        ValueError: labels or anchors do not match the embeddings.
    """
    count = len(embeddings)
    anchors = count if anchors is None else anchors
    if labels.shape != (count,) or not 0 <= anchors <= count:
        raise ValueError(
            f"{count} embeddings need as many labels and at most as many anchors, "
            f"got labels of shape {tuple(labels.shape)} and {anchors} anchors"
        )
    with torch.no_grad():
        unit = unit_vectors(embeddings)
        usable = labels >= 0
        both = usable[:anchors, None] & usable[None, :]
        same = labels[:anchors, None] == labels[None, :]
        itself = torch.eye(anchors, count, dtype=torch.bool, device=labels.device)
        return Pool(
            unit=unit,
            labels=labels,
            anchors=anchors,
            distances=distance_matrix(unit[:anchors], unit, TrainingDistance.SQUARED_EUCLIDEAN),
            genuine=both & same & ~itself,
            impostor=both & ~same,
        )


@dataclass(frozen=True, slots=True, eq=False)
class PairStatistics:
    """Distances among the anchors; float32 scalars without gradient, NaN where there are none.

    Attributes:
        genuine: mean over the pairs of one identity.
        impostor: mean over the pairs of two.
        variance: over all pairs, labelled or not; it vanishes when the network collapses.
    """

    genuine: Tensor
    impostor: Tensor
    variance: Tensor


def pair_statistics(pool: Pool, distance: TrainingDistance) -> PairStatistics:
    """Sums up the distances of all pairs of different anchors, leaving the memory out."""
    count = pool.anchors
    distances = pool.distances[:, :count]
    if distance is TrainingDistance.EUCLIDEAN:
        distances = distances.sqrt()
    elif distance is TrainingDistance.COSINE:
        distances = distances / 2
    # Sums over masks are cheaper than picking what they mark.
    different = ~torch.eye(count, dtype=torch.bool, device=pool.device)
    mean = _mean(distances, different)
    return PairStatistics(
        genuine=_mean(distances, pool.genuine[:, :count]),
        impostor=_mean(distances, pool.impostor[:, :count]),
        variance=_mean((distances - mean).square(), different),
    )


def _mean(values: Tensor, mask: Tensor) -> Tensor:
    return values.masked_fill(~mask, 0).sum() / mask.sum()
