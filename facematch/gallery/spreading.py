"""Spreading a search over the cores: NumPy lets go of the interpreter while it computes."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from concurrent.futures import Future

Piece = TypeVar("Piece")
Result = TypeVar("Result")

# Pieces handed out per thread beyond the one it works on: none is idle, and little is queued.
_AHEAD = 2


def spread(
    work: Callable[[Piece], Result], pieces: Iterable[Piece], threads: int
) -> Iterator[Result]:
    """As ``map``, in the same order and with the same error first, on several threads."""
    if threads == 1:
        yield from map(work, pieces)
        return
    # Late: a small gallery does without.
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(threads, "search") as pool:
        waiting: deque[Future[Result]] = deque()
        for piece in pieces:
            waiting.append(pool.submit(work, piece))
            if len(waiting) > threads * _AHEAD:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


@contextmanager
def single_threaded_blas() -> Iterator[None]:
    """BLAS takes one thread per call meanwhile, and what it took before afterwards.

    OpenBLAS has one set of threads per process. Callers that each want all of them wait for one
    another, spinning: seven times slower than one thread each. Their number is the process's,
    so other users of NumPy's BLAS have one as well while a search runs. Of several searches
    at a time, one decides (threadpoolctl sees to that); the others may just be slower.
    """
    # Late: a search for one probe, the common one, does without.
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    with threadpool_limits(1, "blas"):
        yield
