"""Classification of so many identities that the head is shared out over the ranks.

Every rank has the rows of some identities, and the scores of the whole batch against them
(tensor parallel; for face recognition An et al., "Partial FC", arXiv 2010.05222, and the
distributed head of ArcFace, arXiv 1801.07698, section 3.3). Neither head nor scores are ever
gathered: the softmax needs the largest score and a sum of each crop from the other ranks.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.distributed.device_mesh import DeviceMesh
from torch.distributed.tensor import DTensor, Shard
from torch.distributed.tensor.parallel import ColwiseParallel, parallelize_module
from torch.nn import functional

from facematch.errors import UsageError

Margin = Callable[[Tensor, Tensor], Tensor]
"""(cosines (m, c), labels int64 (m,)) -> the cosines with a margin on those of the labels."""


class WideHead(nn.Linear):
    """Cross-entropy over identities, by a linear head that :meth:`split` shares out.

    Parameters have the names and, in checkpoints, the shapes of a linear layer, whether it is
    split or not.

    Args:
        identities: labels are in [0, identities).
        embedding_size: d.
        scale: of the cosines of embeddings and rows, which are then the scores; None for
            plain linear scores with a bias.
        margin: on the cosine of each crop's own identity; needs a scale.
    """

    def __init__(
        self,
        identities: int,
        embedding_size: int,
        *,
        scale: float | None = None,
        margin: Margin | None = None,
    ) -> None:
        if margin is not None and scale is None:
            raise ValueError("a margin is on cosines, which need a scale")
        super().__init__(embedding_size, identities, bias=scale is None)
        self._scale = scale
        self._margin = margin
        nn.init.normal_(self.weight, std=0.01)
        if self.bias is not None:
            nn.init.zeros_(self.bias)

    def split(self, mesh: DeviceMesh) -> None:
        """Leaves each rank of a mesh its part of the identities, with the first one's values.

        Args:
            mesh: of one dimension; of a mesh of two, the one that is to hold the shards. The
                other's ranks then learn the same, each for itself.

        Raises:
            UsageError: a rank would be left without an identity.
        """
        if self._identities_a_rank(mesh) * (mesh.size() - 1) >= self.out_features:
            raise UsageError(
                f"a head of {self.out_features} identities cannot be split into {mesh.size()} "
                "equal parts and a rest; it is small enough to stay whole"
            )
        parallelize_module(self, mesh, ColwiseParallel(use_local_output=False))

    def forward(self, embeddings: Tensor) -> Tensor:
        """Scores (n, identities), linear or cosine; split by columns if the head is."""
        if self._scale is None:
            return functional.linear(embeddings, self.weight, self.bias)
        return functional.linear(
            functional.normalize(embeddings, dim=1), functional.normalize(self.weight, dim=1)
        )

    def loss(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        """The mean loss, a differentiable zero if no crop has an identity.

        Of a split head, both the call and the backward pass belong inside
        :func:`facematch.training.parallel.launched`.

        Args:
            embeddings: (n, d), not normalised; of a split head pooled, the same on all ranks.
            labels: int64 (n,); crops with a negative label (no identity) take no part.
        """
        known = labels >= 0
        rows, labels = embeddings[known].float(), labels[known]
        if len(labels) == 0:
            return embeddings.float().sum() * 0.0
        with torch.autocast(embeddings.device.type, enabled=False):
            scores = self(rows)
            if self._scale is not None:
                scores = self._scale * self._with_margin(scores, labels)
            loss = functional.cross_entropy(scores, labels)
        return loss.full_tensor() if isinstance(loss, DTensor) else loss

    def _with_margin(self, cosines: Tensor, labels: Tensor) -> Tensor:
        if self._margin is None:
            return cosines
        if not isinstance(cosines, DTensor):
            return self._margin(cosines, labels)
        # The rank that has the identity of a crop is the one that sees to its margin.
        own, mesh = cosines.to_local(), cosines.device_mesh
        own_labels = labels - self._identities_a_rank(mesh) * mesh.get_local_rank()
        here = (own_labels >= 0) & (own_labels < own.shape[1])
        if not here.any():
            return cosines
        changed = own.index_put((here,), self._margin(own[here], own_labels[here]))
        return DTensor.from_local(
            changed, mesh, [Shard(1)], run_check=False, shape=cosines.shape, stride=cosines.stride()
        )

    def _identities_a_rank(self, mesh: DeviceMesh) -> int:
        """Of all ranks but the last, which has the rest."""
        return -(-self.out_features // mesh.size())
