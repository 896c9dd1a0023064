"""The analyzer: which faces, in which order, with which templates."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from fakes import BLUE, GREEN, RED, FakeDetector, FakeNetwork, photograph

from facematch.errors import LowQualityError, NoFaceError, SeveralFacesError
from facematch.pipeline import AnalyzedPhotograph, Analyzer, Failure
from facematch.types import FaceChoice


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
