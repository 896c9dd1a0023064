"""The quadruplet loss in four terms, with two anchors."""

from __future__ import annotations

import torch
from torch import Tensor

from facematch.training.losses.hinge import (
    Margins,
    Outcome,
    TwoMarginLoss,
    flat_hinge,
    hinge_outcome,
)
from facematch.training.mining import Quadruplets
from facematch.training.pair_distances import tuple_distances, unit_vectors


class TwoAnchorLoss(TwoMarginLoss):
    """The quadruplet loss seen from both crops of the genuine pair.

    The quadruplet loss of arXiv 1704.01719, equation 7, treats the anchor and the positive
    unequally: only the anchor is pushed from a negative. Here both are anchors, a1 and a2,
    each the other's positive, and each has a negative, n1 and n2, of identities of their own:

        L = mean [D(a1, a2) - D(a1, n1) + margin1]_+  +  mean [D(a1, a2) - D(n1, n2) + margin2]_+
          + mean [D(a2, a1) - D(a2, n2) + margin1]_+  +  mean [D(a2, a1) - D(n2, n1) + margin2]_+

    As D is symmetric, the second and the fourth term are equal: the pair without a probe
    counts twice. The value is about twice that of :class:`QuadrupletLoss`.

    Args:
        margin1: for the negative pairs with an anchor.
        margin2: for the negative pair without.
        distance: D of unit vectors.
        soft: ``ln(1 + exp(x))`` for ``[x]_+``.
    """

    @property
    def collapsed_loss(self) -> float:
        """The loss of a network that maps all crops to one point."""
        return 2 * sum(flat_hinge(m, soft=self.soft) for m in (self.margin1, self.margin2))

    def forward(self, embeddings: Tensor, quadruplets: Quadruplets) -> Tensor:
        """Returns the scalar loss, a differentiable zero if nothing was mined."""
        return self.evaluate(embeddings, quadruplets).loss

    def evaluate(
        self,
        embeddings: Tensor,
        quadruplets: Quadruplets,
        margins: Margins | None = None,
        active_only: bool = False,
    ) -> Outcome:
        """Returns the loss and the share of quadruplets that fall short.

        Args:
            embeddings: (n, d), not normalised.
            quadruplets: indices into the batch; the positive is the second anchor.
            margins: instead of the loss's own, for this batch.
            active_only: average over the terms that fall short only.
        """
        margin1, margin2 = (
            (self.margin1, self.margin2) if margins is None else (margins.margin1, margins.margin2)
        )
        genuine, impostor1, impostor2, without_probe = tuple_distances(
            unit_vectors(embeddings),
            self.distance,
            (quadruplets.anchor, quadruplets.positive),
            (quadruplets.anchor, quadruplets.negative1),
            (quadruplets.positive, quadruplets.negative2),
            (quadruplets.negative1, quadruplets.negative2),
        )
        short = genuine - without_probe + margin2
        excess = torch.stack(
            [genuine - impostor1 + margin1, short, genuine - impostor2 + margin1, short]
        )
        return hinge_outcome(excess, soft=self.soft, active_only=active_only)
