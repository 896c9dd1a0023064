"""Every format, mode and orientation; every way a file can be wrong."""

from __future__ import annotations

import hashlib
import io
import os
import resource
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pillow_heif
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from facematch.errors import (
    ImageDecodeError,
    ImageNotFoundError,
    ImageTooLargeError,
    InputError,
)
from facematch.imaging.decode import (
    ACCEPTED_FORMATS,
    DecodeLimits,
    decode_image,
    load_photograph,
)

WIDTH, HEIGHT = 48, 32


@cache
def picture() -> npt.NDArray[np.uint8]:
    """Smooth, coloured, and different in each corner."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    channels = (x * 255 // (WIDTH - 1), y * 255 // (HEIGHT - 1), (x + y) * 255 // 78)
    return np.stack(channels, axis=-1).astype(np.uint8)


def encode(image: Image.Image, file_format: str, **options: Any) -> bytes:
    stream = io.BytesIO()
    if file_format == "HEIC":
        pillow_heif.from_pillow(image).save(stream, quality=95, **options)
    else:
        image.save(stream, file_format, **options)
    return stream.getvalue()


def encoded_picture(file_format: str, **options: Any) -> bytes:
    return encode(Image.fromarray(picture()), file_format, **options)


@cache
def samples() -> dict[str, bytes]:
    """The same picture in every container, some of them in several ways."""
    return {
        "jpeg": encoded_picture("JPEG", quality=95),
        "jpeg progressive": encoded_picture("JPEG", quality=95, progressive=True),
        "jpeg restarts": encoded_picture("JPEG", quality=95, restart_marker_blocks=2),
        "png": encoded_picture("PNG"),
        "webp": encoded_picture("WEBP", quality=95),
        "webp lossless": encoded_picture("WEBP", lossless=True),
        "bmp": encoded_picture("BMP"),
        "gif": encoded_picture("GIF"),
        "tiff": encoded_picture("TIFF"),
        "tiff lzw": encoded_picture("TIFF", compression="tiff_lzw"),
        "tiff deflate": encoded_picture("TIFF", compression="tiff_adobe_deflate"),
        "avif": encoded_picture("AVIF", quality=95),
        "heic": encoded_picture("HEIC"),
    }


LOSSLESS = {"png", "webp lossless", "bmp", "tiff", "tiff lzw", "tiff deflate"}


@pytest.mark.parametrize("kind", samples())
def test_every_format_decodes_to_the_same_picture(kind: str) -> None:
    image = decode_image(samples()[kind], kind)
    assert image.shape == (HEIGHT, WIDTH, 3)
    assert image.dtype == np.uint8
    assert image.flags.c_contiguous
    assert image.flags.writeable
    difference = np.abs(image.astype(int) - picture())
    assert difference.mean() < (6 if kind == "gif" else 3)
    if kind in LOSSLESS:
        np.testing.assert_array_equal(image, picture())


def grey8() -> Image.Image:
    return Image.fromarray(picture()).convert("L")


def translucent() -> Image.Image:
    image = Image.new("RGBA", (WIDTH, HEIGHT), (255, 0, 0, 255))
    image.paste((0, 0, 0, 0), (0, 0, WIDTH // 2, HEIGHT))
    return image


def translucent_palette() -> Image.Image:
    image = Image.new("P", (WIDTH, HEIGHT), 0)
    image.putpalette([0, 0, 0, 255, 0, 0])
    image.paste(1, (WIDTH // 2, 0, WIDTH, HEIGHT))
    return image


def solid(mode: str, colour: Any) -> Image.Image:
    return Image.new(mode, (WIDTH, HEIGHT), colour)


def solid16(value: int) -> Image.Image:
    return Image.fromarray(np.full((HEIGHT, WIDTH), value, np.uint16))


# name: file, expected colour of the left half, expected colour of the right half, tolerance
MODES: dict[str, tuple[bytes, tuple[int, int, int], tuple[int, int, int], int]] = {
    "grey jpeg": (encode(solid("L", 90), "JPEG"), (90, 90, 90), (90, 90, 90), 1),
    "grey png": (encode(solid("L", 90), "PNG"), (90, 90, 90), (90, 90, 90), 0),
    "one bit png": (encode(solid("1", 1), "PNG"), (255, 255, 255), (255, 255, 255), 0),
    "grey + alpha png": (encode(solid("LA", (9, 0)), "PNG"), (255,) * 3, (255,) * 3, 0),
    "16-bit grey png, white": (encode(solid16(65535), "PNG"), (255,) * 3, (255,) * 3, 0),
    "16-bit grey png, middle": (encode(solid16(128 * 257), "PNG"), (128,) * 3, (128,) * 3, 0),
    "16-bit grey png, dark": (encode(solid16(2 * 257), "PNG"), (2,) * 3, (2,) * 3, 0),
    "16-bit grey tiff": (encode(solid16(77 * 257), "TIFF"), (77,) * 3, (77,) * 3, 0),
    "float tiff": (encode(solid("F", 0.5), "TIFF"), (128,) * 3, (128,) * 3, 0),
    "alpha png on white": (encode(translucent(), "PNG"), (255, 255, 255), (255, 0, 0), 0),
    "alpha webp on white": (
        encode(translucent(), "WEBP", lossless=True),
        (255, 255, 255),
        (255, 0, 0),
        0,
    ),
    "alpha tiff on white": (encode(translucent(), "TIFF"), (255, 255, 255), (255, 0, 0), 0),
    "palette png, one clear colour": (
        encode(translucent_palette(), "PNG", transparency=0),
        (255, 255, 255),
        (255, 0, 0),
        0,
    ),
    "palette png, alpha per colour": (
        encode(translucent_palette(), "PNG", transparency=b"\x00\xff"),
        (255, 255, 255),
        (255, 0, 0),
        0,
    ),
    "palette gif, one clear colour": (
        encode(translucent_palette(), "GIF", transparency=0),
        (255, 255, 255),
        (255, 0, 0),
        0,
    ),
    "colour key png": (
        encode(translucent().convert("RGB"), "PNG", transparency=(0, 0, 0)),
        (255, 255, 255),
        (255, 0, 0),
        0,
    ),
    # Pillow writes CMYK as Adobe does, inverted: full cyan must come out cyan, not red.
    "adobe cmyk jpeg": (
        encode(solid("CMYK", (255, 0, 0, 0)), "JPEG"),
        (0, 255, 255),
        (0, 255, 255),
        4,
    ),
    "cmyk tiff": (encode(solid("CMYK", (255, 0, 0, 0)), "TIFF"), (0, 255, 255), (0, 255, 255), 4),
    "ycbcr tiff": (encode(solid("YCbCr", (120, 128, 128)), "TIFF"), (120,) * 3, (120,) * 3, 2),
}


@pytest.mark.parametrize("name", MODES)
def test_modes(name: str) -> None:
    data, left, right, tolerance = MODES[name]
    image = decode_image(data, name).astype(int)
    assert image.shape == (HEIGHT, WIDTH, 3)
    assert np.abs(image[:, : WIDTH // 2] - left).max() <= tolerance
    assert np.abs(image[:, WIDTH // 2 :] - right).max() <= tolerance


@pytest.mark.parametrize("kind", [*samples(), *MODES])
@pytest.mark.parametrize("strip", [1, 5 * WIDTH])
def test_strips_are_put_together_again(
    kind: str, strip: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = samples()[kind] if kind in samples() else MODES[kind][0]
    whole = decode_image(data, kind)
    monkeypatch.setattr("facematch.imaging.pixels._STRIP_PIXELS", strip)
    np.testing.assert_array_equal(decode_image(data, kind), whole)


def test_16_bit_colour_png() -> None:
    pixel = struct.pack(">HHH", 200 * 257, 100 * 257, 50 * 257)
    image = decode_image(png_file(3, 2, 16, 2, (b"\0" + pixel * 3) * 2), "deep.png")
    np.testing.assert_array_equal(image, np.full((2, 3, 3), (200, 100, 50)))


def test_scaling_of_16_bits_is_rounding() -> None:
    values = np.arange(65536, dtype=np.uint16).reshape(256, 256)
    image = decode_image(encode(Image.fromarray(values), "PNG"), "ramp.png")
    expected = np.floor(values / 65535 * 255 + 0.5).astype(np.uint8)
    np.testing.assert_array_equal(image, np.repeat(expected[:, :, None], 3, axis=2))


@pytest.mark.parametrize("value", [-0.5, 1.5, float("nan")])
def test_floats_without_a_known_scale_are_refused(value: float) -> None:
    with pytest.raises(ImageDecodeError, match=r"scan\.tif: floating-point .* outside"):
        decode_image(encode(solid("F", value), "TIFF"), "scan.tif")


def test_32_bit_integers_are_refused() -> None:
    with pytest.raises(ImageDecodeError, match=r"scan\.tif: 32-bit integer pixels"):
        decode_image(encode(solid("I", 70000), "TIFF"), "scan.tif")


def test_first_frame_of_an_animation() -> None:
    frames = [solid("RGB", (255, 0, 0)), solid("RGB", (0, 0, 255))]
    for file_format in ("GIF", "WEBP", "PNG", "TIFF"):
        data = encode(frames[0], file_format, save_all=True, append_images=frames[1:])
        image = decode_image(data, file_format).astype(int)
        assert np.abs(image - (255, 0, 0)).max() <= 2, file_format


def test_one_pixel() -> None:
    data = encode(Image.new("RGB", (1, 1), (1, 2, 3)), "PNG")
    np.testing.assert_array_equal(decode_image(data, "dot.png"), [[[1, 2, 3]]])


# How a viewer turns the stored picture, written with the names of the EXIF standard.
ORIENTATIONS: dict[int, Callable[[Image.Image], Image.Image]] = {
    1: lambda image: image,
    2: lambda image: image.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
    3: lambda image: image.transpose(Image.Transpose.ROTATE_180),
    4: lambda image: image.transpose(Image.Transpose.FLIP_TOP_BOTTOM),
    5: lambda image: image.transpose(Image.Transpose.TRANSPOSE),
    6: lambda image: image.transpose(Image.Transpose.ROTATE_270),
    7: lambda image: image.transpose(Image.Transpose.TRANSVERSE),
    8: lambda image: image.transpose(Image.Transpose.ROTATE_90),
}


@pytest.mark.parametrize("orientation", ORIENTATIONS)
@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
def test_orientation(file_format: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    options: dict[str, Any] = {"lossless": True} if file_format == "WEBP" else {}
    if file_format in ("JPEG", "AVIF"):
        options = {"quality": 95}
    image = decode_image(encoded_picture(file_format, exif=exif, **options), "turned")
    expected = np.asarray(ORIENTATIONS[orientation](Image.fromarray(picture())))
    assert image.shape == expected.shape
    assert np.abs(image.astype(int) - expected).mean() < 3


def exif_block(order: str, entries: list[tuple[int, int, int]]) -> bytes:
    head = {"<": b"II", ">": b"MM"}[order] + struct.pack(order + "HL", 42, 8)
    body = b"".join(
        struct.pack(order + "HHLHH", tag, kind, 1, value, 0) for tag, kind, value in entries
    )
    return b"Exif\0\0" + head + struct.pack(order + "H", len(entries)) + body + bytes(4)


@pytest.mark.parametrize(
    ("exif", "turned"),
    [
        (exif_block("<", [(0x0112, 3, 6)]), True),
        (exif_block(">", [(0x0112, 3, 6)]), True),
        (exif_block(">", [(0x010F, 3, 1), (0x0112, 3, 6)]), True),
        (exif_block("<", [(0x0112, 3, 0)]), False),  # outside 1 to 8
        (exif_block("<", [(0x0112, 3, 9)]), False),
        (exif_block("<", [(0x0112, 2, 6)]), False),  # of type text
        (exif_block("<", [(0x0112, 3, 6)])[:-10], False),  # cut inside the entry
        (b"Exif\0\0II*\0\xff\xff\xff\xff", False),  # directory outside the block
        (b"Exif\0\0II", False),
        (b"Exif\0\0nonsense", False),
    ],
)
def test_damaged_exif_spoils_nothing(exif: bytes, turned: bool) -> None:
    image = decode_image(encoded_picture("JPEG", exif=exif), "photo.jpg")
    assert image.shape == ((WIDTH, HEIGHT, 3) if turned else (HEIGHT, WIDTH, 3))


def test_heic_is_turned_once() -> None:
    # As phones write it: the pixels as the sensor saw them, turned by the container and, once
    # more for older readers, by EXIF.
    stream = io.BytesIO()
    exif = exif_block("<", [(0x0112, 3, 6)])
    pillow_heif.encode("RGB", (WIDTH, HEIGHT), picture().tobytes(), stream, exif=exif, quality=95)
    decoded = decode_image(stream.getvalue(), "phone.heic")
    expected = np.asarray(ORIENTATIONS[6](Image.fromarray(picture())))
    assert decoded.shape == expected.shape
    assert np.abs(decoded.astype(int) - expected).mean() < 3


@pytest.mark.parametrize("kind", samples())
@pytest.mark.parametrize("share", [0.02, 0.1, 0.3, 0.5, 0.7, 0.9, 0.97])
def test_truncated_files_name_the_file(kind: str, share: float) -> None:
    data = samples()[kind]
    with pytest.raises(ImageDecodeError, match=r"^photos/me\.jpg: ") as caught:
        decode_image(data[: int(len(data) * share)], "photos/me.jpg")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("kind", samples())
def test_no_cut_gives_another_picture(kind: str) -> None:
    data = samples()[kind]
    whole = decode_image(data, kind)
    for length in range(len(data) - 40, len(data)):
        try:
            image = decode_image(data[:length], kind)
        except ImageDecodeError:
            continue
        np.testing.assert_array_equal(image, whole)


def test_end_marker_of_a_thumbnail_does_not_count() -> None:
    thumbnail = encode(Image.new("RGB", (8, 8)), "JPEG")
    data = encoded_picture("JPEG", exif=b"Exif\0\0II*\0\x08\0\0\0\0\0" + thumbnail)
    assert decode_image(data, "whole.jpg").shape == (HEIGHT, WIDTH, 3)
    with pytest.raises(ImageDecodeError, match=r"cut\.jpg"):
        decode_image(data[:-2], "cut.jpg")


def test_jpeg_whose_end_was_never_written() -> None:
    data = samples()["jpeg"]
    half = len(data) // 2
    with pytest.raises(ImageDecodeError, match="ends before the picture does"):
        decode_image(data[:half] + bytes(len(data) - half), "disk-full.jpg")


def test_bytes_after_the_end_are_ignored() -> None:
    for kind in ("jpeg", "png", "bmp", "gif"):
        decode_image(samples()[kind] + b"trailer" * 100, kind)


def test_progressive_scan_bomb() -> None:
    data = samples()["jpeg progressive"]
    scan = data.rindex(b"\xff\xda")
    repeated = data[scan : data.rindex(b"\xff\xd9")]
    with pytest.raises(ImageDecodeError, match="scans"):
        decode_image(data[:scan] + repeated * 300 + b"\xff\xd9", "scans.jpg")


def test_wrong_checksum_in_png() -> None:
    data = bytearray(samples()["png"])
    data[data.index(b"IDAT") + 20] ^= 1
    with pytest.raises(ImageDecodeError, match="checksum"):
        decode_image(bytes(data), "flipped.png")


def png_chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">L", len(body)) + kind + body + struct.pack(">L", zlib.crc32(kind + body))


def png_file(width: int, height: int, depth: int, colour: int, rows: bytes) -> bytes:
    header = struct.pack(">LLBBBBB", width, height, depth, colour, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + png_chunk(b"IHDR", header)
        + png_chunk(b"IDAT", zlib.compress(rows))
        + png_chunk(b"IEND", b"")
    )


def webp_canvas(width: int, height: int) -> bytes:
    sides = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    body = b"WEBPVP8X" + struct.pack("<L", 10) + bytes(4) + sides
    return b"RIFF" + struct.pack("<L", len(body)) + body


def bmp_header(width: int, height: int) -> bytes:
    info = struct.pack("<LllHHLLllLL", 40, width, height, 1, 24, 0, 0, 0, 0, 0, 0)
    return b"BM" + struct.pack("<LHHL", 54, 0, 0, 54) + info


@pytest.mark.parametrize(
    ("data", "size"),
    [
        (png_file(20_000, 20_000, 8, 2, b""), "20,000x20,000"),
        (bmp_header(20_000, 20_000), "20,000x20,000"),
        (png_file(30_001, 1, 8, 2, b""), "30,001x1"),  # few pixels, but a side too long
        (png_file(2**31 - 1, 2**31 - 1, 8, 2, b""), "2,147,483,647x2,147,483,647"),
    ],
)
def test_bombs_are_refused_by_their_header(data: bytes, size: str) -> None:
    # None of these has pixels: had decoding begun, the error would be another one.
    with pytest.raises(ImageTooLargeError, match=rf"^bomb: {size} pixels .*100,000,000"):
        decode_image(data, "bomb")


def claiming(data: bytes, width: int, height: int) -> bytes:
    """An AVIF or HEIC file whose properties claim this size."""
    at = data.index(b"ispe") + 8
    return data[:at] + struct.pack(">LL", width, height) + data[at + 8 :]


# What Pillow or libheif refuse by themselves never reaches the bounds of ours.
@pytest.mark.parametrize(
    ("data", "limit"),
    [
        pytest.param(webp_canvas(16_000, 16_000), "60,000,000", id="webp"),
        pytest.param(webp_canvas(7_750, 7_750), "60,000,000", id="webp of 60 million"),
        pytest.param(claiming(samples()["avif"], 12_000, 12_000), "100,000,000", id="avif"),
        pytest.param(claiming(samples()["avif"], 60_000, 60_000), "AVIF", id="huge avif"),
        pytest.param(claiming(samples()["heic"], 12_000, 12_000), "HEIC|100,000", id="heic"),
        pytest.param(claiming(samples()["heic"], 60_000, 60_000), "HEIC", id="huge heic"),
        pytest.param(claiming(samples()["heic"], 2**32 - 1, 1), "HEIC|100,000", id="wide heic"),
    ],
)
def test_claimed_sizes_cost_no_memory(data: bytes, limit: str) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises((ImageTooLargeError, ImageDecodeError), match=limit):
        decode_image(data, "bomb")
    grown_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown_kib < 64 * 1024


PEAK = r"""
import re, sys
from pathlib import Path
from facematch.imaging.decode import decode_image
data = Path(sys.argv[1]).read_bytes()
Path("/proc/self/clear_refs").write_text("5")
assert decode_image(data, "large").shape == ({side}, {side}, 3)
print(re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())[1])
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="asks Linux for the memory")
@pytest.mark.parametrize(
    ("kind", "side"),
    [("translucent png", 10_000), ("avif", 10_000), ("webp", 7_745)],
)
def test_the_largest_picture_takes_less_than_a_gibibyte(
    tmp_path: Path, kind: str, side: int
) -> None:
    if kind == "avif":
        data = claiming(samples()["avif"], side, side)
    else:
        flat = Image.new("LA" if kind.startswith("translucent") else "RGB", (side, side))
        options = {"method": 0} if kind == "webp" else {"compress_level": 1}
        data = encode(flat, kind.split()[-1].upper(), **options)
    (tmp_path / "large").write_bytes(data)
    program = PEAK.format(side=side)
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "large")],
        capture_output=True,
        text=True,
        check=True,
    )
    assert int(done.stdout) < 1 << 20


