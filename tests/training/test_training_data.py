"""Crops from archives, batches of them, and how they are varied."""

from __future__ import annotations

import zipfile
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facematch.errors import TrainingDataError
from facematch.training.augmentation import Augmentation
from facematch.training.data import CROP_SIZE, NO_IDENTITY, load_crops
from facematch.training.sampling import (
    BatchSampler,
    IdentityBatches,
    MixedBatches,
    ShuffledBatches,
)
from facematch.training.validation import PLAIN
from facematch.types import UInt8Array


def crop(seed: int, size: int = CROP_SIZE) -> UInt8Array:
    return np.random.default_rng(seed).integers(0, 256, (size, size, 3), np.uint8)


def encoded(image_rgb: UInt8Array) -> bytes:
    """Lossless."""
    done, data = cv2.imencode(".png", image_rgb[..., ::-1])
    assert done
    return data.tobytes()


def archive_of(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def test_archives_are_decoded_in_order(tmp_path: Path) -> None:
    first = archive_of(
        tmp_path / "one.zip",
        {
            "b/2.png": encoded(crop(3)),
            "a/": b"",
            "a/1.png": encoded(crop(1)),
            "a/2.png": encoded(crop(2)),
        },
    )
    second = archive_of(
        tmp_path / "two.zip", {"a/1.png": encoded(crop(4)), "loose.png": encoded(crop(5))}
    )
    found = load_crops([first, second], tmp_path / "cache")
    assert len(found) == 5
    assert found.names == (
        "one.zip:a/1.png",
        "one.zip:a/2.png",
        "one.zip:b/2.png",
        "two.zip:a/1.png",
        "two.zip:loose.png",
    )
    # "a" of another archive is another person; a crop without a folder is nobody.
    assert found.labels.tolist() == [0, 0, 1, 2, NO_IDENTITY]
    assert found.unreadable == ()
    np.testing.assert_array_equal(found.images, np.stack([crop(seed) for seed in range(1, 6)]))
    assert isinstance(found.images, np.memmap)
    assert not found.images.flags.writeable


def test_webp_members(tmp_path: Path) -> None:
    smooth = cv2.resize(crop(0, 8), (CROP_SIZE, CROP_SIZE), interpolation=cv2.INTER_CUBIC)
    done, data = cv2.imencode(".webp", smooth[..., ::-1], [cv2.IMWRITE_WEBP_QUALITY, 95])
    assert done
    archive = archive_of(tmp_path / "one.zip", {"a/1.webp": data.tobytes()})
    found = load_crops([archive], tmp_path / "cache").images[0]
    assert np.abs(found.astype(int) - smooth).mean() < 5


def test_the_second_load_decodes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    archive = archive_of(tmp_path / "one.zip", {"a/1.png": encoded(crop(1))})
    first = load_crops([archive], tmp_path / "cache")
    monkeypatch.setattr(cv2, "imdecode", None)
    again = load_crops([archive], tmp_path / "cache")
    np.testing.assert_array_equal(again.images, first.images)
    assert again.names == first.names


def test_a_changed_archive_is_decoded_again(tmp_path: Path) -> None:
    for seed in (1, 2):
        archive = archive_of(tmp_path / "one.zip", {"a/1.png": encoded(crop(seed))})
        found = load_crops([archive], tmp_path / "cache")
        np.testing.assert_array_equal(found.images[0], crop(seed))


def test_damaged_members_are_left_out_and_named(tmp_path: Path) -> None:
    flipped = encoded(crop(9))
    archive = archive_of(
        tmp_path / "one.zip",
        {
            "a/1.png": encoded(crop(1)),
            "a/2-empty.png": b"",
            "a/3-text.png": b"not a picture",
            "a/4-size.png": encoded(crop(4, 64)),
            "b/5-checksum.png": flipped,
            "c/6.png": encoded(crop(6)),
        },
    )
    content = archive.read_bytes()
    place = content.index(flipped) + len(flipped) // 2
    archive.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])

    found = load_crops([archive], tmp_path / "cache")
    assert found.names == ("one.zip:a/1.png", "one.zip:c/6.png")
    assert found.labels.tolist() == [0, 1]
    assert [name.partition("/")[2] for name in found.unreadable] == [
        "2-empty.png",
        "3-text.png",
        "4-size.png",
        "5-checksum.png",
    ]
    np.testing.assert_array_equal(found.images, np.stack([crop(1), crop(6)]))
    assert sorted(p.suffix for p in (tmp_path / "cache").iterdir()) == [".json", ".npy"]


