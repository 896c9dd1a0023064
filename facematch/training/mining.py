"""Mining: which quadruplets of a batch the loss sees."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional


@dataclass(frozen=True, slots=True)
class Quadruplets:
    """Index tuples into a batch; int64 (m,) each.

    ``anchor`` and ``positive`` share an identity; ``anchor``, ``negative1`` and
    ``negative2`` belong to three different ones.
    """

    anchor: Tensor
    positive: Tensor
    negative1: Tensor
    negative2: Tensor


def batch_hard(embeddings: Tensor, labels: Tensor) -> Quadruplets:
    """The hardest quadruplet of every anchor (after Hermans et al., arXiv 1703.07737).

    Positive: the farthest crop of the anchor's identity. Negative 1: the crop of another
    identity nearest to the anchor. Negative 2: the crop nearest to negative 1 among those
    of neither identity. Anchors without a positive, or in batches of fewer than three
    identities, are left out.

    Args:
        embeddings: (n, d).
        labels: int64 (n,).
    """
    with torch.no_grad():
        unit = functional.normalize(embeddings.float(), dim=1)
        distances = 2 - 2 * unit @ unit.T
        same = labels[:, None] == labels[None, :]
        itself = torch.eye(len(labels), dtype=torch.bool, device=labels.device)
        genuine = distances.masked_fill(~same | itself, -torch.inf)
        impostor = distances.masked_fill(same, torch.inf)
        positive_distance, positive = genuine.max(1)
        negative1_distance, negative1 = impostor.min(1)
        third = impostor[negative1].masked_fill(same, torch.inf)
        negative2_distance, negative2 = third.min(1)
        usable = (
            positive_distance.isfinite()
            & negative1_distance.isfinite()
            & negative2_distance.isfinite()
        )
        anchor = torch.arange(len(labels), device=labels.device)
        return Quadruplets(anchor[usable], positive[usable], negative1[usable], negative2[usable])
