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
