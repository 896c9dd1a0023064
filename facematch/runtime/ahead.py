"""Loading a network while other work goes on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import numpy as np
import numpy.typing as npt

from facematch.runtime.engine import Engine, Network, NetworkSource


class LoadedAhead:
    """An engine whose networks are loaded in the background, one after the other.

    An engine spends most of a load outside the interpreter, on one core. A network that is
    asked for late, such as the one that embeds the faces that others must find first, costs
    little then.

    Args:
        engine: that loads them.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._loader = ThreadPoolExecutor(1, "facematch-load")

    @property
    def device(self) -> str:
        return self._engine.device

    def load(self, source: NetworkSource) -> Network:
        """Begins to load, and returns at once.

        What goes wrong is raised by the first use of the network.
        """
        return _ComingNetwork(self._loader.submit(self._engine.load, source))


class _ComingNetwork:
    def __init__(self, coming: Future[Network]) -> None:
        self._coming = coming

    def __call__(self, batch: npt.NDArray[Any]) -> tuple[npt.NDArray[np.float32], ...]:
        return self._coming.result()(batch)

    def stream(
        self, batches: Iterable[npt.NDArray[Any]]
    ) -> Iterator[tuple[npt.NDArray[np.float32], ...]]:
        return self._coming.result().stream(batches)

    def beside(self) -> Network:
        return self._coming.result().beside()
