"""Photographs looked at side by side: to the bit what comes of one after the other."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from facematch.choices import Device, FaceChoice, Search
from facematch.imaging.paths import find_photographs
from facematch.pipeline import Analyzer, Failure, open_detector
from facematch.workflows.detect import detect

pytestmark = [pytest.mark.photos, pytest.mark.slow]


@pytest.fixture(scope="module")
def photographs(wild: Path, lfw: Path, data_pack: Path) -> list[Path]:
    """Small and large ones mixed, with one face and with many."""
    some = [*find_photographs([wild])[::20], *find_photographs([lfw])[::100]]
    some += sorted((data_pack / "groups").glob("*.jpg"))
    order = np.random.default_rng(0).permutation(len(some))
    return [some[index] for index in order]


def described(analyzer: Analyzer, paths: list[Path]) -> Iterator[object]:
    for outcome in analyzer.stream(paths):
        if isinstance(outcome, Failure):
            yield outcome
        else:
            found, templates = outcome
            faces = [
                (f.face.box_xyxy.tobytes(), f.face.landmarks_xy.tobytes(), f.crop_rgb.tobytes())
                for f in found.faces
            ]
            yield found.path, found.detected, found.complete, faces, templates.tobytes()


@pytest.mark.parametrize(
    ("choice", "search"), [(FaceChoice.CENTER, Search.FAST), (FaceChoice.ALL, Search.FULL)]
)
def test_the_same_faces_and_templates(
    photographs: list[Path], analyzer: Analyzer, choice: FaceChoice, search: Search
) -> None:
    detector, _ = open_detector(Device.CPU)
    alone, together = (
        list(
            described(
                Analyzer(
                    detector, analyzer._network, choice=choice, search=search, side_by_side=count
                ),
                photographs,
            )
        )
        for count in (1, 4)
    )
    assert len(alone) == len(photographs)
    assert together == alone


def test_the_same_detections(photographs: list[Path]) -> None:
    detector, _ = open_detector(Device.CPU)
    alone, together = (
        [
            [(face.box_xyxy.tobytes(), face.landmarks_xy.tobytes(), face.score) for face in r.faces]
            for r in detect(photographs, detector, side_by_side=count)
            if not isinstance(r, Failure)
        ]
        for count in (1, 3)
    )
    assert together == alone
    assert len(alone) == len(photographs)
