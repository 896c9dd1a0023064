"""Figures of a network on people it does not learn from, computed while it trains."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from facematch.metrics import Units, auc, distance, tar_at_fmr, verification_curve
from facematch.training.augmentation import PRESETS
from facematch.training.loading import to_network_input
from facematch.types import BoolArray, Float32Array, Int64Array, Metric, UInt8Array

SCORE, TIE = "val_tar_1e-2", "val_auc"
"""The figure that the best network is kept by, and the one between equals; higher is better."""

MOST_IMPOSTORS = 2_000_000
"""Impostor pairs of a validation set; more take longer and say hardly more."""


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


@dataclass(frozen=True, slots=True, eq=False)
class PairVerification:
    """Verification of labelled pairs; a :data:`facematch.training.trainer.Validation`.

    Attributes:
        images: uint8 (n, 128, 128, 3), RGB.
        first: int64 (m,), rows of ``images``.
        second: int64 (m,).
        same: bool (m,), whether a pair shows one person; both kinds must be there.
        people: whose pictures are in each pair; None if nobody said.
    """

    images: UInt8Array
    first: Int64Array
    second: Int64Array
    same: BoolArray
    people: Units | None = None

    def __call__(self, network: nn.Module, size: int) -> Mapping[str, float]:
        """AUC, and TAR at FMR 1 % and 0.1 %, of a network at this side of its crops."""
        return self.figures(self.distances(network, size))

    def figures(self, distances: Float32Array) -> Mapping[str, float]:
        """The same of float32 (m,) distances."""
        curve = verification_curve(distances[self.same], distances[~self.same])
        return {
            TIE: auc(curve),
            SCORE: tar_at_fmr(curve, 1e-2),
            "val_tar_1e-3": tar_at_fmr(curve, 1e-3),
        }

    def distances(self, network: nn.Module, size: int) -> Float32Array:
        """float32 (m,), the cosine distance of each pair."""
        embeddings = embed_crops(network, self.images, size)
        distances = np.empty(len(self.first), np.float32)
        for start in range(0, len(self.first), 1 << 16):
            part = slice(start, start + (1 << 16))
            distances[part] = distance(
                embeddings[self.first[part]], embeddings[self.second[part]], Metric.COSINE
            )
        return distances


def verification_on(images: UInt8Array, labels: Int64Array) -> PairVerification:
    """The pairs of labelled crops: all genuine ones, and impostors up to ``MOST_IMPOSTORS``.

    Args:
        images: uint8 (n, 128, 128, 3), RGB.
        labels: int64 (n,), one person each.
    """
    names, labels = np.unique(labels, return_inverse=True)
    first, second = np.triu_indices(len(labels), 1)
    same = labels[first] == labels[second]
    impostors = np.flatnonzero(~same)
    if len(impostors) > MOST_IMPOSTORS:  # evenly, so that everybody stays among them
        chosen = np.linspace(0, len(impostors) - 1, MOST_IMPOSTORS).astype(np.int64)
        rows = np.sort(np.concatenate((np.flatnonzero(same), impostors[chosen])))
        first, second, same = first[rows], second[rows], same[rows]
    people = Units(len(names), labels[first], labels[second])
    return PairVerification(images, first, second, same, people)
