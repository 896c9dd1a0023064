"""Area resampling against torch's, which is what facenet-pytorch calls."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from facematch.imaging.mtcnn import sampling
from facematch.imaging.mtcnn.sampling import AreaSampler
from facematch.types import Float32Array, UInt8Array


def noise(height: int, width: int, seed: int = 0) -> UInt8Array:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def area(picture: UInt8Array, height: int, width: int) -> Float32Array:
    """torch's area interpolation in double precision."""
    planes = torch.from_numpy(picture.astype(np.float64)).permute(2, 0, 1)[None]
    resized = torch.nn.functional.interpolate(planes, size=(height, width), mode="area")
    return resized[0].permute(1, 2, 0).numpy().astype(np.float32)


@pytest.mark.parametrize(
    ("size", "target"),
    [
        pytest.param((1, 1), (1, 1), id="one pixel"),
        pytest.param((1, 1), (5, 3), id="one pixel enlarged"),
        pytest.param((7, 13), (7, 13), id="unchanged"),
        pytest.param((64, 48), (32, 24), id="halved"),
        pytest.param((37, 53), (11, 17), id="odd"),
        pytest.param((37, 53), (36, 52), id="by a pixel"),
        pytest.param((250, 250), (151, 151), id="first level of a pyramid"),
        pytest.param((20, 999), (13, 600), id="wide"),
        pytest.param((999, 20), (3, 41), id="tall, both ways"),
        pytest.param((9, 9), (1, 1), id="the mean"),
    ],
)
def test_whole_pictures(size: tuple[int, int], target: tuple[int, int]) -> None:
    picture = noise(*size)
    found = AreaSampler(picture).whole(*target)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, area(picture, *target), atol=1e-4)


@settings(deadline=None)
@given(st.integers(1, 60), st.integers(1, 60), st.integers(1, 40), st.integers(1, 40))
def test_whole_pictures_of_any_size(height: int, width: int, rows: int, columns: int) -> None:
    picture = noise(height, width, seed=height * 100 + width)
    found = AreaSampler(picture).whole(rows, columns)
    np.testing.assert_allclose(found, area(picture, rows, columns), atol=1e-4)


def test_rows_of_a_whole_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    sampler = AreaSampler(noise(37, 53))
    whole = sampler.whole(23, 17)
    monkeypatch.setattr(sampling, "LARGEST_STRIP", 200)  # three rows at a time
    for first, last in ((0, 23), (0, 5), (5, 23), (22, 23)):
        part = sampler.whole(23, 17, range(first, last))
        np.testing.assert_array_equal(part, whole[first:last])


def test_a_part_of_a_whole_picture() -> None:
    sampler = AreaSampler(noise(37, 53))
    whole = sampler.whole(23, 17)
    part = sampler.whole(23, 17, range(4, 11), range(3, 17))
    np.testing.assert_array_equal(part, whole[4:11, 3:17])


@pytest.mark.parametrize("side", [24, 48])
def test_crops(side: int) -> None:
    picture = noise(101, 157)
    windows = [
        (0, 0, 157, 101),
        (0, 0, 1, 1),
        (156, 100, 157, 101),
        (3, 5, 3 + side, 5 + side),
        (17, 20, 24, 27),
        (17, 20, 18, 99),
        (50, 60, 150, 61),
        (1, 2, 156, 100),
    ]
    found = AreaSampler(picture).crops(np.array(windows, np.int64), side)
    assert found.shape == (len(windows), side, side, 3)
    assert found.dtype == np.float32
    for crop, (left, top, right, bottom) in zip(found, windows, strict=True):
        wanted = area(picture[top:bottom, left:right], side, side)
        np.testing.assert_allclose(crop, wanted, atol=1e-4)


def test_no_windows() -> None:
    found = AreaSampler(noise(30, 30)).crops(np.zeros((0, 4), np.int64), 24)
    assert found.shape == (0, 24, 24, 3)


def test_sums_that_wrap_around() -> None:
    """The sum over this white picture is past 2**32; no bin's own sum is."""
    side = 4200
    assert side * side * 255 > 2**32
    sampler = AreaSampler(np.full((side, side, 3), 255, np.uint8))
    np.testing.assert_allclose(sampler.whole(300, 300), 255, atol=1e-4)
    np.testing.assert_allclose(sampler.whole(2, 2), 255, atol=1e-4)
    far = np.array([(side - 100, side - 90, side, side), (0, 0, side, side)], np.int64)
    np.testing.assert_allclose(sampler.crops(far, 24), 255, atol=1e-4)


def test_the_far_corner_of_a_large_picture() -> None:
    picture = np.full((4100, 4200, 3), 250, np.uint8)
    picture[-99:, -77:] = noise(99, 77)
    corner = np.array([(4200 - 77, 4100 - 99, 4200, 4100)], np.int64)
    found = AreaSampler(picture).crops(corner, 24)[0]
    np.testing.assert_allclose(found, area(picture[-99:, -77:], 24, 24), atol=1e-4)
