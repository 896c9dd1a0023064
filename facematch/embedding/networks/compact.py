"""The default network: full 3x3 convolutions at low resolution, with a head that knows where.

Four choices make it cheap to run and quick to train on a CPU:

* The columns outside the face oval (one fourteenth of the width on each side) are cut off
  before the first convolution, because they hold hair and background.
* Two strided convolutions bring the crop to 28x24 before the first residual block.
* A block is one full 3x3 convolution and one 1x1 (the fused form of the inverted bottleneck:
  Gupta and Tan, EfficientNet-EdgeTPU, 2019), gated by squeeze-and-excitation (Hu et al., CVPR
  2018, arXiv 1709.01507). On a CPU a full convolution does several times more multiply-adds a
  second than a depthwise one.
* Every stage ends in a linear map of few channels, as in MobileFaceNet (Chen et al., 2018,
  arXiv 1804.07573), which a teacher's maps of the same kind can supervise; and the head is its
  global depthwise convolution, because the places of an aligned face differ in what they tell.
"""

from __future__ import annotations

from typing import NamedTuple, cast

import torch
from torch import Tensor, nn


class StageMaps(NamedTuple):
    """What the stages of :class:`CompactNet` give, for a teacher to supervise.

    Attributes:
        maps: float (n, 64, 28, 24), (n, 128, 14, 12), (n, 128, 7, 6): the linear ends of the
            three stages; and (n, 512, 7, 6), the head's map before its activation.
        embeddings: (n, d), not normalised.
    """

    maps: tuple[Tensor, ...]
    embeddings: Tensor


class _Gate(nn.Module):
    """Squeeze-and-excitation: each channel scaled by what the whole map holds."""

    def __init__(self, channels: int, reduction: int = 8) -> None:
        super().__init__()
        self.squeeze = nn.Conv2d(channels, channels // reduction, 1)
        self.excite = nn.Conv2d(channels // reduction, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        pooled = x.mean((2, 3), keepdim=True)
        return x * torch.sigmoid(self.excite(torch.relu(self.squeeze(pooled))))


class FusedBlock(nn.Module):
    """3x3 convolution, ReLU, linear 1x1, gate; with a shortcut where the shape stays."""

    def __init__(self, channels_in: int, hidden: int, channels_out: int, stride: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels_in, hidden, 3, stride, 1, bias=False)
        self.norm = nn.BatchNorm2d(hidden)
        self.project = nn.Conv2d(hidden, channels_out, 1, bias=False)
        self.project_norm = nn.BatchNorm2d(channels_out)
        self.gate = _Gate(channels_out)
        self.residual = stride == 1 and channels_in == channels_out

    def forward(self, x: Tensor) -> Tensor:
        y = torch.relu(self.norm(self.conv(x)))
        y = self.gate(self.project_norm(self.project(y)))
        return cast(Tensor, x + y if self.residual else y)


class CompactNet(nn.Module):
    """The default embedding network.

    Args:
        depths: residual blocks of the three stages.
        widths: hidden channels of their blocks.
        embedding_size: length of the output vector.

    The input is float32 or bfloat16 of shape (n, 3, 112, 112), RGB, scaled to [-1, 1]. The
    output, (n, embedding_size), is not normalised.
    """

    def __init__(
        self,
        depths: tuple[int, int, int] = (1, 3, 2),
        widths: tuple[int, int, int] = (64, 128, 256),
        embedding_size: int = 256,
    ) -> None:
        super().__init__()
        stem = [
            nn.Conv2d(3, 32, 3, 2, 1, bias=False),
            nn.BatchNorm2d(32),
            nn.ReLU(),
            FusedBlock(32, widths[0], 64, 2),
        ]
        first = [FusedBlock(64, widths[0], 64, 1) for _ in range(depths[0])]
        stages = [nn.Sequential(*stem, *first)]
        channels = 64
        for depth, width in zip(depths[1:], widths[1:], strict=True):
            blocks = [FusedBlock(channels, width, 128, 2)]
            blocks += [FusedBlock(128, width, 128, 1) for _ in range(depth)]
            stages.append(nn.Sequential(*blocks))
            channels = 128
        self.stages = nn.ModuleList(stages)
        self.expand = nn.Sequential(nn.Conv2d(128, 512, 1, bias=False), nn.BatchNorm2d(512))
        self.head = nn.Sequential(
            nn.PReLU(),
            nn.Conv2d(512, 512, (7, 6), groups=512, bias=False),
            nn.BatchNorm2d(512),
            nn.Flatten(),
            nn.Linear(512, embedding_size),
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.stage_maps(x).embeddings

    def stage_maps(self, x: Tensor, forced: tuple[Tensor, ...] | None = None) -> StageMaps:
        """The embedding, and the maps on the way to it.

        Args:
            x: as for :meth:`forward`.
            forced: the maps of a teacher. Each stage then starts from the teacher's map and
                not from that of the stage before it, so that all learn at once.
        """
        margin = x.shape[-1] // 14
        x = x[..., margin : x.shape[-1] - margin]
        maps: list[Tensor] = []
        for index, part in enumerate((*self.stages, self.expand, self.head)):
            if forced is not None and index > 0:
                x = forced[index - 1]
            x = part(x)
            maps.append(x)
        return StageMaps(tuple(maps[:-1]), maps[-1])
