"""The averaged weights of a run: what is validated and exported."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import torch
from torch import Tensor, nn

from facematch.training.sharding import local, placed


class WeightAverage:
    """Exponential moving average of all floating-point tensors of a network.

    Running statistics are averaged with the weights, because they belong together. Of a
    network in shards each process averages its own.

    Args:
        network: whose tensors are followed.
        decay: of one update.
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        self._decay = decay
        self.tensors = {name: value.clone() for name, value in _floats(network)}

    @torch.no_grad()
    def update(self, network: nn.Module, step: int) -> None:
        """Takes in the weights after update ``step`` (from 0)."""
        # Early on a long memory would hold the random start; let it grow with the run.
        decay = min(self._decay, (1 + step) / (10 + step))
        current = dict(_floats(network))
        torch._foreach_lerp_(  # one fused call for all tensors
            [local(value) for value in self.tensors.values()],
            [local(current[name]) for name in self.tensors],
            1 - decay,
        )

    def load(self, tensors: Mapping[str, Tensor]) -> None:
        """Takes over saved, whole tensors, on the devices and in the shards of the present ones."""
        self.tensors = {n: placed(tensors[n], value) for n, value in self.tensors.items()}


def _floats(network: nn.Module) -> Iterator[tuple[str, Tensor]]:
    for name, value in network.state_dict().items():
        if value.is_floating_point():
            yield name, value
