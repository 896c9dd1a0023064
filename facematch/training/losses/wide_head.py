"""Classification of so many identities that the head is shared out over the ranks.

Every rank has the rows of some identities, and the scores of the whole batch against them
(tensor parallel; for face recognition An et al., "Partial FC", arXiv 2010.05222, and the
distributed head of ArcFace, arXiv 1801.07698, section 3.3). Neither head nor scores are ever
gathered: the softmax needs the largest score and a sum of each crop from the other ranks.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, distributed, nn
from torch.distributed.device_mesh import DeviceMesh
from torch.distributed.tensor import DTensor, Replicate, Shard, distribute_tensor
from torch.nn import functional

from facematch.errors import UsageError
from facematch.training.losses.hinge import Outcome
from facematch.training.sharding import local

Margin = Callable[[Tensor, Tensor], Tensor]
"""(cosines (m, c), labels int64 (m,)) -> the cosines with a margin on those of the labels."""


class WideHead(nn.Module):
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
        super().__init__()
        self.identities = identities
        self._scale = scale
        self._margin = margin
        self.weight = nn.Parameter(torch.empty(identities, embedding_size))
        self.bias = nn.Parameter(torch.zeros(identities)) if scale is None else None
        nn.init.normal_(self.weight, std=0.01)

    def split(self, mesh: DeviceMesh) -> None:
        """Leaves each rank of a mesh its part of the identities, with the first one's values.

        Args:
            mesh: of one dimension; of a mesh of two, the one that is to hold the shards. The
                other's ranks then learn the same, each for itself.

        Raises:
            UsageError: a rank would be left without an identity.
        """
        if self._identities_a_rank(mesh) * (mesh.size() - 1) >= self.identities:
            raise UsageError(
                f"a head of {self.identities} identities cannot be split into {mesh.size()} "
                "equal parts and a rest; it is small enough to stay whole"
            )
        self.weight = nn.Parameter(distribute_tensor(self.weight.detach(), mesh, [Shard(0)]))
        if self.bias is not None:
            self.bias = nn.Parameter(distribute_tensor(self.bias.detach(), mesh, [Shard(0)]))

    def scores(self, embeddings: Tensor) -> Tensor:
        """Scores (n, identities), linear or cosine; split by columns if the head is."""
        if isinstance(self.weight, DTensor):
            # All ranks have the same rows; what their parts say of them is summed going back.
            embeddings = DTensor.from_local(
                embeddings, self.weight.device_mesh, [Replicate()], run_check=False
            )
        if self._scale is None:
            return functional.linear(embeddings, self.weight, self.bias)
        return functional.linear(
            functional.normalize(embeddings, dim=1), functional.normalize(self.weight, dim=1)
        )

    def forward(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        """The same as :meth:`loss`."""
        return self.loss(embeddings, labels)

    def loss(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        """The mean loss, a differentiable zero if no crop has an identity.

        Of a split head, both the call and the backward pass belong inside
        :func:`facematch.training.parallel.launched`.

        Args:
            embeddings: (n, d), not normalised; of a split head pooled, the same on all ranks.
            labels: int64 (n,); crops with a negative label (no identity) take no part.
        """
        return self.evaluate(embeddings, labels).loss

    def evaluate(self, embeddings: Tensor, labels: Tensor) -> Outcome:
        """The loss; active are the crops that the head takes for someone else.

        Args:
            embeddings: as of :meth:`loss`.
            labels: likewise.
        """
        known = labels >= 0
        rows, labels = embeddings[known].float(), labels[known]
        if len(labels) == 0:
            nothing = embeddings.float().sum() * 0.0
            for parameter in self.parameters():
                nothing = nothing + local(parameter).sum() * 0.0
            return Outcome(nothing, nothing.detach())
        with torch.autocast(embeddings.device.type, enabled=False):
            scores = self.scores(rows)
            logits = scores
            if self._scale is not None:
                logits = self._scale * self._with_margin(scores, labels)
            loss = functional.cross_entropy(logits, labels)
        whole_loss = loss.full_tensor() if isinstance(loss, DTensor) else loss
        return Outcome(whole_loss, self._mistaken(scores.detach(), labels))

    def _mistaken(self, scores: Tensor, labels: Tensor) -> Tensor:
        """The share of crops with a larger score than that of their own identity."""
        if not isinstance(scores, DTensor):
            own = scores.gather(1, labels[:, None])[:, 0]
            return (scores.amax(1) > own).float().mean()
        part, own_labels, here = self._part(scores, labels)
        # Largest score, and that of the own identity, which one rank alone has.
        largest = part.new_full((2, len(labels)), -torch.inf)
        largest[0] = part.amax(1)
        largest[1, here] = part[here].gather(1, own_labels[here][:, None])[:, 0]
        distributed.all_reduce(
            largest, distributed.ReduceOp.MAX, group=scores.device_mesh.get_group()
        )
        return (largest[0] > largest[1]).float().mean()

    def _part(self, scores: DTensor, labels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """This rank's columns, labels as columns of those, and which crops have theirs here."""
        own, mesh = scores.to_local(), scores.device_mesh
        own_labels = labels - self._identities_a_rank(mesh) * mesh.get_local_rank()
        return own, own_labels, (own_labels >= 0) & (own_labels < own.shape[1])

    def _with_margin(self, cosines: Tensor, labels: Tensor) -> Tensor:
        if self._margin is None:
            return cosines
        if not isinstance(cosines, DTensor):
            return self._margin(cosines, labels)
        # The rank that has the identity of a crop is the one that sees to its margin.
        own, own_labels, here = self._part(cosines, labels)
        if not here.any():
            return cosines
        changed = own.index_put((here,), self._margin(own[here], own_labels[here]))
        return DTensor.from_local(
            changed,
            cosines.device_mesh,
            [Shard(1)],
            run_check=False,
            shape=cosines.shape,
            stride=cosines.stride(),
        )

    def _identities_a_rank(self, mesh: DeviceMesh) -> int:
        """Of all ranks but the last, which has the rest."""
        return -(-self.identities // mesh.size())
