"""The seam: what an engine takes and gives. No engine is imported here."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, slots=True)
class NetworkSource:
    """A network that has not been built for any device yet.

    Both builders describe the same function of one float32 or uint8 NHWC batch, with
    pixel normalisation inside. They are called only when an engine needs them, because
    either may import torch.

    Attributes:
        name: for messages.
        key: differs whenever anything differs that the function depends on (weights,
            structure, preprocessing); compiled forms are cached under a hash of it.
        openvino_model: returns an ``openvino.Model`` in float32.
        torch_module: returns a ``torch.nn.Module`` in evaluation mode.
        side_by_side: whether many small batches of one shape follow each other: an engine
            then runs several at once, each on few cores, instead of one after the other.
    """

    name: str
    key: str
    openvino_model: Callable[[], Any]
    torch_module: Callable[[], Any]
    side_by_side: bool = False


class Network(Protocol):
    """A network on its device, for one thread at a time."""

    def __call__(self, batch: npt.NDArray[Any]) -> tuple[npt.NDArray[np.float32], ...]:
        """Runs one batch.

        Args:
            batch: NHWC, of the dtype that the source states.

        Returns:
            The outputs in the source's order; the caller owns the arrays.
        """

    def stream(
        self, batches: Iterable[npt.NDArray[Any]]
    ) -> Iterator[tuple[npt.NDArray[np.float32], ...]]:
        """Runs many batches, and takes the next ones while earlier ones still run.

        Args:
            batches: as for a call, all of one shape; not to be changed once handed over.

        Yields:
            The outputs of each, in their order.
        """

    def beside(self) -> Network:
        """The same network for one more thread, to be run while this one runs.

        Weights and compiled form are shared; the outputs are the same to the bit.
        """


class Engine(Protocol):
    """Runs networks on one device."""

    @property
    def device(self) -> str:
        """What was chosen, for a person: ``CPU (OpenVINO)``, ``cuda:0 (NVIDIA H200)``."""

    def load(self, source: NetworkSource) -> Network:
        """Builds, or takes from the cache, the network for this device."""