def test_an_interrupted_decoding_starts_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = archive_of(tmp_path / "one.zip", {f"a/{i}.png": encoded(crop(i)) for i in range(3)})
    decode, calls = cv2.imdecode, 0

    def interrupted(data: UInt8Array, flags: int) -> object:
        nonlocal calls
        calls += 1
        if calls == 2:
            raise KeyboardInterrupt
        return decode(data, flags)

    with monkeypatch.context() as patch:
        patch.setattr(cv2, "imdecode", interrupted)
        with pytest.raises(KeyboardInterrupt):
            load_crops([archive], tmp_path / "cache")
    found = load_crops([archive], tmp_path / "cache")
    np.testing.assert_array_equal(found.images, np.stack([crop(i) for i in range(3)]))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        pytest.param(None, "not a readable zip", id="missing"),
        pytest.param(b"", "not a readable zip", id="empty file"),
        pytest.param(b"text", "not a readable zip", id="not a zip"),
        pytest.param({}, "holds no crops", id="empty archive"),
        pytest.param({"a/": b""}, "holds no crops", id="folders only"),
        pytest.param({"a/1.png": b"text"}, "none of its members", id="nothing readable"),
    ],
)
def test_archives_that_cannot_be_used(
    tmp_path: Path, content: bytes | dict[str, bytes] | None, words: str
) -> None:
    path = tmp_path / "one.zip"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content is not None:
        archive_of(path, content)
    with pytest.raises(TrainingDataError, match=words) as caught:
        load_crops([path], tmp_path / "cache")
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


LABELS = np.array([5, 5, 5, 7, 7, 7, 7, 9, 9, 9, 4, 4, -1, -1, -1, -1, 8], np.int64)


@given(st.integers(1, 40), st.data(), st.integers(0, 1000))
def test_an_epoch_holds_every_crop_once(count: int, data: st.DataObject, seed: int) -> None:
    batch = data.draw(st.integers(1, count))
    sampler = ShuffledBatches(count, batch, seed)
    steps = count // batch
    for epoch in range(2):
        drawn = np.concatenate([sampler.indices(epoch * steps + i) for i in range(steps)])
        assert len(drawn) == steps * batch
        assert len(set(drawn.tolist())) == len(drawn)
        assert set(drawn.tolist()) <= set(range(count))


def test_epochs_and_seeds_differ() -> None:
    orders = [
        np.concatenate([ShuffledBatches(60, 20, seed).indices(3 * epoch + i) for i in range(3)])
        for seed, epoch in ((1, 0), (1, 1), (2, 0))
    ]
    assert len({tuple(order.tolist()) for order in orders}) == 3
    assert all(sorted(order.tolist()) == list(range(60)) for order in orders)


@pytest.mark.parametrize(("count", "batch"), [(10, 0), (10, 11), (0, 1), (10, -1)])
def test_impossible_batches(count: int, batch: int) -> None:
    with pytest.raises(ValueError, match="batch_size"):
        ShuffledBatches(count, batch, 0)


def test_identity_batches_are_p_times_k() -> None:
    sampler = IdentityBatches(LABELS, identities=3, crops=3, seed=1)
    seen = set()
    for step in range(50):
        drawn = sampler.indices(step)
        assert len(drawn) == len(set(drawn.tolist())) == 9
        groups = LABELS[drawn].reshape(3, 3)
        assert (groups == groups[:, :1]).all()
        assert set(groups[:, 0].tolist()) == {5, 7, 9}  # 4 and 8 have too few, -1 is nobody
        seen |= set(drawn.tolist())
    assert seen == set(range(10))


