"""MobileFaceNet: the field's small network, of inverted bottlenecks.

Chen, Liu, Gao and Han, *MobileFaceNets: Efficient CNNs for Accurate Real-time Face
Verification on Mobile Devices*, 2018, arXiv 1804.07573, table 1.
"""

from __future__ import annotations

from typing import cast

from torch import Tensor, nn


def _unit(channels_in: int, channels_out: int, kernel: int, stride: int, groups: int) -> nn.Module:
    """Convolution, batch normalisation, PReLU."""
    return nn.Sequential(
        nn.Conv2d(
            channels_in, channels_out, kernel, stride, kernel // 2, groups=groups, bias=False
        ),
        nn.BatchNorm2d(channels_out),
        nn.PReLU(channels_out),
    )


class _Bottleneck(nn.Module):
    """1x1 expansion, 3x3 depthwise, linear 1x1; with a shortcut where the shape stays."""

    def __init__(self, channels_in: int, hidden: int, channels_out: int, stride: int) -> None:
        super().__init__()
        self.residual = stride == 1 and channels_in == channels_out
        self.body = nn.Sequential(
            _unit(channels_in, hidden, 1, 1, 1),
            _unit(hidden, hidden, 3, stride, hidden),
            nn.Conv2d(hidden, channels_out, 1, bias=False),
            nn.BatchNorm2d(channels_out),
        )

    def forward(self, x: Tensor) -> Tensor:
        y = cast(Tensor, self.body(x))
        return x + y if self.residual else y


class MobileFaceNet(nn.Module):
    """About a million parameters, 112x112 input.

    Args:
        embedding_size: length of the output vector.

    The input is float (n, 3, 112, 112), RGB, scaled to [-1, 1]; the output,
    (n, embedding_size), is not normalised.
    """

    def __init__(self, embedding_size: int = 128) -> None:
        super().__init__()
        blocks: list[nn.Module] = [_unit(3, 64, 3, 2, 1), _unit(64, 64, 3, 1, 64)]
        channels = 64
        # Expansion, channels, repetitions, stride of the first.
        for expansion, width, count, stride in (
            (2, 64, 5, 2),
            (4, 128, 1, 2),
            (2, 128, 6, 1),
            (4, 128, 1, 2),
            (2, 128, 2, 1),
        ):
            for index in range(count):
                step = stride if index == 0 else 1
                blocks.append(_Bottleneck(channels, expansion * channels, width, step))
                channels = width
        self.features = nn.Sequential(*blocks, _unit(channels, 512, 1, 1, 1))
        self.head = nn.Sequential(
            nn.Conv2d(512, 512, 7, groups=512, bias=False),
            nn.BatchNorm2d(512),
            nn.Conv2d(512, embedding_size, 1, bias=False),
            nn.Flatten(),
            nn.BatchNorm1d(embedding_size),
        )

    def forward(self, x: Tensor) -> Tensor:
        return cast(Tensor, self.head(self.features(x)))
