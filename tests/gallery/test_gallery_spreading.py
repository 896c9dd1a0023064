"""Work on several threads: in order, first error first, BLAS given back."""

from __future__ import annotations

import time

import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from facematch.cores import usable_cores
from facematch.gallery.spreading import single_threaded_blas, spread


def blas_threads() -> set[int]:
    return {
        library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"
    }


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_in_order_whoever_is_first(threads: int) -> None:
    def slow_if_even(piece: int) -> int:
        time.sleep(0.002 * (piece % 2 == 0))
        return piece * piece

    assert list(spread(slow_if_even, range(20), threads)) == [i * i for i in range(20)]
    assert list(spread(slow_if_even, [], threads)) == []


@pytest.mark.parametrize("threads", [1, 3])
def test_the_error_of_the_first_piece_that_has_one(threads: int) -> None:
    def fails_from_four(piece: int) -> int:
        time.sleep(0.002 * (piece == 4))
        if piece >= 4:
            raise ValueError(f"piece {piece}")
        return piece

    results = spread(fails_from_four, iter(range(1_000_000)), threads)
    assert [next(results) for _ in range(4)] == [0, 1, 2, 3]
    with pytest.raises(ValueError, match="piece 4"):
        next(results)


def test_blas_is_given_back() -> None:
    with threadpool_limits(2, "blas"):
        before = blas_threads()
        with single_threaded_blas(), single_threaded_blas():
            assert blas_threads() == {1}
        assert blas_threads() == before


def test_blas_is_given_back_after_an_error() -> None:
    before = blas_threads()
    with pytest.raises(KeyError), single_threaded_blas():
        raise KeyError
    assert blas_threads() == before


def test_there_is_a_core() -> None:
    assert usable_cores() >= 1