def test_bomb_in_a_jpeg_header() -> None:
    data = bytearray(samples()["jpeg"])
    frame = data.index(b"\xff\xc0")
    data[frame + 5 : frame + 9] = struct.pack(">HH", 20_000, 20_000)
    with pytest.raises(ImageTooLargeError, match="20,000x20,000"):
        decode_image(bytes(data), "bomb.jpg")


def test_bomb_in_a_tiff_tile() -> None:
    # A grey picture of 8x8 pixels in one LZW tile of 60,000x60,000.
    tags = [(256, 8), (257, 8), (258, 8), (259, 5), (262, 1), (277, 1)]
    tags += [(322, 60_000), (323, 60_000), (324, 8), (325, 16)]
    entries = b"".join(struct.pack("<HHLL", tag, 4, 1, value) for tag, value in tags)
    data = b"II*\0" + struct.pack("<LH", 8, len(tags)) + entries + bytes(4)
    with pytest.raises(ImageTooLargeError, match="60,000x60,000"):
        decode_image(data, "tile.tif")


@pytest.mark.parametrize(
    ("limits", "fits"),
    [
        (DecodeLimits(max_pixels=WIDTH * HEIGHT), True),
        (DecodeLimits(max_pixels=WIDTH * HEIGHT - 1), False),
        (DecodeLimits(max_side=WIDTH), True),
        (DecodeLimits(max_side=WIDTH - 1), False),
        (DecodeLimits(max_bytes=len(samples()["png"])), True),
        (DecodeLimits(max_bytes=len(samples()["png"]) - 1), False),
    ],
)
def test_limits_are_inclusive(limits: DecodeLimits, fits: bool, tmp_path: Path) -> None:
    path = tmp_path / "photo.png"
    path.write_bytes(samples()["png"])
    if fits:
        assert load_photograph(path, limits).size_wh == (WIDTH, HEIGHT)
        return
    with pytest.raises(ImageTooLargeError, match=r"photo\.png: .* scale the picture down"):
        load_photograph(path, limits)
    with pytest.raises(ImageTooLargeError, match=r"photo\.png"):
        decode_image(samples()["png"], "photo.png", limits)


