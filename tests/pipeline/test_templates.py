"""Templates of many photographs, with and without the cache."""

from __future__ import annotations

import logging
import sqlite3
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from fakes import BLUE, GREEN, RED, FakeDetector, FakeNetwork, photograph

from facematch.choices import Device
from facematch.errors import PairsFormatError
from facematch.pipeline import (
    Acquired,
    Analyzer,
    Gathered,
    Recipe,
    TemplateCache,
    TemplateSource,
    cache,
    open_templates,
    templates,
)
from facematch.types import Face, FaceChoice, Search, UInt8Array

RECIPE = Recipe("f" * 64, 3, "fake", "largest", False, "squares")


class CountingDetector(FakeDetector):
    """Counts the photographs that it sees."""

    def __init__(self) -> None:
        self.seen = 0

    def detect(self, image_rgb: UInt8Array) -> list[Face]:
        self.seen += 1
        return super().detect(image_rgb)


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("FACEMATCH_CACHE_DIR", str(tmp_path / "cache"))
    cache._say_unusable.cache_clear()
    yield
    cache._say_unusable.cache_clear()


@pytest.fixture
def paths(tmp_path: Path) -> list[Path]:
    folder = tmp_path / "in"
    broken = folder / "broken.jpg"
    found = [
        photograph(folder / "red.png", [RED]),
        photograph(folder / "nobody.png", []),
        photograph(folder / "two.png", [GREEN, BLUE], sizes=[60, 70]),
        broken,
        folder / "missing.png",
        photograph(folder / "copy.png", [RED]),
    ]
    broken.write_bytes(b"no picture")
    return found


def gather(
    paths: Sequence[Path], recipe: Recipe | None = RECIPE, *, strict: bool = False
) -> tuple[Gathered, int]:
    """What the photographs gave, and how many of them were looked at."""
    detector = CountingDetector()
    analyzer = Analyzer(detector, FakeNetwork(), choice=FaceChoice.LARGEST, strict=strict)
    source = TemplateSource(analyzer.identity, lambda: analyzer, recipe)
    return source.gather(paths), detector.seen


def test_gives_one_row_a_photograph_and_the_failures(paths: list[Path]) -> None:
    found, seen = gather(paths, None)
    assert seen == 4
    assert found.reused == 0
    expected = FakeNetwork().embed(np.full((1, 112, 112, 3), RED, np.uint8))[0]
    assert found.templates[0] == pytest.approx(expected, abs=1e-6)
    assert found.templates[2].argmax() == 2  # the larger face, blue
    assert np.isnan(found.templates[[1, 3, 4]]).all()
    assert [Path(f.path).name for f in found.failures] == [
        "nobody.png",
        "broken.jpg",
        "missing.png",
    ]
    assert all(failure.path in failure.reason for failure in found.failures)
    assert [digest is None for digest in found.sha256] == [False] * 4 + [True, False]
    assert found.sha256[0] == found.sha256[5]


