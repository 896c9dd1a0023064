"""Pictures of every kind that can be written here, and changes that know their formats.

A change anywhere in a PNG fails a checksum before a decoder sees it, so that most changed
pictures are made whole again where a checksum or a length says otherwise.
"""

from __future__ import annotations

import io
import random
import struct
import zlib
from functools import cache
from typing import Any

import numpy as np
import pillow_heif
from PIL import Image

from fuzzing.mutation import mutated

_SIDES = (0, 1, 2, 7, 8, 9, 15, 17, 64, 255, 256, 1000, 4097, 10_000, 16_383, 30_000, 30_001)
_SIDES += (32_768, 65_535, 65_536, 2**31 - 1, 2**32 - 1)
_TIFF_TAGS = (254, 256, 257, 258, 259, 262, 266, 269, 273, 274, 277, 278, 279, 282, 284, 292, 296)
_TIFF_TAGS += (297, 317, 318, 320, 322, 323, 324, 325, 330, 338, 339, 340, 347, 512, 513, 514, 529)
_TIFF_TAGS += (530, 531, 532, 700, 33432, 34377, 34665, 34675, 34853, 37500, 40965, 65000)
_TIFF_VALUES = (0, 1, 2, 3, 4, 5, 6, 7, 8, 12, 16, 24, 32, 64, 255, 32773, 32946, 50000, 50001)


def encoded(image: Image.Image, kind: str, **options: Any) -> bytes:
    stream = io.BytesIO()
    if kind == "HEIC":
        pillow_heif.from_pillow(image).save(stream, quality=60, **options)
    else:
        image.save(stream, kind, **options)
    return stream.getvalue()


@cache
def seeds() -> tuple[bytes, ...]:
    """Small pictures: every container, mode and compression that this Pillow writes."""
    y, x = np.mgrid[0:13, 0:17]
    colour = np.stack((x * 15, y * 19, (x * y) % 256), axis=-1).astype(np.uint8)
    rgb = Image.fromarray(colour)
    rgba = rgb.convert("RGBA")
    rgba.putalpha(Image.fromarray((x * 15).astype(np.uint8)))
    deep = Image.fromarray((x * 3000).astype(np.uint16))
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 6, "maker"
    frames: dict[str, Any] = {"save_all": True, "append_images": [rgb.rotate(90), rgb]}
    found = [
        encoded(rgb, "JPEG", quality=70),
        encoded(rgb, "JPEG", progressive=True, exif=exif, comment=b"words"),
        encoded(rgb, "JPEG", restart_marker_blocks=1, icc_profile=bytes(200), subsampling=0),
        encoded(rgb.convert("L"), "JPEG", dpi=(72, 72)),
        encoded(rgb.convert("CMYK"), "JPEG"),
        encoded(rgb, "PNG", exif=exif, icc_profile=bytes(200)),
        encoded(rgba, "PNG"),
        encoded(rgb.convert("LA"), "PNG"),
        encoded(rgb.convert("1"), "PNG"),
        encoded(rgb.convert("P"), "PNG", transparency=3, bits=8),
        encoded(deep, "PNG"),
        encoded(rgb, "PNG", **frames),
        encoded(rgb, "WEBP", exif=exif.tobytes()),
        encoded(rgba, "WEBP"),
        encoded(rgba, "WEBP", lossless=True),
        encoded(rgb, "WEBP", **frames),
        encoded(rgb, "GIF", transparency=1),
        encoded(rgb, "GIF", comment=b"words", **frames),
        encoded(rgb, "BMP"),
        encoded(rgba, "BMP"),
        encoded(rgb.convert("P"), "BMP"),
        encoded(rgb.convert("1"), "BMP"),
        *(encoded(rgb, "TIFF", compression=c) for c in (None, "tiff_lzw", "jpeg", "packbits")),
        encoded(rgba, "TIFF", compression="tiff_adobe_deflate", tiffinfo={317: 2}),
        encoded(rgb.convert("1"), "TIFF", compression="group4"),
        encoded(rgb.convert("1"), "TIFF", compression="group3"),
        encoded(rgb.convert("F").point(lambda v: v / 255), "TIFF"),
        encoded(rgb.convert("CMYK"), "TIFF", compression="tiff_lzw"),
        encoded(deep, "TIFF", compression="tiff_lzw", exif=exif),
        encoded(rgb, "TIFF", big_tiff=True),
        encoded(rgb.convert("P"), "TIFF"),
        encoded(rgb, "AVIF", quality=40, exif=exif.tobytes()),
        encoded(rgba, "AVIF", quality=40),
        encoded(rgb.resize((64, 64)), "HEIC"),
        encoded(rgba.resize((64, 64)), "HEIC", exif=exif.tobytes()),
    ]
    return tuple(found)


