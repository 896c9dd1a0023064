"""Search, open and closed: every figure against a slow loop over all distances."""

from __future__ import annotations

import math
import tracemalloc
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score

from facematch.metrics import (
    ProbeRanks,
    cumulative_match,
    false_positives_at,
    mean_average_precision,
    misses_at,
    open_set_curve,
    pairwise,
    point_at_fpir,
    precision_at,
    rank_probes,
    recall_at,
)
from facematch.types import Float32Array, Int64Array, Metric

DEPTHS = (1, 2, 5)


@dataclass(frozen=True)
class Case:
    gallery: Float32Array
    owners: Int64Array
    probes: Float32Array
    subjects: Int64Array

    def ranks(self, block_values: int = 1 << 20) -> ProbeRanks:
        return rank_probes(
            *(self.gallery, self.owners, self.probes, self.subjects, Metric.COSINE),
            depths=DEPTHS,
            block_values=block_values,
        )


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Templates on a coarse circle, so that many distances are equal."""
    owners = draw(st.lists(st.integers(0, 5), min_size=1, max_size=12))
    subjects = draw(st.lists(st.sampled_from([-1, *owners]), min_size=1, max_size=8))

    def circle(count: int) -> Float32Array:
        turns = draw(st.lists(st.integers(0, 7), min_size=count, max_size=count))
        angles = np.array(turns) * (math.pi / 4)
        return np.stack((np.cos(angles), np.sin(angles)), 1).round(6).astype(np.float32)

    return Case(
        circle(len(owners)), np.array(owners), circle(len(subjects)), np.array(subjects, np.int64)
    )


@settings(max_examples=60)
@given(cases(), st.sampled_from([1, 7, 1000]))
def test_every_figure_against_a_loop(case: Case, block_values: int) -> None:
    found = case.ranks(block_values)
    matrix = pairwise(case.probes, case.gallery, Metric.COSINE).tolist()
    owners = case.owners.tolist()
    assert found.subjects == len(set(owners))
    for probe, (row, subject) in enumerate(zip(matrix, case.subjects.tolist(), strict=True)):
        nearest = {s: min(d for d, o in zip(row, owners, strict=True) if o == s) for s in owners}
        assert found.nearest_distance[probe] == min(row)
        assert row[found.nearest_row[probe]] == min(row)
        if subject < 0:
            assert (found.rank[probe], found.own_distance[probe]) == (0, math.inf)
            continue
        own = nearest[subject]
        assert found.own_distance[probe] == own
        assert found.rank[probe] == 1 + sum(d <= own for s, d in nearest.items() if s != subject)
        rivals = [d for d, o in zip(row, owners, strict=True) if o != subject]
        rival = int(found.rival_row[probe])
        assert (rival == -1) == (rivals == [])
        if rivals:
            assert row[rival] == min(rivals)
            assert owners[rival] != subject
        relevant = [o == subject for o in owners]
        assert found.average_precision[probe] == pytest.approx(
            average_precision_score(relevant, [-d for d in row])
        )
        assert found.relevant[probe] == sum(relevant)
        # Irrelevant ones first among equals.
        ordered = [good for _, good in sorted(zip(row, relevant, strict=True))]
        assert found.hits[probe].tolist() == [sum(ordered[:k]) for k in DEPTHS]


@settings(max_examples=60)
@given(cases())
def test_summaries(case: Case) -> None:
    found = case.ranks()
    mated = [i for i, s in enumerate(case.subjects.tolist()) if s >= 0]
    if not mated:
        with pytest.raises(ValueError, match="mated"):
            cumulative_match(found)
        return
    cmc = cumulative_match(found)
    assert len(cmc) == found.subjects
    assert cmc[-1] == 1
    assert bool((np.diff(cmc) >= 0).all())
    for k in range(1, found.subjects + 1):
        assert cmc[k - 1] == pytest.approx(sum(found.rank[i] <= k for i in mated) / len(mated))
    assert mean_average_precision(found) == pytest.approx(
        sum(found.average_precision[i] for i in mated) / len(mated)
    )
    for column, k in enumerate(DEPTHS):
        hits = [int(found.hits[i, column]) for i in mated]
        shares = [h / int(found.relevant[i]) for h, i in zip(hits, mated, strict=True)]
        assert recall_at(found)[column] == pytest.approx(sum(shares) / len(mated))
        assert precision_at(found)[column] == pytest.approx(sum(hits) / k / len(mated))


@settings(max_examples=60)
@given(cases())
def test_the_open_set_against_a_loop(case: Case) -> None:
    found = case.ranks()
    curve = open_set_curve(found)
    mated = found.mated
    if bool(mated.all()) or not bool(mated.any()):
        assert curve is None
        return
    assert curve is not None
    assert (curve.n_mated, curve.n_nonmated) == (int(mated.sum()), int((~mated).sum()))
    assert (curve.fpir[0], curve.fnir[0], curve.fpir[-1]) == (0, 1, 1)
    assert bool((np.diff(curve.fpir) >= 0).all())
    assert bool((np.diff(curve.fnir) <= 0).all())
    for point, threshold in enumerate(curve.thresholds.tolist()):
        named = [
            found.rank[i] == 1 and found.own_distance[i] <= threshold for i in np.flatnonzero(mated)
        ]
        assert curve.misses[point] == sum(not n for n in named)
        assert curve.misses[point] == misses_at(found, threshold).sum()
        false = [found.nearest_distance[i] <= threshold for i in np.flatnonzero(~mated)]
        assert curve.false_positives[point] == sum(false)
        assert curve.false_positives[point] == false_positives_at(found, threshold).sum()
    assert 1 - curve.fnir[-1] == pytest.approx(float((found.rank[mated] == 1).mean()))
    for target in (0, 0.25, 0.5, 1):
        point = point_at_fpir(curve, target)
        assert curve.fpir[point] <= target
        assert point + 1 == len(curve.fpir) or curve.fpir[point + 1] > target


def test_one_template_for_everybody_identifies_nobody() -> None:
    same = np.tile(np.array([[1, 0]], np.float32), (4, 1))
    case = Case(same, np.arange(4), same, np.arange(4))
    found = case.ranks()
    assert found.rank.tolist() == [4] * 4
    assert cumulative_match(found).tolist() == [0, 0, 0, 1]


def test_memory_does_not_grow_with_the_number_of_distances() -> None:
    generator = np.random.default_rng(0)
    templates = generator.normal(size=(3000, 8)).astype(np.float32)
    templates /= np.linalg.norm(templates, axis=1, keepdims=True)
    subjects = np.arange(3000) // 3
    tracemalloc.start()
    rank_probes(*(templates, subjects, templates, subjects, Metric.COSINE), block_values=1 << 17)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 3000 * 3000 * 4 / 4  # a quarter of the matrix of distances


@pytest.mark.parametrize(
    ("owners", "subjects", "depths", "words"),
    [
        ([0], [0, 0], (1,), "subjects of"),
        ([0, 1], [0], (1,), "subjects of"),
        ([0], [1], (1,), "no reference"),
        ([0], [0], (0,), "depths"),
        ([0], [0], (), "depths"),
    ],
)
def test_refusals(
    owners: list[int], subjects: list[int], depths: tuple[int, ...], words: str
) -> None:
    one = np.array([[1, 0]], np.float32)
    with pytest.raises(ValueError, match=words):
        rank_probes(one, np.array(owners), one, np.array(subjects), Metric.COSINE, depths=depths)


def test_the_target_of_an_fpir_is_a_rate() -> None:
    one = np.array([[1, 0]], np.float32)
    ranks = Case(one, np.array([0]), np.repeat(one, 2, 0), np.array([0, -1])).ranks()
    curve = open_set_curve(ranks)
    assert curve is not None
    with pytest.raises(ValueError, match="FPIR"):
        point_at_fpir(curve, 1.5)
