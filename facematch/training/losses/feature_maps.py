"""Distillation of the maps on the way to an embedding."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional


class FeatureMapLoss(nn.Module):
    """Squared error of a student's maps against a teacher's, relative to their variance.

    After FitNets (Romero et al., ICLR 2015, arXiv 1412.6550), without its regressors: the
    student's stages end in as many channels as the teacher's. For stage k with student map S
    and teacher map T, brought to the student's grid by bilinear interpolation:

        L_k = sum (S - T)^2 / sum (T - mean of T's channel)^2,    L = sum_k w_k L_k

    A map gives a target at every place of every crop, hundreds of times what the embedding
    alone gives; L_k is 1 for a student that knows the channel means and nothing else.

    Args:
        weights: w_k, one for each stage.
    """

    def __init__(self, weights: Sequence[float]) -> None:
        super().__init__()
        self.weights = tuple(weights)

    def forward(self, student: Sequence[Tensor], teacher: Sequence[Tensor]) -> Tensor:
        """Returns the scalar loss.

        Args:
            student: per stage (n, c, h, w).
            teacher: per stage (n, c, h, w), from :func:`on_grid`.
        """
        return self.weighted(self.errors(student, teacher))

    def errors(self, student: Sequence[Tensor], teacher: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """L_k of each stage, float32 scalars; arguments as for :meth:`forward`."""
        with torch.autocast(student[0].device.type, enabled=False):
            return tuple(
                relative_error(own.float(), wanted.float())
                for own, wanted in zip(student, teacher, strict=True)
            )

    def weighted(self, errors: Sequence[Tensor]) -> Tensor:
        """L of the errors of all stages; scalar."""
        total = errors[0].new_zeros(())
        for weight, error in zip(self.weights, errors, strict=True):
            total = total + weight * error
        return total


def relative_error(own: Tensor, wanted: Tensor) -> Tensor:
    """Squared error relative to the variance within channels: 0 is equal, 1 is the mean."""
    centred = wanted - wanted.mean((0, 2, 3), keepdim=True)
    return (own - wanted).square().sum() / centred.square().sum().clamp_min(1e-12)


def on_grid(maps: Tensor, size_hw: tuple[int, int]) -> Tensor:
    """Maps (n, c, H, W) brought to (n, c, h, w) by antialiased bilinear interpolation."""
    return functional.interpolate(
        maps, size_hw, mode="bilinear", align_corners=False, antialias=True
    )
