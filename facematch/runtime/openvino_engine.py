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
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from facematch.cores import usable_cores
from facematch.runtime.cache import read_entry, write_entry
from facematch.runtime.engine import Network, NetworkSource
from facematch.runtime.openvino_import import import_openvino, shared_core

if TYPE_CHECKING:
    import openvino as ov
else:
    ov = import_openvino()

_LOG = logging.getLogger(__name__)

# Of a network that runs its batches side by side. Each stream holds its own buffers and takes
# its own time to load; small nets gain nothing from more.
_MOST_STREAMS = 4


class OpenVinoEngine:
    """Runs networks on the CPU.

    Args:
        threads: for one inference; None for one per core that this process may use.
    """

    def __init__(self, threads: int | None = None) -> None:
        self._core = shared_core()
        self._threads = usable_cores() if threads is None else threads
        self._options: dict[str, Any] = {
            "INFERENCE_NUM_THREADS": self._threads,
            "INFERENCE_PRECISION_HINT": "f32",
            "PERFORMANCE_HINT": "LATENCY",
        }

    @property
    def device(self) -> str:
        return "CPU (OpenVINO)"

    def load(self, source: NetworkSource) -> Network:
        options = dict(self._options)
        if source.side_by_side:
            options["NUM_STREAMS"] = min(self._threads, _MOST_STREAMS)
        key = self._cache_key(source, options)
        blob = read_entry(key)
        if blob is not None:
            try:
                return _OpenVinoNetwork(self._core.import_model(blob, "CPU", options))
            except RuntimeError:  # written by an OpenVINO that calls itself the same version
                pass
        _say_preparing()
        compiled = self._core.compile_model(source.openvino_model(), "CPU", options)
        write_entry(key, _export(compiled))
        return _OpenVinoNetwork(compiled)

    def _cache_key(self, source: NetworkSource, options: Mapping[str, Any]) -> str:
        parts = (
            source.key,
            ov.get_version(),
            self._core.get_property("CPU", "FULL_DEVICE_NAME"),
            repr(sorted(options.items())),
        )
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()


@functools.cache  # once a process: a first start prepares four networks
def _say_preparing() -> None:
    _LOG.info("preparing the networks for this machine; later starts find them in the cache")


def _export(compiled: ov.CompiledModel) -> bytes:
    exported = compiled.export_model()
    return exported if isinstance(exported, bytes) else bytes(exported.getbuffer())


class _OpenVinoNetwork:
    def __init__(self, compiled: ov.CompiledModel) -> None:
        self._compiled = compiled
        # One more than run at once, so that no stream waits for the caller.
        streams = compiled.get_property("NUM_STREAMS")
        self._requests = [compiled.create_infer_request() for _ in range(streams + 1)]
        self._outputs = len(compiled.outputs)

    def __call__(self, batch: npt.NDArray[Any]) -> tuple[npt.NDArray[np.float32], ...]:
        request = self._requests[0]
        request.infer([np.ascontiguousarray(batch)], share_inputs=True)
        return self._results(request)

    def stream(
        self, batches: Iterable[npt.NDArray[Any]]
    ) -> Iterator[tuple[npt.NDArray[np.float32], ...]]:
        running: deque[tuple[ov.InferRequest, npt.NDArray[Any]]] = deque()
        free = list(self._requests)
        try:
            for batch in batches:
                if not free:
                    free.append(_awaited(running))
                    yield self._results(free[-1])
                # The request reads the array where it lies, so it is kept until the end.
                shared = np.ascontiguousarray(batch)
                request = free.pop()
                request.start_async([shared], share_inputs=True)
                running.append((request, shared))
            while running:
                yield self._results(_awaited(running))
        finally:
            while running:
                _awaited(running)

    def beside(self) -> Network:
        return _OpenVinoNetwork(self._compiled)  # the streams are shared, the buffers are not

    def _results(self, request: ov.InferRequest) -> tuple[npt.NDArray[np.float32], ...]:
        # The request reuses its output memory at the next call: hand out copies.
        return tuple(request.get_output_tensor(i).data.copy() for i in range(self._outputs))


def _awaited(running: deque[tuple[ov.InferRequest, npt.NDArray[Any]]]) -> ov.InferRequest:
    """The oldest request, done, taken off the queue."""
    request, _shared = running.popleft()
    request.wait()
    return request