def test_too_few_identities() -> None:
    with pytest.raises(ValueError, match="4 identities with at least 3 crops, the data has 3"):
        IdentityBatches(LABELS, identities=4, crops=3, seed=1)


SAMPLERS: list[BatchSampler] = [
    ShuffledBatches(30, 7, 3),
    IdentityBatches(LABELS, 2, 3, 3),
    MixedBatches((IdentityBatches(LABELS, 2, 3, 3), ShuffledBatches(17, 4, 3))),
]


@pytest.mark.parametrize("sampler", SAMPLERS, ids=lambda sampler: type(sampler).__name__)
def test_a_batch_depends_on_its_number_alone(sampler: BatchSampler) -> None:
    forward = [sampler.indices(step).tolist() for step in range(10)]
    backward = [sampler.indices(step).tolist() for step in reversed(range(10))]
    assert forward == backward[::-1]
    assert len({tuple(batch) for batch in forward}) > 1


def test_mixed_batches_keep_their_order() -> None:
    parts = (IdentityBatches(LABELS, 2, 3, 3), ShuffledBatches(17, 4, 3))
    drawn = MixedBatches(parts).indices(5)
    assert drawn.tolist() == [*parts[0].indices(5).tolist(), *parts[1].indices(5).tolist()]


def smooth_crops(count: int) -> UInt8Array:
    return np.stack(
        [
            cv2.resize(crop(seed, 8), (CROP_SIZE, CROP_SIZE), interpolation=cv2.INTER_CUBIC)
            for seed in range(count)
        ]
    ).astype(np.uint8)


def test_without_variation_the_crop_is_the_centre() -> None:
    images = np.stack([crop(seed) for seed in range(3)])
    found = PLAIN.batch(images, 112, np.random.default_rng(0))
    np.testing.assert_array_equal(found, images[:, 8:120, 8:120])


@pytest.mark.parametrize("size", [56, 84, 100])
def test_without_variation_smaller_crops_are_the_centre_resized(size: int) -> None:
    images = smooth_crops(3)
    found = PLAIN.batch(images, size, np.random.default_rng(0))
    assert found.shape == (3, size, size, 3)
    for image, small in zip(images, found, strict=True):
        wanted = cv2.resize(image[8:120, 8:120], (size, size), interpolation=cv2.INTER_AREA)
        difference = np.abs(small.astype(int) - wanted)
        assert difference.mean() < 1.5, "shifted by half a pixel, it is over 3"


def test_the_same_seed_gives_the_same_pixels() -> None:
    images, strong = smooth_crops(8), Augmentation(occlusion=0.5, grey=0.5, coarse=0.5, jpeg=0.5)
    before = images.copy()
    first, again, other = (
        strong.batch(images, 112, np.random.default_rng(seed)) for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()
    np.testing.assert_array_equal(images, before)


def test_a_certain_flip_mirrors() -> None:
    images = np.stack([crop(seed) for seed in range(3)])
    mirrored = Augmentation(
        flip=1, shift_px=0, scale=0, rotation_deg=0, colour=0, grey=0, coarse=0, jpeg=0
    )
    found = mirrored.batch(images, 112, np.random.default_rng(0))
    np.testing.assert_array_equal(found, images[:, 8:120, 8:120][:, :, ::-1])


def only(**settings: float) -> Augmentation:
    nothing = dict.fromkeys(
        ("flip", "shift_px", "scale", "rotation_deg", "colour", "grey", "coarse", "jpeg"), 0.0
    )
    return Augmentation(**{**nothing, **settings})


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
    ],
    ids=["shift", "scale", "rotation", "colour", "grey", "coarse", "jpeg", "occlusion"],
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