@pytest.mark.parametrize("name", ["photo.jpg", "no suffix", "Ærøskøbing 王小明 📷.txt"])
def test_the_photograph_says_where_it_is_from(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(samples()["webp"])
    photograph = load_photograph(path)
    assert photograph.path == str(path)
    assert photograph.sha256 == hashlib.sha256(samples()["webp"]).hexdigest()
    assert photograph.size_wh == (WIDTH, HEIGHT)


def test_undecodable_file_name(tmp_path: Path) -> None:
    path = tmp_path / os.fsdecode(b"caf\xe9.png")
    path.write_bytes(samples()["png"])
    assert load_photograph(path).size_wh == (WIDTH, HEIGHT)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "the file is empty"),
        (b"These are words, not pixels.\n", "not a picture in a known format"),
        (b"BMW, Audi and Volkswagen make cars.", "not a picture in a known format"),
        (b"%PDF-1.7\n" + bytes(100), "not a picture in a known format"),
        (b"\x00\x00\x00\x18ftypmp42" + bytes(100), "not a picture in a known format"),
        (b"RIFF\x24\0\0\0WAVEfmt " + bytes(100), "not a picture in a known format"),
        (b"\xff\xd8\xff", "damaged, truncated or unsupported JPEG"),
        (b"GIF89a", "damaged, truncated or unsupported GIF"),
        (b"RIFF\0\0\0\0WEBP", "damaged, truncated or unsupported WebP"),
        (b"\x00\x00\x00\x18ftypheic" + bytes(100), "damaged, truncated or unsupported HEIC"),
        (b"\x00\x00\x00\x18ftypavif" + bytes(100), "damaged, truncated or unsupported AVIF"),
    ],
)
def test_files_that_are_no_pictures(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "renamed.jpg"
    path.write_bytes(content)
    with pytest.raises(ImageDecodeError) as caught:
        load_photograph(path)
    assert str(caught.value).startswith(f"{path}: {message}")
    assert "\n" not in str(caught.value)


def test_the_unknown_are_told_what_is_known() -> None:
    with pytest.raises(ImageDecodeError) as caught:
        decode_image(b"?" * 64, "mystery")
    assert all(name in str(caught.value) for name in ACCEPTED_FORMATS)


@pytest.mark.parametrize("name", ["nowhere.jpg", "nowhere/photo.jpg", "x" * 300, "nul\0.jpg", ""])
def test_paths_that_are_no_files(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError):
        load_photograph(tmp_path / name)


def test_missing_file_and_folder(tmp_path: Path) -> None:
    with pytest.raises(ImageNotFoundError, match=r"nowhere\.jpg: no such file"):
        load_photograph(tmp_path / "nowhere.jpg")
    (tmp_path / "file").touch()
    with pytest.raises(ImageNotFoundError, match="no such file"):
        load_photograph(tmp_path / "file" / "photo.jpg")
    with pytest.raises(ImageNotFoundError, match="this is a folder"):
        load_photograph(tmp_path)


def test_unreadable_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def deny(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", deny)
    with pytest.raises(InputError, match=r"photo\.jpg: cannot be read \(Permission denied\)"):
        load_photograph(tmp_path / "photo.jpg")


def test_a_device_without_end_is_bounded() -> None:
    with pytest.raises(ImageTooLargeError, match="/dev/zero: larger where at most 5,000 bytes"):
        load_photograph(Path("/dev/zero"), DecodeLimits(max_bytes=5_000))


def test_a_pipe_is_read(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.write(writing, samples()["jpeg"])
    os.close(writing)
    try:
        assert load_photograph(f"/dev/fd/{reading}").size_wh == (WIDTH, HEIGHT)
    finally:
        os.close(reading)


def test_pillows_settings_are_left_alone() -> None:
    from PIL import ImageFile

    before = Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES, sorted(Image.OPEN)
    for kind, data in samples().items():
        decode_image(data, kind)
    assert before == (Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES, sorted(Image.OPEN))


@pytest.mark.parametrize("kind", samples())
@settings(max_examples=60, deadline=None)
@given(st.data())
def test_mutated_files_decode_or_are_refused(kind: str, data: st.DataObject) -> None:
    mutated = bytearray(samples()[kind])
    # Headers are where one byte changes the meaning of all others.
    near_start = st.integers(0, min(200, len(mutated) - 1))
    anywhere = st.integers(0, len(mutated) - 1)
    for at in data.draw(st.lists(near_start | anywhere, min_size=1, max_size=6)):
        mutated[at] = data.draw(st.integers(0, 255))
    if data.draw(st.booleans()):
        del mutated[data.draw(anywhere) :]
    assert_decoded_or_refused(bytes(mutated))


def assert_decoded_or_refused(data: bytes) -> None:
    """Anything but a picture or an InputError of one line that names the file fails."""
    refusal = ""
    image = np.zeros((1, 1, 3), np.uint8)
    try:
        image = decode_image(data, "hostile", DecodeLimits(max_pixels=1_000_000))
    except InputError as error:
        refusal = str(error)
    assert refusal == "" or refusal.startswith("hostile: ")
    assert "\n" not in refusal
    assert image.dtype == np.uint8
    assert image.ndim == 3
    assert image.shape[2] == 3
    assert 0 < image.size <= 3_000_000


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from(
        [
            b"",
            b"\xff\xd8\xff",
            b"\x89PNG\r\n\x1a\n",
            b"RIFF\xff\0\0\0WEBP",
            b"II*\0",
            b"MM\0*",
            b"GIF89a",
            b"BM" + bytes(12) + b"(\0\0\0",
            b"\0\0\0\x18ftypheic",
            b"\0\0\0\x18ftypavif",
        ]
    ),
    st.binary(max_size=200),
)
def test_noise_behind_a_magic_number(magic: bytes, noise: bytes) -> None:
    assert_decoded_or_refused(magic + noise)


@pytest.mark.parametrize("kind", sorted(samples()))
def test_codecs_do_not_write_on_stderr(kind: str, capfd: pytest.CaptureFixture[str]) -> None:
    data = bytearray(samples()[kind])
    data[len(data) // 2 : len(data) // 2 + 8] = b"\xff\x00\xff\xd3\x55\xaa\x00\x80"
    assert_decoded_or_refused(bytes(data))
    assert capfd.readouterr() == ("", "")
