"""Networks that can be trained: shapes, gradients, what they cost."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from facematch.choices import Architecture
from facematch.embedding.cost import cost_of_architecture
from facematch.embedding.networks import NETWORKS
from facematch.embedding.networks.compact import CompactNet
from facematch.errors import UnknownModelError

QUICK = ("compact-2", "mobilefacenet")


def test_choices_are_the_networks() -> None:
    assert set(Architecture) == set(NETWORKS)


@pytest.mark.parametrize("name", QUICK)
def test_a_network_gives_embeddings_and_takes_gradients(name: str) -> None:
    torch.manual_seed(0)
    spec = NETWORKS[name]
    network = spec.build().train()
    crops = torch.rand(4, 3, spec.input_size, spec.input_size) * 2 - 1
    embeddings = network(crops)
    assert embeddings.shape == (4, spec.embedding_size)
    embeddings.square().sum().backward()
    assert all(p.grad is not None and bool(p.grad.isfinite().all()) for p in network.parameters())


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("mobilefacenet", 1.0e6),  # "0.99 million" in the paper's table 2, which has no biases
        ("iresnet-18", 24.0e6),
        ("iresnet-34", 34.1e6),
        ("iresnet-50", 43.6e6),
    ],
)
def test_published_networks_have_the_published_size(name: str, parameters: float) -> None:
    with torch.device("meta"):
        network = NETWORKS[name].build()
    found = sum(p.numel() for p in network.parameters())
    assert found == pytest.approx(parameters, rel=0.02)


def slow_multiply_adds(network: nn.Module, size: int) -> int:
    """Counted by watching the layers run."""
    total = 0

    def count(layer: nn.Module, inputs: tuple[torch.Tensor], output: torch.Tensor) -> None:
        nonlocal total
        assert isinstance(layer, nn.Conv2d | nn.Linear)
        total += math.prod(output.shape[1:]) * math.prod(layer.weight.shape[1:])

    for layer in network.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            layer.register_forward_hook(count)
    with torch.no_grad():
        network.eval()(torch.zeros(1, 3, size, size))
    return total


@pytest.mark.parametrize("name", QUICK)
def test_cost_is_counted_and_timed(name: str) -> None:
    cost = cost_of_architecture(name)
    spec = NETWORKS[name]
    network = spec.build()
    assert cost.multiply_adds == slow_multiply_adds(network, spec.input_size)
    assert cost.parameters == sum(p.numel() for p in network.parameters())
    assert (cost.input_size, cost.embedding_size) == (spec.input_size, spec.embedding_size)
    assert cost.faces_per_s > 0


def test_an_unknown_network_is_named_with_those_there_are() -> None:
    with pytest.raises(UnknownModelError, match="mobilefacenet"):
        cost_of_architecture("mobilefacenot")


def test_stages_can_start_from_a_teacher() -> None:
    torch.manual_seed(3)
    network = CompactNet().eval()
    crops = torch.rand(2, 3, 112, 112)
    with torch.no_grad():
        free = network.stage_maps(crops)
        assert [m.shape[1:] for m in free.maps] == [
            (64, 28, 24),
            (128, 14, 12),
            (128, 7, 6),
            (512, 7, 6),
        ]
        # Forced with its own maps it does what it does freely.
        forced = network.stage_maps(crops, free.maps)
        torch.testing.assert_close(forced.embeddings, free.embeddings)
        other = tuple(torch.rand_like(m) for m in free.maps)
        changed = network.stage_maps(crops, other)
        torch.testing.assert_close(changed.maps[0], free.maps[0])
        assert not torch.allclose(changed.maps[1], free.maps[1])
        torch.testing.assert_close(changed.embeddings, network.head(other[3]))
        torch.testing.assert_close(network(crops), free.embeddings)
