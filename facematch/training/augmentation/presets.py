"""Named strengths, for command lines and configurations."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from facematch.training.augmentation.recipe import Augmentation

PRESETS: Mapping[str, Augmentation] = MappingProxyType(
    {
        "none": Augmentation(
            flip=0, shift_px=0, scale=0, rotation_deg=0, colour=0, grey=0, coarse=0, jpeg=0
        ),
        "weak": Augmentation(
            shift_px=1.5,
            scale=0.04,
            rotation_deg=3.0,
            landmark_px=0.4,
            colour=0.15,
            grey=0.05,
            coarse=0.05,
            jpeg=0.05,
        ),
        "standard": Augmentation(
            shift_px=2.5,
            scale=0.06,
            rotation_deg=5.0,
            landmark_px=0.7,
            colour=0.25,
            grey=0.1,
            coarse=0.15,
            jpeg=0.1,
            blur=0.05,
            motion=0.03,
            mask=0.02,
            glasses=0.03,
            occlusion=0.03,
        ),
        "strong": Augmentation(
            shift_px=5.0,
            scale=0.12,
            rotation_deg=12.0,
            landmark_px=1.2,
            colour=0.4,
            grey=0.2,
            coarse=0.3,
            jpeg=0.25,
            blur=0.15,
            motion=0.1,
            mask=0.1,
            glasses=0.1,
            occlusion=0.15,
        ),
    }
)
"""``none``, ``weak``, ``standard`` and ``strong``; no one of them mixes or turns upside down."""
