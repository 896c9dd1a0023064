"""The engine for CUDA and MPS. Importing this module imports torch."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from facematch.runtime.engine import Network, NetworkSource

# Batches of a stream that run as one.
_STACKED = 16


def available_devices() -> tuple[str, ...]:
    """The torch devices of this machine, ``cpu`` included (for parity tests)."""
    found = ["cpu"]
    if torch.cuda.is_available():
        found.append("cuda")
    if torch.backends.mps.is_available():
        found.append("mps")
    return tuple(found)


class TorchEngine:
    """Runs the torch form of a network in float32."""

    def __init__(self, device: str) -> None:
        self._device = torch.device(device)

    @property
    def device(self) -> str:
        if self._device.type == "cuda":
            return f"cuda ({torch.cuda.get_device_name(self._device)})"
        return f"{self._device} (torch)"

    def load(self, source: NetworkSource) -> Network:
        return _TorchNetwork(source.torch_module().to(self._device).eval(), self._device)


class _TorchNetwork:
    def __init__(self, module: torch.nn.Module, device: torch.device) -> None:
        self._module = module
        self._device = device
        self._turn = threading.Lock()

    def __call__(self, batch: npt.NDArray[Any]) -> tuple[npt.NDArray[np.float32], ...]:
        # A copy, because torch takes no mirrored view and warns of read-only arrays.
        own = np.array(batch, order="C")
        with self._turn, torch.inference_mode():
            outputs = self._module(torch.from_numpy(own).to(self._device))
        outputs = outputs if isinstance(outputs, tuple) else (outputs,)
        return tuple(output.float().cpu().numpy() for output in outputs)

    def stream(
        self, batches: Iterable[npt.NDArray[Any]]
    ) -> Iterator[tuple[npt.NDArray[np.float32], ...]]:
        """Several batches in one: a GPU idles over small ones."""
        waiting = iter(batches)
        while stacked := list(islice(waiting, _STACKED)):
            outputs = self(np.concatenate(stacked))
            size = len(stacked[0])
            for start in range(0, size * len(stacked), size):
                yield tuple(output[start : start + size] for output in outputs)

    def beside(self) -> Network:
        return self  # a device computes one batch at a time; threads take turns
