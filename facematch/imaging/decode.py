"""Picture files to upright uint8 RGB arrays, within stated limits.

Files are hostile until decoded. The format is recognised from the first bytes, never from the
suffix; bytes and pixels are bounded before anything is allocated for them; a file that ends
early is an error and never a half-grey picture; whatever the codecs raise on damaged data
comes out as one of three errors that name the file.

Pillow decodes everything. ``cv2.imdecode`` is a fifth faster on JPEG, with the same pixels,
but depending on its version it returns truncated pictures or writes codec warnings on stderr,
and it knows no HEIC. The format's class is built directly instead of through ``Image.open``:
only one plugin is imported, and neither the process-wide pixel limit nor the registry of
formats is involved. (What cannot be silenced from here: Pillow warns through ``warnings``
about odd TIFF tags.)

What becomes of the modes:

* alpha, palette and colour-key transparency are composited on white, as a viewer shows them;
* 16-bit channels are scaled to 8 bits; floating-point pixels must lie in [0, 1];
* CMYK (inverted when Adobe wrote it) is converted without colour management;
* EXIF orientations 1 to 8 are applied; of animations and multi-page files the first frame is
  used.
"""

from __future__ import annotations

import hashlib
import re
import struct
import zlib
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from facematch.errors import ImageDecodeError, ImageTooLargeError
from facematch.imaging.pixels import to_rgb
from facematch.imaging.reading import read_bounded, too_many_bytes
from facematch.types import Photograph, UInt8Array

if TYPE_CHECKING:
    from PIL import ImageFile

ACCEPTED_FORMATS = ("JPEG", "PNG", "WebP", "BMP", "TIFF", "GIF", "HEIC", "AVIF")

# What the codecs raise on damaged data: most of it follows from arithmetic on mutated headers.
# Warnings are here for programs that turn them into errors.
_CODEC_ERRORS = (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    LookupError,
    ArithmeticError,
    AttributeError,
    AssertionError,
    RuntimeError,
    EOFError,
    ImportError,
    struct.error,
    zlib.error,
    Warning,
)

# A progressive picture has about ten scans; each costs a pass over all pixels.
_MAX_JPEG_SCANS = 200
_JPEG_MARKER = re.compile(rb"\xff[^\x00\xff\xd0-\xd7\x01]")
# Pillow's decoder of WebP holds four copies of a picture at once: 1 GiB of this many pixels.
_MOST_WEBP_PIXELS = 60_000_000
_BMP_HEADER_SIZES = (12, 16, 40, 52, 56, 64, 108, 124)
_AVIF_BRANDS = {b"avif", b"avis"}
_HEIC_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"}


@dataclass(frozen=True, slots=True)
class DecodeLimits:
    """What a picture may cost. A file beyond any of these is refused unread or undecoded.

    Attributes:
        max_bytes: size of the file.
        max_pixels: width times height; of a WebP never more than 60 million.
        max_side: width and height each; OpenCV's warps end at 32,767.
    """

    max_bytes: int = 100_000_000
    max_pixels: int = 100_000_000
    max_side: int = 30_000


DEFAULT_LIMITS = DecodeLimits()


def load_photograph(path: str | Path, limits: DecodeLimits = DEFAULT_LIMITS) -> Photograph:
    """Read a picture file once, hash its bytes and decode it.

    Args:
        path: the file; any suffix.
        limits: what it may cost.

    Returns:
        The photograph, upright, uint8 (h, w, 3) RGB.

    Raises:
        ImageNotFoundError: no such file, or a folder.
        ImageTooLargeError: beyond ``limits``.
        ImageDecodeError: empty, damaged, truncated, or not a picture in a known format.
        InputError: the file may not be read.
    """
    return photograph_of(read_bounded(path, limits.max_bytes), str(path), limits)


def photograph_of(data: bytes, path: str, limits: DecodeLimits = DEFAULT_LIMITS) -> Photograph:
    """The same from the file's bytes.

    Raises:
        ImageTooLargeError: beyond ``limits``.
        ImageDecodeError: as :func:`decode_image`.
    """
    image_rgb = decode_image(data, path, limits)
    return Photograph(path, hashlib.sha256(data).hexdigest(), image_rgb)


