"""Cross-validation over subjects: people never stand on both sides."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facematch.metrics import (
    Criterion,
    Folds,
    ThresholdRule,
    Units,
    choose_threshold,
    held_out,
    subject_folds,
    verification_curve,
)
from facematch.types import BoolArray, Float64Array

RULE = ThresholdRule(Criterion.ACCURACY)

pairs = st.integers(2, 12).flatmap(
    lambda n: st.lists(
        st.tuples(st.integers(0, n - 1), st.integers(0, n - 1)), min_size=1, max_size=40
    ).map(lambda rows: (n, rows))
)


def units_of(people: int, rows: list[tuple[int, int]]) -> Units:
    a, b = np.array(rows, np.int64).T
    return Units(people, a, b)


@given(pairs, st.integers(2, 5), st.integers(0, 3))
def test_folds_share_no_people(
    case: tuple[int, list[tuple[int, int]]], count: int, seed: int
) -> None:
    people, rows = case
    folds = subject_folds(units_of(people, rows), count, np.random.default_rng(seed))
    present = {person for row in rows for person in row}
    if len(present) < 2:
        assert folds is None
        return
    assert folds is not None
    assert folds.count == min(count, len(present))
    fold_of: dict[int, int] = {}
    for (a, b), fold_a, fold_b in zip(rows, folds.a, folds.b, strict=True):
        assert fold_of.setdefault(a, int(fold_a)) == fold_a
        assert fold_of.setdefault(b, int(fold_b)) == fold_b
    for choose, judge in folds.split():
        chosen = {p for row, yes in zip(rows, choose, strict=True) if yes for p in row}
        judged = {p for row, yes in zip(rows, judge, strict=True) if yes for p in row}
        assert not chosen & judged


def test_people_that_hang_together_stay_together() -> None:
    # Forty couples who are compared with each other only: no comparison is lost.
    a = np.arange(80)
    units = Units(80, a, a ^ 1)
    folds = subject_folds(units, 5, np.random.default_rng(0))
    assert folds is not None
    assert (folds.a == folds.b).all()
    assert np.bincount(folds.a).tolist() == [16] * 5


def test_all_pairs_are_taken_apart() -> None:
    a, b = np.triu_indices(50, 1)
    folds = subject_folds(
        Units(50, a.astype(np.int64), b.astype(np.int64)), 5, np.random.default_rng(0)
    )
    assert folds is not None
    # Ten people a fold, 45 pairs among them.
    assert [int(judge.sum()) for _, judge in folds.split()] == [45] * 5


def example() -> tuple[Float64Array, BoolArray, Units]:
    generator = np.random.default_rng(4)
    people = np.repeat(np.arange(60), 4)
    a, b = np.triu_indices(60, 1)
    units = Units(60, np.concatenate((people, a)), np.concatenate((people, b)))
    same = units.a == units.b
    distances = np.where(same, 0.5, 0.9) + generator.normal(0, 0.15, len(same))
    return distances, same, units


def test_held_out_rates_are_those_of_doing_it_by_hand() -> None:
    distances, same, units = example()
    folds = subject_folds(units, 4, np.random.default_rng(1))
    assert folds is not None
    found = held_out(distances, same, units, folds, RULE)
    assert found is not None
    wrong, counts, thresholds, accuracies = [0, 0], [0, 0], [], []
    for fold in range(4):
        outside = (folds.a != fold) & (folds.b != fold)
        inside = (folds.a == fold) & (folds.b == fold)
        curve = verification_curve(distances[outside & same], distances[outside & ~same])
        thresholds.append(choose_threshold(curve, RULE).threshold)
        accuracies.append(((distances <= thresholds[-1]) == same)[inside].mean())
        for index in np.flatnonzero(inside):
            kind = int(same[index])
            counts[kind] += 1
            wrong[kind] += (distances[index] <= thresholds[-1]) != same[index]
    assert (found.fmr.errors, found.fnmr.errors) == tuple(wrong)
    assert (found.fmr.comparisons, found.fnmr.comparisons) == tuple(counts)
    assert found.share is None
    assert [one.fold for one in found.by_fold] == [0, 1, 2, 3]
    assert [one.threshold for one in found.by_fold] == thresholds
    assert (found.thresholds.low, found.thresholds.high) == (min(thresholds), max(thresholds))
    assert found.folds == 4
    assert found.accuracies == pytest.approx(accuracies)


def test_accuracy_is_that_of_the_list_and_not_of_the_folds() -> None:
    """Sixty people of whom all pairs are compared: a fold holds half of them, and more of one
    class than of the other.

    By hand: thresholds are those of least weighted error outside the fold, and the error rates
    within it are weighted as the classes of the whole list.
    """
    distances, same, units = example()
    share = float(same.mean())
    folds = subject_folds(units, 10, np.random.default_rng(1))
    assert folds is not None
    found = held_out(distances, same, units, folds, RULE, share)
    assert found is not None
    accuracies = []
    for fold in range(10):
        outside = (folds.a != fold) & (folds.b != fold)
        inside = (folds.a == fold) & (folds.b == fold)
        assert same[inside].mean() > 2 * share
        genuine, impostor = distances[outside & same], distances[outside & ~same]

        def right(cut: float, genuine: Float64Array, impostor: Float64Array) -> float:
            return share * (genuine <= cut).mean() + (1 - share) * (impostor > cut).mean()

        cuts = np.sort(distances[outside])
        best = max(right(cut, genuine, impostor) for cut in cuts)
        threshold = found.by_fold[fold].threshold
        assert right(threshold, genuine, impostor) == pytest.approx(best)
        accuracies.append(right(threshold, distances[inside & same], distances[inside & ~same]))
    assert found.accuracies == pytest.approx(accuracies)
    assert found.accuracy == pytest.approx(np.mean(accuracies))
    assert found.accuracy_std == pytest.approx(np.std(accuracies, ddof=1))
    # It is near the accuracy of all pairs, which that of the folds as they are is not.
    everything = choose_threshold(verification_curve(distances[same], distances[~same]), RULE)
    assert found.accuracy == pytest.approx(everything.counts.accuracy, abs=0.015)
    plain = held_out(distances, same, units, folds, RULE)
    assert plain is not None
    assert plain.accuracy < everything.counts.accuracy - 0.03


def test_a_fold_without_a_class_has_no_accuracy_at_a_share() -> None:
    distances = np.array([0.1, 0.9, 0.2, 0.8, 0.3, 0.7, 0.95])
    same = np.array([True, False, True, False, True, False, False])
    fold = np.array([0, 0, 1, 1, 2, 2, 3])
    found = held_out(distances, same, Units.independent(7), Folds(4, fold, fold), RULE, 0.5)
    assert found is not None
    assert [one.accuracy(0.5) for one in found.by_fold] == [1, 1, 1, None]
    assert (found.accuracies, found.accuracy, found.accuracy_std) == ((1, 1, 1), 1, 0)
    assert found.fmr.comparisons == 4
    # Not one fold with both: all folds together.
    apart = np.array([0, 1, 2, 3, 4, 5, 6])
    found = held_out(distances, same, Units.independent(7), Folds(7, apart, apart), RULE, 0.25)
    assert found is not None
    assert (found.accuracies, found.accuracy_std, found.accuracy_se) == ((), None, None)
    assert found.accuracy == 0.25 * (1 - found.fnmr.rate) + 0.75 * (1 - found.fmr.rate)


def test_folds_of_a_list_are_used_as_they_are() -> None:
    distances = np.array([0.1, 0.9, 0.2, 0.8])
    same = np.array([True, False, True, False])
    fold = np.array([0, 0, 1, 1])
    found = held_out(distances, same, Units.independent(4), Folds(2, fold, fold), RULE)
    assert found is not None
    assert found.accuracy == 1
    assert (found.folds, len(found.by_fold)) == (2, 2)
    assert (found.thresholds.low, found.thresholds.high) == (pytest.approx(0.5), pytest.approx(0.5))


@pytest.mark.parametrize(
    "fold",
    [
        pytest.param([0, 1, 1, 1], id="nothing genuine to choose on"),
        pytest.param([0, 0, 0, 1], id="no impostor"),
    ],
)
def test_too_little_is_left(fold: list[int]) -> None:
    distances = np.array([0.1, 0.9, 0.8, 0.7])
    same = np.array([True, False, False, False])
    folds = Folds(2, np.array(fold), np.array(fold))
    assert held_out(distances, same, Units.independent(4), folds, RULE) is None


def test_everything_across_the_border_leaves_nothing_to_judge() -> None:
    distances, same = np.array([0.1, 0.9, 0.2]), np.array([True, False, True])
    folds = Folds(3, np.array([0, 0, 2]), np.array([0, 1, 2]))
    assert held_out(distances, same, Units.independent(3), folds, RULE) is None
