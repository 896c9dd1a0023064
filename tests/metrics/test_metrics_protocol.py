"""Accuracy over folds, against the protocol done by hand."""

from __future__ import annotations

import itertools
import statistics

import numpy as np
import pytest

from facematch.metrics import (
    AccuracyByFolds,
    Criterion,
    DecisionCounts,
    Folds,
    HeldOut,
    JudgedFold,
    ThresholdRule,
    Units,
    held_out,
)
from facematch.types import BoolArray, Float64Array


def made(seed: int, n: int = 200) -> tuple[Float64Array, BoolArray, Folds]:
    generator = np.random.default_rng(seed)
    same = generator.random(n) < 0.5
    distances = np.where(same, 0.5, 0.8) + generator.normal(0, 0.2, n)
    fold = np.arange(n) % 10
    return distances, same, Folds(10, fold, fold)


def best_threshold(distances: list[float], same: list[bool]) -> float:
    """Of all cuts between two distances the one with most right decisions, the tightest."""
    ordered = sorted(set(distances))
    cuts = [ordered[0] / 2 if ordered[0] > 0 else ordered[0] - 1]
    cuts += [(a + b) / 2 for a, b in itertools.pairwise(ordered)] + [ordered[-1]]
    right = [sum((d <= c) == s for d, s in zip(distances, same, strict=True)) for c in cuts]
    return cuts[right.index(max(right))]


def judged(distances: Float64Array, same: BoolArray, folds: Folds) -> HeldOut | None:
    rule = ThresholdRule(Criterion.ACCURACY)
    return held_out(distances, same, Units.independent(len(same)), folds, rule)


@pytest.mark.parametrize("seed", range(3))
def test_the_protocol_by_hand(seed: int) -> None:
    distances, same, folds = made(seed)
    found = judged(distances, same, folds)
    assert found is not None
    accuracies = []
    for fold in range(10):
        rest = [i for i in range(200) if i % 10 != fold]
        threshold = best_threshold([distances[i] for i in rest], [bool(same[i]) for i in rest])
        assert found.by_fold[fold].threshold == pytest.approx(threshold)
        own = range(fold, 200, 10)
        accuracies.append(sum((distances[i] <= threshold) == same[i] for i in own) / 20)
    assert found.accuracies == tuple(accuracies)
    assert found.accuracy == pytest.approx(statistics.fmean(accuracies))
    assert found.accuracy_std == pytest.approx(statistics.stdev(accuracies))
    assert found.accuracy_se == pytest.approx(statistics.stdev(accuracies) / 10**0.5)
    assert sum(one.counts.comparisons for one in found.by_fold) == 200


def test_comparisons_across_folds_are_left_out() -> None:
    distances, same, _ = made(5)
    a = np.arange(200) % 4
    b = np.where(np.arange(200) < 20, (a + 1) % 4, a)
    found = judged(distances, same, Folds(4, a, b))
    assert found is not None
    assert [one.counts.comparisons for one in found.by_fold] == [45] * 4


@pytest.mark.parametrize(
    ("same", "fold", "count"),
    [
        pytest.param([1, 1, 0, 0], [0, 0, 1, 1], 2, id="one class to choose on"),
        pytest.param([1, 0, 1, 0], [0, 0, 0, 0], 1, id="one fold"),
        pytest.param([1, 0, 1, 0], [2, 2, 2, 2], 3, id="one fold that is not empty"),
    ],
)
def test_too_little(same: list[int], fold: list[int], count: int) -> None:
    folds = Folds(count, np.array(fold), np.array(fold))
    assert judged(np.arange(4) / 4, np.array(same, np.bool_), folds) is None


@pytest.mark.parametrize("share", [None, 0.1])
def test_accuracy_under_weights_is_that_of_repeated_comparisons(share: float | None) -> None:
    generator = np.random.default_rng(2)
    same, accepted = generator.random(60) < 0.4, generator.random(60) < 0.5
    fold = generator.integers(-1, 4, 60) * 7  # numbers need not be near each other
    weights = generator.integers(0, 3, 60)
    found = AccuracyByFolds(accepted, same, fold, share).under(weights.astype(np.float64))
    again = np.repeat(np.arange(60), weights)
    accuracies = []
    for number in (0, 7, 14, 21):
        rows = again[fold[again] == number]
        genuine, impostor = rows[same[rows]], rows[~same[rows]]
        counts = DecisionCounts(
            *(int(accepted[genuine].sum()), int((~accepted[genuine]).sum())),
            *(int(accepted[impostor].sum()), int((~accepted[impostor]).sum())),
        )
        accuracies.append(JudgedFold(number, 0.0, counts).accuracy(share))
    assert found == pytest.approx(np.mean([a for a in accuracies if a is not None]))
    nobody = AccuracyByFolds(accepted, same, np.full(60, -1), share)
    assert nobody.under(np.ones(60)) is None
