"""Everybody compared with everybody: the same as each pair on its own, in bounded memory."""

from __future__ import annotations

import tracemalloc
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facematch.errors import OneClassError
from facematch.metrics import (
    Arranged,
    Criterion,
    ThresholdRule,
    Units,
    accepts,
    auc,
    count_all_pairs,
    counts_at,
    decide_all_pairs,
    distance,
    estimate_from_sums,
    estimate_rate,
    fold_of_each,
    fold_thresholds,
    groups_within,
    matrix,
    numbers_of_pairs,
    subject_folds,
    threshold_for,
    verification_curve,
)
from facematch.metrics import all_pairs as module
from facematch.metrics.matrix import STEPS, last_step, step_size
from facematch.types import BoolArray, Float32Array, Int64Array, Metric

SIZES = np.array([3, 1, 4, 2, 5, 1, 2, 6])
FOLDS = np.array([2, 0, 1, 0, 1, 2, 2, 0])
DIMENSIONS = 16


class People:
    """Photographs of a few people, and every pair of them listed."""

    def __init__(self, seed: int = 0, decimals: int | None = None) -> None:
        generator = np.random.default_rng(seed)
        # Not in the order of their people: rows have to be found again.
        self.subject: Int64Array = generator.permutation(np.repeat(np.arange(len(SIZES)), SIZES))
        made = generator.normal(size=(len(SIZES), DIMENSIONS))[self.subject]
        made += generator.normal(size=made.shape)
        if decimals is not None:  # so that pairs are equally far apart
            made = np.sign(made)
        made /= np.linalg.norm(made, axis=1, keepdims=True)
        self.templates: Float32Array = made.astype(np.float32)
        self.a, self.b = np.triu_indices(len(made), 1)
        self.same: BoolArray = self.subject[self.a] == self.subject[self.b]

    def distances(self, metric: Metric) -> Float32Array:
        return distance(self.templates[self.a], self.templates[self.b], metric)

    def within(self) -> Int64Array:
        """The fold of pairs within one, -1 for others."""
        first, second = FOLDS[self.subject[self.a]], FOLDS[self.subject[self.b]]
        return np.where(first == second, first, -1)

    def by_subject(self, arranged: Arranged, wrong: BoolArray) -> list[int]:
        """In how many such pairs each subject takes part, in the order of ``arranged``."""
        units = Units(len(SIZES), self.subject[self.a], self.subject[self.b]).subset(wrong)
        first = np.flatnonzero(np.diff(arranged.subject, prepend=-1))
        order: Int64Array = self.subject[arranged.row[first]]
        return units.appearances()[order].tolist()


@pytest.fixture(autouse=True)
def _small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(matrix, "_ROWS", 5)


