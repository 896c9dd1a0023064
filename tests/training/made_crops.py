"""Crops of noise and of soft colours, and files of them."""

from __future__ import annotations

import zipfile
from pathlib import Path

import cv2
import numpy as np

from facematch.training.data import CROP_SIZE
from facematch.types import UInt8Array


def crop(seed: int, size: int = CROP_SIZE) -> UInt8Array:
    return np.random.default_rng(seed).integers(0, 256, (size, size, 3), np.uint8)


def smooth_crops(count: int) -> UInt8Array:
    return np.stack(
        [
            cv2.resize(crop(seed, 8), (CROP_SIZE, CROP_SIZE), interpolation=cv2.INTER_CUBIC)
            for seed in range(count)
        ]
    ).astype(np.uint8)


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


def folder_of(path: Path, members: dict[str, bytes]) -> Path:
    for name, content in members.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(content)
    return path
