"""Margin sample mining."""

from __future__ import annotations

import torch
from torch import Tensor

from facematch.training.choices import TrainingDistance
from facematch.training.losses.hinge import OneMarginLoss, Outcome, hinge_outcome
from facematch.training.mining import Pairs
from facematch.training.pair_distances import tuple_distances, unit_vectors


class MarginSampleMiningLoss(OneMarginLoss):
    """Margin sample mining loss (Xiao et al., arXiv 1710.00478).

    The hardest genuine and the hardest impostor pair of the whole batch, which need not have
    a crop in common:

        L = [max_genuine D  -  min_impostor D  +  margin]_+

    Only the crops of these two pairs get a gradient. Pairs mined batch-hard, or all pairs,
    hold the two; a random sample of them gives the hardest of the sample.

    Args:
        margin: between the two distances.
        distance: D of unit vectors; the paper's is Euclidean.
        soft: ``ln(1 + exp(x))`` for ``[x]_+``.
    """

    def __init__(
        self,
        margin: float = 0.3,
        distance: TrainingDistance = TrainingDistance.EUCLIDEAN,
        soft: bool = False,
    ) -> None:
        super().__init__(margin, distance, soft)

    def forward(self, embeddings: Tensor, pairs: Pairs) -> Tensor:
        """Returns the scalar loss, a differentiable zero if pairs of a kind are missing."""
        return self.evaluate(embeddings, pairs).loss

    def evaluate(self, embeddings: Tensor, pairs: Pairs) -> Outcome:
        """Returns the loss; active is 1 if the two pairs fall short of the margin.

        Args:
            embeddings: (n, d), not normalised.
            pairs: indices into the batch.
        """
        unit = unit_vectors(embeddings)
        distances = tuple_distances(unit, self.distance, (pairs.first, pairs.second))[0]
        genuine, impostor = distances[pairs.genuine], distances[~pairs.genuine]
        if len(genuine) == 0 or len(impostor) == 0:
            nothing = distances[:0]
            return hinge_outcome(nothing[None], soft=self.soft)
        excess = genuine[genuine.argmax()] - impostor[impostor.argmin()] + self.margin
        return hinge_outcome(torch.stack([excess])[None], soft=self.soft)
