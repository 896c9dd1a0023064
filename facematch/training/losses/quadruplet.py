"""The quadruplet loss."""

from __future__ import annotations

import torch
from torch import Tensor

from facematch.training.choices import TrainingDistance
from facematch.training.losses.hinge import (
    Margins,
    Outcome,
    TwoMarginLoss,
    flat_hinge,
    hinge_outcome,
)
from facematch.training.mining import Quadruplets
from facematch.training.pair_distances import tuple_distances, unit_vectors


class QuadrupletLoss(TwoMarginLoss):
    """Quadruplet loss (Chen et al., CVPR 2017, arXiv 1704.01719, equation 7).

    With the distance D of unit vectors, anchor a, positive p and two negatives n1, n2 of
    three different identities:

        L = mean [D(a, p) - D(a, n1) + margin1]_+  +  mean [D(a, p) - D(n2, n1) + margin2]_+

    The second term pushes apart a negative pair that does not hold the probe, which asks
    for small intra-class against *any* inter-class distance: the property that one global
    verification threshold needs, and that the triplet loss does not ask for. The paper
    takes margin1 > margin2, so that the second constraint stays the weaker one.

    With ``soft``, ``ln(1 + exp(x))`` stands for ``[x]_+`` in both terms (after Hermans et al.,
    arXiv 1703.07737).

    Args:
        margin1: for the negative pair with the anchor.
        margin2: for the negative pair without it.
        distance: D; the default is squared Euclidean.
        soft: smooth hinges.
    """

    @property
    def collapsed_loss(self) -> float:
        """The loss of a network that maps all crops to one point, without a teacher."""
        return flat_hinge(self.margin1, soft=self.soft) + flat_hinge(self.margin2, soft=self.soft)

    def forward(
        self, embeddings: Tensor, quadruplets: Quadruplets, teacher: Tensor | None = None
    ) -> Tensor:
        """Returns the scalar loss, a differentiable zero if nothing was mined."""
        return self.evaluate(embeddings, quadruplets, teacher).loss

    def evaluate(
        self,
        embeddings: Tensor,
        quadruplets: Quadruplets,
        teacher: Tensor | None = None,
        margins: Margins | None = None,
        active_only: bool = False,
    ) -> Outcome:
        """Returns the loss and the share of quadruplets that fall short.

        Args:
            embeddings: (n, d), not normalised.
            quadruplets: indices into the batch.
            teacher: (n, e) embeddings of the same crops by a better network. Each margin is
                then at most the gap that the teacher sees in the same quadruplet, so that a
                wrong label, whose gap is negative, pushes nothing apart.
            margins: instead of the loss's own, for this batch.
            active_only: average over the terms that fall short only.
        """
        own1, own2 = (
            (self.margin1, self.margin2) if margins is None else (margins.margin1, margins.margin2)
        )
        gap1, gap2 = quadruplet_gaps(unit_vectors(embeddings), quadruplets, self.distance)
        if teacher is None:
            excess = torch.stack([own1 - gap1, own2 - gap2])
        else:
            with torch.no_grad():
                wanted = quadruplet_gaps(unit_vectors(teacher), quadruplets, self.distance)
            excess = torch.stack(
                [_limited(own1, wanted[0]) - gap1, _limited(own2, wanted[1]) - gap2]
            )
        return hinge_outcome(excess, soft=self.soft, active_only=active_only)


def quadruplet_gaps(
    unit: Tensor, quadruplets: Quadruplets, distance: TrainingDistance
) -> tuple[Tensor, Tensor]:
    """D(a, n1) - D(a, p) and D(n2, n1) - D(a, p); float32 (m,) each.

    Args:
        unit: unit-norm float32 (n, d).
        quadruplets: indices into it.
        distance: D.
    """
    genuine, with_probe, without_probe = tuple_distances(
        unit,
        distance,
        (quadruplets.anchor, quadruplets.positive),
        (quadruplets.anchor, quadruplets.negative1),
        (quadruplets.negative2, quadruplets.negative1),
    )
    return with_probe - genuine, without_probe - genuine


def _limited(margin: float | Tensor, seen: Tensor) -> Tensor:
    """The margin, at most the gap that the teacher sees; -inf where that is not positive."""
    limit = torch.as_tensor(margin, dtype=seen.dtype, device=seen.device)
    return torch.minimum(seen, limit).masked_fill(seen <= 0, -torch.inf)