# HEIC and AVIF start a video decoder for each picture, which takes milliseconds.
_SLOW_STARTS = (b"ftyp",)


def case(rng: random.Random) -> bytes:
    """One picture, changed or made up."""
    draw = rng.random()
    if draw < 0.12:
        return _random_tiff(rng)
    if draw < 0.18:
        return _random_png(rng)
    if draw < 0.19:
        return _bomb(rng)
    seed = rng.choice(seeds())
    if seed[4:8] in _SLOW_STARTS and rng.random() < 0.8:
        seed = rng.choice(seeds())
    data = mutated(rng, seed, seeds())
    if draw < 0.25:
        data = _with_exif(rng, data)
    if draw < 0.27:
        data = _resized(rng, data)
    return _made_whole(data) if rng.random() < 0.85 else data


def _made_whole(data: bytes) -> bytes:
    """Checksums and lengths that fit what is there."""
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return data[:8] + b"".join(_png_chunks(data))
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return b"RIFF" + struct.pack("<L", max(0, len(data) - 8)) + data[8:]
    return data


def _png_chunks(data: bytes) -> list[bytes]:
    chunks, at = [], 8
    while at + 8 <= len(data):
        length = min(int.from_bytes(data[at : at + 4], "big"), max(0, len(data) - at - 12))
        chunks.append(_png_chunk(data[at + 4 : at + 8], data[at + 8 : at + 8 + length]))
        at += 12 + length
    if not chunks or b"IEND" not in chunks[-1]:
        chunks.append(_png_chunk(b"IEND", b""))
    return chunks


def _png_chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">L", len(body)) + kind + body + struct.pack(">L", zlib.crc32(kind + body))


