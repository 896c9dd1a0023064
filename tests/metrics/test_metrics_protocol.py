"""Accuracy over folds, against the protocol done by hand."""

from __future__ import annotations

import itertools
import statistics

import numpy as np
import pytest

from facematch.metrics import Folds, fold_accuracy
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


@pytest.mark.parametrize("seed", range(3))
def test_the_protocol_by_hand(seed: int) -> None:
    distances, same, folds = made(seed)
    found = fold_accuracy(distances, same, folds)
    assert found is not None
    accuracies = []
    for fold in range(10):
        rest = [i for i in range(200) if i % 10 != fold]
        threshold = best_threshold([distances[i] for i in rest], [bool(same[i]) for i in rest])
        assert found.thresholds[fold] == pytest.approx(threshold)
        own = range(fold, 200, 10)
        accuracies.append(sum((distances[i] <= threshold) == same[i] for i in own) / 20)
    assert found.accuracies == pytest.approx(accuracies)
    assert found.mean == pytest.approx(statistics.fmean(accuracies))
    assert found.standard_deviation == pytest.approx(statistics.stdev(accuracies))
    assert found.standard_error == pytest.approx(statistics.stdev(accuracies) / 10**0.5)
    assert found.judged.all()
    assert float((found.accepted == same).mean()) == pytest.approx(found.mean)


def test_comparisons_across_folds_are_left_out() -> None:
    distances, same, _ = made(5)
    a = np.arange(200) % 4
    b = np.where(np.arange(200) < 20, (a + 1) % 4, a)
    found = fold_accuracy(distances, same, Folds(4, a, b))
    assert found is not None
    assert found.judged.tolist() == (a == b).tolist()
    assert not found.accepted[~found.judged].any()


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
    assert fold_accuracy(np.arange(4) / 4, np.array(same, np.bool_), folds) is None