@pytest.mark.parametrize("metric", Metric)
def test_counts_are_those_of_the_pairs(metric: Metric) -> None:
    people = People()
    arranged = Arranged(people.templates, people.subject, FOLDS)
    seen: list[tuple[int, int]] = []
    found = count_all_pairs(arranged, metric, lambda done, total: seen.append((done, total)))
    assert seen[-1] == (len(people.a), len(people.a))
    distances = people.distances(metric).astype(np.float64)
    expected = verification_curve(distances[people.same], distances[~people.same])
    curve = found.curve
    assert (curve.n_genuine, curve.n_impostor) == (expected.n_genuine, expected.n_impostor)
    assert curve.false_matches.tolist() == expected.false_matches.tolist()
    assert curve.false_non_matches.tolist() == expected.false_non_matches.tolist()
    # Half a step, and two roundings of float32 in what the products of blocks give.
    close = step_size(metric, DIMENSIONS) / 2 + 4e-7 * float(distances.max())
    assert curve.thresholds[1:] == pytest.approx(expected.thresholds[1:], abs=close)
    # By folds, each distance is rounded up.
    for fold, counts in enumerate(found.folds):
        first, second = FOLDS[people.subject[people.a]], FOLDS[people.subject[people.b]]
        for part, chosen in (
            (counts.choose, (first != fold) & (second != fold)),
            (counts.judge, (first == fold) & (second == fold)),
        ):
            for kind, number in ((people.same, part.genuine), (~people.same, part.impostor)):
                listed = np.sort(distances[chosen & kind])
                up = np.repeat(part.distances, number) - listed
                assert len(up) == len(listed)
                assert (up > -close).all()
                assert (up < found.long + close).all()


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("folds", [None, FOLDS])
def test_decisions_are_those_on_the_pairs(seed: int, folds: Int64Array | None) -> None:
    people = People(seed)
    metric = Metric.COSINE
    arranged = Arranged(people.templates, people.subject, folds)
    distances = people.distances(metric).astype(np.float64)
    thresholds = [float(np.quantile(distances, q)) + 1e-5 for q in (0.02, 0.3, 0.6)] + [-1.0]
    of_folds = [] if folds is None else [0.6, 0.8, 1.0]
    found = decide_all_pairs(*(arranged, metric, thresholds, of_folds), most=7)
    for place, threshold in enumerate(thresholds):
        wrong = accepts(distances, threshold) != people.same
        for errors, kind in (
            (found.false_matches, ~people.same),
            (found.false_non_matches, people.same),
        ):
            assert errors[place].tolist() == people.by_subject(arranged, wrong & kind)
    limits = np.full(len(distances), thresholds[0])
    judged = np.ones(len(distances), np.bool_)
    if folds is not None:
        judged = people.within() >= 0
        limits = np.array(of_folds)[people.within()]
    wrong = judged & ((distances <= limits) != people.same)
    if folds is not None:
        assert found.false_matches_within.tolist() == people.by_subject(
            arranged, wrong & ~people.same
        )
        assert found.false_non_matches_within.tolist() == people.by_subject(
            arranged, wrong & people.same
        )
    else:
        assert not found.false_matches_within.any()
    wrong = accepts(distances, thresholds[0]) != people.same
    for rows, kind, sign in ((found.rejected, people.same, -1), (found.accepted, ~people.same, 1)):
        listed = np.flatnonzero(wrong & kind)
        nearest = listed[np.argsort(sign * distances[listed], kind="stable")][:7]
        assert [(row.a, row.b) for row in rows] == [
            (int(people.a[pair]), int(people.b[pair])) for pair in nearest
        ]
        assert [row.distance for row in rows] == pytest.approx(distances[nearest], abs=1e-6)


def test_of_equally_wrong_pairs_the_first_are_named() -> None:
    people = People(decimals=0)
    arranged = Arranged(people.templates, people.subject, FOLDS)
    distances = people.distances(Metric.COSINE).astype(np.float64)
    assert max(Counter(distances[~people.same].tolist()).values()) > 20
    found = decide_all_pairs(*(arranged, Metric.COSINE, [2.0], []), most=20)
    listed = np.flatnonzero(~people.same)
    nearest = listed[np.argsort(np.round(distances[listed], 5), kind="stable")][:20]
    assert [(row.a, row.b) for row in found.accepted] == [
        (int(people.a[pair]), int(people.b[pair])) for pair in nearest
    ]


@pytest.mark.parametrize(
    "rule",
    [
        ThresholdRule(Criterion.FMR, 0.05),
        ThresholdRule(Criterion.FNMR, 0.1),
        ThresholdRule(Criterion.EER),
        ThresholdRule(Criterion.ACCURACY),
        # Less than one impostor pair: nothing may be accepted that is farther than the first.
        ThresholdRule(Criterion.FMR, 1e-6),
    ],
)
def test_thresholds_of_folds_do_what_the_fold_counted(rule: ThresholdRule) -> None:
    people = People()
    counts = count_all_pairs(Arranged(people.templates, people.subject, FOLDS), Metric.COSINE)
    distances = people.distances(Metric.COSINE).astype(np.float64)
    first, second = FOLDS[people.subject[people.a]], FOLDS[people.subject[people.b]]
    for fold, threshold in enumerate(fold_thresholds(counts, rule)):
        assert threshold is not None
        chosen = (first != fold) & (second != fold)
        curve = verification_curve(
            distances[chosen & people.same], distances[chosen & ~people.same]
        )
        expected = threshold_for(curve, rule)
        assert counts_at(curve, threshold) == counts_at(curve, expected)
        assert threshold == pytest.approx(expected, abs=2 * counts.long)


