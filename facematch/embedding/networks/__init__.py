"""Embedding networks, by name. Importing this package imports torch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from torch import nn

from facematch.embedding.networks.compact import CompactNet
from facematch.embedding.networks.inception import inception_resnet_v1
from facematch.embedding.networks.iresnet import IResNet
from facematch.embedding.networks.mobilefacenet import MobileFaceNet


@dataclass(frozen=True, slots=True)
class NetworkSpec:
    """A network that can be built and trained.

    Attributes:
        build: makes it with random weights.
        input_size: side of its square crops in pixels.
        embedding_size: length of a template.
        description: one line, with the paper.
    """

    build: Callable[[], nn.Module]
    input_size: int
    embedding_size: int
    description: str


NETWORKS: dict[str, NetworkSpec] = {
    "compact-2": NetworkSpec(
        CompactNet, 112, 256, "the default: fused bottlenecks at low resolution, gated"
    ),
    "mobilefacenet": NetworkSpec(MobileFaceNet, 112, 128, "MobileFaceNet, arXiv 1804.07573"),
    "iresnet-18": NetworkSpec(partial(IResNet, (2, 2, 2, 2)), 112, 512, "ArcFace's IResNet-18"),
    "iresnet-34": NetworkSpec(partial(IResNet, (3, 4, 6, 3)), 112, 512, "ArcFace's IResNet-34"),
    "iresnet-50": NetworkSpec(partial(IResNet, (3, 4, 14, 3)), 112, 512, "ArcFace's IResNet-50"),
    "inception-resnet-v1": NetworkSpec(
        inception_resnet_v1, 160, 512, "facenet-pytorch's InceptionResnetV1, arXiv 1602.07261"
    ),
}
