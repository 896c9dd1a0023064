"""Random numbers for miners, the same on every device and on every rank.

They are drawn where the generator lives, usually on the CPU, and moved: so a seed means the
same tuples on a GPU, and ranks that share a seed mine the same ones from a gathered batch.
"""

from __future__ import annotations

import torch
from torch import Tensor


def uniform(count: int, generator: torch.Generator, device: torch.device) -> Tensor:
    """float32 (count,) in [0, 1]."""
    return _uniform(count, generator).float().to(device)


def below(limits: Tensor, generator: torch.Generator) -> Tensor:
    """One whole number in [0, limit) for each limit; int64 (m,), 0 where the limit is 0."""
    # Where the generator is there is double precision, which large limits need.
    there = limits.to(generator.device)
    drawn = (_uniform(len(limits), generator) * there).long()
    return torch.minimum(drawn, (there - 1).clamp(min=0)).to(limits.device)  # may round up


def _uniform(count: int, generator: torch.Generator) -> Tensor:
    return torch.rand(count, generator=generator, dtype=torch.float64, device=generator.device)


def ranks(total: int, maximum: int, generator: torch.Generator, device: torch.device) -> Tensor:
    """Ascending ranks in [0, total): all of them, or an even sample without repetition.

    The sample draws one rank from each of ``maximum`` equal stretches, which takes no memory
    in proportion to ``total``, and no search for repetitions.
    """
    if total <= maximum:
        return torch.arange(total, device=device)
    step, rest = divmod(total, maximum)
    number = torch.arange(maximum + 1, device=device)
    edges = number * step + number * rest // maximum
    return edges[:-1] + below(edges.diff(), generator)
