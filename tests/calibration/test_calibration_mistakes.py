"""Which wrong decisions are shown."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from facematch.calibration import (
    LabelledComparisons,
    PairLabels,
    PhotographPairs,
    Remarks,
    ScoreKind,
    wrong_pairs,
)
from facematch.calibration.mistakes import MOST_SHOWN


def measured(pairs: int, compared: np.ndarray, distances: np.ndarray) -> LabelledComparisons:
    labels = PairLabels(np.arange(pairs) % 2 == 0, None)
    return LabelledComparisons(
        "x", "a" * 64, ScoreKind.PHOTOGRAPHS, distances, labels.subset(compared)
    )


def test_the_worst_of_each_class_first() -> None:
    """Against a loop over all pairs."""
    generator = np.random.default_rng(0)
    n = 200
    compared = generator.random(n) < 0.8
    distances = generator.random(int(compared.sum()))
    photographs = tuple(Path(f"{i}.jpg") for i in range(2 * n))
    a, b = np.arange(n), np.arange(n) + n
    labels = PairLabels(np.arange(n) % 2 == 0, None)
    pairs = PhotographPairs("x", Path("x"), "a" * 64, photographs, a, b, a + 7, labels, Remarks())
    found = measured(n, compared, distances)
    wrong = (distances <= 0.5) != found.labels.same

    expected = []
    rows = list(zip(np.flatnonzero(compared), distances, wrong, strict=True))
    for same in (True, False):
        of_class = [row for row in rows if row[2] and (row[0] % 2 == 0) == same]
        of_class.sort(key=lambda row: -row[1] if same else row[1])
        expected += [(f"{i}.jpg", f"{i + n}.jpg", i + 7, same, d) for i, d, _ in of_class[:20]]

    shown = wrong_pairs(pairs, found, compared, wrong)
    assert [(p.a, p.b, p.line, p.same, p.distance) for p in shown] == expected
    assert len(shown) == 2 * MOST_SHOWN


def test_scores_made_elsewhere_have_no_photographs() -> None:
    everything = np.ones(4, np.bool_)
    found = measured(4, everything, np.array([0.9, 0.1, 0.2, 0.8]))
    shown = wrong_pairs(found, found, everything, np.array([True, True, False, False]))
    assert [(p.a, p.same, p.distance) for p in shown] == [(None, True, 0.9), (None, False, 0.1)]
    assert wrong_pairs(found, found, everything, ~everything) == ()
