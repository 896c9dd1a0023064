"""Random numbers for miners, the same on every device and on every rank.

They are drawn where the generator lives, usually on the CPU, and moved: so a seed means the
same tuples on a GPU, and ranks that share a seed mine the same ones from a gathered batch.
"""

from __future__ import annotations

import torch
from torch import Tensor


def uniform(count: int, generator: torch.Generator, device: torch.device) -> Tensor:
    """float64 (count,) in [0, 1)."""
    drawn = torch.rand(count, generator=generator, dtype=torch.float64, device=generator.device)
    return drawn.to(device)


def below(limits: Tensor, generator: torch.Generator) -> Tensor:
    """One whole number in [0, limit) for each limit; int64 (m,), 0 where the limit is 0."""
    drawn = (uniform(len(limits), generator, limits.device) * limits).long()
    return torch.minimum(drawn, (limits - 1).clamp(min=0))  # the product may round up


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
