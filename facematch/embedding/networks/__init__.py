"""Embedding networks, by name. Importing this package imports torch."""

from __future__ import annotations

from collections.abc import Callable

from torch import nn

from facematch.embedding.networks.compact import CompactNet
from facematch.embedding.networks.inception import inception_resnet_v1

NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "compact": CompactNet,
    "inception-resnet-v1": inception_resnet_v1,
}