def _png(header: tuple[int, ...], stream: bytes, *between: bytes) -> bytes:
    start = _png_chunk(b"IHDR", struct.pack(">LLBBBBB", *header))
    chunks = (start, *between, _png_chunk(b"IDAT", stream), _png_chunk(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def _random_png(rng: random.Random) -> bytes:
    """Any header over any pixels, with chunks that unpack to more than they look."""
    sides = (rng.choice((1, 3, 8, 17)), rng.choice((1, 2, 9)))
    header = (*sides, rng.choice((1, 2, 4, 8, 16)), rng.choice((0, 2, 3, 4, 6)), 0, 0, 0)
    if rng.random() < 0.3:
        header = (*header[:4], rng.choice((0, 1)), rng.choice((0, 1)), rng.choice((0, 1, 2)))
    between = []
    for _ in range(rng.randrange(4)):
        kind = rng.choice((b"PLTE", b"tRNS", b"iCCP", b"zTXt", b"iTXt", b"tEXt", b"eXIf", b"pHYs"))
        packed = zlib.compress(bytes(rng.choice((0, 10, 70_000, 3_000_000))), 9)
        body = rng.choice((rng.randbytes(rng.randrange(40)), b"name\0\0" + packed, packed))
        between.append(_png_chunk(kind, body))
    rows = rng.randbytes(rng.randrange(400)) + bytes(rng.choice((0, 500)))
    return _png(header, zlib.compress(rows, 1), *between)


def _tiff_entry(rng: random.Random, order: str, tag: int, size: int) -> bytes:
    value = rng.choice((*_TIFF_VALUES, *_SIDES, rng.randrange(1 + size)))
    count = rng.choice((0, 1, 1, 1, 1, 1, 2, 3, 4, 256, 65_535, 2**31, 2**32 - 1, size // 4))
    kind = rng.choice((1, 2, 3, 3, 3, 4, 4, 5, 7, 9, 10, 11, 12, 13, 16, rng.randrange(256)))
    if kind == 3 and count == 1:
        return struct.pack(order + "HHLHH", tag, kind, count, value % 65536, 0)
    return struct.pack(order + "HHLL", tag, kind, count, value % 2**32)


def _directory(rng: random.Random, order: str, size: int, needed: dict[int, int]) -> bytes:
    tags = sorted({*rng.sample(_TIFF_TAGS, rng.randrange(12)), *needed})
    entries = [
        struct.pack(order + "HHLL", tag, 4, 1, needed[tag])
        if tag in needed and rng.random() < 0.9
        else _tiff_entry(rng, order, tag, size)
        for tag in tags
    ]
    following = struct.pack(order + "L", rng.choice((0, 0, 8, size // 2)))
    return struct.pack(order + "H", len(entries)) + b"".join(entries) + following


def _random_tiff(rng: random.Random) -> bytes:
    """A directory of plausible tags, some with values that are not."""
    order, mark = rng.choice((("<", b"II"), (">", b"MM")))
    width, height = rng.choice((1, 8, 17)), rng.choice((1, 2, 8))
    needed = {
        256: width,
        257: height,
        258: rng.choice((1, 4, 8, 8, 16, 32)),
        262: rng.choice((1, 2)),
    }
    needed |= {259: rng.choice((1, 2, 3, 4, 5, 6, 7, 8, 32773, 32946, 34712, 50000, 50001))}
    pixels = rng.randbytes(rng.choice((0, 16, 200, 1000)))
    place = 8 + 2 + 12 * 24 + 4
    needed |= {273: place, 277: rng.choice((1, 1, 3, 4)), 278: height, 279: len(pixels)}
    if rng.random() < 0.3:
        needed |= {322: rng.choice((8, 16, 64)), 323: rng.choice((8, 16)), 324: place, 325: 100}
    body = _directory(rng, order, place + len(pixels), needed)
    head = mark + struct.pack(order + "HL", 42, 8)
    return (head + body).ljust(place, b"\0") + pixels


def _with_exif(rng: random.Random, data: bytes) -> bytes:
    """The picture with an absurd EXIF block, where the format has a place for one."""
    order, mark = rng.choice((("<", b"II"), (">", b"MM")))
    head = mark + struct.pack(order + "HL", 42, rng.choice((8, 8, 8, 0, 7, 2**32 - 1)))
    block = b"Exif\0\0" + head + _directory(rng, order, 500, {274: rng.randrange(12)})
    block += rng.randbytes(rng.choice((0, 50, 3000)))
    if data.startswith(b"\xff\xd8"):
        return data[:2] + b"\xff\xe1" + struct.pack(">H", len(block) + 2) + block + data[2:]
    if data.startswith(b"\x89PNG"):
        return data[:33] + _png_chunk(b"eXIf", block[6:]) + data[33:]
    if data.startswith(b"RIFF") and data[12:16] == b"VP8X":
        flags = bytes([data[20] | 8]) if len(data) > 20 else b""
        chunk = b"EXIF" + struct.pack("<L", len(block)) + block + b"\0" * (len(block) % 2)
        return data[:20] + flags + data[21:] + chunk
    return data


def _resized(rng: random.Random, data: bytes) -> bytes:
    """Another size in the header than the pixels have."""
    width, height = rng.choice(_SIDES), rng.choice(_SIDES)
    at, form = {b"\x89P": (16, ">LL"), b"GI": (6, "<HH"), b"BM": (18, "<LL")}.get(
        data[:2], (data.find(b"\xff\xc0") + 5, ">HH")
    )
    limit = 2**16 if "H" in form else 2**32
    sides = struct.pack(form, width % limit, height % limit)
    return data[:at] + sides + data[at + len(sides) :]


def _bomb(rng: random.Random) -> bytes:
    """A few bytes for many: pixels, chunks, extensions, tags, scans."""
    side = rng.choice((100, 1000, 2000, 4000))
    match rng.randrange(6):
        case 0:
            bits, colour = rng.choice(((8, 6), (8, 2), (16, 6), (1, 0), (16, 0), (8, 3)))
            row = 1 + side * bits * {0: 1, 2: 3, 3: 1, 6: 4}[colour] // 8
            return _png((side, side, bits, colour, 0, 0, 0), zlib.compress(bytes(row * side), 1))
        case 1:
            return seeds()[5][:33] + _png_chunk(b"tEXt", b"a\0b") * rng.choice((100, 15_000))
        case 2:  # a comment in pieces
            pieces = (b"\xff" + b"c" * 255) * rng.choice((10, 1000))
            return seeds()[16][:13] + b"\x21\xfe" + pieces + b"\0" + seeds()[16][13:]
        case 3:  # each tag has the whole file for its value
            tags = [struct.pack("<HHLL", tag, 7, 100_000, 8) for tag in range(3000, 3000 + side)]
            directory = struct.pack("<H", len(tags)) + b"".join(tags) + bytes(4)
            return (b"II*\0" + struct.pack("<L", 8) + directory).ljust(100_008, b"\0")
        case 4:
            jpeg = seeds()[1]
            scan = jpeg.rindex(b"\xff\xda")
            frame = jpeg.index(b"\xff\xc2") + 5
            large = jpeg[:frame] + struct.pack(">HH", side, side) + jpeg[frame + 4 : scan]
            return large + jpeg[scan:-2] * rng.choice((10, 190)) + b"\xff\xd9"
        case _:
            return seeds()[0][:2] + b"\xff\xe1\0\x02" * rng.choice((1000, 60_000)) + seeds()[0][2:]