def decode_image(data: bytes, name: str, limits: DecodeLimits = DEFAULT_LIMITS) -> UInt8Array:
    """Decode a picture that is already in memory.

    Args:
        data: the file's bytes.
        name: what to call it in errors.
        limits: what it may cost.

    Returns:
        uint8 (h, w, 3) RGB in [0, 255], upright, contiguous, writable.

    Raises:
        ImageTooLargeError: beyond ``limits``.
        ImageDecodeError: empty, damaged, truncated, or not a picture in a known format.
    """
    if len(data) > limits.max_bytes:
        raise too_many_bytes(name, limits.max_bytes)
    if not data:
        raise ImageDecodeError(f"{name}: the file is empty; copy or export the picture again")
    kind = _recognise(data)
    if kind is None:
        raise ImageDecodeError(
            f"{name}: not a picture in a known format; accepted are {', '.join(ACCEPTED_FORMATS)}"
        )
    pixels, exif = _decode_pixels(kind, data, name, limits)
    return np.ascontiguousarray(_turn_upright(pixels, _exif_orientation(exif)))


def _decode_pixels(
    kind: str, data: bytes, name: str, limits: DecodeLimits
) -> tuple[UInt8Array, bytes]:
    """The picture as stored and its EXIF block; whatever a codec raises is mapped here."""
    from PIL.Image import DecompressionBombError

    try:
        _check_whole(kind, data)
        if kind == "WebP":  # its decoder allocates the canvas when it is built
            of_webp = replace(limits, max_pixels=min(limits.max_pixels, _MOST_WEBP_PIXELS))
            _check_size(_webp_size_wh(data), name, of_webp)
        with _open(kind, data) as image:
            _check_size(image.size, name, limits)
            if kind == "TIFF":
                from facematch.imaging.libtiff import damage_is_an_error

                _check_size(_tiff_tile_wh(image), name, limits)
                with damage_is_an_error():
                    image.load()
            else:
                image.load()
            return to_rgb(image, name), image.info.get("exif") or b""
    except DecompressionBombError as exc:
        raise ImageTooLargeError(f"{name}: {exc}; scale the picture down") from exc
    except MemoryError as exc:
        raise ImageTooLargeError(
            f"{name}: not enough memory to decode this {kind}; scale the picture down"
        ) from exc
    except _CODEC_ERRORS as exc:
        detail = " ".join(str(exc).split()) or type(exc).__name__
        raise ImageDecodeError(
            f"{name}: damaged, truncated or unsupported {kind} ({detail}); "
            "copy or export the picture again"
        ) from exc


def _check_size(size_wh: tuple[int, int], name: str, limits: DecodeLimits) -> None:
    width, height = size_wh
    if width * height > limits.max_pixels or max(width, height) > limits.max_side:
        raise ImageTooLargeError(
            f"{name}: {width:,}x{height:,} pixels where at most {limits.max_pixels:,} in all and "
            f"{limits.max_side:,} a side are allowed; scale the picture down"
        )


