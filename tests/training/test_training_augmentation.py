"""How crops are varied: each effect alone, and each crop by itself."""

from __future__ import annotations

import itertools
from dataclasses import fields, replace

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_crops import crop, smooth_crops

from facematch.training.augmentation import PRESETS, Augmentation
from facematch.training.augmentation.draws import draw
from facematch.training.augmentation.geometry import affine_maps
from facematch.training.data import CROP_SIZE
from facematch.types import ARCFACE_112, Float64Array, Int64Array

EVERYTHING = replace(PRESETS["strong"], mix=0.5, grey=0.5, occlusion=0.5, mask=0.5, glasses=0.5)


def only(**settings: float) -> Augmentation:
    return replace(PRESETS["none"], **settings)


def test_without_variation_the_crop_is_the_centre() -> None:
    images = np.stack([crop(seed) for seed in range(3)])
    found = PRESETS["none"].batch(images, 112, np.random.default_rng(0))
    np.testing.assert_array_equal(found, images[:, 8:120, 8:120])


@pytest.mark.parametrize("size", [56, 84, 100])
def test_without_variation_smaller_crops_are_the_centre_resized(size: int) -> None:
    images = smooth_crops(3)
    found = PRESETS["none"].batch(images, size, np.random.default_rng(0))
    assert found.shape == (3, size, size, 3)
    for image, small in zip(images, found, strict=True):
        wanted = cv2.resize(image[8:120, 8:120], (size, size), interpolation=cv2.INTER_AREA)
        difference = np.abs(small.astype(int) - wanted)
        assert difference.mean() < 1.5, "shifted by half a pixel, it is over 3"


