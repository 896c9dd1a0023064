"""The CPU engine.

OpenVINO, because it was the fastest of the two candidates on these networks while its
start-up stays below half a second without and below a quarter with a cached network
(``scripts/bench/engines.py`` measures both). A compiled network is kept in the cache folder
as exported by OpenVINO; a start with a warm cache reads it back without building the model,
and so without importing torch.

Inference precision is float32 even where the CPU has bfloat16: a template must not depend
on the machine that computed it.
"""

from __future__ import annotations

import functools
import hashlib
import logging
import os
from typing import Any

import numpy as np
import numpy.typing as npt
import openvino as ov

from facematch.runtime.cache import read_entry, write_entry
from facematch.runtime.engine import Network, NetworkSource

_LOG = logging.getLogger(__name__)


class OpenVinoEngine:
    """Runs networks on the CPU.

    Args:
        threads: for one inference; None for one per core that this process may use.
    """

    def __init__(self, threads: int | None = None) -> None:
        self._core = ov.Core()
        self._options = {
            "INFERENCE_NUM_THREADS": _usable_cores() if threads is None else threads,
            "INFERENCE_PRECISION_HINT": "f32",
            "PERFORMANCE_HINT": "LATENCY",
        }

    @property
    def device(self) -> str:
        return "CPU (OpenVINO)"

    def load(self, source: NetworkSource) -> Network:
        key = self._cache_key(source)
        blob = read_entry(key)
        if blob is not None:
            try:
                return _OpenVinoNetwork(self._core.import_model(blob, "CPU", self._options))
            except RuntimeError:  # written by an OpenVINO that calls itself the same version
                pass
        _say_preparing()
        compiled = self._core.compile_model(source.openvino_model(), "CPU", self._options)
        write_entry(key, _export(compiled))
        return _OpenVinoNetwork(compiled)

    def _cache_key(self, source: NetworkSource) -> str:
        parts = (
            source.key,
            ov.get_version(),
            self._core.get_property("CPU", "FULL_DEVICE_NAME"),
            repr(sorted(self._options.items())),
        )
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()


@functools.cache  # once a process: a first start prepares four networks
def _say_preparing() -> None:
    _LOG.info("preparing the networks for this machine; later starts find them in the cache")


def _usable_cores() -> int:
    """Cores that this process may use; all of them where the system does not say (macOS)."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _export(compiled: ov.CompiledModel) -> bytes:
    exported = compiled.export_model()
    return exported if isinstance(exported, bytes) else bytes(exported.getbuffer())


class _OpenVinoNetwork:
    def __init__(self, compiled: ov.CompiledModel) -> None:
        self._request = compiled.create_infer_request()
        self._outputs = len(compiled.outputs)

    def __call__(self, batch: npt.NDArray[Any]) -> tuple[npt.NDArray[np.float32], ...]:
        self._request.infer([np.ascontiguousarray(batch)], share_inputs=True)
        # The request reuses its output memory at the next call: hand out copies.
        return tuple(
            self._request.get_output_tensor(index).data.copy() for index in range(self._outputs)
        )
