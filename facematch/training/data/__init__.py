"""Aligned crops with identities, from zip archives, folders and lists."""

from facematch.training.data.crops import (
    ALIGNED_SIZE,
    BORDER_PX,
    CROP_SIZE,
    NO_IDENTITY,
    CropSet,
    UnreadablePicture,
)
from facematch.training.data.opening import open_crops
from facematch.training.data.source import CropCutter

__all__ = [
    "ALIGNED_SIZE",
    "BORDER_PX",
    "CROP_SIZE",
    "NO_IDENTITY",
    "CropCutter",
    "CropSet",
    "UnreadablePicture",
    "open_crops",
]