def test_what_is_measured_without_a_group_of_people() -> None:
    people = People()
    groups = np.array([3, 0, 2, 1, 2, 3, 3, 0])  # each within a fold
    counts = count_all_pairs(
        Arranged(people.templates, people.subject, FOLDS, groups), Metric.COSINE
    )
    without = counts.figures_without(lambda curve: (auc(curve), curve.n_impostor))
    assert without is not None
    distances = people.distances(Metric.COSINE).astype(np.float64)
    for group, (area, impostors) in enumerate(without.tolist()):
        left = (groups[people.subject[people.a]] != group) & (
            groups[people.subject[people.b]] != group
        )
        curve = verification_curve(distances[left & people.same], distances[left & ~people.same])
        assert impostors == curve.n_impostor
        assert area == pytest.approx(auc(curve), abs=1e-3)  # of rounded distances
    plain = count_all_pairs(Arranged(people.templates, people.subject, FOLDS), Metric.COSINE)
    assert plain.figures_without(lambda curve: (auc(curve),)) is None


def test_without_one_of_two_people_there_is_no_impostor_pair() -> None:
    both = np.array([0, 1])
    arranged = Arranged(People().templates[:4], np.array([0, 0, 1, 1]), both, both)
    counts = count_all_pairs(arranged, Metric.COSINE)
    assert counts.figures_without(lambda curve: (auc(curve),)) is None


