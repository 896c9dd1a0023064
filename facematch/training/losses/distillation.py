"""Representation distillation: a student takes over the teacher's embedding."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


class DistillationLoss(nn.Module):
    """Cosine distillation plus relational distillation.

    With unit vectors s (student) and t (teacher) of a batch of n crops:

        L = mean_i (1 - s_i . t_i)  +  w * mean_{i != j} (s_i . s_j - t_i . t_j)^2

    The first term copies the points, the second their relations, which is what
    verification uses (relational knowledge distillation: Park et al., CVPR 2019,
    arXiv 1904.05068).

    Args:
        relational_weight: w.
    """

    def __init__(self, relational_weight: float = 5.0) -> None:
        super().__init__()
        self.relational_weight = relational_weight

    def forward(self, embeddings: Tensor, targets: Tensor) -> Tensor:
        """Returns the scalar loss.

        Args:
            embeddings: (n, d), not normalised; n >= 2.
            targets: float32 (n, d), the teacher's vectors.
        """
        with torch.autocast(embeddings.device.type, enabled=False):
            student = functional.normalize(embeddings.float(), dim=1)
            teacher = functional.normalize(targets.float(), dim=1)
            pointwise = 1 - (student * teacher).sum(1).mean()
            squared = (student @ student.T - teacher @ teacher.T).square()
            count = len(student)
            relational = (squared.sum() - squared.diagonal().sum()) / (count * (count - 1))
            return pointwise + self.relational_weight * relational


def teacher_similarity(embeddings: Tensor, targets: Tensor) -> Tensor:
    """Mean cosine similarity of student and teacher, for the log."""
    with torch.no_grad():
        return functional.cosine_similarity(embeddings.float(), targets.float()).mean()
