"""The quadruplet loss."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from facematch.training.mining import Quadruplets


class QuadrupletLoss(nn.Module):
    """Quadruplet loss (Chen et al., CVPR 2017, arXiv 1704.01719, equation 7).

    With the squared Euclidean distance D of unit vectors, anchor a, positive p and two
    negatives n1, n2 of three different identities:

        L = mean [D(a, p) - D(a, n1) + margin1]_+  +  mean [D(a, p) - D(n2, n1) + margin2]_+

    The second term pushes apart a negative pair that does not hold the probe, which asks
    for small intra-class against *any* inter-class distance: the property that one global
    verification threshold needs, and that the triplet loss does not ask for. The paper
    takes margin1 > margin2, so that the second constraint stays the weaker one.

    Args:
        margin1: for the negative pair with the anchor.
        margin2: for the negative pair without it.
    """

    def __init__(self, margin1: float = 0.4, margin2: float = 0.2) -> None:
        super().__init__()
        if not margin1 >= margin2 >= 0:
            raise ValueError(f"margins must satisfy margin1 >= margin2 >= 0: {margin1}, {margin2}")
        self.margin1 = margin1
        self.margin2 = margin2

    def forward(
        self, embeddings: Tensor, quadruplets: Quadruplets, teacher: Tensor | None = None
    ) -> Tensor:
        """Returns the scalar loss, a differentiable zero if nothing was mined.

        Args:
            embeddings: (n, d), not normalised.
            quadruplets: indices into the batch.
            teacher: (n, e) embeddings of the same crops by a better network. Each margin is
                then at most the gap that the teacher sees in the same quadruplet, so that a
                wrong label, whose gap is negative, pushes nothing apart.
        """
        unit = functional.normalize(embeddings.float(), dim=1)
        if len(quadruplets.anchor) == 0:
            return unit.sum() * 0.0
        gap1, gap2 = _gaps(unit, quadruplets)
        if teacher is None:
            return torch.relu(self.margin1 - gap1).mean() + torch.relu(self.margin2 - gap2).mean()
        with torch.no_grad():
            wanted1, wanted2 = _gaps(functional.normalize(teacher.float(), dim=1), quadruplets)
            wanted1.clamp_(max=self.margin1)
            wanted2.clamp_(max=self.margin2)
        hinge1 = torch.relu(wanted1 - gap1) * (wanted1 > 0)
        hinge2 = torch.relu(wanted2 - gap2) * (wanted2 > 0)
        return hinge1.mean() + hinge2.mean()


def _gaps(unit: Tensor, quadruplets: Quadruplets) -> tuple[Tensor, Tensor]:
    """D(a, n1) - D(a, p) and D(n2, n1) - D(a, p) for squared Euclidean D; float32 (m,)."""
    anchor, positive = unit[quadruplets.anchor], unit[quadruplets.positive]
    negative1, negative2 = unit[quadruplets.negative1], unit[quadruplets.negative2]
    genuine = (anchor - positive).square().sum(1)
    with_probe = (anchor - negative1).square().sum(1)
    without_probe = (negative2 - negative1).square().sum(1)
    return with_probe - genuine, without_probe - genuine
