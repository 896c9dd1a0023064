"""The triplet loss."""

from __future__ import annotations

from torch import Tensor

from facematch.training.choices import TrainingDistance
from facematch.training.losses.hinge import Margins, OneMarginLoss, Outcome, hinge_outcome
from facematch.training.mining import Triplets
from facematch.training.pair_distances import tuple_distances, unit_vectors


class TripletLoss(OneMarginLoss):
    """Triplet loss (FaceNet, Schroff et al., CVPR 2015, arXiv 1503.03832).

    On unit vectors, with anchor a, positive p and negative n:

        L = mean [D(a, p) - D(a, n) + margin]_+

    or, with ``soft``, ``ln(1 + exp(x))`` for ``[x]_+`` (Hermans et al., arXiv 1703.07737,
    section 2, who take no margin beside it).

    Args:
        margin: by which the negative is to be farther.
        distance: D; FaceNet's is squared Euclidean.
        soft: a smooth hinge.
    """

    def __init__(
        self,
        margin: float = 0.2,
        distance: TrainingDistance = TrainingDistance.SQUARED_EUCLIDEAN,
        soft: bool = False,
    ) -> None:
        super().__init__(margin, distance, soft)

    def forward(self, embeddings: Tensor, triplets: Triplets) -> Tensor:
        """Returns the scalar loss, a differentiable zero if nothing was mined."""
        return self.evaluate(embeddings, triplets).loss

    def evaluate(
        self,
        embeddings: Tensor,
        triplets: Triplets,
        margins: Margins | None = None,
        active_only: bool = False,
    ) -> Outcome:
        """Returns the loss and the share of triplets that fall short.

        Args:
            embeddings: (n, d), not normalised.
            triplets: indices into the batch.
            margins: instead of the loss's own, for this batch.
            active_only: average over the triplets that fall short only.
        """
        genuine, impostor = tuple_distances(
            unit_vectors(embeddings),
            self.distance,
            (triplets.anchor, triplets.positive),
            (triplets.anchor, triplets.negative),
        )
        margin = self.margin if margins is None else margins.margin1
        excess = (genuine - impostor + margin)[None]
        return hinge_outcome(excess, soft=self.soft, active_only=active_only)
