"""A network that a test can train, 112x112 crops to eight numbers, and crops for it."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
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


class OneSidedFaceNet(TinyFaceNet):
    """Begins with embeddings that all point one way, so that it has much to learn."""

    def __init__(self) -> None:
        super().__init__()
        with torch.no_grad():
            self.head.weight.copy_(self.head.weight[:1].expand(8, 8))
            self.head.bias.fill_(1.0)


def crops_of_colours(root: Path, people: int, pictures: int, seed: int = 0) -> Path:
    """A folder for each of up to eight people with aligned crops of a colour of their own.

    The seed changes the pictures and not the colours.
    """
    corners = np.array([[i & 1, i >> 1 & 1, i >> 2] for i in range(8)])
    colours = 40 + 170 * corners[:people]
    rng = np.random.default_rng((seed, 1))
    for person, colour in enumerate(colours):
        folder = root / f"Person {person}"
        folder.mkdir(parents=True)
        for picture in range(pictures):
            noise = rng.integers(-20, 20, (112, 112, 3))
            pixels = np.clip(colour + noise, 0, 255).astype(np.uint8)
            cv2.imwrite(str(folder / f"{picture}.png"), pixels)
    return root
