"""The default network: a narrow pre-ResNet-50-era residual net that a CPU runs fast.

Two choices carry its speed. The stem and every stage halve the resolution, so that a
112x112 crop is a 28x24 map before the first residual block; and the columns outside the
face oval (one fourteenth of the width on each side) are cut off before the first
convolution, because they hold hair and background. Both are free at run time.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions with a shortcut (He et al., CVPR 2016, arXiv 1512.03385)."""

    def __init__(self, channels_in: int, channels_out: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels_in, channels_out, 3, stride, 1, bias=False)
        self.norm1 = nn.BatchNorm2d(channels_out)
        self.conv2 = nn.Conv2d(channels_out, channels_out, 3, 1, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(channels_out)
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or channels_in != channels_out:
            self.shortcut = nn.Sequential(
                nn.Conv2d(channels_in, channels_out, 1, stride, bias=False),
                nn.BatchNorm2d(channels_out),
            )

    def forward(self, x: Tensor) -> Tensor:
        y = torch.relu(self.norm1(self.conv1(x)))
        y = self.norm2(self.conv2(y))
        return torch.relu(y + self.shortcut(x))


class CompactNet(nn.Module):
    """Residual embedding network of 2.9 M parameters.

    Args:
        widths: channels of the four stages.
        depths: residual blocks of the four stages.
        embedding_size: length of the output vector.

    The input is float32 or bfloat16 of shape (n, 3, s, s), RGB, scaled to [-1, 1], with
    ``s`` a multiple of 14 (112 at run time; smaller early in training, which the global
    average pool allows). The output, (n, embedding_size), is not normalised.
    """

    def __init__(
        self,
        widths: tuple[int, int, int, int] = (32, 64, 128, 256),
        depths: tuple[int, int, int, int] = (2, 2, 2, 2),
        embedding_size: int = 256,
    ) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(3, widths[0], 3, 2, 1, bias=False), nn.BatchNorm2d(widths[0]), nn.ReLU()
        )
        blocks: list[nn.Module] = []
        channels = widths[0]
        for width, depth in zip(widths, depths, strict=True):
            for index in range(depth):
                blocks.append(ResidualBlock(channels, width, 2 if index == 0 else 1))
                channels = width
        self.stages = nn.Sequential(*blocks)
        self.head = nn.Linear(channels, embedding_size)

    def forward(self, x: Tensor) -> Tensor:
        margin = x.shape[-1] // 14
        x = x[..., margin : x.shape[-1] - margin]
        features = self.stages(self.stem(x)).mean((2, 3))
        return cast(Tensor, self.head(features))
