"""A network small enough to export in a test."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from facematch.embedding.bundle import ModelBundle, Preprocessing
from facematch.embedding.export import export_bundle
from facematch.types import Alignment

TINY_SIZE = 24
TINY_EMBEDDING = 8


class TinyNet(nn.Module):
    """All that an export has to cope with, in two thousand numbers: (n, 3, s, s) -> (n, d)."""

    def __init__(self, embedding_size: int = TINY_EMBEDDING) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 5, 2, bias=False)
        self.norm = nn.BatchNorm2d(8)
        self.head = nn.Linear(8 * 4 * 4, embedding_size)

    def forward(self, x: Tensor) -> Tensor:
        maps = torch.relu(self.norm(self.conv(x)))
        pooled = nn.functional.adaptive_avg_pool2d(maps, 4)
        embedding: Tensor = self.head(pooled.reshape(x.shape[0], -1))
        return embedding


def tiny_net(seed: int, embedding_size: int = TINY_EMBEDDING) -> TinyNet:
    """The same network for the same seed."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = TinyNet(embedding_size)
        network.norm.running_mean = torch.randn(8) * 0.1
        network.norm.running_var = torch.rand(8) + 0.5
    return network.eval()


def export_tiny(folder: Path, network: nn.Module, *, mirror: bool = False) -> ModelBundle:
    """Exports a tiny network in float32."""
    return export_bundle(
        network,
        folder,
        name=folder.name,
        architecture="tiny",
        embedding_size=TINY_EMBEDDING,
        preprocessing=Preprocessing(127.5, 1 / 127.5, mirror),
        alignment=Alignment("box", TINY_SIZE),
        about={"description": "a network for tests"},
        half=False,
    )
