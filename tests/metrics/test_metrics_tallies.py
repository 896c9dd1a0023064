"""Comparisons counted by distance tell what the comparisons themselves tell."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facematch.errors import OneClassError
from facematch.metrics import (
    DistanceCounts,
    curve_of_counts,
    d_prime,
    d_prime_of,
    fit_isotonic,
    fit_isotonic_of,
    fit_match_probability,
    fit_match_probability_of,
    fit_probability,
    fit_probability_of,
    log_loss,
    measure_reliability,
    verification_curve,
)
from facematch.metrics.folds import Folds
from facematch.types import Float64Array, Int64Array

GRID = np.linspace(0, 2, 9)

tallies = st.lists(
    st.tuples(st.integers(0, 3), st.integers(0, 4)), min_size=len(GRID), max_size=len(GRID)
).map(lambda rows: np.array(rows, np.int64).T)


def of(genuine: Int64Array, impostor: Int64Array) -> DistanceCounts:
    return DistanceCounts(GRID, genuine, impostor)


def listed(counts: DistanceCounts) -> tuple[Float64Array, Float64Array]:
    """Every comparison on its own."""
    return (
        np.repeat(counts.distances, counts.genuine),
        np.repeat(counts.distances, counts.impostor),
    )


@given(tallies)
def test_the_curve_of_counts_is_that_of_the_comparisons(rows: Int64Array) -> None:
    counts = of(*rows)
    if not counts.has_both:
        with pytest.raises(OneClassError, match="comparisons"):
            counts.curve()
        return
    genuine, impostor = listed(counts)
    expected, found = verification_curve(genuine, impostor), counts.occurring().curve()
    assert (found.n_genuine, found.n_impostor) == (expected.n_genuine, expected.n_impostor)
    assert found.thresholds.tolist() == expected.thresholds.tolist()
    assert found.false_matches.tolist() == expected.false_matches.tolist()
    assert found.false_non_matches.tolist() == expected.false_non_matches.tolist()


@given(tallies)
def test_separation_and_probabilities_of_counts(rows: Int64Array) -> None:
    counts = of(*rows)
    if not counts.has_both:
        return
    genuine, impostor = listed(counts)
    curve = counts.curve()
    assert d_prime_of(curve) == pytest.approx(d_prime(genuine, impostor))
    at = np.linspace(-0.1, 2.1, 40)
    for kept, counted in (
        (fit_match_probability(genuine, impostor), fit_match_probability_of(counts)),
        (fit_isotonic(genuine, impostor), fit_isotonic_of(counts)),
    ):
        assert (kept is None) == (counted is None)
        if kept is not None and counted is not None:
            assert counted.log_ratios(at) == pytest.approx(kept.log_ratios(at), abs=1e-5)


@given(tallies, st.integers(0, 5))
def test_scores_of_probabilities_count_each_as_often_as_it_occurred(
    rows: Int64Array, seed: int
) -> None:
    counts = of(*rows)
    if not counts.has_both:
        return
    distances, same, often = counts.sample()
    assert (often > 0).all()
    assert (int(often[same].sum()), int(often[~same].sum())) == tuple(rows.sum(axis=1))
    stated = np.random.default_rng(seed).uniform(0.01, 0.99, len(distances))
    ratios = np.log(stated) - np.log1p(-stated)
    each = np.repeat(np.arange(len(often)), often)
    assert log_loss(ratios, same, often) == pytest.approx(log_loss(ratios[each], same[each]))
    found = measure_reliability(stated, same, 0.3, often)
    expected = measure_reliability(stated[each], same[each], 0.3)
    assert found.brier == pytest.approx(expected.brier)
    assert found.ece == pytest.approx(expected.ece)
    assert [b.comparisons for b in found.bins] == [b.comparisons for b in expected.bins]


def test_probabilities_of_counts_by_folds() -> None:
    generator = np.random.default_rng(4)
    distances = np.round(
        np.concatenate((generator.normal(0.6, 0.2, 300), generator.normal(1.2, 0.2, 900))), 2
    )
    same = np.arange(1200) < 300
    a, b = generator.integers(3, size=(2, 1200))
    grid = np.unique(distances)

    def counted(chosen: Int64Array) -> DistanceCounts:
        place = np.searchsorted(grid, distances[chosen])
        kinds = (np.bincount(place[same[chosen] == kind], minlength=len(grid)) for kind in (1, 0))
        return DistanceCounts(grid, *kinds)

    folds = Folds(3, a, b)
    parts = [
        (counted(np.flatnonzero(choose)), counted(np.flatnonzero(judge)))
        for choose, judge in folds.split()
    ]
    everything = counted(np.arange(1200))
    for dealt, split in ((folds, parts), (None, None)):
        expected = fit_probability(distances, same, dealt, 0.2)
        found = fit_probability_of(everything, split, 0.2)
        assert expected is not None
        assert found is not None
        assert found.log_loss == pytest.approx(expected.log_loss, rel=1e-6)
        assert found.curve.method == expected.curve.method
        assert found.held_out is expected.held_out
        assert found.reliability.ece == pytest.approx(expected.reliability.ece, abs=1e-6)
    # A fold that leaves one class to fit on: nothing is held out.
    none = DistanceCounts(grid, np.zeros_like(everything.genuine), everything.impostor)
    alone = fit_probability_of(everything, [(none, everything)], 0.2)
    assert alone is not None
    assert not alone.held_out


def test_what_is_left_without_others() -> None:
    counts = of(np.arange(9), np.full(9, 2))
    left = counts.less(of(np.minimum(np.arange(9), 3), np.full(9, 2)))
    assert left.genuine.tolist() == [0, 0, 0, 0, 1, 2, 3, 4, 5]
    assert (left.n_impostor, left.has_both) == (0, False)
    assert left.occurring().distances.tolist() == GRID[4:].tolist()


def test_counts_of_32_bits_add_up_in_64() -> None:
    many = np.array([4_000_000_000, 4_000_000_000], np.uint32)
    curve = curve_of_counts(np.array([0.5, 1.0]), many, many)
    assert curve.false_matches.tolist() == [0, 4_000_000_000, 8_000_000_000]
    assert curve.n_genuine == 8_000_000_000
