"""The exported forms of real networks against torch."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from facematch.embedding import DEFAULT_MODEL, Embedder, find_model
from facematch.embedding.networks import NETWORKS
from facematch.runtime import Device, open_engine
from facematch.runtime.torch_engine import TorchEngine
from facematch.types import Float32Array, UInt8Array
from facematch.workflows.models import pull_model, show_model, verify_model

LEAST_COSINE = 0.9999


def smooth_crops(count: int, size: int, seed: int) -> UInt8Array:
    """Blobs of colour: uint8 (count, size, size, 3), about as smooth as faces are."""
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand((count, 3, 6, 6), generator=generator) * 255
    fine = nn.functional.interpolate(coarse, size=size, mode="bicubic", align_corners=False)
    crops: UInt8Array = fine.clamp(0, 255).byte().permute(0, 2, 3, 1).contiguous().numpy()
    return crops


def cosines(a: Float32Array, b: Float32Array) -> Float32Array:
    unit_a = a / np.linalg.norm(a, axis=1, keepdims=True)
    unit_b = b / np.linalg.norm(b, axis=1, keepdims=True)
    return np.asarray(unit_a @ unit_b.T, np.float32)


def discerning_network(seed: int) -> nn.Module:
    """Random weights, but normalised on pictures, so that crops get templates of their own.

    With its initial statistics the network maps everything to one direction, and a test of
    cosines between two forms of it would pass whatever the pixels were.
    """
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = NETWORKS["inception-resnet-v1"].build()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            module.momentum = None  # cumulative: exactly the statistics of the one batch
    pictures = torch.from_numpy(smooth_crops(8, 160, seed=1)).permute(0, 3, 1, 2)
    with torch.no_grad():
        network.train()((pictures - 127.5) / 128)
    return network.eval()


@pytest.mark.slow
def test_pulled_inception_resnet_runs_as_facenet_pytorch_does(tmp_path: Path) -> None:
    from facenet_pytorch import fixed_image_standardization

    network = discerning_network(seed=0)
    state = network.state_dict()
    state["logits.weight"], state["logits.bias"] = torch.zeros(10575, 512), torch.zeros(10575)
    torch.save(state, tmp_path / "weights.pt")
    sha256 = hashlib.sha256((tmp_path / "weights.pt").read_bytes()).hexdigest()
    bundle = pull_model("facenet-casia", from_file=tmp_path / "weights.pt", trust=sha256).bundle

    crops = smooth_crops(5, 160, seed=2)
    pixels = torch.from_numpy(crops).permute(0, 3, 1, 2).float()
    with torch.no_grad():
        wanted = network(fixed_image_standardization(pixels)).numpy()
    between = cosines(wanted, wanted)[~np.eye(len(crops), dtype=bool)]
    assert between.max() < 0.99

    for engine in (open_engine(Device.CPU), TorchEngine("cpu")):
        templates = Embedder(bundle, engine).embed(crops)
        assert np.diag(cosines(templates, wanted)).min() > LEAST_COSINE
    assert verify_model("facenet-casia").bundle.identity == bundle.identity
    assert show_model("facenet-casia").parameters == sum(p.numel() for p in network.parameters())


def test_default_model_is_the_same_on_both_engines() -> None:
    bundle = find_model(DEFAULT_MODEL)
    crops = smooth_crops(5, bundle.alignment.size, seed=4)
    openvino, torch_ = (
        Embedder(bundle, engine).embed(crops)
        for engine in (open_engine(Device.CPU), TorchEngine("cpu"))
    )
    np.testing.assert_allclose(openvino, torch_, atol=1e-4)
    assert cosines(openvino, openvino)[~np.eye(len(crops), dtype=bool)].max() < 0.999
