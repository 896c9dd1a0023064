from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from tiny_network import TINY_EMBEDDING, TINY_SIZE, export_tiny, tiny_net

from facematch.embedding import Embedder, load_bundle
from facematch.embedding.embedder import BATCH
from facematch.errors import ModelFormatError
from facematch.runtime import Device, Network, NetworkSource, open_engine
from facematch.types import Float32Array, UInt8Array


def noise(count: int) -> UInt8Array:
    return np.random.default_rng(7).integers(0, 256, (count, TINY_SIZE, TINY_SIZE, 3), np.uint8)


def torch_templates(crops_rgb: UInt8Array) -> Float32Array:
    """The slow and obvious way, one crop at a time in float64."""
    network = tiny_net(1).double()
    templates = []
    for crop in crops_rgb:
        pixels = torch.tensor(crop.astype(np.float64)).permute(2, 0, 1)[None]
        with torch.no_grad():
            vector = network((pixels - 127.5) / 127.5)[0]
        templates.append((vector / vector.norm()).numpy())
    return np.array(templates, np.float32).reshape(len(crops_rgb), TINY_EMBEDDING)


@pytest.mark.parametrize("count", [0, 1, 2, BATCH - 1, BATCH, BATCH + 1, 2 * BATCH + 3])
def test_templates_are_torchs(tiny_folder: Path, count: int) -> None:
    crops = noise(count)
    before = crops.copy()
    embedder = Embedder(load_bundle(tiny_folder), open_engine(Device.CPU))
    templates = embedder.embed(crops)
    assert templates.shape == (count, TINY_EMBEDDING)
    assert templates.dtype == np.float32
    np.testing.assert_allclose(templates, torch_templates(crops), atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(templates, axis=1), 1, atol=1e-6)
    np.testing.assert_array_equal(crops, before)


def test_templates_are_the_callers(tiny_folder: Path) -> None:
    embedder = Embedder(load_bundle(tiny_folder), open_engine(Device.CPU))
    first = embedder.embed(noise(2))
    kept = first.copy()
    embedder.embed(255 - noise(2))
    np.testing.assert_array_equal(first, kept)


def test_crops_need_not_be_contiguous(tiny_folder: Path) -> None:
    embedder = Embedder(load_bundle(tiny_folder), open_engine(Device.CPU))
    mirrored = noise(3)[:, :, ::-1]
    np.testing.assert_array_equal(
        embedder.embed(mirrored), embedder.embed(np.ascontiguousarray(mirrored))
    )


def test_mirror(tmp_path: Path) -> None:
    embedder = Embedder(
        export_tiny(tmp_path / "mirror", tiny_net(1), mirror=True), open_engine(Device.CPU)
    )
    crops = noise(3)
    mirrored = np.ascontiguousarray(crops[:, :, ::-1])
    wanted = torch_templates(crops) + torch_templates(mirrored)
    wanted /= np.linalg.norm(wanted, axis=1, keepdims=True)
    np.testing.assert_allclose(embedder.embed(crops), wanted, atol=1e-5)
    np.testing.assert_allclose(embedder.embed(mirrored), wanted, atol=1e-5)


@pytest.mark.parametrize(
    "shape",
    [
        (TINY_SIZE, TINY_SIZE, 3),
        (1, TINY_SIZE, TINY_SIZE),
        (1, TINY_SIZE, TINY_SIZE, 4),
        (1, TINY_SIZE, TINY_SIZE + 1, 3),
        (1, 3, TINY_SIZE, TINY_SIZE),
    ],
)
def test_crops_of_a_wrong_shape(tiny_folder: Path, shape: tuple[int, ...]) -> None:
    embedder = Embedder(load_bundle(tiny_folder), open_engine(Device.CPU))
    with pytest.raises(ValueError, match="crops must be"):
        embedder.embed(np.zeros(shape, np.uint8))


class FixedEngine:
    """Runs nothing and answers always the same."""

    device = "fixed"

    def __init__(self, answer: npt.NDArray[np.float32]) -> None:
        self.answer = answer

    def load(self, source: NetworkSource) -> Network:
        def run(batch: npt.NDArray[Any]) -> tuple[npt.NDArray[np.float32], ...]:
            return (self.answer,)

        return run


def row(value: float, length: int = TINY_EMBEDDING) -> npt.NDArray[np.float32]:
    return np.full((1, length), value, np.float32)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (row(0), "without a direction"),
        (row(np.nan), "without a direction"),
        (row(np.inf), "without a direction"),
        (row(1, TINY_EMBEDDING + 1), r"gave \(1, 9\); its card says \(1, 8\)"),
        (np.ones(TINY_EMBEDDING, np.float32), "its card says"),
        (np.ones((2, TINY_EMBEDDING), np.float32), "its card says"),
        (np.ones((1, TINY_EMBEDDING, 1, 1), np.float32), "its card says"),
    ],
)
def test_network_that_gives_no_template(
    tiny_folder: Path, answer: npt.NDArray[np.float32], message: str
) -> None:
    embedder = Embedder(load_bundle(tiny_folder), FixedEngine(answer))
    with pytest.raises(ModelFormatError, match=message):
        embedder.embed(noise(1))


def test_length_does_not_matter(tiny_folder: Path) -> None:
    embedder = Embedder(load_bundle(tiny_folder), FixedEngine(row(1e-15)))
    np.testing.assert_allclose(embedder.embed(noise(1)), row(TINY_EMBEDDING**-0.5), rtol=1e-5)
