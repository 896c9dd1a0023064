"""Cross-batch memory: negatives and positives from batches that have gone by."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn


@dataclass(frozen=True, slots=True, eq=False)
class Remembered:
    """What the memory holds, in no order.

    Attributes:
        embeddings: float32 (m, d), without gradient.
        labels: int64 (m,), never negative.
        teacher: float32 (m, e), the teacher's embeddings of the same crops; e may be 0.
    """

    embeddings: Tensor
    labels: Tensor
    teacher: Tensor


class CrossBatchMemory(nn.Module):
    """The latest embeddings and their labels (XBM, Wang et al., arXiv 1912.06798).

    Late in training a network moves slowly, and what it said some batches ago is nearly what
    it would say now. So a small batch can be compared with thousands of crops at the cost of
    a matrix product. Remembered embeddings get no gradient.

    Everything is kept in buffers: ``state_dict`` holds all that a run needs to go on with the
    same numbers. In a run of several ranks remember the batch gathered from all of them, in
    the same order on each; then every rank holds the same memory.

    Args:
        size: crops that are kept; the oldest make room.
        embedding_size: d.
        teacher_size: e, 0 without a teacher.
        warmup_steps: so many first batches are not remembered, while the network moves fast.
    """

    embeddings: Tensor
    labels: Tensor
    teacher: Tensor
    state: Tensor

    def __init__(
        self, size: int, embedding_size: int, teacher_size: int = 0, warmup_steps: int = 0
    ) -> None:
        super().__init__()
        if size < 1 or warmup_steps < 0:
            raise ValueError(
                f"a memory needs size >= 1 and warmup_steps >= 0: {size}, {warmup_steps}"
            )
        self.size = size
        self.warmup_steps = warmup_steps
        self.register_buffer("embeddings", torch.zeros(size, embedding_size))
        self.register_buffer("labels", torch.full((size,), -1))
        self.register_buffer("teacher", torch.zeros(size, teacher_size))
        # Batches seen, crops remembered in all. A buffer, so that state_dict holds it.
        self.register_buffer("state", torch.zeros(2, dtype=torch.int64))

    def __len__(self) -> int:
        return min(int(self.state[1]), self.size)

    def recall(self) -> Remembered:
        """Returns what the memory holds now: a copy that later batches leave alone."""
        held = slice(len(self))
        return Remembered(
            self.embeddings[held].clone(), self.labels[held].clone(), self.teacher[held].clone()
        )

    def remember(self, embeddings: Tensor, labels: Tensor, teacher: Tensor | None = None) -> None:
        """Puts a batch in place of the oldest crops, unless the warm-up goes on.

        Args:
            embeddings: (n, d), of any precision.
            labels: int64 (n,); crops with a negative label (no identity) are passed over.
            teacher: (n, e); needed if and only if the memory was made for a teacher.

        Raises:
            ValueError: the teacher is missing, or of another size.
        """
        wanted, width = self.teacher.shape[1], 0 if teacher is None else teacher.shape[1]
        if width != wanted:
            raise ValueError(
                f"the memory was made for teacher_size {wanted}, the teacher's embeddings "
                f"have {width}"
            )
        seen, written = self.state.tolist()
        if seen >= self.warmup_steps:
            rows = torch.nonzero(labels >= 0)[:, 0][-self.size :]
            place = torch.arange(written, written + len(rows), device=rows.device) % self.size
            self.embeddings[place] = embeddings.detach()[rows].to(self.embeddings)
            self.labels[place] = labels[rows]
            if teacher is not None:
                self.teacher[place] = teacher.detach()[rows].to(self.teacher)
            written += len(rows)
        self.state.copy_(torch.tensor([seen + 1, written]))
