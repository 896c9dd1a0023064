from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facematch.errors import NoFaceError, SeveralFacesError
from facematch.imaging.selection import select_faces, still_open
from facematch.types import Detection, Face, FaceChoice, PassedOver, Quality, Selection

SIZE_WH = (640, 480)
SHARP = Quality(
    face_px=100.0,
    sharpness=500.0,
    brightness=120.0,
    contrast=50.0,
    yaw_deg=0.0,
    pitch_deg=0.0,
    roll_deg=0.0,
    score=0.99,
)


def face(left: float, top: float, width: float, height: float, score: float = 0.99) -> Face:
    box = np.array([left, top, left + width, top + height], np.float32)
    return Face(box, np.zeros((5, 2), np.float32), score)


LARGE_LEFT = face(20, 100, 120, 140)
SMALL_MIDDLE = face(300, 210, 50, 60)
MEDIUM_MIDDLE = face(270, 190, 100, 110, score=0.8)


@pytest.mark.parametrize(
    ("choice", "faces", "chosen"),
    [
        (FaceChoice.LARGEST, [SMALL_MIDDLE, LARGE_LEFT], 1),
        (FaceChoice.LARGEST, [LARGE_LEFT, SMALL_MIDDLE], 0),
        # 300x300 px of which only a strip lies inside the picture.
        (FaceChoice.LARGEST, [face(-290, 100, 300, 300), SMALL_MIDDLE], 0),
        (FaceChoice.LARGEST, [face(-296, 100, 300, 300), SMALL_MIDDLE], 1),
        (FaceChoice.LARGEST, [face(-400, 100, 300, 300), face(0, 0, 1, 1)], 1),  # all outside
        (FaceChoice.CENTER, [LARGE_LEFT, MEDIUM_MIDDLE], 1),
        (FaceChoice.CENTER, [LARGE_LEFT, SMALL_MIDDLE], 1),
        (FaceChoice.CENTER, [face(260, 90, 200, 240), face(310, 230, 20, 20)], 0),
        (FaceChoice.BEST, [MEDIUM_MIDDLE, face(0, 0, 100, 110, score=0.99)], 1),
        (FaceChoice.BEST, [face(0, 0, 30, 30, score=1.0), MEDIUM_MIDDLE], 1),
        (FaceChoice.ONLY, [SMALL_MIDDLE], 0),
    ],
)
def test_choice(choice: FaceChoice, faces: list[Face], chosen: int) -> None:
    selection = select_faces(faces, choice, SIZE_WH, "a.jpg")
    assert selection.faces == (chosen,)
    others = [passed.index for passed in selection.passed_over]
    assert sorted([chosen, *others]) == list(range(len(faces)))


@pytest.mark.parametrize(
    "change",
    [{"yaw_deg": 60.0}, {"yaw_deg": -60.0}, {"pitch_deg": 50.0}, {"sharpness": 10.0}],
)
def test_best_prefers_frontal_and_sharp(change: dict[str, Any]) -> None:
    faces = [face(0, 0, 120, 120), face(300, 0, 100, 100)]
    best = FaceChoice.BEST
    assert select_faces(faces, best, SIZE_WH, "a", [SHARP, SHARP]).faces == (0,)
    assert select_faces(faces, best, SIZE_WH, "a", [replace(SHARP, **change), SHARP]).faces == (1,)


def test_sharpness_beyond_need_wins_nothing() -> None:
    faces = [face(0, 0, 120, 120), face(300, 0, 100, 100)]
    qualities = [replace(SHARP, sharpness=120.0), replace(SHARP, sharpness=5000.0)]
    assert select_faces(faces, FaceChoice.BEST, SIZE_WH, "a", qualities).faces == (0,)


def test_all_puts_the_largest_first() -> None:
    selection = select_faces(
        [SMALL_MIDDLE, LARGE_LEFT, MEDIUM_MIDDLE], FaceChoice.ALL, SIZE_WH, "a.jpg"
    )
    assert (selection.faces, selection.passed_over) == ((1, 2, 0), ())


@pytest.mark.parametrize(
    ("choice", "reason"),
    [
        (FaceChoice.LARGEST, "smaller (43x51 px) than the chosen face (120x140 px)"),
        (
            FaceChoice.CENTER,
            "farther from the middle for its size (43x51 px) than the chosen face (120x140 px)",
        ),
        (
            FaceChoice.BEST,
            "less suitable (score 0.91, 43x51 px) than the chosen face (score 0.99, 120x140 px)",
        ),
    ],
)
def test_reasons(choice: FaceChoice, reason: str) -> None:
    faces = [face(580, 400, 43, 51, score=0.91), face(250, 170, 120, 140)]
    selection = select_faces(faces, choice, SIZE_WH, "a.jpg")
    assert selection.passed_over == (PassedOver(0, reason),)


def test_equal_faces_keep_their_order() -> None:
    faces = [face(100, 100, 50, 50) for _ in range(4)]
    for choice in (FaceChoice.LARGEST, FaceChoice.CENTER, FaceChoice.BEST):
        selection = select_faces(faces, choice, SIZE_WH, "a.jpg")
        assert selection.faces == (0,)
        assert [passed.index for passed in selection.passed_over] == [1, 2, 3]
    assert select_faces(faces, FaceChoice.ALL, SIZE_WH, "a.jpg").faces == (0, 1, 2, 3)
    largest = select_faces(faces[:2], FaceChoice.LARGEST, SIZE_WH, "a.jpg")
    assert largest.passed_over[0].reason == "no larger (50x50 px) than the chosen face (50x50 px)"


@pytest.mark.parametrize("choice", FaceChoice)
def test_no_face(choice: FaceChoice) -> None:
    with pytest.raises(NoFaceError, match=r"^a\.jpg: no face was found; use a photograph"):
        select_faces([], choice, SIZE_WH, "a.jpg")


