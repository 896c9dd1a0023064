from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from facematch.errors import LowQualityError
from facematch.imaging.quality import (
    DEFAULT_THRESHOLDS,
    QualityThresholds,
    estimate_pose,
    measure_quality,
    require_quality,
    with_warnings,
)
from facematch.types import Face, Quality

GOOD = Quality(
    face_px=120.0,
    sharpness=200.0,
    brightness=120.0,
    contrast=50.0,
    yaw_deg=0.0,
    pitch_deg=0.0,
    roll_deg=0.0,
    score=0.99,
)

# Eyes, nose, corners of the mouth: x right, y down, z towards the camera. Two heads that the
# formulas were not made from: one in centimetres, one in the units of a drawing.
HEADS = {
    "round": [
        (-3.15, -2.62, 3.75),
        (3.15, -2.62, 3.75),
        (0, 1.13, 7.48),
        (-2.46, 4.34, 4.28),
        (2.46, 4.34, 4.28),
    ],
    "flat": [(-160, -170, -135), (160, -170, -135), (0, 0, 0), (-150, 150, -125), (150, 150, -125)],
}


def project(
    head: str, yaw: float, pitch: float, roll: float, distance: float | None = None
) -> npt.NDArray[np.float32]:
    """Landmarks of a head that nods, then turns, then tilts; in pixels."""
    points = np.array(HEADS[head], dtype=np.float64)
    points /= np.abs(points[0, 0])
    cy, sy = math.cos(math.radians(yaw)), math.sin(math.radians(yaw))
    cp, sp = math.cos(math.radians(pitch)), math.sin(math.radians(pitch))
    cr, sr = math.cos(math.radians(roll)), math.sin(math.radians(roll))
    nod = np.array([[1, 0, 0], [0, cp, -sp], [0, sp, cp]])  # up: the nose rises
    turn = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])  # right: the nose goes right
    tilt = np.array([[cr, -sr, 0], [sr, cr, 0], [0, 0, 1]])  # clockwise as seen
    points = points @ (tilt @ turn @ nod).T
    scale = 40.0 if distance is None else 40.0 * distance / (distance - points[:, 2:])
    return np.asarray(points[:, :2] * scale + (150.0, 120.0), dtype=np.float32)


def face_with(landmarks_xy: npt.NDArray[np.float32], score: float = 0.99) -> Face:
    return Face(np.array([10, 20, 110, 150], np.float32), landmarks_xy, score)


ANGLES = range(-30, 31, 10)


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("distance", [None, 60.0], ids=["parallel", "perspective"])
def test_pose_of_a_projected_head(head: str, distance: float | None) -> None:
    level = estimate_pose(project(head, 0, 0, 0, distance))
    for roll in (-40, 0, 25):
        for yaw in ANGLES:
            pose = estimate_pose(project(head, yaw, 0, roll, distance))
            assert pose.yaw_deg == pytest.approx(yaw, abs=10)
            assert pose.pitch_deg == pytest.approx(level.pitch_deg, abs=3)
            assert pose.roll_deg == pytest.approx(roll, abs=2)
        for pitch in ANGLES:
            pose = estimate_pose(project(head, 0, pitch, roll, distance))
            assert pose.pitch_deg == pytest.approx(pitch, abs=10)
            assert pose.yaw_deg == pytest.approx(0, abs=1)
            assert pose.roll_deg == pytest.approx(roll, abs=2)


@pytest.mark.parametrize("head", HEADS)
def test_pose_keeps_the_order_of_angles(head: str) -> None:
    yaws = [estimate_pose(project(head, yaw, 0, 0)).yaw_deg for yaw in range(-80, 81, 5)]
    assert np.all(np.diff(yaws) > 0)
    pitches = [estimate_pose(project(head, 0, pitch, 0)).pitch_deg for pitch in range(-40, 41, 5)]
    assert np.all(np.diff(pitches) > 0)
    rolls = [estimate_pose(project(head, 20, 10, roll)).roll_deg for roll in range(-170, 171, 10)]
    np.testing.assert_allclose(rolls, np.arange(-170, 171, 10), atol=0.1)


