"""Rates of one-to-many search."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from facematch.metrics import fmr_for_fpir, fpir_estimate, rank_k_accuracy

CANDIDATES = [["ann", "bob", "cy"], ["ann", "bob", "cy"], ["ann", "bob"], []]
SUBJECTS = ["ann", "cy", "nobody", "ann"]


@pytest.mark.parametrize(
    ("k", "accuracy"),
    [(1, 0.25), (2, 0.25), (3, 0.5), (100, 0.5)],  # beyond the lists: nothing changes
)
def test_rank_k(k: int, accuracy: float) -> None:
    assert rank_k_accuracy(SUBJECTS, CANDIDATES, k) == accuracy


def test_rank_k_refuses() -> None:
    with pytest.raises(ValueError, match="probes"):
        rank_k_accuracy([], [], 1)
    with pytest.raises(ValueError, match="1 lists for 2 probes"):
        rank_k_accuracy(["ann", "bob"], [["ann"]], 1)
    with pytest.raises(ValueError, match="rank"):
        rank_k_accuracy(["ann"], [["ann"]], 0)
    with pytest.raises(ValueError, match="twice"):
        rank_k_accuracy(["ann"], [["bob", "bob"]], 1)


@pytest.mark.parametrize("n", [0, 1, 2, 50])
@pytest.mark.parametrize("fmr", [0.0, 1e-12, 0.001, 0.5, 1.0])
def test_fpir_in_exact_arithmetic(fmr: float, n: int) -> None:
    exact = 1 - (1 - Fraction(fmr)) ** n
    assert fpir_estimate(fmr, n) == pytest.approx(float(exact), rel=1e-12)


@given(st.floats(0, 0.99), st.integers(1, 10**9))
def test_fmr_for_fpir_inverts(fpir: float, n: int) -> None:
    assert fpir_estimate(fmr_for_fpir(fpir, n), n) == pytest.approx(fpir, rel=1e-9, abs=1e-300)


def test_fpir_ends() -> None:
    assert fmr_for_fpir(1.0, 10) == 1.0
    assert fmr_for_fpir(0.0, 10) == 0.0


@pytest.mark.parametrize(("rate", "n"), [(-0.1, 1), (1.1, 1), (math.nan, 1), (0.5, -1)])
def test_fpir_refuses(rate: float, n: int) -> None:
    with pytest.raises(ValueError, match="expected"):
        fpir_estimate(rate, n)
    with pytest.raises(ValueError, match="expected"):
        fmr_for_fpir(rate, n)
