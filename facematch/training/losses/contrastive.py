"""The contrastive loss of siamese networks."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from facematch.training.choices import TrainingDistance
from facematch.training.losses.hinge import Outcome
from facematch.training.mining import Pairs
from facematch.training.pair_distances import tuple_distances, unit_vectors


class ContrastiveLoss(nn.Module):
    """Contrastive loss (Hadsell et al., CVPR 2006, equation 4), on unit vectors.

        L = mean_genuine D^2 / 2  +  mean_impostor [margin - D]_+^2 / 2

    The paper sums over all pairs. Here the two kinds are averaged apart, because a batch
    has many more impostor pairs, the more the larger it is.

    Args:
        margin: beyond which impostors cost nothing.
        distance: D; the paper's is Euclidean.
    """

    def __init__(
        self, margin: float = 1.0, distance: TrainingDistance = TrainingDistance.EUCLIDEAN
    ) -> None:
        super().__init__()
        if not margin >= 0:
            raise ValueError(f"the margin must not be negative: {margin}")
        self.margin = margin
        self.distance = distance

    @property
    def collapsed_loss(self) -> float:
        """The loss of a network that maps all crops to one point."""
        return self.margin**2 / 2

    def forward(self, embeddings: Tensor, pairs: Pairs) -> Tensor:
        """Returns the scalar loss, a differentiable zero if nothing was mined."""
        return self.evaluate(embeddings, pairs).loss

    def evaluate(self, embeddings: Tensor, pairs: Pairs) -> Outcome:
        """Returns the loss; active are genuine pairs, and impostors within the margin.

        Args:
            embeddings: (n, d), not normalised.
            pairs: indices into the batch.
        """
        unit = unit_vectors(embeddings)
        distances = tuple_distances(unit, self.distance, (pairs.first, pairs.second))[0]
        short = torch.relu(self.margin - distances)
        squares = torch.where(pairs.genuine, distances, short).square() / 2
        genuine = pairs.genuine.sum()
        counts = torch.where(pairs.genuine, genuine, len(pairs) - genuine)
        active = (pairs.genuine | (short > 0)).sum() / max(1, len(pairs))
        return Outcome((squares / counts).sum(), active)
