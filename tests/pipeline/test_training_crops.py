"""Photographs to training crops."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest
from fakes import BLUE, GREEN, RED, FakeDetector, photograph

from facematch.errors import ImageDecodeError, NoFaceError
from facematch.imaging.align import align_face
from facematch.imaging.decode import load_photograph
from facematch.pipeline import TrainingCropCutter
from facematch.training.data import BORDER_PX, CROP_SIZE, open_crops
from facematch.types import Face, FaceChoice, UInt8Array


def test_the_middle_is_the_aligned_face(tmp_path: Path) -> None:
    path = photograph(tmp_path / "one.png", [RED])
    image = load_photograph(path).image_rgb
    crop = TrainingCropCutter(FakeDetector())(path)
    assert crop.shape == (CROP_SIZE, CROP_SIZE, 3)
    inner = crop[BORDER_PX:-BORDER_PX, BORDER_PX:-BORDER_PX]
    np.testing.assert_array_equal(inner, align_face(image, FakeDetector().detect(image)[0]))


@pytest.mark.parametrize(
    ("choice", "colour"),
    [(FaceChoice.CENTER, GREEN), (FaceChoice.LARGEST, BLUE)],
)
def test_which_face_is_cut(
    tmp_path: Path, choice: FaceChoice, colour: tuple[int, int, int]
) -> None:
    path = photograph(tmp_path / "three.png", [RED, GREEN, BLUE], sizes=[60, 60, 70])
    crop = TrainingCropCutter(FakeDetector(), choice)(path)
    np.testing.assert_array_equal(crop[64, 64], colour)


def test_a_photograph_gives_one_crop() -> None:
    with pytest.raises(ValueError, match="choose one face"):
        TrainingCropCutter(FakeDetector(), FaceChoice.ALL)


class Pointless:
    """Finds a face whose landmarks coincide."""

    def detect(self, image_rgb: UInt8Array) -> list[Face]:
        points = np.full((5, 2), 30, np.float32)
        return [Face(np.array([0, 0, 60, 60], np.float32), points, 0.9)]


def test_photographs_that_give_no_crop(tmp_path: Path) -> None:
    cut = TrainingCropCutter(FakeDetector())
    black = photograph(tmp_path / "black.png", [])
    with pytest.raises(NoFaceError, match=r"black\.png"):
        cut(black)
    with pytest.raises(NoFaceError, match=r"black\.png: the face cannot be aligned"):
        TrainingCropCutter(Pointless())(black)
    (tmp_path / "text.png").write_bytes(b"not a picture")
    with pytest.raises(ImageDecodeError, match=r"text\.png"):
        cut(tmp_path / "text.png")


def test_other_settings_have_another_version() -> None:
    versions = {
        TrainingCropCutter(FakeDetector(), choice).version
        for choice in FaceChoice
        if choice is not FaceChoice.ALL
    }
    assert len(versions) == len(FaceChoice) - 1
    assert TrainingCropCutter(FakeDetector()).version in versions


class Overlapping(FakeDetector):
    """Notes whether two threads were ever inside."""

    def __init__(self) -> None:
        self.inside = threading.Semaphore(1)
        self.overlaps = 0

    def detect(self, image_rgb: UInt8Array) -> list[Face]:
        if not self.inside.acquire(blocking=False):
            self.overlaps += 1
            return []
        threading.Event().wait(0.005)
        self.inside.release()
        return super().detect(image_rgb)


def test_a_folder_of_photographs_becomes_crops(tmp_path: Path) -> None:
    people = {"ann": RED, "bob": GREEN}
    for name, colour in people.items():
        for number in range(3):
            photograph(tmp_path / "people" / name / f"{number}.png", [colour])
    photograph(tmp_path / "people" / "bob" / "nobody.png", [])
    detector = Overlapping()
    cut = TrainingCropCutter(detector)
    found = open_crops([tmp_path / "people"], tmp_path / "cache", cut)
    assert detector.overlaps == 0
    assert found.labels.tolist() == [0, 0, 0, 1, 1, 1]
    assert found.images[:, 64, 64].tolist() == [list(RED)] * 3 + [list(GREEN)] * 3
    assert [entry.name for entry in found.unreadable] == ["people:bob/nobody.png"]
    assert found.unreadable[0].reason.startswith("no face was found")
