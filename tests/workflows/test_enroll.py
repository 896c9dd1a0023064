"""Enrolment: plans, skips, failures, interruption."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from fakes import BLUE, GREEN, RED, FakeDetector, FakeNetwork, photograph

from facematch.errors import (
    GalleryFormatError,
    GalleryModelMismatchError,
    InputError,
    ManifestError,
    UsageError,
)
from facematch.gallery import Gallery
from facematch.imaging import reading
from facematch.pipeline import Analyzer
from facematch.types import UInt8Array
from facematch.workflows.enroll import EnrolmentInterrupted, EnrolmentItem, enroll, plan_enrolment


@pytest.fixture
def people(tmp_path: Path) -> Path:
    root = tmp_path / "people"
    for name, colour in (("Ann", RED), ("Bob", GREEN)):
        for number in (1, 2):
            # The second picture is wider, so that its bytes differ.
            photograph(root / name / f"{number}.png", [colour], sizes=[30 + 2 * number])
    return root


def test_a_folder_per_subject_is_enrolled_and_skipped_the_second_time(
    people: Path, tmp_path: Path, analyzer: Analyzer
) -> None:
    gallery = tmp_path / "faces.h5"
    items = plan_enrolment([people], None).items
    first = enroll(items, analyzer, gallery)
    assert (len(first.enrolled), len(first.skipped), len(first.failed)) == (4, 0, 0)
    assert (first.references, first.subjects) == (4, 2)
    before = gallery.read_bytes()
    second = enroll(items, analyzer, gallery)
    assert (len(second.enrolled), len(second.skipped)) == (0, 4)
    assert gallery.read_bytes() == before
    with Gallery.open(gallery) as opened:
        assert {(s.subject, s.references) for s in opened.subjects()} == {("Ann", 2), ("Bob", 2)}


def test_bad_files_are_listed_and_the_rest_goes_on(
    people: Path, tmp_path: Path, analyzer: Analyzer
) -> None:
    (people / "Bob" / "broken.jpg").write_bytes(b"\xff\xd8 cut off")
    photograph(people / "Ann" / "nobody.png", [])
    result = enroll(plan_enrolment([people], None).items, analyzer, tmp_path / "faces.h5")
    assert len(result.enrolled) == 4
    assert {Path(f.path).name for f in result.failed} == {"broken.jpg", "nobody.png"}
    assert all(Path(f.path).name in f.reason for f in result.failed)


def test_nothing_enrolled_makes_no_gallery(tmp_path: Path, analyzer: Analyzer) -> None:
    path = photograph(tmp_path / "nobody.png", [])
    result = enroll([EnrolmentItem("Ann", path)], analyzer, tmp_path / "faces.h5")
    assert len(result.failed) == 1
    assert not (tmp_path / "faces.h5").exists()


def test_one_photograph_is_not_enrolled_under_two_names(tmp_path: Path, analyzer: Analyzer) -> None:
    path = photograph(tmp_path / "a.png", [RED])
    items = [EnrolmentItem("Ann", path), EnrolmentItem("Bob", path)]
    result = enroll(items, analyzer, tmp_path / "faces.h5")
    assert [face.subject for face in result.enrolled] == ["Ann"]
    assert "already enrolled as Ann" in result.failed[0].reason


@pytest.mark.parametrize("side_by_side", [1, 3])
def test_an_interruption_keeps_what_was_done_and_the_next_run_goes_on(
    people: Path, tmp_path: Path, analyzer: Analyzer, side_by_side: int
) -> None:
    class Interrupted(FakeDetector):
        calls = 0

        def detect(self, image_rgb: UInt8Array) -> list:  # type: ignore[type-arg]
            self.calls += 1
            if self.calls > 40:
                raise KeyboardInterrupt
            return super().detect(image_rgb)

    for number in range(3, 60):
        photograph(people / "Ann" / f"{number:02}.png", [RED], sizes=[40 + number])
    gallery = tmp_path / "faces.h5"
    items = plan_enrolment([people], None).items
    with pytest.raises(EnrolmentInterrupted, match="with 32 of 61 photographs newly enrolled"):
        enroll(items, Analyzer(Interrupted(), FakeNetwork(), side_by_side=side_by_side), gallery)
    with Gallery.open(gallery) as opened:
        kept = len(opened)
    assert kept == 32  # one network batch was done
    result = enroll(items, analyzer, gallery)
    assert len(result.skipped) == kept
    assert result.references == len(items)


def test_no_lock_is_left_beside_what_is_no_gallery(
    people: Path, tmp_path: Path, analyzer: Analyzer
) -> None:
    foreign = tmp_path / "in" / "notes.txt"
    foreign.parent.mkdir()
    foreign.write_text("not a gallery")
    with pytest.raises(GalleryFormatError):
        enroll(plan_enrolment([people], None).items, analyzer, foreign)
    assert [path.name for path in foreign.parent.iterdir()] == ["notes.txt"]


def test_kept_crops_are_stored(people: Path, tmp_path: Path, analyzer: Analyzer) -> None:
    gallery = tmp_path / "faces.h5"
    enroll(plan_enrolment([people], None).items, analyzer, gallery, keep_crops=True)
    with Gallery.open(gallery) as opened:
        crop = opened.reference(0).crop_rgb
        assert crop is not None
        assert crop.shape == (112, 112, 3)


def test_a_gallery_of_another_model_is_refused(
    people: Path, tmp_path: Path, analyzer: Analyzer
) -> None:
    gallery = tmp_path / "faces.h5"
    enroll(plan_enrolment([people], None).items, analyzer, gallery)
    other = Analyzer(FakeDetector(), FakeNetwork("0" * 64, "other-1"))
    with pytest.raises(GalleryModelMismatchError, match="other-1"):
        enroll(plan_enrolment([people], None).items, other, gallery)


def test_manifest_paths_are_relative_to_it(tmp_path: Path) -> None:
    photograph(tmp_path / "pictures" / "é.png", [BLUE])
    manifest = tmp_path / "list.csv"
    manifest.write_text("\ufeffPath,Subject,note\npictures/é.png,Zoë,x\n", encoding="utf-8")
    assert plan_enrolment([manifest], None).items == (
        EnrolmentItem("Zoë", tmp_path / "pictures" / "é.png"),
    )


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"subject,file\nAnn,a.jpg\n", "must name the columns subject,path"),
        (b"", "must name the columns subject,path"),
        (b"subject,path\n,a.jpg\n", "line 2: subject or path is empty"),
        (b"subject,path\nAnn\n", "line 2: subject or path is empty"),
        (b"\xff\xfe\x00", "not UTF-8"),
    ],
)
def test_manifests_that_cannot_be_used(tmp_path: Path, content: bytes, message: str) -> None:
    manifest = tmp_path / "list.csv"
    manifest.write_bytes(content)
    with pytest.raises(ManifestError, match=message):
        plan_enrolment([manifest], None)


def test_a_plan_goes_on_past_bad_paths(people: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Permissions cannot be tried by root, so the folder of Bob refuses by itself."""
    photograph(people / "whose.png", [BLUE])
    (people / "notes.txt").touch()
    (people / "..Eve").mkdir()
    (people / "Cy\x07").mkdir()
    listed = Path.iterdir

    def iterdir(folder: Path) -> Iterator[Path]:
        if folder.name == "Bob":
            raise PermissionError(13, "Permission denied")
        return listed(folder)

    monkeypatch.setattr(Path, "iterdir", iterdir)
    plan = plan_enrolment([people, people / "gone"], None)
    assert {item.subject for item in plan.items} == {"Ann"}
    reasons = {Path(f.path).name: f.reason for f in plan.failures}
    assert set(reasons) == {"Bob", "Cy\x07", "gone", "whose.png"}
    assert "cannot be read (Permission denied); check its permissions" in reasons["Bob"]
    assert "whose is it? move it" in reasons["whose.png"]
    assert "no such file or folder; check the path" in reasons["gone"]
    assert [f.path for f in plan_enrolment([people / "Ann", people / "x"], "Ann").failures] == [
        str(people / "x")
    ]


