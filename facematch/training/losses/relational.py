"""Relational knowledge distillation: distances and angles of a teacher."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from facematch.training.pair_distances import unit_vectors

SHORTEST = 0.02  # nearer points have no angle that float32 products could tell


class RelationalLoss(nn.Module):
    """Relational knowledge distillation (Park et al., CVPR 2019, arXiv 1904.05068).

    With unit vectors x of the student and t of the teacher, the Huber loss h (delta 1), and
    the means of all pairs and triplets of different crops:

        L = wd * mean_ij h(|x_i - x_j| / mx, |t_i - t_j| / mt)
          + wa * mean_ijk h(cos(x_i, x_j, x_k), cos(t_i, t_j, t_k))

    where mx, mt are the mean distances of the batch, and cos(i, j, k) is the cosine of the
    angle at j. Neither term fixes the points, as
    :class:`DistillationLoss` does: a student of other dimensions can learn from them. A
    triplet counts as a right angle where two points are nearer than 0.02.

    Args:
        distance_weight: wd; the paper's for metric learning.
        angle_weight: wa; likewise. The angles take memory for n^3 numbers.
    """

    def __init__(self, distance_weight: float = 1.0, angle_weight: float = 2.0) -> None:
        super().__init__()
        self.distance_weight = distance_weight
        self.angle_weight = angle_weight

    def forward(self, embeddings: Tensor, targets: Tensor) -> Tensor:
        """Returns the scalar loss, a differentiable zero for fewer than two crops.

        Args:
            embeddings: (n, d), not normalised.
            targets: (n, e), the teacher's vectors.
        """
        student = unit_vectors(embeddings)
        with torch.no_grad():
            teacher = unit_vectors(targets)
        loss = student.sum() * 0.0
        if len(student) >= 2 and self.distance_weight > 0:
            loss = loss + self.distance_weight * functional.smooth_l1_loss(
                _relative_distances(student), _relative_distances(teacher)
            )
        if len(student) >= 3 and self.angle_weight > 0:
            loss = loss + self.angle_weight * functional.smooth_l1_loss(
                _angle_cosines(student), _angle_cosines(teacher)
            )
        return loss


def _relative_distances(unit: Tensor) -> Tensor:
    """Distances of all pairs over their mean; float32 (n (n - 1) / 2,)."""
    first, second = torch.triu_indices(len(unit), len(unit), 1, device=unit.device)
    distances: Tensor = torch.linalg.vector_norm(unit[first] - unit[second], dim=1)
    return distances / distances.mean().clamp(min=SHORTEST)


def _angle_cosines(unit: Tensor) -> Tensor:
    """cos(i, j, k) for all triplets of different points with i < k; float32, by j."""
    count = len(unit)
    with torch.autocast(unit.device.type, enabled=False):
        products = unit @ unit.T
    own = products.diagonal()
    squared = own[:, None] + own[None, :] - 2 * products
    near = squared < SHORTEST**2
    inverse = squared.masked_fill(near, 1).rsqrt().masked_fill(near, 0)
    # (x_i - x_j) . (x_k - x_j), with j first
    dots = products[None] - products[:, :, None] - products[:, None, :] + own[:, None, None]
    cosines = dots * inverse[:, :, None] * inverse[:, None, :]
    number = torch.arange(count, device=unit.device)
    apex, first, second = number[:, None, None], number[:, None], number
    return cosines[(first < second) & (apex != first) & (apex != second)]
