"""Tensors that lie in shards on several processes (``DTensor``), and whole ones.

Checkpoints hold whole tensors, whoever wrote them, so that any number of processes can go on
from one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributed.tensor import DTensor, distribute_tensor


def is_sharded(module: nn.Module) -> bool:
    """Whether any parameter lies in shards."""
    return any(isinstance(parameter, DTensor) for parameter in module.parameters())


def local(tensor: Tensor) -> Tensor:
    """What this process holds of a tensor, in the same memory."""
    return tensor.to_local() if isinstance(tensor, DTensor) else tensor


def replicated(tensors: Iterable[Tensor]) -> Iterator[Tensor]:
    """Those tensors that every process has whole."""
    return (tensor for tensor in tensors if not isinstance(tensor, DTensor))


def whole(state: Any) -> Any:
    """Nested dicts and lists with every tensor whole.

    Shards are gathered with the help of all processes, which must call this together, and
    land on the CPU, one tensor after the other, because they may not fit on one device.
    Other values are left as they are.
    """
    if isinstance(state, DTensor):
        return state.full_tensor().cpu()
    if isinstance(state, dict):
        return {name: whole(value) for name, value in state.items()}
    if isinstance(state, list):
        return [whole(value) for value in state]
    return state


def placed(value: Tensor, like: Tensor) -> Tensor:
    """A whole tensor, which all processes have, on the device and in the shards of another.

    It takes over the order in memory, too: fused optimizers step through a weight and its
    moments side by side, and one process keeps weights channels last, which shards cannot be.
    """
    value = value.to(like.device)
    if isinstance(like, DTensor):
        # Without a source nothing is sent: each process cuts its part out of what it has.
        value = distribute_tensor(
            value.contiguous(), like.device_mesh, like.placements, src_data_rank=None
        )
    with torch.no_grad():
        return torch.empty_like(like).copy_(value)


def load_whole(module: nn.Module, state: Mapping[str, Tensor]) -> None:
    """``load_state_dict`` of whole tensors into a module whose own may lie in shards."""
    present = module.state_dict()
    # A name that the module lacks is left for load_state_dict to refuse.
    module.load_state_dict(
        {n: placed(value, present[n]) if n in present else value for n, value in state.items()}
    )


def layouts(parameters: list[nn.Parameter]) -> list[list[nn.Parameter]]:
    """Parameters by where they lie: plain ones, and those of each mesh.

    Operators on lists of tensors (``torch._foreach_*``, fused optimizers) take no mixture.
    """
    found: dict[object, list[nn.Parameter]] = {}
    for parameter in parameters:
        mesh = parameter.device_mesh if isinstance(parameter, DTensor) else None
        found.setdefault(mesh, []).append(parameter)
    return list(found.values())


def clip_gradients(parameters: list[nn.Parameter], largest: float) -> float:
    """Scales gradients down to a norm over all parameters and all shards; returns the norm."""
    parts = layouts(parameters)
    norms = []
    for part in parts:
        norm = nn.utils.get_total_norm([p.grad for p in part if p.grad is not None])
        norms.append(norm.full_tensor() if isinstance(norm, DTensor) else norm)
    norm = norms[0] if len(norms) == 1 else torch.linalg.vector_norm(torch.stack(norms))
    for part in parts:
        nn.utils.clip_grads_with_norm_(part, largest, norm)
    return float(norm)
