"""Enrolment: plans, skips, failures, interruption."""

from __future__ import annotations

from pathlib import Path

import pytest
from fakes import BLUE, GREEN, RED, FakeDetector, FakeNetwork, photograph

from facematch.errors import (
    GalleryModelMismatchError,
    ImageNotFoundError,
    ManifestError,
    UsageError,
)
from facematch.gallery import Gallery
from facematch.pipeline import Analyzer
from facematch.types import UInt8Array
from facematch.workflows.enroll import EnrolmentItem, enroll, plan_enrolment


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
    items = plan_enrolment([people], None)
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
    result = enroll(plan_enrolment([people], None), analyzer, tmp_path / "faces.h5")
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


def test_an_interruption_keeps_what_was_done_and_the_next_run_goes_on(
    people: Path, tmp_path: Path, analyzer: Analyzer
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
    items = plan_enrolment([people], None)
    with pytest.raises(KeyboardInterrupt):
        enroll(items, Analyzer(Interrupted(), FakeNetwork()), gallery)
    with Gallery.open(gallery) as opened:
        kept = len(opened)
    assert kept == 32  # one network batch was done
    result = enroll(items, analyzer, gallery)
    assert len(result.skipped) == kept
    assert result.references == len(items)


def test_kept_crops_are_stored(people: Path, tmp_path: Path, analyzer: Analyzer) -> None:
    gallery = tmp_path / "faces.h5"
    enroll(plan_enrolment([people], None), analyzer, gallery, keep_crops=True)
    with Gallery.open(gallery) as opened:
        crop = opened.reference(0).crop_rgb
        assert crop is not None
        assert crop.shape == (112, 112, 3)


def test_a_gallery_of_another_model_is_refused(
    people: Path, tmp_path: Path, analyzer: Analyzer
) -> None:
    gallery = tmp_path / "faces.h5"
    enroll(plan_enrolment([people], None), analyzer, gallery)
    other = Analyzer(FakeDetector(), FakeNetwork("0" * 64, "other-1"))
    with pytest.raises(GalleryModelMismatchError, match="other-1"):
        enroll(plan_enrolment([people], None), other, gallery)


def test_manifest_paths_are_relative_to_it(tmp_path: Path) -> None:
    photograph(tmp_path / "pictures" / "é.png", [BLUE])
    manifest = tmp_path / "list.csv"
    manifest.write_text("\ufeffPath,Subject,note\npictures/é.png,Zoë,x\n", encoding="utf-8")
    assert plan_enrolment([manifest], None) == (
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


def test_plans_that_cannot_be_made(tmp_path: Path) -> None:
    with pytest.raises(ImageNotFoundError, match="no such file"):
        plan_enrolment([tmp_path / "nowhere"], None)
    with pytest.raises(UsageError, match="--subject"):
        plan_enrolment([photograph(tmp_path / "a.png", [RED])], None)
    with pytest.raises(UsageError, match="no sub-folders"):
        plan_enrolment([tmp_path], None)
    (tmp_path / "Ann").mkdir()
    with pytest.raises(ImageNotFoundError, match="no photographs"):
        plan_enrolment([tmp_path], None)
