"""Layouts of every version, snapshots, rollback."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from gallery_fakes import IDENTITY, make_gallery, reference_of, same_reference, templates_of

from facematch.errors import GalleryCorruptError, GalleryNotFoundError, OutputError, UsageError
from facematch.gallery import Gallery, GalleryWriter
from facematch.gallery import snapshots as snapshots_module
from facematch.gallery.format import FORMAT_VERSION
from facematch.gallery.seal import Seal
from facematch.gallery.snapshots import snapshots_of
from facematch.workflows.gallery_versions import list_snapshots, roll_back

GOLDEN = Path(__file__).parent / "golden"


def version_of(path: Path) -> int:
    seal = Seal.unpack(path.read_bytes())
    assert seal is not None
    return seal.version


def golden_references() -> list:
    """What the program of each version was given when it wrote its golden file."""
    crop = np.indices((112, 112, 3)).sum(0).astype(np.uint8)
    zoe = replace(reference_of("Zoë", 1), crop_rgb=crop)
    return [reference_of("Ada", 0), zoe, reference_of("Ada", 2)]


def test_there_is_a_golden_file_of_every_version() -> None:
    names = {f"version-{version}.h5" for version in range(1, FORMAT_VERSION + 1)}
    assert {entry.name for entry in GOLDEN.iterdir()} == names


@pytest.mark.parametrize("version", range(1, FORMAT_VERSION + 1))
def test_every_version_is_read_and_the_next_commit_writes_the_present_one(
    version: int, tmp_path: Path
) -> None:
    path = tmp_path / "g.h5"
    shutil.copy(GOLDEN / f"version-{version}.h5", path)
    assert version_of(path) == version
    with Gallery.open(path, IDENTITY) as gallery:
        assert gallery.verify().problems == ()
        assert gallery.templates.tobytes() == templates_of(3).tobytes()
        for row, expected in enumerate(golden_references()):
            assert same_reference(gallery.reference(row), expected)
        assert gallery.distinct == (frozenset() if version < 2 else {(0, 1)})
        assert gallery.info.snapshots == (0 if version < 2 else 2)
    with GalleryWriter.open(path, IDENTITY) as writer:
        writer.commit()  # nothing to write, so nothing is migrated
        assert version_of(path) == version
        writer.add([reference_of("Eve", 7)], templates_of(1, 7))
        writer.commit()
    assert version_of(path) == FORMAT_VERSION
    with Gallery.open(path, IDENTITY) as gallery:
        assert gallery.verify().problems == ()
        assert gallery.subject_names == ("Ada", "Zoë", "Eve")
        assert gallery.info.created_at == 1.75e9


def contents(folder: Path) -> set[str]:
    return {entry.name for entry in folder.iterdir()}


def enrol(path: Path, name: str, number: int) -> None:
    with GalleryWriter.open(path, IDENTITY) as writer:
        writer.add([reference_of(name, number)], templates_of(1, number))
        writer.commit()


def subjects_of(path: Path) -> tuple[str, ...]:
    with Gallery.open(path) as gallery:
        return gallery.subject_names


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A gallery that keeps two older versions."""
    make_gallery(tmp_path / "g.h5", ["a"])
    list_snapshots(tmp_path / "g.h5", keep=2)
    return tmp_path / "g.h5"


def test_snapshots_are_the_older_versions_and_old_ones_go(path: Path) -> None:
    assert contents(path.parent) == {"g.h5", "g.h5.lock"}
    for number, name in enumerate("bcd", start=1):
        enrol(path, name, number)
    found = snapshots_of(path)
    assert [s.number for s in found] == [2, 3]
    assert [subjects_of(s.path) for s in found] == [("a", "b"), ("a", "b", "c")]
    assert list_snapshots(path, keep=1).keep == 1
    assert [s.number for s in snapshots_of(path)] == [3]
    assert list_snapshots(path, keep=0).snapshots == ()
    assert contents(path.parent) == {"g.h5", "g.h5.lock"}


def test_one_writer_takes_one_snapshot_however_often_it_commits(path: Path) -> None:
    with GalleryWriter.open(path, IDENTITY) as writer:
        for number in range(1, 4):
            writer.add([reference_of("b", number)], templates_of(1, number))
            writer.commit()
    assert [subjects_of(s.path) for s in snapshots_of(path)] == [("a",)]


def test_a_failed_commit_leaves_no_second_snapshot(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", lambda *_: (_ for _ in ()).throw(OSError(5, "I/O error")))
        for _ in range(2):
            with pytest.raises(OutputError, match="nothing was changed"):
                enrol(path, "b", 1)
    assert len(snapshots_of(path)) == 1
    enrol(path, "b", 1)
    assert [subjects_of(s.path) for s in snapshots_of(path)] == [("a",)]


def test_a_file_system_without_links_gets_copies(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_links(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(snapshots_module.os, "link", no_links)
    enrol(path, "b", 1)
    assert subjects_of(snapshots_of(path)[0].path) == ("a",)
    assert contents(path.parent) == {"g.h5", "g.h5.lock", "g.h5.snapshot-000001"}


def test_rollback_there_and_back(path: Path) -> None:
    enrol(path, "b", 1)
    result = roll_back(path, confirm=lambda kept: kept.state is not None)
    assert (result.number, result.replaced) == (1, 2)
    assert subjects_of(path) == ("a",)
    assert roll_back(path, number=2, confirm=lambda kept: True).state.subjects == 2
    assert subjects_of(path) == ("a", "b")
    with pytest.raises(UsageError, match="not confirmed"):
        roll_back(path, confirm=lambda kept: False)
    with pytest.raises(GalleryNotFoundError, match="no older snapshot 77"):
        roll_back(path, number=77, confirm=lambda kept: True)


def test_rollback_saves_a_gallery_that_cannot_be_opened(path: Path) -> None:
    enrol(path, "b", 1)
    path.write_bytes(b"")
    roll_back(path, confirm=lambda kept: True)
    assert subjects_of(path) == ("a",)
    assert [kept.state is None for kept in list_snapshots(path).snapshots] == [False, True]


def test_rollback_to_a_damaged_snapshot_is_refused(path: Path) -> None:
    enrol(path, "b", 1)
    snapshot = snapshots_of(path)[0].path
    data = bytearray(snapshot.read_bytes())
    with Gallery.open(snapshot) as gallery:
        data[data.index(gallery.templates[0].tobytes())] ^= 1
    snapshot.write_bytes(data)
    with pytest.raises(GalleryCorruptError, match="--to"):
        roll_back(path, confirm=lambda kept: True)
    assert subjects_of(path) == ("a", "b")
