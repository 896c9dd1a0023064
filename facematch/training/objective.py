"""What a run of ``facematch train`` minimises: a metric loss, distillation, or both."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import torch
from torch import Tensor, nn

from facematch.training.choices import LOSSES, TeacherUse
from facematch.training.loading import Batch
from facematch.training.losses import DistillationLoss
from facematch.training.losses.distillation import teacher_similarity
from facematch.training.metric_learning import MetricLearning
from facematch.training.ranks import OneRank, Ranks
from facematch.types import Float32Array, Int64Array, UInt8Array

Teacher = Callable[[UInt8Array], Float32Array]
"""uint8 (n, s, s, 3) RGB crops -> float32 (n, e) embeddings."""


class TrainingObjective(nn.Module):
    """``loss_weight`` x metric loss + ``distill_weight`` x distillation.

    The metric loss sees the labelled crops, which lead each batch, of all ranks together; the
    distillation sees the whole batch, for which the teacher is asked crop by crop as
    augmented, so that student and teacher answer for the same pixels (Beyer et al., CVPR
    2022, arXiv 2106.05237).

    Args:
        labels: int64 (n,), the identity of every crop of the data.
        labelled: crops of a batch that the metric loss sees, the first ones.
        metric: the loss on identities; None for distillation alone.
        loss_weight: of the metric loss.
        teacher: whose embeddings are imitated; None for none.
        distill_weight: of the distillation.
        ranks: the processes that train together.
        seed: of mining.
    """

    def __init__(
        self,
        labels: Int64Array,
        labelled: int,
        *,
        metric: MetricLearning | None = None,
        loss_weight: float = 1.0,
        teacher: Teacher | None = None,
        distill_weight: float = 1.0,
        ranks: Ranks | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__()
        if metric is None and teacher is None:
            raise ValueError("an objective needs a metric loss, a teacher, or both")
        self.metric = metric
        self._labels = torch.from_numpy(np.ascontiguousarray(labels))
        self._labelled = labelled
        self._loss_weight = loss_weight
        self._teacher = teacher
        self._distill_weight = distill_weight
        self._distillation = DistillationLoss()
        self._ranks = OneRank() if ranks is None else ranks
        self._seed = seed

    def forward(self, network: nn.Module, batch: Batch) -> tuple[Tensor, Mapping[str, float]]:
        """Returns the loss of one batch, and its parts for the log."""
        embeddings = network(batch.pixels).float()
        total = embeddings.new_zeros(())
        figures: dict[str, float] = {}
        wanted = None
        if self._teacher is not None:
            wanted = torch.from_numpy(self._teacher(batch.images)).to(embeddings.device)
            distillation = self._distillation(embeddings, wanted)
            total = total + self._distill_weight * distillation
            figures["distillation"] = distillation.item()
            if wanted.shape == embeddings.shape:
                figures["cosine"] = teacher_similarity(embeddings, wanted).item()
        if self.metric is not None:
            labels = self._labels[torch.from_numpy(batch.indices[: self._labelled])]
            # Seeded by the step, so that a resumed run mines what it would have mined.
            generator = torch.Generator().manual_seed((self._seed << 32) + batch.step)
            asked = LOSSES[self.metric.options.loss].teacher is not TeacherUse.UNUSED
            taught = wanted[: self._labelled] if wanted is not None and asked else None
            loss, of_metric = self.metric(
                self._ranks.pooled(embeddings[: self._labelled]),
                self._ranks.pooled(labels.to(embeddings.device)),
                generator,
                None if taught is None else self._ranks.pooled(taught),
            )
            total = total + self._loss_weight * loss
            figures |= {**of_metric, "metric_loss": loss.item()}
        return total, figures
