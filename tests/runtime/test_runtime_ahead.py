"""A network that loads in the background is the same network."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from doubling_network import Doubling, pixels

from facematch.errors import ModelFormatError
from facematch.runtime import Device, LoadedAhead, Network, NetworkSource, open_engine


def test_what_comes_is_what_the_engine_loads() -> None:
    engine = open_engine(Device.CPU)
    coming = LoadedAhead(engine).load(Doubling().source)
    loaded = engine.load(Doubling().source)
    assert LoadedAhead(engine).device == engine.device
    for given, wanted in zip(coming(pixels()), loaded(pixels()), strict=True):
        np.testing.assert_array_equal(given, wanted)
    batches = [pixels(1), pixels(1)]
    assert len(list(coming.stream(batches))) == 2
    np.testing.assert_array_equal(coming.beside()(pixels())[0], loaded(pixels())[0])


class Held:
    """An engine that loads when it is let."""

    device = "held"

    def __init__(self, error: Exception | None = None) -> None:
        self.let = threading.Event()
        self._error = error

    def load(self, source: NetworkSource) -> Network:
        assert self.let.wait(30)
        if self._error is not None:
            raise self._error
        return open_engine(Device.CPU).load(source)


def test_loading_keeps_nobody_waiting() -> None:
    engine = Held()
    coming = LoadedAhead(engine).load(Doubling().source)  # returns, though nothing is loaded
    engine.let.set()
    assert coming(pixels())[0].shape == pixels().shape


def test_the_first_use_tells_what_went_wrong() -> None:
    engine = Held(ModelFormatError("no such network"))
    coming = LoadedAhead(engine).load(Doubling().source)
    engine.let.set()
    for _ in range(2):
        with pytest.raises(ModelFormatError, match="no such network"):
            coming(pixels())