def test_copies_share_the_fate_of_the_first(people: Path, analyzer: Analyzer) -> None:
    broken = people / "Ann" / "broken.jpg"
    broken.write_bytes(b"\xff\xd8\xff cut off")
    for name in ("Ann/broken too.jpg", "Bob/broken three.jpg"):
        (people / name).write_bytes(broken.read_bytes())
    for name in ("Ann/again.png", "Bob/not Bob.png"):
        (people / name).write_bytes((people / "Ann" / "1.png").read_bytes())
    (people / "Bob" / "0.png").symlink_to(people / "Bob" / "1.png")
    result = enroll(plan_enrolment([people], None).items, analyzer, people / "faces.h5")
    assert len(result.enrolled) == 4
    assert {Path(s.path).name for s in result.skipped} == {"1.png", "again.png"}
    reasons = {Path(f.path).name: f.reason for f in result.failed}
    assert set(reasons) == {
        *("broken.jpg", "broken too.jpg", "broken three.jpg", "not Bob.png"),
    }
    assert all(name in reason for name, reason in reasons.items())
    assert all("JPEG" in reasons[name] for name in reasons if name.startswith("broken"))
    assert "already enrolled as Ann" in reasons["not Bob.png"]


def test_only_files_within_the_limit_are_hashed(tmp_path: Path, analyzer: Analyzer) -> None:
    items = [EnrolmentItem("Ann", Path("/dev/zero"))]
    result = enroll(items, analyzer, tmp_path / "faces.h5")
    assert "larger where at most" in result.failed[0].reason


def test_plans_that_cannot_be_made(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        plan_enrolment([tmp_path / "nowhere"], None)
    with pytest.raises(UsageError, match="--subject"):
        plan_enrolment([photograph(tmp_path / "a.png", [RED])], None)
    with pytest.raises(UsageError, match="no sub-folders"):
        plan_enrolment([tmp_path], None)
    (tmp_path / "Ann").mkdir()
    with pytest.raises(InputError, match="whose is it"):
        plan_enrolment([tmp_path], None)
    with pytest.raises(InputError, match=f"no photographs found in {tmp_path / 'Ann'}"):
        plan_enrolment([tmp_path / "Ann"], None)
    (tmp_path / "list.csv").touch()
    with pytest.raises(UsageError, match="leave --subject out"):
        plan_enrolment([tmp_path / "list.csv"], "Ann")


def test_a_manifest_that_is_a_pipe_nobody_writes_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.mkfifo(tmp_path / "list.csv")
    monkeypatch.setattr(reading, "PIPE_PATIENCE_S", 0.01)
    with pytest.raises(InputError, match="a pipe that nobody writes to"):
        plan_enrolment([tmp_path / "list.csv"], None)
