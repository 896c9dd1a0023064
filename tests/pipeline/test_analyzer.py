"""The analyzer: which faces, in which order, with which templates."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from fakes import BLUE, GREEN, RED, FakeDetector, FakeNetwork, photograph

from facematch.errors import LowQualityError, NoFaceError, SeveralFacesError
from facematch.pipeline import AnalyzedPhotograph, Analyzer, Failure
from facematch.types import Detection, FaceChoice, Float64Array, Search, UInt8Array


def make(choice: FaceChoice, strict: bool = False) -> Analyzer:
    return Analyzer(FakeDetector(), FakeNetwork(), choice=choice, strict=strict)


def test_the_largest_face_is_taken_and_the_other_accounted_for(tmp_path: Path) -> None:
    path = photograph(tmp_path / "two.png", [RED, GREEN], sizes=[50, 80])
    found = make(FaceChoice.LARGEST).analyze(path)
    assert found.detected == 2
    assert [face.index for face in found.faces] == [1]
    assert [other.index for other in found.passed_over] == [0]
    assert "50x50" in found.passed_over[0].reason
    assert found.faces[0].crop_rgb.shape == (112, 112, 3)


def test_all_faces_are_embedded_in_their_order(tmp_path: Path) -> None:
    path = photograph(tmp_path / "three.png", [RED, GREEN, BLUE], sizes=[80, 70, 60])
    analyzer = make(FaceChoice.ALL)
    templates = analyzer.embed(analyzer.analyze(path).faces)
    np.testing.assert_allclose(templates, np.eye(3), atol=1e-3)


@pytest.mark.parametrize(
    ("colours", "choice", "error"),
    [
        ([], FaceChoice.BEST, NoFaceError),
        ([RED, RED], FaceChoice.ONLY, SeveralFacesError),
    ],
)
def test_photographs_without_a_usable_face_are_refused_by_name(
    tmp_path: Path, colours: list[tuple[int, int, int]], choice: FaceChoice, error: type[Exception]
) -> None:
    path = photograph(tmp_path / "picture.png", colours)
    with pytest.raises(error, match=r"picture\.png"):
        make(choice).analyze(path)


def test_strict_refuses_what_is_otherwise_only_noted(tmp_path: Path) -> None:
    path = photograph(tmp_path / "flat.png", [RED])  # one colour: no contrast, no sharpness
    assert make(FaceChoice.BEST).analyze(path).faces[0].quality.warnings
    with pytest.raises(LowQualityError, match=r"flat\.png"):
        make(FaceChoice.BEST, strict=True).analyze(path)


def test_the_stream_keeps_order_across_batches_and_failures(tmp_path: Path) -> None:
    colours = [RED, GREEN, BLUE]
    paths = []
    for index in range(80):  # more than two network batches
        path = tmp_path / f"{index:02}.png"
        if index % 7 == 3:
            path.write_bytes(b"not a picture")
        else:
            photograph(path, [colours[index % 3]])
        paths.append(path)
    outcomes = list(make(FaceChoice.BEST).stream(paths))
    assert len(outcomes) == 80
    for index, outcome in enumerate(outcomes):
        if index % 7 == 3:
            assert isinstance(outcome, Failure)
            assert outcome.path == str(paths[index])
        else:
            assert not isinstance(outcome, Failure)
            analyzed, templates = outcome
            assert isinstance(analyzed, AnalyzedPhotograph)
            assert analyzed.path == str(paths[index])
            np.testing.assert_allclose(templates, np.eye(3)[index % 3 : index % 3 + 1], atol=1e-3)


class PatientDetector(FakeDetector):
    """Finds squares of 70 pixels and more first, and the others when it is asked for them."""

    def __init__(self) -> None:
        self.asked: list[Float64Array | None] = []

    def search(
        self, image_rgb: UInt8Array, remaining: Callable[[Detection], Float64Array | None]
    ) -> Detection:
        every = self.detect(image_rgb)
        large = Detection(tuple(f for f in every if f.size_wh[0] >= 70), False, 75.0)
        self.asked.append(remaining(large))
        return large if self.asked[0] is None else Detection(tuple(every))


@pytest.mark.parametrize(
    ("choice", "sizes", "detected", "chosen_px"),
    [
        pytest.param(FaceChoice.LARGEST, [60, 80], 1, 80, id="settled"),
        pytest.param(FaceChoice.LARGEST, [60, 72], 2, 72, id="of a size that may still move"),
        pytest.param(FaceChoice.LARGEST, [40, 60], 2, 60, id="none at first"),
        pytest.param(FaceChoice.CENTER, [65, 90], 2, 90, id="far from the middle"),
        pytest.param(FaceChoice.BEST, [60, 72], 2, 72, id="too small to be surely the best"),
    ],
)
def test_a_fast_search_goes_on_while_another_face_could_be_chosen(
    tmp_path: Path, choice: FaceChoice, sizes: list[int], detected: int, chosen_px: int
) -> None:
    path = photograph(tmp_path / "two.png", [RED, GREEN], sizes=sizes)
    detector = PatientDetector()
    fast = Analyzer(detector, FakeNetwork(), choice=choice, search=Search.FAST).analyze(path)
    assert len(detector.asked) == 1
    assert fast.detected == detected
    assert fast.complete is (detected == 2)
    full = Analyzer(detector, FakeNetwork(), choice=choice).analyze(path)
    assert full.complete
    assert fast.faces[0].quality == full.faces[0].quality
    assert fast.faces[0].face.size_wh[0] == chosen_px


@pytest.mark.parametrize("choice", [FaceChoice.ALL, FaceChoice.ONLY])
def test_choices_that_need_every_face_get_it(tmp_path: Path, choice: FaceChoice) -> None:
    path = photograph(tmp_path / "two.png", [RED, GREEN], sizes=[40, 80])
    detector = PatientDetector()
    analyzer = Analyzer(detector, FakeNetwork(), choice=choice, search=Search.FAST)
    if choice is FaceChoice.ONLY:
        with pytest.raises(SeveralFacesError, match="2 faces"):
            analyzer.analyze(path)
    else:
        assert analyzer.analyze(path).detected == 2
    assert detector.asked == []


def test_nobody_is_found_only_after_a_full_search(tmp_path: Path) -> None:
    path = photograph(tmp_path / "nobody.png", [])
    detector = PatientDetector()
    with pytest.raises(NoFaceError):
        Analyzer(detector, FakeNetwork(), choice=FaceChoice.LARGEST, search=Search.FAST).analyze(
            path
        )
    assert detector.asked[0] is not None
