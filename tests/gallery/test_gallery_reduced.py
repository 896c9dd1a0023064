"""Searching templates of one byte a value gives what the exact search gives, bit for bit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from gallery_fakes import IDENTITY, make_gallery, templates_of
from hypothesis import given, settings
from hypothesis import strategies as st

from facematch.errors import GalleryCorruptError
from facematch.gallery import Gallery, SearchResult, search
from facematch.gallery import reduced as reduced_module
from facematch.gallery.reduced import ReducedTemplates
from facematch.gallery.search import UnsoundTemplateError
from facematch.types import Metric


def same(a: SearchResult, b: SearchResult) -> bool:
    return (
        np.array_equal(a.rows, b.rows)
        and np.array_equal(a.subjects, b.subjects)
        and a.distances.tobytes() == b.distances.tobytes()
        and a.references_compared == b.references_compared
    )


@settings(max_examples=25, deadline=None)
@given(
    n=st.integers(1, 700),
    subjects=st.integers(1, 300),
    top=st.integers(1, 8),
    spread=st.sampled_from([0.0, 1e-4, 0.01, 1.0]),
    metric=st.sampled_from(Metric),
    seed=st.integers(0, 10_000),
)
def test_agrees_with_the_exact_search(
    n: int, subjects: int, top: int, spread: float, metric: Metric, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    templates = templates_of(n, seed, d=40)
    # A crowd within rounding of one another, exact ties, and rows that 8 bits hold badly.
    crowd = rng.integers(0, n, n // 8)
    templates[crowd] = templates[0] + spread * rng.normal(size=(len(crowd), 40)) / 40
    templates[crowd] /= np.linalg.norm(templates[crowd], axis=1, keepdims=True)
    templates[rng.integers(0, n, n // 8)] = templates[n // 2]
    templates[rng.integers(0, n, n // 16)] = np.eye(40, dtype=np.float32)[seed % 40]
    index = rng.integers(0, subjects, n).astype(np.int32)
    probes = np.concatenate([templates[:1], templates[n // 2 : n // 2 + 1], templates_of(1, 1, 40)])
    reduced = ReducedTemplates(templates, index, chunk_rows=256)
    assert reduced.usable
    assert same(
        reduced.search(probes, top=top, metric=metric),
        search(templates, index, probes, top=top, metric=metric),
    )


def test_few_rows_are_compared_exactly(monkeypatch: pytest.MonkeyPatch) -> None:
    n, d = 20_000, 64
    templates, index = templates_of(n, d=d), np.arange(n, dtype=np.int32)
    probes = templates_of(3, 1, d)
    reduced = ReducedTemplates(templates, index, chunk_rows=8192)
    looked_at: list[int] = []

    def counted(rows: np.ndarray, *arguments: np.ndarray, **options: object) -> SearchResult:
        looked_at.append(len(rows))
        return search(rows, *arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(reduced_module, "search", counted)
    result = reduced.search(probes, top=5, metric=Metric.COSINE)
    assert same(result, search(templates, index, probes, top=5, metric=Metric.COSINE))
    assert max(looked_at) < 200


def test_products_that_miss_their_bound_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    templates, index = templates_of(200, d=32), np.arange(200, dtype=np.int32)
    monkeypatch.setattr(reduced_module, "_RESIDUAL_ROUNDING", 0.0)
    monkeypatch.setattr(reduced_module, "_ROUNDING", 0.0)
    reduced = ReducedTemplates(templates, index)
    assert not reduced.usable
    monkeypatch.setattr(reduced, "_chunks", None)
    result = reduced.search(templates[:2], top=3, metric=Metric.COSINE)
    assert same(result, search(templates, index, templates[:2], top=3, metric=Metric.COSINE))


def test_many_probes_none_and_no_templates() -> None:
    templates, index = templates_of(100), np.arange(100, dtype=np.int32)
    reduced = ReducedTemplates(templates, index)
    for probes in (templates[:50], templates[:0]):
        found = reduced.search(probes, top=2, metric=Metric.COSINE)
        assert same(found, search(templates, index, probes, top=2, metric=Metric.COSINE))
    empty = ReducedTemplates(templates[:0], index[:0])
    assert empty.search(templates[:1], top=2, metric=Metric.COSINE).rows.shape == (1, 0)


def test_what_is_wrong_is_said_as_in_the_exact_search() -> None:
    templates, index = templates_of(100), np.arange(100, dtype=np.int32)
    reduced = ReducedTemplates(templates, index)
    for probes in (templates[0], templates_of(1, d=8), templates[:1] * np.nan, templates[:1] * 2):
        with pytest.raises(ValueError, match="probe"):
            reduced.search(probes, top=1, metric=Metric.COSINE)
    with pytest.raises(ValueError, match="top"):
        reduced.search(templates[:1], top=0, metric=Metric.COSINE)
    with pytest.raises(ValueError, match="multiple of 64"):
        ReducedTemplates(templates, index, chunk_rows=100)


@pytest.mark.parametrize(
    ("value", "problem"),
    [(np.nan, "not finite"), (np.inf, "not finite"), (1.5, "not of unit norm")],
)
def test_unsound_templates_are_refused(value: float, problem: str) -> None:
    templates, index = templates_of(3000), np.arange(3000, dtype=np.int32)
    templates[2500, 3] = value
    with pytest.raises(UnsoundTemplateError, match=f"template 2500 is {problem}"):
        ReducedTemplates(templates, index)


def test_a_reduced_gallery_answers_as_before(tmp_path: Path) -> None:
    path = tmp_path / "g.h5"
    templates = make_gallery(path, ["Zoë", "Ann", "Zoë", "李"] * 50)
    before = path.read_bytes()
    with Gallery.open(path, IDENTITY) as gallery:
        expected = gallery.search(templates[:3], 3, Metric.COSINE)
        gallery.reduce()
        assert gallery.search(templates[:3], 3, Metric.COSINE) == expected
    assert path.read_bytes() == before
    assert {entry.name for entry in tmp_path.iterdir()} == {"g.h5", "g.h5.lock"}
    damaged = bytearray(before)
    at = damaged.index(templates[7].tobytes())
    damaged[at : at + 4] = np.float32(np.nan).tobytes()
    path.write_bytes(damaged)
    with (
        Gallery.open(path, IDENTITY) as gallery,
        pytest.raises(GalleryCorruptError, match="template 7, of subject '李', is not finite"),
    ):
        gallery.reduce()
