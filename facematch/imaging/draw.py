"""Annotated copies of photographs, and pictures written to disk.

Colours are those of Okabe and Ito, which people with any common colour blindness can tell
apart: blue for accepted, vermilion for rejected, yellow where nothing was decided. Line width
and lettering grow with the picture.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from facematch.errors import OutputError
from facematch.types import Float32Array, UInt8Array

_ACCEPTED = (0, 114, 178)
_REJECTED = (213, 94, 0)
_UNDECIDED = (240, 228, 66)
_WHITE = (255, 255, 255)
_BLACK = (0, 0, 0)

_FORMATS = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP"}
_QUALITY = 92
# No font has a glyph for a non-character: what it draws is the mark of a missing one.
_NON_CHARACTER = "\uffff"


@dataclass(frozen=True, slots=True, eq=False)
class Annotation:
    """What to draw around one face.

    Attributes:
        box_xyxy: float32 (4,), pixels.
        landmarks_xy: float32 (n, 2), pixels, or None.
        label: one line beside the box; empty for none.
        accepted: decides the colour; None where there was no decision.
    """

    box_xyxy: Float32Array
    landmarks_xy: Float32Array | None = None
    label: str = ""
    accepted: bool | None = None


def draw_faces(image_rgb: UInt8Array, annotations: Sequence[Annotation]) -> UInt8Array:
    """Draw boxes, landmarks and labels on a copy.

    Args:
        image_rgb: uint8 (h, w, 3).
        annotations: later ones are drawn over earlier ones.

    Returns:
        uint8 (h, w, 3) copy. Characters that the font lacks appear as ``?``.
    """
    canvas = Image.fromarray(np.ascontiguousarray(image_rgb))
    draw = ImageDraw.Draw(canvas)
    longer_side = max(canvas.size)
    line_px = max(1, round(longer_side / 400))
    font = _load_font(max(10.0, longer_side / 45))
    for annotation in annotations:
        colour, ink = _colours(annotation.accepted)
        left, top, right, bottom = (float(v) for v in annotation.box_xyxy)
        draw.rectangle(
            (min(left, right), min(top, bottom), max(left, right), max(top, bottom)),
            outline=colour,
            width=line_px,
        )
        for x, y in () if annotation.landmarks_xy is None else annotation.landmarks_xy.tolist():
            radius = line_px
            draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=colour)
        if annotation.label:
            _draw_label(draw, font, annotation, colour, ink, canvas.size)
    return np.array(canvas)


def make_folder(folder: Path) -> None:
    """Makes a folder for pictures, with its parents, unless it is there.

    Raises:
        OutputError: it cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as exc:
        raise OutputError(f"{folder}: cannot be made a folder ({exc.strerror})") from exc


def write_image(path: Path, image_rgb: UInt8Array) -> None:
    """Write a picture in the format that the suffix names; readers never see half of it.

    Args:
        path: ends in .png, .jpg, .jpeg or .webp; an existing file is replaced.
        image_rgb: uint8 (h, w, 3).

    Raises:
        OutputError: another suffix, a folder that is missing or read-only, a full disk, or a
            picture too large for the format.
    """
    path = Path(path)
    file_format = _FORMATS.get(path.suffix.lower())
    if file_format is None:
        raise OutputError(
            f"{path}: cannot write pictures of type {path.suffix or 'none'!r}; "
            f"use one of {', '.join(_FORMATS)}"
        )
    encoded = BytesIO()
    beside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        Image.fromarray(np.ascontiguousarray(image_rgb)).save(
            encoded, file_format, quality=_QUALITY
        )
        try:
            beside.write_bytes(encoded.getbuffer())
            beside.replace(path)
        finally:
            beside.unlink(missing_ok=True)
    except (OSError, ValueError) as exc:
        reason = exc.strerror if isinstance(exc, OSError) and exc.strerror else exc
        raise OutputError(f"{path}: cannot be written ({reason}); choose another place") from exc


def _load_font(size: float) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """DejaVu Sans from matplotlib's files: Pillow's own font knows ASCII and no more.

    The files are found without importing matplotlib, which takes longer than the drawing.
    """
    spec = find_spec("matplotlib")
    for folder in () if spec is None else spec.submodule_search_locations or ():
        file = Path(folder, "mpl-data", "fonts", "ttf", "DejaVuSans.ttf")
        if file.is_file():
            return ImageFont.truetype(str(file), size)
    return ImageFont.load_default(size)


def _colours(accepted: bool | None) -> tuple[tuple[int, int, int], tuple[int, int, int]]:
    """Colour of the box and of the lettering on it."""
    if accepted is None:
        return _UNDECIDED, _BLACK
    return (_ACCEPTED, _WHITE) if accepted else (_REJECTED, _BLACK)


def _draw_label(
    draw: ImageDraw.ImageDraw,
    font: ImageFont.FreeTypeFont | ImageFont.ImageFont,
    annotation: Annotation,
    colour: tuple[int, int, int],
    ink: tuple[int, int, int],
    size_wh: tuple[int, int],
) -> None:
    """Above the box, or in its upper edge where there is no room, and inside the picture."""
    text = _printable(annotation.label, font)
    x0, y0, x1, y1 = draw.textbbox((0, 0), text, font=font)
    pad = max(1, (y1 - y0) // 6)
    width, height = x1 - x0 + 2 * pad, y1 - y0 + 2 * pad
    box_left, box_top = float(annotation.box_xyxy[0]), float(annotation.box_xyxy[1])
    left = max(0.0, min(box_left, size_wh[0] - width))
    top = box_top - height if box_top >= height else max(0.0, box_top)
    top = min(top, max(0.0, size_wh[1] - height))
    draw.rectangle((left, top, left + width, top + height), fill=colour)
    draw.text((left + pad - x0, top + pad - y0), text, fill=ink, font=font)


def _printable(text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont) -> str:
    """The text on one line, with a question mark for each character that the font lacks."""
    missing = bytes(font.getmask(_NON_CHARACTER))

    def drawable(character: str) -> bool:
        if character == " ":
            return True
        # Lone surrogates stand for undecodable bytes in file names.
        is_surrogate = "\ud800" <= character <= "\udfff"
        return not is_surrogate and bytes(font.getmask(character)) != missing

    return "".join(c if drawable(c) else "?" for c in " ".join(text.split()))
