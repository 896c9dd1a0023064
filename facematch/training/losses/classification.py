"""Classification of identities: the baseline that needs no tuples."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from facematch.training.choices import LOGIT_SCALE, LossName
from facematch.training.losses.hinge import Outcome
from facematch.training.pair_distances import unit_vectors

_MARGINS = {LossName.SOFTMAX: 0.0, LossName.COSFACE: 0.35, LossName.ARCFACE: 0.5}


class ClassificationLoss(nn.Module):
    """Cross-entropy over the identities of the training data, by a linear head.

    With the head's weights W and bias b, and for the normalised forms the cosine
    c_j = cos(theta_j) of embedding and row j of W, and the crop's identity y:

        softmax   logit_j = W_j . x + b_j
        cosface   logit_j = s (c_j - m [j = y])           (arXiv 1801.05599, equation 4)
        arcface   logit_j = s cos(theta_j + m [j = y])    (arXiv 1801.07698, equation 3)

    Where theta + m would exceed pi, arcface goes on with c - m sin(m), as its authors'
    program does, so that it keeps falling with the angle.

    The head is the module's parameters, and is thrown away after training.

    Args:
        form: ``softmax``, ``cosface`` or ``arcface``.
        identities: labels are in [0, identities).
        embedding_size: d.
        margin: m, in cosine or radians; None for the papers' 0.35 and 0.5.
        scale: s.

    Raises:
        ValueError: another form, a margin out of range, or one for plain softmax.
    """

    def __init__(
        self,
        form: LossName,
        identities: int,
        embedding_size: int,
        margin: float | None = None,
        scale: float = LOGIT_SCALE,
    ) -> None:
        super().__init__()
        if form not in _MARGINS:
            raise ValueError(f"{form!r} is no classification; choose from {', '.join(_MARGINS)}")
        margin = _MARGINS[form] if margin is None else margin
        highest = 0.0 if form is LossName.SOFTMAX else 1.0
        if not 0 <= margin <= highest:
            raise ValueError(f"the margin of {form} must be in [0, {highest:g}]: {margin}")
        self.form = form
        self.margin = margin
        self.scale = scale
        self.weight = nn.Parameter(torch.empty(identities, embedding_size))
        self.bias = nn.Parameter(torch.zeros(identities)) if form is LossName.SOFTMAX else None
        nn.init.normal_(self.weight, std=0.01)

    @property
    def collapsed_loss(self) -> float | None:
        """ln(identities) for plain softmax: a network whose embeddings say nothing."""
        return math.log(len(self.weight)) if self.form is LossName.SOFTMAX else None

    def forward(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        """Returns the scalar loss, a differentiable zero if no crop has an identity."""
        return self.evaluate(embeddings, labels).loss

    def evaluate(self, embeddings: Tensor, labels: Tensor) -> Outcome:
        """Returns the loss; active are the crops that the head takes for someone else.

        Args:
            embeddings: (n, d), not normalised.
            labels: int64 (n,); crops with a negative label (no identity) take no part.
        """
        known = labels >= 0
        rows, labels = embeddings[known].float(), labels[known]
        with torch.autocast(embeddings.device.type, enabled=False):
            if self.form is LossName.SOFTMAX:
                scores = functional.linear(rows, self.weight.float(), self.bias)
                logits = scores
            else:
                scores = unit_vectors(rows) @ unit_vectors(self.weight).T
                logits = self.scale * self._with_margin(scores, labels)
        loss = functional.cross_entropy(logits, labels, reduction="sum") / max(1, len(labels))
        active = (scores.argmax(1) != labels).sum() / max(1, len(labels))
        return Outcome(loss, active)

    def _with_margin(self, cosines: Tensor, labels: Tensor) -> Tensor:
        own = cosines.gather(1, labels[:, None])
        if self.form is LossName.COSFACE:
            target = own - self.margin
        else:
            # Its slope is infinite at sine 0; the clamp stops the gradient short of it.
            sine = (1 - own.square()).clamp(min=1e-6).sqrt()
            turned = own * math.cos(self.margin) - sine * math.sin(self.margin)
            beyond = own - self.margin * math.sin(self.margin)
            target = torch.where(own > -math.cos(self.margin), turned, beyond)
        return cosines.scatter(1, labels[:, None], target)
