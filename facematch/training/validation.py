"""Figures of a network on people it does not learn from, computed while it trains."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from facematch.metrics import auc, distance, tar_at_fmr, verification_curve
from facematch.training.augmentation import PRESETS
from facematch.training.loading import to_network_input
from facematch.training.trainer import Validation
from facematch.types import BoolArray, Float32Array, Int64Array, Metric, UInt8Array

SCORE = "val_auc"
"""The figure that the best network is kept by; higher is better."""


def embed_crops(
    network: nn.Module, images: UInt8Array, size: int = 112, batch: int = 128
) -> Float32Array:
    """Unit-norm float32 (n, d) embeddings of uint8 (n, 128, 128, 3) crops."""
    rng = np.random.default_rng(0)
    device = next(network.parameters()).device
    parts = []
    with torch.no_grad():
        for start in range(0, len(images), batch):
            crops = PRESETS["none"].batch(images[start : start + batch], size, rng)
            pixels = to_network_input(torch.from_numpy(crops).to(device))
            parts.append(functional.normalize(network(pixels).float()).cpu())
    return np.asarray(torch.cat(parts).numpy(), np.float32)


def verification_of_pairs(
    images: UInt8Array, first: Int64Array, second: Int64Array, same: BoolArray
) -> Validation:
    """Verification of labelled pairs: AUC, and TAR at FMR 1 % and 0.1 %.

    Args:
        images: uint8 (n, 128, 128, 3), RGB.
        first: int64 (m,), rows of ``images``.
        second: int64 (m,).
        same: bool (m,), whether a pair shows one person; both kinds must be there.
    """

    def validate(network: nn.Module, size: int) -> Mapping[str, float]:
        embeddings = embed_crops(network, images, size)
        distances = np.empty(len(first), np.float32)
        for start in range(0, len(first), 1 << 16):
            part = slice(start, start + (1 << 16))
            distances[part] = distance(
                embeddings[first[part]], embeddings[second[part]], Metric.COSINE
            )
        curve = verification_curve(distances[same], distances[~same])
        return {
            SCORE: auc(curve),
            "val_tar_1e-2": tar_at_fmr(curve, 1e-2),
            "val_tar_1e-3": tar_at_fmr(curve, 1e-3),
        }

    return validate


def verification_on(images: UInt8Array, labels: Int64Array) -> Validation:
    """The same for all pairs of labelled crops."""
    first, second = np.triu_indices(len(labels), 1)
    return verification_of_pairs(images, first, second, labels[first] == labels[second])
