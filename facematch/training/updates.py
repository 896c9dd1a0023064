"""AdamW over parameters of which some may lie in shards on several processes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn

from facematch.training.config import TrainingConfig
from facematch.training.sharding import clip_gradients, layouts, placed, whole


class Updates:
    """Clipped updates by AdamW, with weight decay on matrices and not on vectors.

    Its saved state is that of one AdamW with those two groups over whole tensors, whatever
    the shards.

    Args:
        modules: whose parameters are trained, where they ask for a gradient.
        config: rates, decay and clipping.
    """

    def __init__(self, modules: Sequence[nn.Module], config: TrainingConfig) -> None:
        trained = [p for module in modules for p in module.parameters() if p.requires_grad]
        self._config = config
        self._matrices = [p for p in trained if p.ndim > 1]
        self._vectors = [p for p in trained if p.ndim <= 1]
        groups = [
            {"params": part, "weight_decay": decay}
            for kind, decay in ((self._matrices, config.weight_decay), (self._vectors, 0.0))
            for part in layouts(kind) or [[]]
        ]
        self._adam = torch.optim.AdamW(groups, lr=config.learning_rate, fused=True)

    @property
    def _parameters(self) -> list[nn.Parameter]:
        """In the order of the saved state."""
        return [*self._matrices, *self._vectors]

    def clear(self) -> None:
        """Forgets the gradients."""
        self._adam.zero_grad(set_to_none=True)

    def make(self, step: int) -> float:
        """Makes update ``step``; returns the norm of the gradient before it was clipped."""
        for group in self._adam.param_groups:
            group["lr"] = self._config.rate_at(step)
        norm = clip_gradients(self._parameters, self._config.gradient_clip)
        self._adam.step()
        return norm

    def state(self) -> dict[str, Any]:
        """The optimizer's state, whole; gathered from all processes, if it lies in shards."""
        groups, first = self._adam.param_groups, 0
        stated = []
        for kind, group in ((self._matrices, groups[0]), (self._vectors, groups[-1])):
            numbers = list(range(first, first + len(kind)))
            stated.append({**group, "params": numbers})
            first += len(kind)
        of_parameter = self._adam.state
        return {
            "state": {
                number: whole(dict(of_parameter[parameter]))
                for number, parameter in enumerate(self._parameters)
                if parameter in of_parameter
            },
            "param_groups": stated,
        }

    def load(self, state: Mapping[str, Any]) -> None:
        """Takes over a saved state; rates and decay are those of the configuration."""
        own = self._adam.state_dict()
        numbers = {p: number for number, p in enumerate(self._parameters)}
        order = [p for group in self._adam.param_groups for p in group["params"]]
        self._adam.load_state_dict(
            {
                "state": {
                    place: _placed(state["state"][numbers[parameter]], parameter)
                    for place, parameter in enumerate(order)
                    if numbers[parameter] in state["state"]
                },
                "param_groups": own["param_groups"],
            }
        )


def _placed(moments: Mapping[str, Any], parameter: nn.Parameter) -> dict[str, Any]:
    """Moments in the parameter's shards; the count of steps is one number for all."""
    return {
        name: value if name == "step" else placed(value, parameter)
        for name, value in moments.items()
    }
