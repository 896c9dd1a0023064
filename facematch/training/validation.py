"""Figures of a network on held-out crops, computed while it trains."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import torch
from torch import nn
from torch.nn import functional

from facematch.training.augmentation import Augmentation
from facematch.training.loading import to_network_input
from facematch.training.trainer import Validation

PLAIN = Augmentation(
    flip=0, shift_px=0, scale=0, rotation_deg=0, colour=0, grey=0, coarse=0, jpeg=0
)


def embed_crops(
    network: nn.Module, images: npt.NDArray[np.uint8], size: int = 112, batch: int = 128
) -> npt.NDArray[np.float32]:
    """Unit-norm float32 (n, d) embeddings of uint8 (n, 128, 128, 3) crops."""
    rng = np.random.default_rng(0)
    parts = []
    with torch.no_grad():
        for start in range(0, len(images), batch):
            crops = PLAIN.batch(images[start : start + batch], size, rng)
            parts.append(functional.normalize(network(to_network_input(torch.from_numpy(crops)))))
    return np.asarray(torch.cat(parts).float().numpy(), np.float32)


def verification_on(images: npt.NDArray[np.uint8], labels: npt.NDArray[np.int64]) -> Validation:
    """All-pairs verification on labelled crops: AUC, and TAR at FMR 1 % and 0.1 %."""
    first, second = np.triu_indices(len(labels), 1)
    same = labels[first] == labels[second]

    def validate(network: nn.Module, size: int) -> Mapping[str, float]:
        embeddings = embed_crops(network, images, size)
        similarity = (embeddings @ embeddings.T)[first, second]
        genuine, impostor = similarity[same], np.sort(similarity[~same])
        auc = np.searchsorted(impostor, genuine).mean() / len(impostor)
        figures = {"val_auc": float(auc)}
        for rate, name in ((1e-2, "1e-2"), (1e-3, "1e-3")):
            threshold = impostor[-max(1, int(rate * len(impostor)))]
            figures[f"val_tar_{name}"] = float((genuine > threshold).mean())
        return figures

    return validate
