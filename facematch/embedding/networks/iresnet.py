"""IResNet: the residual networks of ArcFace.

The improved residual unit (BN, convolution, BN, PReLU, strided convolution, BN) and the
flattened output of Deng, Guo, Xue and Zafeiriou, *ArcFace*, CVPR 2019, arXiv 1801.07698,
sections 3.1 and 3.2, with 18, 34 or 50 layers.
"""

from __future__ import annotations

from typing import cast

from torch import Tensor, nn


class _ImprovedBlock(nn.Module):
    def __init__(self, channels_in: int, channels_out: int, stride: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.BatchNorm2d(channels_in),
            nn.Conv2d(channels_in, channels_out, 3, 1, 1, bias=False),
            nn.BatchNorm2d(channels_out),
            nn.PReLU(channels_out),
            nn.Conv2d(channels_out, channels_out, 3, stride, 1, bias=False),
            nn.BatchNorm2d(channels_out),
        )
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or channels_in != channels_out:
            self.shortcut = nn.Sequential(
                nn.Conv2d(channels_in, channels_out, 1, stride, bias=False),
                nn.BatchNorm2d(channels_out),
            )

    def forward(self, x: Tensor) -> Tensor:
        return cast(Tensor, self.body(x) + self.shortcut(x))


class IResNet(nn.Module):
    """Residual network on 112x112 crops.

    Args:
        depths: blocks of the four stages, of 64, 128, 256 and 512 channels.
        embedding_size: length of the output vector.

    The input is float (n, 3, 112, 112), RGB, scaled to [-1, 1]; the output,
    (n, embedding_size), is not normalised.
    """

    def __init__(self, depths: tuple[int, int, int, int], embedding_size: int = 512) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(3, 64, 3, 1, 1, bias=False), nn.BatchNorm2d(64), nn.PReLU(64)
        )
        blocks: list[nn.Module] = []
        channels = 64
        for width, depth in zip((64, 128, 256, 512), depths, strict=True):
            for index in range(depth):
                blocks.append(_ImprovedBlock(channels, width, 2 if index == 0 else 1))
                channels = width
        self.stages = nn.Sequential(*blocks)
        self.head = nn.Sequential(
            nn.BatchNorm2d(512),
            nn.Flatten(),
            nn.Linear(512 * 7 * 7, embedding_size),
            nn.BatchNorm1d(embedding_size),
        )

    def forward(self, x: Tensor) -> Tensor:
        return cast(Tensor, self.head(self.stages(self.stem(x))))
