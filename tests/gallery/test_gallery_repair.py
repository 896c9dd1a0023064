"""What is sound is saved, what is not is listed, and nothing is made up."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest
from gallery_fakes import IDENTITY, reference_of, same_reference, templates_of

from facematch.errors import EmptyGalleryError, GalleryError, GalleryFormatError, UsageError
from facematch.gallery import Gallery, GalleryWriter
from facematch.gallery.seal import Seal
from facematch.workflows.gallery_versions import RepairResult, repair

N = 600  # templates of two blocks and a bit


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("repair") / "g.h5"
    with GalleryWriter.open(path, IDENTITY) as writer:
        references = [reference_of(f"s{i % 50}", i, crop=i < 3) for i in range(N)]
        writer.add(references, templates_of(N))
        writer.mark_distinct("s0", "s1")
        writer.commit()
    return path


def repaired(sound: Path, folder: Path, dataset: str, byte: int = 0) -> RepairResult:
    """The repair of a copy of the gallery with one damaged byte."""
    with h5py.File(sound, "r", locking=False) as file:
        offset = file[dataset].id.get_offset()
    data = bytearray(sound.read_bytes())
    data[offset + byte] ^= 0x10
    (folder / "bad.h5").write_bytes(data)
    return repair(folder / "bad.h5", folder / "new.h5")


def check_saved(sound: Path, folder: Path, result: RepairResult) -> None:
    """Whatever is in the new gallery is what was in the old one, but for what is listed."""
    lost = {loss.row: loss for loss in result.losses}
    kept = [row for row in range(N) if row not in lost or not lost[row].whole_reference]
    with Gallery.open(sound) as old, Gallery.open(folder / "new.h5", IDENTITY) as new:
        assert new.verify().problems == ()
        assert new.templates.tobytes() == old.templates[kept].tobytes()
        for at, row in enumerate(kept):
            if row not in lost and not (result.renamed or result.crops_lost):
                assert same_reference(new.reference(at), old.reference(row))


def test_a_sound_gallery_loses_nothing(sound: Path, tmp_path: Path) -> None:
    result = repair(sound, tmp_path / "new.h5")
    assert (result.losses, result.renamed, result.state.references) == ((), (), N)
    check_saved(sound, tmp_path, result)
    with Gallery.open(tmp_path / "new.h5") as gallery:
        assert gallery.distinct == {(0, 1)}


@pytest.mark.parametrize(
    ("dataset", "part", "rows", "whole"),
    [
        ("templates", "template", 256, True),  # 16384 bytes of 64
        ("references/subject", "subject", N, True),
        ("references/source_sha256", "source_sha256", 512, False),
        ("references/box_xyxy", "box_xyxy", N, False),
        ("references/quality", "quality", 256, False),
        ("references/warnings/utf8", "quality", 400, False),  # those that have any
        ("references/enrolled_at", "enrolled_at", N, False),
        ("references/source_path/utf8", "source_path", N, False),
        ("crops/rgb", "crop", 1, False),
    ],
)
def test_damage_costs_its_block_and_no_more(
    sound: Path, tmp_path: Path, dataset: str, part: str, rows: int, whole: bool
) -> None:
    if dataset == "references/subject":
        with pytest.raises(EmptyGalleryError, match="not one of 600"):
            repaired(sound, tmp_path, dataset)
        assert not (tmp_path / "new.h5").exists()
        return
    result = repaired(sound, tmp_path, dataset)
    assert len(result.losses) == rows
    assert {loss.parts for loss in result.losses} <= {(part,)}
    assert all(loss.whole_reference is whole for loss in result.losses)
    assert result.state.references == (N - rows if whole else N)
    check_saved(sound, tmp_path, result)


def test_lost_names_are_replaced_by_names_that_say_so(sound: Path, tmp_path: Path) -> None:
    result = repaired(sound, tmp_path, "subjects/name/utf8")
    assert len(result.renamed) == 50
    assert result.renamed[0] == "name lost 0"
    assert (result.losses, result.state.subjects) == ((), 50)
    check_saved(sound, tmp_path, result)


def test_crops_that_are_nobodys_are_counted(sound: Path, tmp_path: Path) -> None:
    result = repaired(sound, tmp_path, "crops/row")
    assert (result.losses, result.crops_lost, result.complete) == ((), 3, False)
    check_saved(sound, tmp_path, result)


def test_a_broken_seal_alone_costs_nothing(sound: Path, tmp_path: Path) -> None:
    data = bytearray(sound.read_bytes())
    data[40] ^= 1
    (tmp_path / "bad.h5").write_bytes(data)
    with pytest.raises(GalleryError):
        Gallery.open(tmp_path / "bad.h5")
    assert repair(tmp_path / "bad.h5", tmp_path / "new.h5").losses == ()


def test_what_cannot_be_repaired(sound: Path, tmp_path: Path) -> None:
    (tmp_path / "text.h5").write_text("no gallery" * 1000)
    with pytest.raises(GalleryFormatError):
        repair(tmp_path / "text.h5", tmp_path / "new.h5")
    (tmp_path / "cut.h5").write_bytes(sound.read_bytes()[:50_000])
    with pytest.raises(GalleryFormatError, match="gallery rollback"):
        repair(tmp_path / "cut.h5", tmp_path / "new.h5")
    with pytest.raises(GalleryError, match="there is no gallery"):
        repair(tmp_path / "none.h5", tmp_path / "new.h5")
    with pytest.raises(UsageError, match="exists already"):
        repair(sound, sound)
    assert not (tmp_path / "new.h5").exists()


def cut_at(sound: Path, folder: Path, size: int) -> RepairResult | str:
    """The repair of a gallery of which the first bytes are left, or why there is none."""
    (folder / "new.h5").unlink(missing_ok=True)
    (folder / "bad.h5").write_bytes(sound.read_bytes()[:size])
    try:
        return repair(folder / "bad.h5", folder / "new.h5")
    except GalleryError as error:
        assert not (folder / "new.h5").exists()
        return str(error)


def test_a_missing_tail_costs_what_was_in_it(sound: Path, tmp_path: Path) -> None:
    with h5py.File(sound, "r", locking=False) as file:
        templates = file["templates"].id.get_offset()
        crops = file["crops/rgb"].id.get_offset()
    result = cut_at(sound, tmp_path, crops + 112 * 112 * 3 + 5000)
    assert not isinstance(result, str)
    # Checksums go by blocks of 16384 bytes, so that of the second one the first crop is hit.
    assert [(loss.row, loss.parts) for loss in result.losses] == [
        (row, ("crop",)) for row in range(3)
    ]
    check_saved(sound, tmp_path, result)
    result = cut_at(sound, tmp_path, templates + 2 * 16384)
    assert not isinstance(result, str)
    assert result.state.references == 512
    assert [loss.row for loss in result.losses if loss.whole_reference] == list(range(512, N))
    check_saved(sound, tmp_path, result)
    result = cut_at(sound, tmp_path, templates)
    assert isinstance(result, str)
    assert "not one of 600 references is sound" in result


def test_wherever_a_file_is_cut_nothing_is_lost_in_silence(sound: Path, tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    size = sound.stat().st_size
    with h5py.File(sound, "r", locking=False) as file:
        templates = file["templates"].id.get_offset()
    cuts = [*rng.integers(0, size, 16).tolist(), *rng.integers(templates, size, 8).tolist()]
    outcomes = set()
    for cut in (*cuts, 0, 87, 88, 4096, size - 1):
        result = cut_at(sound, tmp_path, cut)
        outcomes.add(isinstance(result, str))
        if isinstance(result, str):
            assert len(result.splitlines()) == 1
            assert "bad.h5" in result
        else:
            gone = sum(loss.whole_reference for loss in result.losses)
            assert result.state.references + gone == result.references == N
            assert not result.complete, cut
            check_saved(sound, tmp_path, result)
    assert outcomes == {True, False}


@pytest.mark.parametrize("promised", [0, 1, 2**30, 2**50, 2**63, 2**64 - 1])
@pytest.mark.parametrize("left", [88, 5000, 150_000])
def test_no_seal_can_promise_what_it_likes(
    sound: Path, tmp_path: Path, promised: int, left: int
) -> None:
    content = sound.read_bytes()
    seal = Seal.unpack(content)
    assert seal is not None
    forged = Seal(seal.version, promised, seal.structure).pack()
    (tmp_path / "forged.h5").write_bytes(forged + content[len(forged) :])
    found = cut_at(tmp_path / "forged.h5", tmp_path, left)
    assert isinstance(found, str)
    assert "gallery rollback" in found


def test_a_list_of_different_people_is_not_lost_in_silence(sound: Path, tmp_path: Path) -> None:
    result = repaired(sound, tmp_path, "subjects/distinct")
    assert (result.losses, result.pairs_lost, result.complete) == ((), 1, False)


def test_a_file_whose_structure_is_spread_over_it_keeps_nothing_without_its_tail(
    tmp_path: Path,
) -> None:
    old = Path(__file__).parent / "golden" / "version-2.h5"
    result = cut_at(old, tmp_path, old.stat().st_size * 3 // 4)
    assert isinstance(result, str)
    assert "gallery rollback" in result


def test_random_damage_is_never_passed_on(sound: Path, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    clean = sound.read_bytes()
    for case in range(6):
        data = bytearray(clean)
        for offset in rng.integers(88, len(data), 5).tolist():
            data[offset] ^= 1 << int(rng.integers(8))
        (tmp_path / "bad.h5").write_bytes(data)
        (tmp_path / "new.h5").unlink(missing_ok=True)
        try:
            result = repair(tmp_path / "bad.h5", tmp_path / "new.h5")
        except GalleryError:
            assert not (tmp_path / "new.h5").exists(), case
        else:
            check_saved(sound, tmp_path, result)
