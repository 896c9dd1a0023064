"""Spreading a search over the cores: NumPy lets go of the interpreter while it computes."""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

Piece = TypeVar("Piece")
Result = TypeVar("Result")

# Pieces handed out per thread beyond the one it works on: none is idle, and little is queued.
_AHEAD = 2


def usable_cores() -> int:
    """Cores that this process may use; all of them where the system does not say (macOS)."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def spread(
    work: Callable[[Piece], Result], pieces: Iterable[Piece], threads: int
) -> Iterator[Result]:
    """As ``map``, in the same order and with the same error first, on several threads."""
    if threads == 1:
        yield from map(work, pieces)
        return
    with ThreadPoolExecutor(threads, "search") as pool:
        waiting: deque[Future[Result]] = deque()
        for piece in pieces:
            waiting.append(pool.submit(work, piece))
            if len(waiting) > threads * _AHEAD:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


class _SingleBlas:
    """How many hold BLAS to one thread; the first limits it and the last gives it back."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._holders = 0
        self._give_back: Callable[[], None] | None = None

    @contextmanager
    def held(self) -> Iterator[None]:
        with self._lock:
            self._holders += 1
            if self._holders == 1:
                # Late: a search for one probe, the common one, does without.
                from threadpoolctl import threadpool_limits

                self._give_back = threadpool_limits(1, "blas").restore_original_limits
        try:
            yield
        finally:
            with self._lock:
                self._holders -= 1
                if self._holders == 0 and self._give_back is not None:
                    self._give_back()
                    self._give_back = None


_SINGLE_BLAS = _SingleBlas()


@contextmanager
def single_threaded_blas() -> Iterator[None]:
    """BLAS takes one thread per call meanwhile, and what it took before afterwards.

    OpenBLAS has one set of threads per process. Two callers that each want all of them wait for
    one another, spinning: seven times slower than one thread each. The number of its threads
    is the process's, so other users of NumPy's BLAS have one as well while a search runs.
    """
    with _SINGLE_BLAS.held():
        yield
