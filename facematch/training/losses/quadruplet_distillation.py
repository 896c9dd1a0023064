"""Quadruplet distillation: a student that orders distances as its teacher does."""

from __future__ import annotations

import torch
from torch import Tensor

from facematch.training.losses.hinge import Outcome, TwoMarginLoss, hinge_outcome
from facematch.training.losses.quadruplet import quadruplet_gaps
from facematch.training.mining import Quadruplets
from facematch.training.pair_distances import unit_vectors


class QuadrupletDistillationLoss(TwoMarginLoss):
    """The quadruplet loss with order and margins from a teacher's distances.

    Of the same four crops (a, p, n1, n2) let g1 = D(a, n1) - D(a, p) and
    g2 = D(n2, n1) - D(a, p), of the student, and t1, t2 the same of the teacher:

        L = sum_i mean [min(|t_i|, margin_i) - sign(t_i) g_i]_+

    So the student is asked for the teacher's order of the two distances, and for its gap up
    to the margin. Where a label is wrong, or a person looks like another, the order is the
    teacher's and not the label's; this goes further than the limited margins of
    :class:`QuadrupletLoss`, which leave such tuples out. This is our own combination: the
    form of arXiv 1704.01719, equation 7, with relations of a teacher as in arXiv 1904.05068.

    Args:
        margin1: the largest gap asked for with the anchor.
        margin2: the largest gap asked for without it.
        distance: D of unit vectors, of both networks.
        soft: smooth hinges.
    """

    @property
    def collapsed_loss(self) -> None:
        """What a collapsed network costs depends on the teacher."""
        return

    def forward(self, embeddings: Tensor, quadruplets: Quadruplets, teacher: Tensor) -> Tensor:
        """Returns the scalar loss, a differentiable zero if nothing was mined."""
        return self.evaluate(embeddings, quadruplets, teacher).loss

    def evaluate(self, embeddings: Tensor, quadruplets: Quadruplets, teacher: Tensor) -> Outcome:
        """Returns the loss and the share of quadruplets that fall short.

        Args:
            embeddings: (n, d), not normalised.
            quadruplets: indices into the batch.
            teacher: (n, e), the teacher's embeddings of the same crops.
        """
        gaps = torch.stack(quadruplet_gaps(unit_vectors(embeddings), quadruplets, self.distance))
        with torch.no_grad():
            seen = torch.stack(quadruplet_gaps(unit_vectors(teacher), quadruplets, self.distance))
            largest = seen.new_tensor([[self.margin1], [self.margin2]])
            wanted = torch.minimum(seen.abs(), largest)
        return hinge_outcome(wanted - seen.sign() * gaps, soft=self.soft)