def test_the_same_seed_gives_the_same_pixels() -> None:
    images, strong = smooth_crops(8), EVERYTHING
    before = images.copy()
    first, again, other = (
        strong.batch(images, 112, np.random.default_rng(seed)) for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()
    np.testing.assert_array_equal(images, before)


def test_a_certain_flip_mirrors() -> None:
    images = np.stack([crop(seed) for seed in range(3)])
    found = only(flip=1).batch(images, 112, np.random.default_rng(0))
    np.testing.assert_array_equal(found, images[:, 8:120, 8:120][:, :, ::-1])


@pytest.mark.parametrize(
    "augmentation",
    [
        only(shift_px=3),
        only(scale=0.06),
        only(rotation_deg=6),
        only(colour=0.25),
        only(grey=1),
        only(coarse=1),
        only(jpeg=1),
        only(occlusion=1),
        only(landmark_px=1.5),
        only(blur=1),
        only(motion=1),
        only(glasses=1),
        only(mix=1),
    ],
    ids=lambda augmentation: next(
        name for name in Augmentation.__slots__ if getattr(augmentation, name)
    ),
)
def test_each_setting_varies_crops_without_losing_them(augmentation: Augmentation) -> None:
    images = smooth_crops(12)
    plain = images[:, 8:120, 8:120].astype(float)
    found = augmentation.batch(images, 112, np.random.default_rng(0)).astype(float)
    assert (np.abs(found - plain).reshape(12, -1).max(1) > 0).all()
    for varied, crop_rgb in zip(found, plain, strict=True):
        assert np.corrcoef(varied.mean(2).ravel(), crop_rgb.mean(2).ravel())[0, 1] > 0.5


def test_grey_has_no_colour() -> None:
    found = only(grey=1, colour=0.25).batch(smooth_crops(4), 112, np.random.default_rng(0))
    assert (np.ptp(found, axis=3) == 0).all()


def test_occlusion_covers_a_tenth_to_a_third() -> None:
    images = np.zeros((40, CROP_SIZE, CROP_SIZE, 3), np.uint8)
    found = only(occlusion=1).batch(images, 112, np.random.default_rng(0))
    covered = (found.max(3) > 0).reshape(40, -1).mean(1)
    assert covered.min() >= 0.09
    assert covered.max() <= 0.31


def test_shifts_stay_in_their_range() -> None:
    """A white dot shows by how much each crop moved."""
    images = np.zeros((200, CROP_SIZE, CROP_SIZE, 3), np.uint8)
    images[:, 63:65, 63:65] = 255  # centre of mass at 63.5, the middle
    found = only(shift_px=3).batch(images, 112, np.random.default_rng(0))[..., 0].astype(float)
    index = np.arange(112)
    x = (found.sum(1) * index).sum(1) / found.sum((1, 2)) - 55.5
    y = (found.sum(2) * index).sum(1) / found.sum((1, 2)) - 55.5
    for shift in (x, y):
        assert np.abs(shift).max() <= 3.05
        assert np.abs(shift).max() > 2.5
        assert abs(shift.mean()) < 0.5


def test_a_certain_vertical_flip_turns_upside_down() -> None:
    images = np.stack([crop(seed) for seed in range(3)])
    found = only(vertical_flip=1).batch(images, 112, np.random.default_rng(0))
    np.testing.assert_array_equal(found, images[:, 8:120, 8:120][:, ::-1])


@settings(deadline=None, max_examples=30)
@given(st.lists(st.integers(0, 19), min_size=1, max_size=8, unique=True), st.integers(0, 99))
def test_a_crop_is_varied_the_same_in_any_company(positions: list[int], seed: int) -> None:
    """A rank's part of a batch, whichever it is, is what one process makes of it."""
    alone = replace(EVERYTHING, mix=0.0)
    images = SOFT[:20]
    whole = alone.batch(images, 56, np.random.default_rng(seed))
    part = alone.batch(
        images[positions], 56, np.random.default_rng(seed), np.asarray(positions, np.int64)
    )
    np.testing.assert_array_equal(part, whole[positions])


SOFT = smooth_crops(20)


def test_one_setting_leaves_the_others_draws_alone() -> None:
    moved = only(shift_px=3, rotation_deg=6)
    first, second = (
        augmentation.batch(SOFT, 112, np.random.default_rng(5))
        for augmentation in (moved, replace(moved, grey=0.3, mask=0.0, jpeg=0.0))
    )
    unchanged = [bool((a == b).all()) for a, b in zip(first, second, strict=True)]
    assert 0 < sum(unchanged) < len(SOFT)
    for crop_rgb, same in zip(second, unchanged, strict=True):
        assert same or (np.ptp(crop_rgb, axis=2) == 0).all()


def test_partners_share_a_mixed_crop() -> None:
    levels = np.array([0, 200, 40, 240, 120], np.uint8)
    images = np.broadcast_to(levels[:, None, None, None], (5, CROP_SIZE, CROP_SIZE, 3))
    seen = []
    for seed in range(40):
        found = only(mix=1).batch(images, 28, np.random.default_rng(seed))
        assert (np.ptp(found.reshape(5, -1), axis=1) == 0).all()
        seen.append(found[:, 0, 0, 0].astype(float))
    low, high = np.min(seen, 0), np.max(seen, 0)
    assert low[0] >= 0
    assert 90 < high[0] <= 100, "less than half of the partner's 200"
    assert 100 <= low[1] < 110
    assert high[1] <= 200
    assert (low[4], high[4]) == (120, 120), "the last of an odd batch has no partner"


def test_ranks_mix_as_one_process() -> None:
    mixing, images = only(mix=0.7, flip=0.5), SOFT[:8]
    whole = mixing.batch(images, 28, np.random.default_rng(1))
    for positions in (np.arange(4), np.arange(4, 8)):
        part = mixing.batch(images[positions], 28, np.random.default_rng(1), positions)
        np.testing.assert_array_equal(part, whole[positions])


def test_a_partner_on_another_rank() -> None:
    with pytest.raises(ValueError, match="crop 2 of a batch lacks its partner 3"):
        only(mix=1).batch(SOFT[:3], 28, np.random.default_rng(1), np.arange(3))


def covered(augmentation: Augmentation, count: int = 40) -> Float64Array:
    """Which pixels an occlusion changed: bool (count, 112, 112)."""
    images = np.full((count, CROP_SIZE, CROP_SIZE, 3), 128, np.uint8)
    found = augmentation.batch(images, 112, np.random.default_rng(3))
    return (found != 128).any(3)


def at(points: list[int]) -> tuple[Int64Array, Int64Array]:
    """Rows and columns of some of the five landmarks."""
    x, y = np.rint(np.array(ARCFACE_112.points_xy)[points]).astype(int).T
    return y, x


def test_a_mask_covers_mouth_and_nose_but_not_the_eyes() -> None:
    changed = covered(only(mask=1))
    assert changed[:, *at([2, 3, 4])].mean() > 0.9
    assert not changed[:, :58].any()
    assert 0.15 < changed.mean() < 0.3


def test_glasses_cover_both_eyes_and_no_mouth() -> None:
    changed = covered(only(glasses=1))
    assert changed[:, *at([0, 1])].all()
    assert not changed[:, *at([3, 4])].any()
    assert 0.08 < changed.mean() < 0.2


@pytest.mark.parametrize("setting", ["mask", "glasses"])
def test_what_is_worn_moves_with_the_face(setting: str) -> None:
    worn = only(**{setting: 1.0})
    straight, turned = covered(worn), covered(replace(worn, flip=1, vertical_flip=1))
    np.testing.assert_array_equal(turned, straight[:, ::-1, ::-1])


@pytest.mark.parametrize("setting", ["blur", "motion"])
def test_blur_keeps_the_brightness_and_takes_the_detail(setting: str) -> None:
    images = np.stack([crop(seed) for seed in range(6)])
    plain = images[:, 8:120, 8:120].astype(float)
    found = only(**{setting: 1.0}).batch(images, 112, np.random.default_rng(0)).astype(float)
    np.testing.assert_allclose(found.mean((1, 2)), plain.mean((1, 2)), atol=1.5)
    assert (found.std((1, 2)) < 0.9 * plain.std((1, 2))).all()


def test_motion_smears_a_dot_into_a_line() -> None:
    images = np.zeros((60, CROP_SIZE, CROP_SIZE, 3), np.uint8)
    images[:, 63, 63] = 255
    found = only(motion=1).batch(images, 112, np.random.default_rng(0))[..., 0].astype(float)
    lengths, directions = [], []
    for image in found:
        rows, columns = np.nonzero(image > 5)
        spread = np.linalg.eigh(np.cov(np.stack([columns, rows]), aweights=image[rows, columns]))
        assert spread.eigenvalues[0] < 1.2
        lengths.append(float(np.hypot(np.ptp(rows), np.ptp(columns))))
        directions.append(float(np.arctan2(*spread.eigenvectors[::-1, 1]) % np.pi))
    assert 2 <= min(lengths) < 5
    assert 8 < max(lengths) <= 13
    assert np.histogram(directions, 4, (0, np.pi))[0].min() > 0


def slow_realignment(found: Float64Array) -> Float64Array:
    """Least squares by the normal equations: 2x3, from landmarks to reference points."""
    rows, wanted = [], []
    for (x, y), (u, v) in zip(found, ARCFACE_112.points_xy, strict=True):
        rows += [[x, -y, 1, 0], [y, x, 0, 1]]
        wanted += [u, v]
    a, b, c, d = np.linalg.lstsq(np.array(rows), np.array(wanted), rcond=None)[0]
    return np.array([[a, -b, c], [b, a, d]])


def test_landmark_errors_are_what_alignment_makes_of_them() -> None:
    draws = draw(np.random.default_rng(2), np.arange(30))
    still = {"flip": 0, "vertical_flip": 0, "shift_px": 0, "scale": 0, "rotation_deg": 0}
    maps = affine_maps(draws, 112, **still, landmark_px=2.0)
    errors = []
    for row, found in zip(draws, maps, strict=True):
        moved = []
        for (x, y), (u, v) in zip(ARCFACE_112.points_xy, row["landmarks"], strict=True):
            radius = 2.0 * np.sqrt(-2 * np.log(1 - u))
            errors.append((radius * np.cos(2 * np.pi * v), radius * np.sin(2 * np.pi * v)))
            moved.append((x + errors[-1][0], y + errors[-1][1]))
        wanted = slow_realignment(np.array(moved))
        wanted[:, 2] += wanted[:, :2] @ np.full(2, 55.5)  # pixels count from the centre here
        np.testing.assert_allclose(found, wanted, atol=1e-9)
    assert np.std(errors, 0) == pytest.approx([2, 2], abs=0.3)
    assert np.mean(errors, 0) == pytest.approx([0, 0], abs=0.5)


def test_presets_rise() -> None:
    assert list(PRESETS) == ["none", "weak", "standard", "strong"]
    none, *others = PRESETS.values()
    assert all(getattr(none, field.name) == 0 for field in fields(none))
    images = np.stack([crop(seed) for seed in range(2)])
    found = none.batch(images, 112, np.random.default_rng(0))
    np.testing.assert_array_equal(found, images[:, 8:120, 8:120])
    for weaker, stronger in itertools.pairwise(others):
        for field in fields(weaker):
            assert getattr(weaker, field.name) <= getattr(stronger, field.name)
    assert all(preset.mix == preset.vertical_flip == 0 for preset in PRESETS.values())


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("flip", 1.1),
        ("mask", -0.1),
        ("mix", float("nan")),
        ("shift_px", -1.0),
        ("rotation_deg", float("inf")),
        ("landmark_px", float("nan")),
    ],
)
def test_settings_out_of_range(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=f"^{name}: "):
        Augmentation(**{name: value})


@pytest.mark.parametrize("size", [28, 56, 112, 128])
def test_an_empty_batch(size: int) -> None:
    found = EVERYTHING.batch(SOFT[:0], size, np.random.default_rng(0))
    assert found.shape == (0, size, size, 3)
