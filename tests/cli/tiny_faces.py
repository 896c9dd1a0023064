"""A network that a test can train: 112x112 crops to eight numbers."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class TinyFaceNet(nn.Module):
    """Float (n, 3, 112, 112) -> (n, 8)."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 8, 8, bias=False)
        self.norm = nn.BatchNorm2d(8)
        self.head = nn.Linear(8, 8)

    def forward(self, x: Tensor) -> Tensor:
        embedding: Tensor = self.head(torch.relu(self.norm(self.conv(x))).mean((2, 3)))
        return embedding
