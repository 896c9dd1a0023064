"""Alignment against textbook least squares, and crops against pictures known by formula."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from facematch.imaging.align import align_face, similarity_transform
from facematch.types import (
    ARCFACE_112,
    Alignment,
    Face,
    Float32Array,
    Float64Array,
    UInt8Array,
)

TEMPLATE = np.array(ARCFACE_112.points_xy)
points = hnp.arrays(np.float64, (5, 2), elements=st.integers(-400, 400).map(lambda v: v / 4))
spread_points = points.filter(lambda p: float(np.ptp(p, axis=0).max()) >= 1)


def linear_oracle(source: Float64Array, target: Float64Array) -> Float64Array:
    """The same problem as four unknowns of a linear system."""
    rows, wanted = [], []
    for (x, y), (u, v) in zip(source, target, strict=True):
        rows += [[x, -y, 1, 0], [y, x, 0, 1]]
        wanted += [u, v]
    a, b, shift_x, shift_y = np.linalg.lstsq(np.array(rows), np.array(wanted), rcond=None)[0]
    return np.array([[a, -b, shift_x], [b, a, shift_y]])


def umeyama_oracle(source: Float64Array, target: Float64Array) -> Float64Array:
    """Equations 40 to 43 of the paper, with its correction against reflections."""
    source_mean, target_mean = source.mean(0), target.mean(0)
    covariance = (target - target_mean).T @ (source - source_mean) / len(source)
    u, singular, vt = np.linalg.svd(covariance)
    sign = np.array([1, np.sign(np.linalg.det(u) * np.linalg.det(vt))])
    rotation = u @ np.diag(sign) @ vt
    scale = (singular * sign).sum() / (source - source_mean).var(0).sum()
    return np.column_stack([scale * rotation, target_mean - scale * rotation @ source_mean])


def similarity(scale: float, degrees: float, shift: tuple[float, float]) -> Float64Array:
    angle = np.deg2rad(degrees)
    cos, sin = scale * np.cos(angle), scale * np.sin(angle)
    return np.array([[cos, -sin, shift[0]], [sin, cos, shift[1]]])


def moved(points_xy: Float64Array, matrix: Float64Array) -> Float64Array:
    return points_xy @ matrix[:, :2].T + matrix[:, 2]


def face_at(scale: float, degrees: float, shift: tuple[float, float]) -> Face:
    """A face whose landmarks are the template, moved: the crop undoes the movement."""
    landmarks = moved(TEMPLATE, similarity(scale, degrees, shift)).astype(np.float32)
    box = np.array([*landmarks.min(0), *landmarks.max(0)], np.float32)
    return Face(box, landmarks, 1.0)


def waves(x: Float64Array, y: Float64Array) -> Float64Array:
    """A smooth picture by formula, RGB in [28, 228], with waves of at least 250 pixels."""
    phase = np.stack([x / 45 + y / 90, y / 50 - x / 100, x / 60 - y / 40], axis=-1)
    return np.asarray(128 + 100 * np.sin(phase))


def smooth_picture(width: int, height: int) -> UInt8Array:
    y, x = np.mgrid[:height, :width].astype(np.float64)
    return waves(x, y).round().astype(np.uint8)


@given(spread_points, points)
def test_the_transform_is_the_least_squares_one(source: Float64Array, target: Float64Array) -> None:
    found = similarity_transform(source.astype(np.float32), target)
    np.testing.assert_allclose(found, linear_oracle(source, target), atol=1e-6)


@given(spread_points, points)
def test_the_transform_never_mirrors(source: Float64Array, target: Float64Array) -> None:
    linear = similarity_transform(source.astype(np.float32), target)[:, :2]
    assert np.linalg.det(linear) >= 0
    np.testing.assert_allclose(linear[0, 0], linear[1, 1])
    np.testing.assert_allclose(linear[0, 1], -linear[1, 0])


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("mirrored", [False, True])
def test_the_transform_is_umeyamas(seed: int, mirrored: bool) -> None:
    rng = np.random.default_rng(seed)
    source = TEMPLATE * [-1 if mirrored else 1, 1] + rng.normal(0, 3, (5, 2))
    found = similarity_transform(source.astype(np.float32), TEMPLATE)
    np.testing.assert_allclose(found, umeyama_oracle(source, TEMPLATE), atol=1e-3)


@given(
    st.floats(0.05, 20),
    st.floats(-180, 180),
    st.tuples(st.floats(-500, 500), st.floats(-500, 500)),
)
def test_an_exact_similarity_is_recovered(
    scale: float, degrees: float, shift: tuple[float, float]
) -> None:
    wanted = similarity(scale, degrees, shift)
    found = similarity_transform(TEMPLATE.astype(np.float32), moved(TEMPLATE, wanted))
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-4 * scale)


@pytest.mark.parametrize("value", [0.0, 17.25, -3.0, np.nan])
def test_coincident_landmarks_have_no_transform(value: float) -> None:
    landmarks = np.full((5, 2), value, np.float32)
    with pytest.raises(ValueError, match="coincide"):
        similarity_transform(landmarks, TEMPLATE)
    with pytest.raises(ValueError, match="coincide"):
        align_face(smooth_picture(50, 50), Face(np.zeros(4, np.float32), landmarks, 1.0))


def test_a_face_on_the_template_is_cut_without_a_change() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (150, 160, 3), np.uint8)
    crop = align_face(picture, face_at(1, 0, (20, 30)))
    np.testing.assert_array_equal(crop, picture[30:142, 20:132])


@pytest.mark.parametrize("border", [0, 8])
@pytest.mark.parametrize(
    ("scale", "degrees", "shift"),
    [
        pytest.param(0.4, 0, (200, 200), id="enlarged"),
        pytest.param(1.0, 30, (300, 200), id="turned"),
        pytest.param(1.99, -20, (200, 300), id="largest without reduction"),
        pytest.param(2.01, -20, (200, 300), id="smallest with reduction"),
        pytest.param(2.99, 90, (600, 200), id="reduced by 2"),
        pytest.param(3.7, 160, (700, 350), id="reduced by 3, upside down"),
        pytest.param(5.2, 10, (130, 100), id="reduced by 5"),
    ],
)
def test_crops_of_a_smooth_picture(
    scale: float, degrees: float, shift: tuple[float, float], border: int
) -> None:
    """Pixel (i, j) of the crop shows the point of the picture that the formula gives."""
    crop = align_face(smooth_picture(900, 800), face_at(scale, degrees, shift), border=border)
    side = 112 + 2 * border
    assert crop.shape == (side, side, 3)
    assert crop.dtype == np.uint8
    v, u = np.mgrid[:side, :side].astype(np.float64) - border
    x, y = moved(np.stack([u, v], -1), similarity(scale, degrees, shift)).transpose(2, 0, 1)
    margin = scale  # bins that the picture's edge cuts repeat it
    inside = (x >= margin) & (x <= 899 - margin) & (y >= margin) & (y <= 799 - margin)
    assert inside.mean() > 0.6
    difference = np.abs(crop - waves(x, y))[inside]
    assert difference.max() <= 2.5
    assert difference.mean() <= 0.6


@pytest.mark.parametrize(
    ("scale", "shift"),
    [(2.5, (-120, 40)), (2.5, (300, 40)), (4.0, (-150, -150)), (4.3, (200, 220))],
)
def test_reduced_crops_repeat_the_edge_as_direct_ones_do(
    scale: float, shift: tuple[float, float]
) -> None:
    picture, face = smooth_picture(470, 430), face_at(scale, 15, shift)
    matrix = similarity_transform(face.landmarks_xy, TEMPLATE)
    direct = cv2.warpAffine(picture, matrix, (112, 112), borderMode=cv2.BORDER_REPLICATE)
    reduced = align_face(picture, face)
    difference = np.abs(reduced.astype(int) - direct)
    # A bin at the edge is a mean, where the direct warp repeats one pixel.
    assert difference.max() <= 4 * scale
    assert difference.mean() <= 2


@pytest.mark.parametrize(("scale", "contrast"), [(2.1, 0), (3.3, 1 / 3), (4.2, 0), (5.5, 1 / 5)])
def test_large_faces_do_not_alias(scale: float, contrast: float) -> None:
    """Stripes of one pixel are grey from afar; a linear warp alone would show black and white.

    Bins of an odd number of pixels hold one stripe more of one kind.
    """
    picture = np.zeros((700, 700, 3), np.uint8)
    picture[:, ::2] = 255
    crop = align_face(picture, face_at(scale, 0, (60, 60)))
    assert np.abs(crop - 127.5).max() <= 127.5 * contrast + 1


def test_the_border_surrounds_the_same_crop() -> None:
    picture = np.random.default_rng(1).integers(0, 256, (300, 300, 3), np.uint8)
    face = face_at(1.3, 12, (60, 50))
    plain, bordered = align_face(picture, face), align_face(picture, face, border=8)
    assert bordered.shape == (128, 128, 3)
    # OpenCV warps with coordinates in 1/32 of a pixel: the border may shift the rounding.
    difference = np.abs(bordered[8:120, 8:120].astype(int) - plain)
    assert np.quantile(difference, 0.99) <= 8


@pytest.mark.parametrize(
    "face",
    [
        pytest.param(face_at(0.5, 0, (-500, -500)), id="enlarged, left above"),
        pytest.param(face_at(1, 0, (400, 400)), id="right below"),
        pytest.param(face_at(3, 0, (-900, 20)), id="reduced, left"),
        pytest.param(face_at(3, 0, (20, -900)), id="reduced, above"),
        pytest.param(face_at(3, 0, (900, 20)), id="reduced, right"),
        pytest.param(face_at(3, 0, (20, 900)), id="reduced, below"),
    ],
)
def test_a_face_outside_the_picture_shows_its_edge(face: Face) -> None:
    picture = np.random.default_rng(2).integers(0, 256, (64, 64, 3), np.uint8)
    crop = align_face(picture, face)
    rim = np.concatenate([picture[[0, -1]].reshape(-1, 3), picture[:, [0, -1]].reshape(-1, 3)])
    assert crop.shape == (112, 112, 3)
    assert crop.min() >= rim.min()
    assert crop.max() <= rim.max()


@pytest.mark.parametrize("scale", [0.3, 1.0, 2.5, 40.0])
@pytest.mark.parametrize("size_wh", [(1, 1), (1, 200), (200, 1), (3, 2)])
def test_tiny_pictures(size_wh: tuple[int, int], scale: float) -> None:
    picture = np.full((size_wh[1], size_wh[0], 3), (10, 100, 200), np.uint8)
    for shift in ((0, 0), (-60 * scale, -60 * scale)):
        crop = align_face(picture, face_at(scale, 5, shift))
        np.testing.assert_array_equal(crop, np.broadcast_to(picture[0, 0], (112, 112, 3)))


def box_face(*box_xyxy: float) -> Face:
    return Face(np.array(box_xyxy, np.float32), np.zeros((5, 2), np.float32), 1.0)


def test_a_box_of_the_crops_size_is_copied() -> None:
    picture = np.random.default_rng(3).integers(0, 256, (120, 130, 3), np.uint8)
    crop = align_face(picture, box_face(20.9, 10.2, 100.7, 90.4), Alignment("box", 80))
    np.testing.assert_array_equal(crop, picture[10:90, 20:100])


@pytest.mark.parametrize(
    ("box", "size", "interpolation"),
    [
        pytest.param((10, 20, 50, 60), 80, cv2.INTER_LINEAR, id="twice as large"),
        pytest.param((10, 20, 63, 60), 96, cv2.INTER_LINEAR, id="not square"),
        pytest.param((4, 8, 164, 168), 80, cv2.INTER_AREA, id="half"),
        pytest.param((0, 0, 240, 240), 80, cv2.INTER_AREA, id="a third, at the edge"),
    ],
)
def test_a_box_is_resized(box: tuple[int, int, int, int], size: int, interpolation: int) -> None:
    picture = smooth_picture(300, 280)
    left, top, right, bottom = box
    # Linear resizing looks one pixel beyond the box, where the picture goes on: cut it too.
    wanted = cv2.resize(picture[top:bottom, left:right], (size, size), interpolation=interpolation)
    crop = align_face(picture, box_face(*box), Alignment("box", size))
    difference = np.abs(crop.astype(int) - wanted)[2:-2, 2:-2]
    assert difference.max() <= 2


@pytest.mark.parametrize(
    "edges",
    [
        pytest.param(lambda a: box_face(-40, 0, 40, 80), id="left"),
        pytest.param(lambda a: box_face(60, 0, 140, 80), id="right"),
        pytest.param(lambda a: box_face(0, -300, 80, -220), id="outside"),
        pytest.param(lambda a: box_face(5, 5, 5, 5), id="empty"),
    ],
)
def test_boxes_beyond_the_picture_repeat_its_edge(edges: Callable[[Float32Array], Face]) -> None:
    picture = np.zeros((100, 100, 3), np.uint8)
    picture[...] = np.linspace(0, 250, 100).astype(np.uint8)[None, :, None]
    crop = align_face(picture, edges(np.zeros(4, np.float32)), Alignment("box", 80))
    assert crop.shape == (80, 80, 3)
    rows = crop[..., 0].astype(int)
    assert (np.diff(rows, axis=1) >= 0).all(), "grey rises to the right, or repeats"
    assert np.ptp(rows, axis=0).max() <= 1