def test_a_second_run_opens_no_network(paths: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(templates, "PHOTOGRAPHS_PER_BLOCK", 2)
    present = [path for path in paths if path.exists()]
    first, seen = gather(present)
    assert (first.reused, seen) == (1, 3)  # the copy follows in a later block
    network = FakeNetwork()

    def refuse() -> Analyzer:
        raise AssertionError("the networks were opened")

    second = TemplateSource(network.identity, refuse, RECIPE).gather(present)
    assert second.reused == len(present)
    assert second.failures == first.failures
    assert second.sha256 == first.sha256
    assert second.templates.tobytes() == first.templates.tobytes()


def test_a_cached_failure_names_the_file_of_today(paths: list[Path], tmp_path: Path) -> None:
    gather(paths)
    moved = paths[1].rename(tmp_path / "moved.png")
    found, seen = gather([moved])
    assert (found.reused, seen) == (1, 0)
    assert found.failures[0].reason.startswith(f"{moved}: no face was found")


def test_what_is_no_property_of_the_bytes_is_not_kept(paths: list[Path]) -> None:
    found, _ = gather(paths)
    assert "no such file" in found.failures[-1].reason
    photograph(paths[4], [BLUE])
    found, seen = gather(paths)
    assert (found.reused, seen) == (5, 1)
    assert len(found.failures) == 2


@pytest.mark.parametrize(
    "other",
    [
        replace(RECIPE, fingerprint="e" * 64),
        replace(RECIPE, device="cuda"),
        replace(RECIPE, choice="only"),
        replace(RECIPE, strict=True),
        replace(RECIPE, detector="circles"),
    ],
)
def test_another_recipe_meets_none_of_these(paths: list[Path], other: Recipe) -> None:
    gather(paths)
    assert gather(paths, other)[0].reused == 0
    assert gather(paths)[0].reused == 5


def test_the_searches_share_no_cache() -> None:
    fast, _ = open_templates(device=Device.CPU, search=Search.FAST)
    full, _ = open_templates(device=Device.CPU, search=Search.FULL)
    assert fast._cache is not None
    assert full._cache is not None
    assert fast._cache._path != full._cache._path


def test_changed_code_meets_none_of_these(
    paths: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    gather(paths)
    monkeypatch.setattr(cache, "_code_digest", lambda: "other")
    assert gather(paths)[0].reused == 0


def test_progress_counts_every_photograph(paths: list[Path]) -> None:
    for _ in range(2):
        calls: list[tuple[int, int]] = []
        analyzer = Analyzer(FakeDetector(), FakeNetwork(), choice=FaceChoice.LARGEST)
        source = TemplateSource(analyzer.identity, lambda a=analyzer: a, RECIPE)
        source.gather(paths, lambda done, total, c=calls: c.append((done, total)))
        assert calls == sorted(calls)
        assert calls[-1] == (6, 6)


def database() -> Path:
    (found,) = (cache.cache_dir() / "templates").iterdir()
    return found


def test_the_cache_is_for_its_owner_alone(paths: list[Path]) -> None:
    gather(paths)
    assert database().stat().st_mode & 0o077 == 0
    assert database().parent.stat().st_mode & 0o077 == 0
    content = database().read_bytes()
    assert b"nobody" not in content
    assert str(paths[0].parent).encode() not in content


@pytest.mark.parametrize("damage", [b"", b"not a database at all" * 100, b"SQLite format 3\0" * 99])
def test_a_damaged_file_is_made_again(
    paths: list[Path], damage: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    before, _ = gather(paths)
    database().write_bytes(damage)
    with caplog.at_level(logging.WARNING):
        after, _ = gather(paths)
    assert after.reused == 0
    assert np.array_equal(after.templates, before.templates, equal_nan=True)
    assert gather(paths)[0].reused == 5
    assert ("damaged cache" in caplog.text) is (damage != b"")
    assert "cannot be used" not in caplog.text


def test_a_damaged_row_is_made_again(paths: list[Path]) -> None:
    before, _ = gather(paths)
    with sqlite3.connect(database()) as opened:
        rows = opened.execute("SELECT sha256, content FROM photographs").fetchall()
        for key, content in rows[:2]:
            changed = content[:-1] + bytes([content[-1] ^ 1])
            opened.execute("UPDATE photographs SET content = ? WHERE sha256 = ?", (changed, key))
        opened.execute("UPDATE photographs SET content = 7 WHERE sha256 = ?", rows[2][:1])
    opened.close()
    after, seen = gather(paths)
    assert seen in (3, 4)  # one of the rows may stand for two files
    assert np.array_equal(after.templates, before.templates, equal_nan=True)
    assert gather(paths)[0].reused == 5


def test_a_cache_that_cannot_be_written_costs_nothing_else(
    paths: list[Path], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "cache").write_text("a file where the folder should be")
    with caplog.at_level(logging.WARNING):
        found, seen = gather(paths)
    assert (found.reused, seen) == (0, 4)
    assert len(found.failures) == 3
    assert caplog.text.count("cannot be used") == 1


WRITER = """
import sys
import numpy as np
from facematch.pipeline import Acquired, Recipe, TemplateCache

cache = TemplateCache(Recipe(*{recipe}))
for n in range(int(sys.argv[1]), int(sys.argv[1]) + 40):
    cache.write({{f"{{n:064x}}": Acquired(np.full((1, 3), n, np.float32))}})
"""


def test_processes_write_at_once() -> None:
    recipe = ("f" * 64, 3, "fake", "largest", False, "squares")
    script = WRITER.format(recipe=recipe)
    writers = [
        subprocess.Popen([sys.executable, "-c", script, str(first)]) for first in (0, 20, 40)
    ]
    assert [writer.wait(timeout=60) for writer in writers] == [0, 0, 0]
    keys = [f"{n:064x}" for n in range(80)]
    found = TemplateCache(RECIPE).read(keys)
    assert list(found) == keys or set(found) == set(keys)
    assert all(found[key].templates.tolist() == [[n] * 3] for n, key in enumerate(keys))


def test_many_keys_at_once() -> None:
    entries = {f"{n:064x}": Acquired(np.full((2, 3), n, np.float32)) for n in range(1201)}
    stored = TemplateCache(RECIPE)
    stored.write(entries)
    found = stored.read([*entries, "f" * 64])
    assert found.keys() == entries.keys()
    assert found[f"{7:064x}"].templates.shape == (2, 3)


def test_faces_to_look_at(paths: list[Path]) -> None:
    opened = []

    def open_networks() -> Analyzer:
        opened.append(1)
        return Analyzer(FakeDetector(), FakeNetwork(), choice=FaceChoice.LARGEST)

    source = TemplateSource(FakeNetwork().identity, open_networks, RECIPE)
    assert source.crops([]) == []
    assert opened == []
    red, nobody, two, broken, missing, *_ = source.crops(paths)
    assert (nobody, broken, missing) == (None, None, None)
    assert red is not None
    assert two is not None
    assert red.shape == two.shape == (112, 112, 3)
    assert two[56, 56].tolist() == [*BLUE]  # the larger square
    source.gather(paths)
    assert opened == [1]


def test_digests_are_checked_before_anything_is_embedded(paths: list[Path]) -> None:
    network = FakeNetwork()

    def refuse() -> Analyzer:
        raise AssertionError("the networks were opened")

    def check(sha256: Sequence[str | None]) -> None:
        assert sha256[0] == sha256[5] is not None
        assert sha256[4] is None
        raise PairsFormatError("the same picture")

    with pytest.raises(PairsFormatError):
        TemplateSource(network.identity, refuse).gather(paths, check=check)
