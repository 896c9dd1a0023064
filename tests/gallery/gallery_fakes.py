"""References and templates that no camera has seen."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import numpy as np

from facematch.gallery import GalleryWriter
from facematch.gallery.envelope import Method, Stretch
from facematch.gallery.keys import Keys, new_master, passphrase
from facematch.types import ModelIdentity, Quality, Reference

IDENTITY = ModelIdentity("compact-256", hashlib.sha256(b"model").hexdigest(), 16)


def templates_of(n: int, seed: int = 0, d: int = 16) -> np.ndarray:
    """float32 (n, d), unit norm."""
    rows = np.random.default_rng(seed).normal(size=(n, d))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def reference_of(subject: str, number: int = 0, *, crop: bool = False) -> Reference:
    rng = np.random.default_rng(number)
    return Reference(
        subject=subject,
        source_path=f"photos/IMG_{number:04}.jpg",
        source_sha256=hashlib.sha256(f"{subject}/{number}".encode()).hexdigest(),
        box_xyxy=rng.normal(100, 30, 4).astype(np.float32),
        quality=Quality(
            *rng.normal(50, 10, 8).tolist(), warnings=("blurred", "too dark")[: number % 3]
        ),
        enrolled_at=1.7e9 + number / 7,
        crop_rgb=rng.integers(0, 256, (112, 112, 3), np.uint8) if crop else None,
    )


def cheap() -> Stretch:
    """A passphrase that is not hard to try, for tests."""
    return Stretch(Method.ARGON2ID, (1, 1, 8), os.urandom(16))


def keys_with(text: str = "correct horse") -> Keys:
    """A passphrase that was given."""
    return Keys(passphrase(text), new_stretch=cheap)


def make_gallery(
    path: Path,
    subjects: list[str],
    seed: int = 0,
    *,
    crops: bool = False,
    keys: Keys | None = None,
) -> np.ndarray:
    """A gallery with one reference per entry, encrypted with the keys; returns the templates."""
    templates = templates_of(len(subjects), seed)
    references = [reference_of(name, i, crop=crops) for i, name in enumerate(subjects)]
    master = new_master(path, keys, wanted=keys is not None)
    with GalleryWriter.open(path, IDENTITY, keys=keys, master=master) as writer:
        writer.add(references, templates)
        writer.commit()
    return templates


def same_reference(a: Reference, b: Reference) -> bool:
    """Equal bit for bit."""
    crops = (a.crop_rgb is None) == (b.crop_rgb is None)
    if a.crop_rgb is not None and b.crop_rgb is not None:
        crops = np.array_equal(a.crop_rgb, b.crop_rgb)
    return (
        (a.subject, a.source_path, a.source_sha256) == (b.subject, b.source_path, b.source_sha256)
        and a.box_xyxy.tobytes() == b.box_xyxy.tobytes()
        and repr((a.quality, a.enrolled_at)) == repr((b.quality, b.enrolled_at))
        and crops
    )