def _recognise(data: bytes) -> str | None:
    if data.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "PNG"
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return "WebP"
    if data.startswith((b"GIF87a", b"GIF89a")):
        return "GIF"
    if data.startswith((b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")):
        return "TIFF"
    if data.startswith(b"BM") and int.from_bytes(data[14:18], "little") in _BMP_HEADER_SIZES:
        return "BMP"
    if data[4:8] == b"ftyp":
        end = min(int.from_bytes(data[:4], "big"), 256)
        brands = {data[at : at + 4] for at in (8, *range(16, end, 4))}
        if brands & _AVIF_BRANDS:
            return "AVIF"
        if brands & _HEIC_BRANDS:
            return "HEIC"
    return None


def _open(kind: str, data: bytes) -> ImageFile.ImageFile:
    """Parse the header of a file of a known kind. Imports that one codec and no other."""
    stream = BytesIO(data)
    if kind == "JPEG":
        from PIL.Image import Exif
        from PIL.JpegImagePlugin import JpegImageFile

        class JpegPixels(JpegImageFile):
            def getexif(self) -> Exif:
                # Pillow looks there for the resolution and warns about damage.
                return Exif()

        return JpegPixels(stream)
    if kind == "PNG":
        from PIL.PngImagePlugin import PngImageFile

        return PngImageFile(stream)
    if kind == "WebP":
        from PIL.WebPImagePlugin import WebPImageFile

        return WebPImageFile(stream)
    if kind == "GIF":
        from PIL.GifImagePlugin import GifImageFile

        return GifImageFile(stream)
    if kind == "TIFF":
        from PIL.TiffImagePlugin import TiffImageFile

        return TiffImageFile(stream)
    if kind == "BMP":
        from PIL.BmpImagePlugin import BmpImageFile

        return BmpImageFile(stream)
    if kind == "AVIF":
        from PIL.AvifImagePlugin import AvifImageFile

        return AvifImageFile(stream)
    from pillow_heif import HeifImageFile

    heif: ImageFile.ImageFile = HeifImageFile(stream)  # type: ignore[no-untyped-call]
    return heif


def _check_whole(kind: str, data: bytes) -> None:
    """Refuse what the decoders would complete with grey or with garbage."""
    if kind == "JPEG":
        _check_jpeg_markers(data)
    elif kind == "PNG":
        _check_png_chunks(data)
    elif kind == "WebP" and int.from_bytes(data[4:8], "little") + 8 > len(data):
        raise EOFError("the file ends before its declared length")


def _check_jpeg_markers(data: bytes) -> None:
    """Walk the segments to the end marker of the outermost picture.

    Searching for the marker's bytes is not enough: thumbnails have one too.
    """
    at, scans = 2, 0
    while (found := _JPEG_MARKER.search(data, at)) is not None:
        marker = data[found.start() + 1]
        if marker == 0xD9:
            return
        scans += marker == 0xDA
        if scans > _MAX_JPEG_SCANS:
            raise ValueError(f"more than {_MAX_JPEG_SCANS} scans")
        at = found.end() + int.from_bytes(data[found.end() : found.end() + 2], "big")
    raise EOFError("the file ends before the picture does")


def _check_png_chunks(data: bytes) -> None:
    """Walk to the end chunk; Pillow asks for neither it nor the checksums of the pixels."""
    at = 8
    while (kind := data[at + 4 : at + 8]) != b"IEND":
        end = at + 8 + int.from_bytes(data[at : at + 4], "big")
        if end + 4 > len(data):
            raise EOFError("the file ends before the picture does")
        critical = kind[:1].isupper()
        if critical and zlib.crc32(memoryview(data)[at + 4 : end]) != int.from_bytes(
            data[end : end + 4], "big"
        ):
            raise ValueError(f"wrong checksum of a chunk of type {kind!r}")
        at = end + 4


def _webp_size_wh(data: bytes) -> tuple[int, int]:
    chunk = data[12:16]
    if chunk == b"VP8X":
        width, height = data[24:27], data[27:30]
        return int.from_bytes(width, "little") + 1, int.from_bytes(height, "little") + 1
    if chunk == b"VP8L":
        bits = int.from_bytes(data[21:25], "little")
        return (bits & 0x3FFF) + 1, ((bits >> 14) & 0x3FFF) + 1
    width, height = data[26:28], data[28:30]
    return int.from_bytes(width, "little") & 0x3FFF, int.from_bytes(height, "little") & 0x3FFF


def _tiff_tile_wh(image: ImageFile.ImageFile) -> tuple[int, int]:
    """Size of one tile, which may exceed the picture's and is what the decoder allocates."""
    from PIL.TiffImagePlugin import TiffImageFile

    assert isinstance(image, TiffImageFile)
    return int(image.tag_v2.get(322, 0)), int(image.tag_v2.get(323, 0))


def _exif_orientation(exif: bytes) -> int:
    """Tag 0x0112 of the first directory; 1 when it is absent or malformed.

    Read by hand because damaged metadata must not spoil a good picture: Pillow's parser warns
    about it on stderr. (TIFF files never come here with metadata, Pillow turns them itself.)
    """
    tiff = exif.removeprefix(b"Exif\0\0")
    order = {b"II": "<", b"MM": ">"}.get(tiff[:2])
    if order is None:
        return 1
    try:
        (directory,) = struct.unpack_from(order + "L", tiff, 4)
        (entries,) = struct.unpack_from(order + "H", tiff, directory)
        for index in range(entries):
            tag, kind, _, value = struct.unpack_from(
                order + "HHLH", tiff, directory + 2 + 12 * index
            )
            if tag == 0x0112:
                return int(value) if kind == 3 and 1 <= value <= 8 else 1
    except struct.error:
        return 1
    return 1


def _turn_upright(image: UInt8Array, orientation: int) -> UInt8Array:
    if orientation in (5, 6, 7, 8):
        image = image.transpose(1, 0, 2)
    if orientation in (2, 3, 6, 7):
        image = image[:, ::-1]
    if orientation in (3, 4, 7, 8):
        image = image[::-1]
    return image