@given(st.lists(st.integers(0, 4), min_size=2, max_size=20), st.integers(2, 4), st.integers(2, 12))
def test_groups_lie_within_folds(sizes: list[int], folds: int, groups: int) -> None:
    appearances = np.array(sizes)
    dealt = fold_of_each(appearances, folds, np.random.default_rng(1))
    if dealt is None:
        return
    found = groups_within(appearances, dealt, groups, np.random.default_rng(2))
    present = appearances > 0
    # Every number is somebody's, and nobody of two folds has the same.
    assert sorted(set(found[present].tolist())) == list(range(int(found.max()) + 1))
    for group in set(found[present].tolist()):
        assert len(set(dealt[present & (found == group)].tolist())) == 1
    count = int(dealt[present].max()) + 1
    most = sum(min(-(-groups // count), int((present & (dealt == f)).sum())) for f in range(count))
    assert int(found.max()) + 1 == most


def test_a_fold_without_a_class_to_choose_on_has_no_threshold() -> None:
    templates = People().templates[:4]
    # Of the two people with two photographs, one fold leaves only one.
    counts = count_all_pairs(
        Arranged(templates, np.array([0, 0, 1, 1]), np.array([0, 1])), Metric.COSINE
    )
    assert fold_thresholds(counts, ThresholdRule(Criterion.EER)) == (None, None)
    everything = count_all_pairs(Arranged(templates, np.array([0, 0, 1, 1]), None), Metric.COSINE)
    assert everything.folds == ()
    assert (everything.rounded.n_genuine, everything.rounded.n_impostor) == (2, 4)


@pytest.mark.parametrize("subject", [[0, 0, 0], [0, 1, 2]])
def test_one_class_is_refused(subject: list[int]) -> None:
    arranged = Arranged(People().templates[:3], np.array(subject), None)
    with pytest.raises(OneClassError, match="comparisons"):
        count_all_pairs(arranged, Metric.COSINE)


def test_more_than_can_be_counted_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    people = People()
    arranged = Arranged(people.templates, people.subject, FOLDS)
    monkeypatch.setattr(module, "MOST_FOLDS", 2)
    with pytest.raises(ValueError, match="at most"):
        count_all_pairs(arranged, Metric.COSINE)


@given(st.lists(st.integers(1, 6), min_size=1, max_size=8))
def test_numbers_of_pairs(sizes: list[int]) -> None:
    subject = np.repeat(np.arange(len(sizes)), sizes)
    a, b = np.triu_indices(len(subject), 1)
    same = int((subject[a] == subject[b]).sum())
    assert numbers_of_pairs(np.array(sizes)) == (same, len(a) - same)


@given(st.floats(-1, 5), st.sampled_from(list(Metric)), st.integers(-3, 3))
def test_a_threshold_in_steps_accepts_what_it_accepts_in_distances(
    threshold: float, metric: Metric, near: int
) -> None:
    size = step_size(metric, 256)
    limit = last_step(threshold, size)
    # Steps that float32 can hold: distances beyond half of the range come in even ones.
    step = np.float32(np.clip(round(threshold / size) + near, 0, STEPS))
    assert (step <= limit) == (float(step) * size <= threshold)


@given(
    st.lists(st.integers(1, 4), min_size=2, max_size=7),
    st.integers(2, 4),
    st.integers(0, 3),
)
def test_people_are_dealt_as_listed_pairs_would_be(sizes: list[int], folds: int, seed: int) -> None:
    subject = np.repeat(np.arange(len(sizes)), sizes)
    a, b = np.triu_indices(len(subject), 1)
    units = Units(len(sizes), subject[a], subject[b])
    listed = subject_folds(units, folds, np.random.default_rng(seed))
    dealt = fold_of_each(units.appearances(), folds, np.random.default_rng(seed))
    assert listed is not None
    assert dealt is not None
    assert listed.a.tolist() == dealt[units.a].tolist()
    assert listed.b.tolist() == dealt[units.b].tolist()
    assert fold_of_each(units.appearances()[:1], folds, np.random.default_rng(seed)) is None


@given(
    st.lists(st.integers(1, 3), min_size=2, max_size=6), st.integers(0, 2**32), st.integers(1, 7)
)
def test_estimates_from_sums_are_those_of_the_comparisons(
    sizes: list[int], bits: int, sparse: int
) -> None:
    subject = np.repeat(np.arange(len(sizes)), sizes)
    a, b = np.triu_indices(len(subject), 1)
    generator = np.random.default_rng(bits)
    more = generator.random(len(a)) < 0.5
    wrong = more & (generator.random(len(a)) < 1 / sparse)
    for mixed in (True, False):
        kind = (subject[a] != subject[b]) == mixed
        if not kind.any():
            continue
        units = Units(len(sizes), subject[a][kind], subject[b][kind])
        expected = estimate_rate(wrong[kind], units, more[kind])
        found = estimate_from_sums(
            units.subset(wrong[kind]).appearances(),
            units.appearances(),
            units.subset(more[kind]).appearances(),
            mixed=mixed,
        )
        assert (found.errors, found.comparisons) == (expected.errors, expected.comparisons)
        assert found.independent is expected.independent
        assert found.effective == pytest.approx(expected.effective)
        assert found.interval.high == pytest.approx(expected.interval.high)


def test_memory_does_not_grow_with_the_pairs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(matrix, "_ROWS", 256)
    # A few pictures over and over: few distances, so that only pairs could take memory.
    pictures = People().templates[:8]

    def peak(photographs: int) -> int:
        subject = np.repeat(np.arange(photographs // 4), 4)
        templates = pictures[np.arange(photographs) % 8]
        groups = np.arange(photographs // 4) % 10
        tracemalloc.start()
        arranged = Arranged(templates, subject, groups // 2, groups)
        count_all_pairs(arranged, Metric.COSINE)
        decide_all_pairs(*(arranged, Metric.COSINE, [0.1, 2.0], [0.5] * 5), most=20)
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    few, many = 1000, 2400
    pairs = (many**2 - few**2) // 2
    assert peak(many) - peak(few) < pairs  # not even a byte each
