"""Both engines compute the same function, whatever array they are given."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import chain
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from doubling_network import Doubling, pixels

from facematch.imaging.mtcnn import networks
from facematch.runtime import Device, Engine, Network, open_engine
from facematch.runtime.torch_engine import TorchEngine

ENGINES = [
    pytest.param(lambda: open_engine(Device.CPU), id="openvino"),
    pytest.param(lambda: TorchEngine("cpu"), id="torch"),
]


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest) -> Engine:
    made: Engine = request.param()
    return made


@pytest.fixture(scope="module", params=["pnet", "rnet", "onet"])
def pair(request: pytest.FixtureRequest) -> tuple[str, Network, Network]:
    """A net's name, and the net on the CPU engine and on torch."""
    source = networks.source(request.param)
    return request.param, open_engine(Device.CPU).load(source), TorchEngine("cpu").load(source)


def read_only(batch: npt.NDArray[Any]) -> npt.NDArray[Any]:
    batch.setflags(write=False)
    return batch


@pytest.mark.parametrize(
    "batch",
    [
        pytest.param(pixels(), id="plain"),
        pytest.param(pixels(1), id="one"),
        pytest.param(pixels()[:, :, ::-1], id="mirrored view"),
        pytest.param(pixels()[::2], id="every other"),
        pytest.param(pixels().transpose(0, 2, 1, 3), id="transposed view"),
        pytest.param(read_only(pixels()), id="read-only"),
    ],
)
def test_any_layout_of_the_batch(engine: Engine, batch: npt.NDArray[np.uint8]) -> None:
    before = batch.copy()
    doubled, mean = engine.load(Doubling().source)(batch)
    np.testing.assert_array_equal(doubled, batch * 2.0 + 1)
    np.testing.assert_allclose(mean, batch.reshape(len(batch), -1).mean(1), rtol=1e-6)
    assert doubled.dtype == mean.dtype == np.float32
    np.testing.assert_array_equal(batch, before)


def test_the_caller_owns_the_outputs(engine: Engine) -> None:
    network = engine.load(Doubling().source)
    first, _ = network(pixels())
    kept = first.copy()
    network(255 - pixels())
    np.testing.assert_array_equal(first, kept)
    first += 1  # writable
    again, _ = network(pixels())
    np.testing.assert_array_equal(again, kept)


def test_one_loaded_network_takes_batches_of_any_size(engine: Engine) -> None:
    network = engine.load(Doubling().source)
    whole, _ = network(pixels(7))
    for size in (7, 1, 3):
        part, _ = network(pixels(7)[:size])
        np.testing.assert_array_equal(part, whole[:size])


@pytest.mark.parametrize("side_by_side", [False, True])
def test_a_stream_keeps_the_order(engine: Engine, side_by_side: bool) -> None:
    network = engine.load(replace(Doubling().source, side_by_side=side_by_side))
    batches = [pixels(2) // (index + 1) for index in range(40)]
    outputs = list(network.stream(iter(batches)))
    assert len(outputs) == 40
    for batch, (doubled, mean) in zip(batches, outputs, strict=True):
        np.testing.assert_array_equal(doubled, batch * 2.0 + 1)
        np.testing.assert_allclose(mean, batch.reshape(2, -1).mean(1), rtol=1e-6)
    assert list(network.stream([])) == []


def test_a_stream_that_is_left_or_breaks_spoils_nothing(engine: Engine) -> None:
    network = engine.load(replace(Doubling().source, side_by_side=True))
    for _ in network.stream(pixels() for _ in range(20)):
        break

    def broken() -> Iterator[npt.NDArray[np.uint8]]:
        yield from [pixels()] * 5
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        list(network.stream(broken()))
    doubled, _ = network(pixels())
    np.testing.assert_array_equal(doubled, pixels() * 2.0 + 1)


@pytest.mark.parametrize("net", ["pnet", "rnet", "onet"])
def test_threads_that_run_one_network_get_the_same_to_the_bit(engine: Engine, net: str) -> None:
    shape = {"pnet": (1, 60, 60, 3), "rnet": (4, 24, 24, 3), "onet": (4, 48, 48, 3)}[net]
    network = engine.load(networks.source(net, shape))
    random = np.random.default_rng(4)
    work = [[random.uniform(0, 255, shape).astype(np.float32) for _ in range(12)] for _ in range(4)]
    alone = [list(network.stream(batches)) for batches in work]
    besides = [network, *(network.beside() for _ in range(3))]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda one, batches: list(one.stream(batches)), besides, work))
    for wanted, given in zip(chain(*alone), chain(*together), strict=True):
        for a, b in zip(wanted, given, strict=True):
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("size_hw", [(30, 40), (31, 40), (30, 41), (31, 41)])
def test_pooling_leaves_out_what_is_outside(engine: Engine, size_hw: tuple[int, int]) -> None:
    """A picture in the corner of a larger one, with its end marked, is as if alone."""
    height, width = size_hw
    picture = np.random.default_rng(2).uniform(0, 255, (1, height, width, 3)).astype(np.float32)
    alone = engine.load(networks.source("pnet"))(picture)
    canvas = np.random.default_rng(3).uniform(0, 255, (1, 60, 60, 3)).astype(np.float32)
    canvas[0, height] = canvas[0, :, width] = networks.OUTSIDE
    canvas[:, :height, :width, :3] = picture
    together = engine.load(networks.source("pnet", (1, 60, 60, 3)))(canvas)
    for a, b in zip(alone, together, strict=True):
        np.testing.assert_allclose(a, b[:, :, : a.shape[2], : a.shape[3]], atol=2e-5, rtol=1e-4)


def test_engines_agree_on_the_detector(pair: tuple[str, Network, Network]) -> None:
    net, on_cpu, on_torch = pair
    shapes = {
        "pnet": [(1, 12, 12, 3), (1, 13, 40, 3), (1, 61, 47, 3), (2, 30, 30, 3)],
        "rnet": [(1, 24, 24, 3), (33, 24, 24, 3)],
        "onet": [(1, 48, 48, 3), (9, 48, 48, 3)],
    }[net]
    rng = np.random.default_rng(0)
    for shape in shapes:
        batch = rng.uniform(0, 255, shape).astype(np.float32)
        ours, theirs = on_cpu(batch), on_torch(batch)
        assert len(ours) == len(theirs) == {"pnet": 1, "rnet": 2, "onet": 3}[net]
        for a, b in zip(ours, theirs, strict=True):
            assert a.shape == b.shape
            np.testing.assert_allclose(a, b, atol=2e-5, rtol=1e-4)
        if net != "pnet":
            np.testing.assert_allclose(ours[0].sum(1), 1, atol=1e-5)
        assert np.ptp(ours[-1]) > 0, "not a constant"


def test_results_do_not_depend_on_the_neighbours_in_a_batch(
    pair: tuple[str, Network, Network],
) -> None:
    net, on_cpu, _ = pair
    side = {"pnet": 30, "rnet": 24, "onet": 48}[net]
    batch = np.random.default_rng(1).uniform(0, 255, (5, side, side, 3)).astype(np.float32)
    together = on_cpu(batch)
    for index in range(len(batch)):
        alone = on_cpu(batch[index : index + 1])
        for a, b in zip(alone, together, strict=True):
            np.testing.assert_allclose(a[0], b[index], atol=1e-5)
