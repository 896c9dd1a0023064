"""Augmentation of aligned crops, seeded per crop."""

from facematch.training.augmentation.presets import PRESETS
from facematch.training.augmentation.recipe import Augmentation

__all__ = ["PRESETS", "Augmentation"]