def test_signs_of_the_pose_are_those_of_the_picture() -> None:
    frontal = np.array([(38.3, 51.7), (73.5, 51.5), (56.0, 71.7), (41.5, 92.4), (70.7, 92.2)])
    assert abs(estimate_pose(frontal.astype(np.float32)).yaw_deg) < 2
    assert abs(estimate_pose(frontal.astype(np.float32)).pitch_deg) < 2
    nose_right, nose_up, right_eye_low = frontal.copy(), frontal.copy(), frontal.copy()
    nose_right[2, 0] += 6
    nose_up[2, 1] -= 6
    right_eye_low[1, 1] += 6
    assert estimate_pose(nose_right.astype(np.float32)).yaw_deg > 10
    assert estimate_pose(nose_up.astype(np.float32)).pitch_deg > 10
    assert estimate_pose(right_eye_low.astype(np.float32)).roll_deg > 5


@settings(max_examples=200)
@given(hnp.arrays(np.float32, (5, 2), elements=st.floats(-1e4, 1e4, width=32)))
def test_pose_of_any_landmarks_is_an_angle(landmarks_xy: npt.NDArray[np.float32]) -> None:
    pose = estimate_pose(landmarks_xy)
    assert -90 <= pose.yaw_deg <= 90
    assert -90 <= pose.pitch_deg <= 90
    assert -180 <= pose.roll_deg <= 180


@settings(max_examples=100)
@given(
    st.floats(0.2, 20), st.floats(-500, 500), st.floats(-500, 500), st.floats(-25, 25)
)  # fmt: skip
def test_pose_ignores_place_and_size(scale: float, x: float, y: float, yaw: float) -> None:
    landmarks = project("round", yaw, 5, 10)
    moved = (landmarks * scale + (x, y)).astype(np.float32)
    before, after = estimate_pose(landmarks), estimate_pose(moved)
    assert after.yaw_deg == pytest.approx(before.yaw_deg, abs=0.1)
    assert after.pitch_deg == pytest.approx(before.pitch_deg, abs=0.1)


@pytest.mark.parametrize("yaw", [-30, -7, 0, 18])
def test_mirroring_mirrors_the_pose(yaw: float) -> None:
    landmarks = project("flat", yaw, 8, 12)
    mirrored = ((landmarks * (-1, 1)) + (300, 0)).astype(np.float32)[[1, 0, 2, 4, 3]]
    before, after = estimate_pose(landmarks), estimate_pose(mirrored)
    assert after.yaw_deg == pytest.approx(-before.yaw_deg, abs=0.01)
    assert after.pitch_deg == pytest.approx(before.pitch_deg, abs=0.01)
    assert after.roll_deg == pytest.approx(-before.roll_deg, abs=0.01)


def textured(seed: int = 3) -> npt.NDArray[np.uint8]:
    noise = np.random.default_rng(seed).integers(40, 216, (28, 28, 3), dtype=np.uint8)
    return np.asarray(cv2.resize(noise, (112, 112), interpolation=cv2.INTER_CUBIC), dtype=np.uint8)


def test_measurements_against_slow_definitions() -> None:
    crop = textured()
    quality = measure_quality(face_with(project("round", 0, 0, 0)), crop)
    red, green, blue = (crop[..., channel].astype(float) for channel in range(3))
    grey = np.rint(0.299 * red + 0.587 * green + 0.114 * blue)
    around = np.pad(grey, 1, mode="reflect")
    laplacian = [
        around[y - 1, x] + around[y + 1, x] + around[y, x - 1] + around[y, x + 1] - 4 * around[y, x]
        for y in range(1, 113)
        for x in range(1, 113)
    ]
    assert quality.sharpness == pytest.approx(np.var(laplacian), rel=0.01)
    assert quality.brightness == pytest.approx(grey.mean(), abs=0.05)
    assert quality.contrast == pytest.approx(grey.std(), abs=0.05)
    assert quality.face_px == 100
    assert quality.score == 0.99
    assert quality.warnings == ()


