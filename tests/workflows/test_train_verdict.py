"""Two networks on the same pairs: what is counted, and when a difference is no luck."""

from __future__ import annotations

import numpy as np
import pytest

from facematch.metrics import Units
from facematch.types import BoolArray, Float32Array, Int64Array
from facematch.workflows.train import verdict, verdicts

PEOPLE, PICTURES = 12, 4


def pairs() -> tuple[Units, BoolArray]:
    labels: Int64Array = np.repeat(np.arange(PEOPLE), PICTURES)
    first, second = np.triu_indices(len(labels), 1)
    return Units(PEOPLE, labels[first], labels[second]), labels[first] == labels[second]


def distances(same: BoolArray, genuine: float, seed: int) -> Float32Array:
    rng = np.random.default_rng(seed)
    means = np.where(same, genuine, 1.0)
    return (means + rng.normal(0, 0.15, len(same))).astype(np.float32)


def accepted(found: Float32Array, same: BoolArray) -> int:
    """By trying every distance as the threshold."""
    impostors = found[~same]
    best = 0
    for threshold in found:
        if (impostors <= threshold).sum() <= 0.01 * len(impostors):
            best = max(best, int((found[same] <= threshold).sum()))
    return best


def test_counts_are_those_of_every_threshold_tried() -> None:
    people, same = pairs()
    before, after = distances(same, 0.7, 1), distances(same, 0.6, 2)
    found = verdict(before, after, same, people)
    assert (found.genuine, found.impostor, found.people) == (72, 1056, PEOPLE)
    assert found.accepted_before == accepted(before, same)
    assert found.accepted_after == accepted(after, same)
    assert found.after - found.before == pytest.approx(found.difference.difference)  # type: ignore[union-attr]


def test_what_is_certain_and_what_is_luck() -> None:
    people, same = pairs()
    start = distances(same, 0.75, 1)
    better = verdict(start, distances(same, 0.4, 2), same, people)
    assert better.better
    assert better.certain
    worse = verdict(distances(same, 0.4, 2), start, same, people)
    assert not worse.better
    assert worse.certain
    nothing = verdict(start, start, same, people)
    assert not nothing.better
    assert not nothing.certain
    nudged = start.copy()
    rejected = np.flatnonzero(same & (start > np.quantile(start[~same], 0.01)))
    nudged[rejected[0]] = 0.0  # one pair more of 72
    lucky = verdict(start, nudged, same, people)
    assert lucky.accepted_after == lucky.accepted_before + 1
    assert not lucky.certain


def test_of_many_impostors_some_are_resampled(monkeypatch: pytest.MonkeyPatch) -> None:
    people, same = pairs()
    before, after = distances(same, 0.75, 1), distances(same, 0.5, 2)
    everything = verdict(before, after, same, people)
    monkeypatch.setattr(verdicts, "_RESAMPLED_IMPOSTORS", 500)
    fewer = verdict(before, after, same, people)
    assert fewer.accepted_after == everything.accepted_after
    assert fewer.difference is not None
    assert everything.difference is not None
    assert fewer.difference.interval.low == pytest.approx(
        everything.difference.interval.low, abs=0.15
    )


def test_nobody_is_named_or_too_few_people() -> None:
    _, same = pairs()
    before, after = distances(same, 0.75, 1), distances(same, 0.5, 2)
    assert verdict(before, after, same, None).people == 0
    assert verdict(before, after, same, None).certain
    two: BoolArray = np.array([True, False])
    alone = Units(2, np.array([0, 0]), np.array([0, 1]))
    tiny = np.array([0.1, 0.2], np.float32)
    assert verdict(tiny, tiny, two, alone).genuine == 1
