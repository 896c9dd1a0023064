"""Photographs looked at side by side, with results in their order.

A photograph keeps one core busy at a time: decoding it, preparing canvases and crops, sorting
out boxes. The networks are small, and splitting one pass among cores gains little. So each core
takes a photograph of its own. Threads do, because decoder, OpenCV, NumPy and the engines let go
of the interpreter while they work.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from itertools import chain, islice
from pathlib import Path
from typing import TypeVar

from facematch.cores import usable_cores
from facematch.errors import ImageTooLargeError
from facematch.imaging.decode import DEFAULT_LIMITS, DecodeLimits, photograph_of
from facematch.imaging.reading import read_bounded
from facematch.types import Photograph

T = TypeVar("T")
R = TypeVar("R")

# The engine runs no more of a network at once either.
_MOST_AT_ONCE = 4

# Larger photographs are looked at one at a time: with the detector's tables they take 15 bytes a
# pixel. Cameras rarely take larger ones.
LARGE_PX = 25_000_000
_ORDINARY = DecodeLimits(max_pixels=LARGE_PX)


def photographs_at_once() -> int:
    """How many photographs are best looked at side by side on this machine."""
    return min(usable_cores(), _MOST_AT_ONCE)


def in_order(
    work: Callable[[T], R], inputs: Iterable[T], *, at_once: int, ahead: int
) -> Generator[R, None, None]:
    """``map(work, inputs)`` with several at once, each in a thread.

    Close the generator when it is left early: that drops what has not begun, and leaves what
    has to end by itself.

    Args:
        work: is called from several threads.
        inputs: read as far as they are worked on.
        at_once: number of threads; with one, and for a single input, the caller's own.
        ahead: most results that are computed or wait to be taken, at least ``at_once``.

    Yields:
        The results in the order of the inputs. Raises what ``work`` raised when its turn comes.
    """
    rest = iter(inputs)
    first = list(islice(rest, 2))
    everything = chain(first, rest)
    if at_once == 1 or len(first) < 2:
        yield from map(work, everything)
        return
    pool = ThreadPoolExecutor(at_once, "facematch-photographs")
    running: deque[Future[R]] = deque()
    try:
        for each in everything:
            running.append(pool.submit(work, each))
            if len(running) == ahead:
                yield running.popleft().result()
        while running:
            yield running.popleft().result()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


class Reader:
    """Decodes photographs from several threads, large ones one at a time."""

    def __init__(self) -> None:
        self._turn = threading.Lock()

    @contextmanager
    def read(self, path: Path) -> Iterator[Photograph]:
        """The photograph, for as long as it is needed.

        Raises:
            InputError: as :func:`facematch.imaging.decode.load_photograph`.
        """
        data = read_bounded(path, DEFAULT_LIMITS.max_bytes)
        try:
            photograph = photograph_of(data, str(path), _ORDINARY)
        except ImageTooLargeError:
            photograph = None
        if photograph is not None:
            yield photograph
            return
        with self._turn:
            yield photograph_of(data, str(path))
