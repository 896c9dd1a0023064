"""Losses, one file each."""

from facematch.training.losses.distillation import DistillationLoss
from facematch.training.losses.quadruplet import QuadrupletLoss

__all__ = ["DistillationLoss", "QuadrupletLoss"]
