"""Classification of identities: the baseline that needs no tuples."""

from __future__ import annotations

import math
from functools import partial

import torch
from torch import Tensor

from facematch.training.choices import LOGIT_SCALE, LossName
from facematch.training.losses.wide_head import WideHead

_MARGINS = {LossName.SOFTMAX: 0.0, LossName.COSFACE: 0.35, LossName.ARCFACE: 0.5}


class ClassificationLoss(WideHead):
    """Cross-entropy over the identities of the training data, by a linear head.

    With the head's weights W and bias b, and for the normalised forms the cosine
    c_j = cos(theta_j) of embedding and row j of W, and the crop's identity y:

        softmax   logit_j = W_j . x + b_j
        cosface   logit_j = s (c_j - m [j = y])           (arXiv 1801.05599, equation 4)
        arcface   logit_j = s cos(theta_j + m [j = y])    (arXiv 1801.07698, equation 3)

    Where theta + m would exceed pi, arcface goes on with c - m sin(m), as its authors'
    program does, so that it keeps falling with the angle.

    The head is the module's parameters, and is thrown away after training. Of several ranks
    each may hold a part of it (:meth:`split`); loss and gradients are the same.

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
        if form not in _MARGINS:
            raise ValueError(f"{form!r} is no classification; choose from {', '.join(_MARGINS)}")
        margin = _MARGINS[form] if margin is None else margin
        highest = 0.0 if form is LossName.SOFTMAX else 1.0
        if not 0 <= margin <= highest:
            raise ValueError(f"the margin of {form} must be in [0, {highest:g}]: {margin}")
        if form is LossName.SOFTMAX:
            super().__init__(identities, embedding_size)
        else:
            on_cosines = _on_cosine if form is LossName.COSFACE else _on_angle
            super().__init__(
                identities, embedding_size, scale=scale, margin=partial(on_cosines, margin=margin)
            )
        self.form = form
        self.margin = margin
        self.scale = scale

    @property
    def collapsed_loss(self) -> float | None:
        """ln(identities) for plain softmax: a network whose embeddings say nothing."""
        return math.log(self.identities) if self.form is LossName.SOFTMAX else None


def _on_cosine(cosines: Tensor, labels: Tensor, *, margin: float) -> Tensor:
    """Cosines (n, c) with a margin on the cosine of each crop's label."""
    own = cosines.gather(1, labels[:, None])
    return cosines.scatter(1, labels[:, None], own - margin)


def _on_angle(cosines: Tensor, labels: Tensor, *, margin: float) -> Tensor:
    """Cosines (n, c) with a margin on the angle of each crop's label."""
    own = cosines.gather(1, labels[:, None])
    # Its slope is infinite at sine 0; the clamp stops the gradient short of it.
    sine = (1 - own.square()).clamp(min=1e-6).sqrt()
    turned = own * math.cos(margin) - sine * math.sin(margin)
    target = torch.where(own > -math.cos(margin), turned, own - margin * math.sin(margin))
    return cosines.scatter(1, labels[:, None], target)
