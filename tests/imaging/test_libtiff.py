"""Damage that libtiff reports and Pillow passes over."""

from __future__ import annotations

import io
import threading
from typing import Any

import numpy as np
import pytest
from PIL import Image, TiffImagePlugin

from facematch.errors import ImageDecodeError
from facematch.imaging import libtiff
from facematch.imaging.decode import decode_image


def fax(damaged: bool) -> bytes:
    """A bilevel picture in one strip of CCITT group 4, with a few bad code words or without."""
    noise = np.random.default_rng(0).integers(0, 2, (60, 80), np.uint8) * 255
    buffer = io.BytesIO()
    Image.fromarray(noise).convert("1").save(buffer, "TIFF", compression="group4")
    content = bytearray(buffer.getvalue())
    if damaged:
        content[20:24] = b"\x00\x00\x01\x00"
    return bytes(content)


def pixels_of(content: bytes) -> Any:
    with TiffImagePlugin.TiffImageFile(io.BytesIO(content)) as image:
        image.load()
        return np.asarray(image)


def test_damage_that_pillow_passes_over_is_an_error(capfd: pytest.CaptureFixture[str]) -> None:
    decode_image(fax(damaged=False), "scan.tif")
    with pytest.raises(ImageDecodeError, match=r"scan\.tif: damaged.*libtiff found errors"):
        decode_image(fax(damaged=True), "scan.tif")
    assert capfd.readouterr() == ("", "")
    decode_image(fax(damaged=False), "scan.tif")  # nothing sticks


def test_the_handler_of_the_process_is_put_back(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ImageDecodeError):
        decode_image(fax(damaged=True), "scan.tif")
    assert pixels_of(fax(damaged=True)).shape == (60, 80)  # Pillow by itself
    assert "Fax4Decode" in capfd.readouterr().err


def test_threads_hear_only_their_own_pictures() -> None:
    failures: list[str] = []

    def decode(damaged: bool) -> None:
        for _ in range(20):
            try:
                decode_image(fax(damaged), "scan.tif")
                found = False
            except ImageDecodeError:
                found = True
            if found != damaged:
                failures.append(f"damaged: {damaged}, found: {found}")

    threads = [threading.Thread(target=decode, args=(number % 2 == 1,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


def test_a_libtiff_without_a_name_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(libtiff, "_set_handler", lambda: lambda handler: None)
    decode_image(fax(damaged=False), "scan.tif")
