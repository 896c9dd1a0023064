"""Search against the slow, obvious oracle: all distances, sorted in plain Python."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from gallery_fakes import IDENTITY, make_gallery, templates_of
from hypothesis import given, settings
from hypothesis import strategies as st

from facematch.gallery import Gallery, search
from facematch.gallery.search import UnsoundTemplateError
from facematch.metrics.distances import distance
from facematch.types import Metric


def oracle(
    templates: np.ndarray, subjects: np.ndarray, probe: np.ndarray, top: int, metric: Metric
) -> list[tuple[float, int, int]]:
    """(distance, subject, row) of the nearest reference per subject."""
    measured = distance(np.broadcast_to(probe, templates.shape), templates, metric)
    measured = np.round(measured.astype(np.float64) * 2**24) / 2**24
    best: dict[int, tuple[float, int, int]] = {}
    for row, (value, subject) in enumerate(zip(measured.tolist(), subjects.tolist(), strict=True)):
        best[subject] = min(best.get(subject, (np.inf, 0, 0)), (value, subject, row))
    return sorted(best.values())[:top]


def found(result: object, probe: int) -> list[tuple[float, int, int]]:
    columns = (result.distances[probe], result.subjects[probe], result.rows[probe])
    return list(zip(*(c.tolist() for c in columns), strict=True))


@settings(max_examples=50, deadline=None)
@given(
    n=st.integers(1, 200),
    subjects=st.integers(1, 40),
    top=st.integers(1, 50),
    block=st.integers(1, 64),
    threads=st.integers(1, 3),
    metric=st.sampled_from(Metric),
    seed=st.integers(0, 10_000),
)
def test_agrees_with_sorting_all_distances(
    n: int, subjects: int, top: int, block: int, threads: int, metric: Metric, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    templates = templates_of(n, seed)
    templates[rng.integers(0, n, n // 3)] = templates[0]  # exact ties
    index = rng.integers(0, subjects, n).astype(np.int32)
    probes = np.concatenate([templates[:2], templates_of(2, seed + 1)])[: 1 + seed % 4]
    result = search(
        templates, index, probes, top=top, metric=metric, block_rows=block, threads=threads
    )
    assert result.references_compared == n * len(probes)
    for i, probe in enumerate(probes):
        assert found(result, i) == oracle(templates, index, probe, top, metric)


def test_hundred_thousand_references() -> None:
    n, p = 100_000, 3
    templates = templates_of(n, d=32)
    index = np.random.default_rng(1).integers(0, 30_000, n).astype(np.int32)
    probes = templates_of(p, 5, d=32)
    result = search(templates, index, probes, top=5, metric=Metric.COSINE)
    for i in range(p):
        assert found(result, i) == oracle(templates, index, probes[i], 5, Metric.COSINE)


@pytest.mark.parametrize("probes", [1, 3])
def test_threads_and_blocks_do_not_matter(probes: int) -> None:
    templates = templates_of(20_000, 3, d=32)
    templates[5_000:5_040] = templates[17_000]
    index = np.random.default_rng(2).integers(0, 5_000, len(templates)).astype(np.int32)
    sought = np.concatenate([templates[17_000:17_001], templates_of(2, 4, d=32)])[:probes]
    for metric in (Metric.COSINE, Metric.EUCLIDEAN):
        results = [
            search(templates, index, sought, top=30, metric=metric, block_rows=b, threads=t)
            for b, t in [(None, None), (1_000, 1), (1_000, 3), (7_001, 2), (20_000, 4)]
        ]
        for i in range(probes):
            assert found(results[0], i) == oracle(templates, index, sought[i], 30, metric)
            assert all(found(other, i) == found(results[0], i) for other in results)


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("probes", [1, 2])
@pytest.mark.parametrize(
    ("value", "problem"),
    [(np.nan, "not finite"), (-np.inf, "not finite"), (3e38, "not of unit norm")],
)
def test_the_first_unsound_template_is_named(
    threads: int, probes: int, value: float, problem: str
) -> None:
    templates = templates_of(4_000)
    templates[[1_500, 3_900]] = value
    index = np.zeros(len(templates), np.int32)
    with pytest.raises(UnsoundTemplateError, match=problem) as caught:
        search(
            *(templates, index, templates_of(probes, 1)),
            top=1,
            metric=Metric.COSINE,
            block_rows=200,
            threads=threads,
        )
    assert caught.value.row == 1_500


@pytest.mark.parametrize("metric", list(Metric))
def test_distances_are_those_of_the_pair(metric: Metric) -> None:
    templates, probes = templates_of(300), templates_of(4, 1)
    result = search(templates, np.arange(300, dtype=np.int32), probes, top=7, metric=metric)
    for i in range(4):
        pairs = distance(np.repeat(probes[i : i + 1], 7, 0), templates[result.rows[i]], metric)
        assert np.abs(pairs - result.distances[i]).max() <= 1e-6


def test_ties_go_by_subject_then_by_row() -> None:
    templates = np.repeat(templates_of(1), 6, axis=0)
    index = np.array([2, 1, 0, 2, 1, 0], np.int32)
    for block in (1, 2, 4, 6):
        result = search(
            templates, index, templates[:1], top=2, metric=Metric.COSINE, block_rows=block
        )
        assert result.subjects.tolist() == [[0, 1]]
        assert result.rows.tolist() == [[2, 1]]


def test_no_probes_and_no_templates() -> None:
    templates = templates_of(3)
    index = np.zeros(3, np.int32)
    assert search(templates, index, templates[:0], top=2, metric=Metric.COSINE).rows.shape == (0, 0)
    empty = search(templates[:0], index[:0], templates, top=2, metric=Metric.COSINE)
    assert empty.distances.shape == (3, 0)


@pytest.mark.parametrize("top", [0, -1])
def test_top_must_be_positive(top: int) -> None:
    one = templates_of(1)
    with pytest.raises(ValueError, match="top"):
        search(one, np.zeros(1, np.int32), one, top=top, metric=Metric.COSINE)


def test_shapes_and_probes_are_checked() -> None:
    templates, index = templates_of(3), np.zeros(3, np.int32)
    for probes in (templates[0], templates_of(1, d=8), templates[:1] * np.nan, templates[:1] * 2):
        with pytest.raises(ValueError, match="probe"):
            search(templates, index, probes, top=1, metric=Metric.COSINE)
    with pytest.raises(ValueError, match="subjects"):
        search(templates, index[:2], templates, top=1, metric=Metric.COSINE)


def test_gallery_search_gives_names_once_per_subject(tmp_path: Path) -> None:
    templates = make_gallery(tmp_path / "g.h5", ["Zoë", "Ann", "Zoë", "李"])
    with Gallery.open(tmp_path / "g.h5", IDENTITY) as gallery:
        (candidates,) = gallery.search(templates[2:3], 10, Metric.EUCLIDEAN)
    assert sorted(c.subject for c in candidates) == ["Ann", "Zoë", "李"]
    assert (candidates[0].subject, candidates[0].reference, candidates[0].distance) == ("Zoë", 2, 0)
    assert [c.distance for c in candidates] == sorted(c.distance for c in candidates)


def test_one_subject(tmp_path: Path) -> None:
    templates = make_gallery(tmp_path / "g.h5", ["only"] * 5)
    with Gallery.open(tmp_path / "g.h5", IDENTITY) as gallery:
        results = gallery.search(templates, 3, Metric.COSINE)
    assert [[c.reference for c in candidates] for candidates in results] == [[i] for i in range(5)]
