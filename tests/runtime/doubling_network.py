"""A network source small enough for every test: uint8 (n, 4, 4, 3) -> 2 x + 1, and the mean.

As a program it is a first start: it loads the network and prints what came of it.
"""

from __future__ import annotations

import hashlib
import sys
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from facematch.runtime import Device, NetworkSource, open_engine

KEY = hashlib.sha256(b"doubling network").hexdigest()


@dataclass
class Doubling:
    """The source, and how often each of its forms was built."""

    openvino_builds: int = 0
    torch_builds: int = 0
    source: NetworkSource = field(init=False)

    def __post_init__(self) -> None:
        self.source = NetworkSource("doubling", KEY, self._openvino_model, self._torch_module)

    def _openvino_model(self) -> Any:
        import openvino as ov
        from openvino import opset13 as ops

        self.openvino_builds += 1
        pixels = ops.parameter(ov.PartialShape([-1, 4, 4, 3]), np.uint8, name="pixels")
        x = ops.convert(pixels, np.float32)
        doubled = ops.add(ops.multiply(x, ops.constant(np.float32(2))), ops.constant(np.float32(1)))
        mean = ops.reduce_mean(x, ops.constant(np.array([1, 2, 3])), keep_dims=False)
        return ov.Model([doubled, mean], [pixels], "doubling")

    def _torch_module(self) -> Any:
        from torch import Tensor, nn

        self.torch_builds += 1

        class Module(nn.Module):
            def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
                x = pixels.float()
                return 2 * x + 1, x.mean((1, 2, 3))

        return Module()


def pixels(count: int = 3) -> npt.NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (count, 4, 4, 3), np.uint8)


def main() -> None:
    network = open_engine(Device.CPU).load(Doubling().source)
    outputs = network(pixels())
    digest = hashlib.sha256(b"".join(output.tobytes() for output in outputs)).hexdigest()
    print(digest, "torch" if "torch" in sys.modules else "no torch")


if __name__ == "__main__":
    main()