def test_blur_lowers_sharpness() -> None:
    face = face_with(project("round", 0, 0, 0))
    values = [
        measure_quality(
            face, np.asarray(cv2.GaussianBlur(textured(), (0, 0), s), np.uint8)
        ).sharpness
        for s in (0.5, 1.0, 2.0, 4.0)
    ]
    assert values == sorted(values, reverse=True)
    assert values[-1] < DEFAULT_THRESHOLDS.min_sharpness < values[0]


@pytest.mark.parametrize("grey", [0, 255])
def test_a_crop_of_one_colour(grey: int) -> None:
    crop = np.full((112, 112, 3), grey, np.uint8)
    quality = measure_quality(face_with(project("round", 0, 0, 0)), crop)
    assert (quality.sharpness, quality.brightness, quality.contrast) == (0, grey, 0)
    assert len(quality.warnings) == 3  # blurred, too dark or too bright, too flat


@pytest.mark.parametrize(
    ("crop", "message"),
    [
        (np.zeros((128, 128, 3), np.uint8), r"got uint8 of shape \(128, 128, 3\)"),
        (np.zeros((112, 112), np.uint8), r"got uint8 of shape \(112, 112\)"),
        (np.zeros((112, 112, 3), np.float32), "got float32"),
    ],
)
def test_other_crops_are_refused(crop: npt.NDArray[np.uint8], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        measure_quality(face_with(project("round", 0, 0, 0)), crop)


@pytest.mark.parametrize(
    ("change", "phrase"),
    [
        ({"face_px": 38.4}, "face is only 38 px wide (50 wanted)"),
        ({"sharpness": 12.0}, "blurred, sharpness 12 (30 wanted)"),
        ({"brightness": 20.0}, "too dark, brightness 20 (40 wanted)"),
        ({"brightness": 240.0}, "too bright, brightness 240 (at most 215 wanted)"),
        ({"contrast": 5.0}, "too flat, contrast 5 (18 wanted)"),
        ({"yaw_deg": -60.0}, "turned 60 degrees to the side (at most 50 wanted)"),
        ({"yaw_deg": 60.0}, "turned 60 degrees to the side (at most 50 wanted)"),
        ({"pitch_deg": 40.0}, "turned 40 degrees up (at most 35 wanted)"),
        ({"pitch_deg": -40.0}, "turned 40 degrees down (at most 35 wanted)"),
        ({"score": 0.75}, "detector unsure, score 0.75 (0.9 wanted)"),
        ({"sharpness": float("nan")}, "blurred, sharpness nan (30 wanted)"),
    ],
)
def test_each_threshold_warns(change: dict[str, Any], phrase: str) -> None:
    assert with_warnings(replace(GOOD, **change), DEFAULT_THRESHOLDS).warnings == (phrase,)


def test_thresholds_are_inclusive() -> None:
    exact = QualityThresholds(
        min_face_px=GOOD.face_px,
        min_sharpness=GOOD.sharpness,
        min_brightness=GOOD.brightness,
        max_brightness=GOOD.brightness,
        min_contrast=GOOD.contrast,
        max_yaw_deg=0.0,
        max_pitch_deg=0.0,
        min_score=GOOD.score,
    )
    assert with_warnings(GOOD, exact) == GOOD
    assert with_warnings(replace(GOOD, warnings=("stale",)), exact) == GOOD


def test_strictness() -> None:
    require_quality(GOOD, "a.jpg")
    poor = with_warnings(replace(GOOD, face_px=20.0, score=0.5), DEFAULT_THRESHOLDS)
    with pytest.raises(LowQualityError) as caught:
        require_quality(poor, "b.jpg")
    assert str(caught.value).startswith(
        "b.jpg: face is only 20 px wide (50 wanted); detector unsure, score 0.50 (0.9 wanted); "
    )