def test_only_refuses_several() -> None:
    with pytest.raises(SeveralFacesError, match=r"^a\.jpg: 3 faces where exactly one"):
        select_faces([LARGE_LEFT, SMALL_MIDDLE, MEDIUM_MIDDLE], FaceChoice.ONLY, SIZE_WH, "a.jpg")


def test_qualities_must_match() -> None:
    with pytest.raises(ValueError, match="2 faces but 1 qualities"):
        select_faces([LARGE_LEFT, SMALL_MIDDLE], FaceChoice.BEST, SIZE_WH, "a.jpg", [SHARP])


coordinates = st.integers(-200, 700)
sides = st.integers(1, 400)
random_faces = st.lists(
    st.builds(face, coordinates, coordinates, sides, sides, st.floats(0.6, 1.0)),
    min_size=1,
    max_size=6,
)


def slow_largest(faces: list[Face]) -> int:
    """Count the area pixel by pixel's edges, first of the largest wins."""
    best, best_area = 0, -1.0
    for index, one in enumerate(faces):
        left, top, right, bottom = (float(v) for v in one.box_xyxy)
        width = max(0.0, min(right, 640.0) - max(left, 0.0))
        height = max(0.0, min(bottom, 480.0) - max(top, 0.0))
        if width * height > best_area:
            best, best_area = index, width * height
    return best


@settings(max_examples=200)
@given(random_faces)
def test_largest_against_a_loop(faces: list[Face]) -> None:
    assert select_faces(faces, FaceChoice.LARGEST, SIZE_WH, "a").faces == (slow_largest(faces),)


@settings(max_examples=100)
@given(random_faces, st.sampled_from([c for c in FaceChoice if c is not FaceChoice.ONLY]))
def test_every_face_is_accounted_for_once(faces: list[Face], choice: FaceChoice) -> None:
    selection: Selection = select_faces(faces, choice, SIZE_WH, "a")
    indices = [*selection.faces, *(passed.index for passed in selection.passed_over)]
    assert sorted(indices) == list(range(len(faces)))
    assert all(passed.reason for passed in selection.passed_over)


EVERYWHERE = [0, 0, 640, 480]
# Of 160x160 px in the middle of the picture, and 100 px to the right of it.
MIDDLE, BESIDE = face(240, 160, 160, 160), face(340, 160, 160, 160)


@pytest.mark.parametrize(
    ("choice", "found", "settled_px", "box_xyxy"),
    [
        (FaceChoice.LARGEST, [MIDDLE], 160, None),
        (FaceChoice.LARGEST, [MIDDLE], 161, EVERYWHERE),
        (FaceChoice.LARGEST, [], 20, EVERYWHERE),
        (FaceChoice.BEST, [face(0, 0, 160, 160, score=0.5)], 80, None),
        (FaceChoice.BEST, [face(0, 0, 160, 160, score=0.5)], 81, EVERYWHERE),
        (FaceChoice.CENTER, [MIDDLE], 160, None),
        (FaceChoice.CENTER, [BESIDE], 60, None),  # 160^2 - 2 100^2 = 5600 >= 60^2
        # sqrt((120^2 - 5600) / 2) = 66.3
        (FaceChoice.CENTER, [BESIDE], 120, [320 - 66.3, 240 - 66.3, 320 + 66.3, 240 + 66.3]),
        (FaceChoice.CENTER, [face(0, 0, 100, 100)], 20, None),  # a fifth of one that is sure
        (FaceChoice.ALL, [MIDDLE], 20, EVERYWHERE),
        (FaceChoice.ONLY, [MIDDLE], 20, EVERYWHERE),
    ],
)
def test_where_another_face_could_still_be_chosen(
    choice: FaceChoice, found: list[Face], settled_px: float, box_xyxy: list[float] | None
) -> None:
    box = still_open(Detection(tuple(found), False, settled_px), choice, SIZE_WH)
    if box_xyxy is None:
        assert box is None
    else:
        assert box is not None
        np.testing.assert_allclose(box, box_xyxy, atol=0.1)
    assert still_open(Detection(tuple(found)), choice, SIZE_WH) is None


SIDES = st.floats(5, 200)


@settings(max_examples=300)
@given(
    st.sampled_from([FaceChoice.LARGEST, FaceChoice.CENTER, FaceChoice.BEST]),
    st.lists(
        st.builds(face, st.floats(-50, 600), st.floats(-50, 440), SIDES, SIDES, st.floats(0.7, 1)),
        min_size=1,
        max_size=4,
    ),
    st.tuples(st.floats(0, 640), st.floats(0, 480), st.floats(0.5, 2), st.floats(0.1, 0.999)),
    st.floats(20, 150),
)
def test_no_face_elsewhere_is_chosen(
    choice: FaceChoice,
    found: list[Face],
    other: tuple[float, float, float, float],
    settled_px: float,
) -> None:
    """Any smaller face outside the box leaves the choice as it is.

    By ``center`` one far smaller may be chosen; where the detector is sure of none, it is not.
    """
    if choice is FaceChoice.CENTER:
        found = [replace(each, score=0.9) for each in found]
    box = still_open(Detection(tuple(found), False, settled_px), choice, SIZE_WH)
    x, y, ratio, share = other
    if box is not None and box[0] <= x <= box[2] and box[1] <= y <= box[3]:
        return
    width, height = settled_px * share * np.sqrt([ratio, 1 / ratio])
    late = face(x - width / 2, y - height / 2, float(width), float(height), 1.0)
    before = select_faces(found, choice, SIZE_WH, "a.jpg")
    after = select_faces([*found, late], choice, SIZE_WH, "a.jpg")
    assert after.faces == before.faces
