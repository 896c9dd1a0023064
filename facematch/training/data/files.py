"""Pictures in files: aligned crops as they are, photographs through the cutter."""

from __future__ import annotations

import struct
from pathlib import Path

from PIL import Image

from facematch.errors import InputError
from facematch.training.data.crops import ALIGNED_SIZE, CROP_SIZE
from facematch.training.data.source import (
    LARGEST_CROP_BYTES,
    CropCutter,
    Picture,
    decode_crop,
)
from facematch.types import UInt8Array

_ALIGNED_SIZES_WH = {(side, side) for side in (ALIGNED_SIZE, CROP_SIZE)}
# What Pillow's plugins raise on damaged headers; warnings for programs that make them errors.
_HEADER_ERRORS = (
    *(OSError, SyntaxError, ValueError, TypeError, LookupError, ArithmeticError),
    *(AttributeError, RuntimeError, EOFError, struct.error, Warning),
)


class FileSource:
    """Pictures whose ``place`` is a path.

    Args:
        name: of the folder or list, for reports.
        pictures: in order.
        cut: makes crops of photographs; None if all pictures are aligned crops.
    """

    def __init__(self, name: str, pictures: tuple[Picture, ...], cut: CropCutter | None) -> None:
        self.name = name
        self.pictures = pictures
        self._cut = cut

    def read(self, picture: Picture) -> UInt8Array:
        path = Path(picture.place)
        try:
            if self._cut is not None and not _is_aligned(path):
                return _cut(self._cut, path)
            if path.stat().st_size > LARGEST_CROP_BYTES:
                raise InputError("larger than any aligned crop, and photographs are not cut here")
            return decode_crop(path.read_bytes())
        except OSError as error:
            raise InputError(f"cannot be read ({error.strerror})") from error

    def close(self) -> None:
        """Nothing is held open."""


def _is_aligned(path: Path) -> bool:
    """Whether the header gives one of the two sizes of aligned crops.

    What the header reader does not know or refuses counts as a photograph: the cutter's
    decoder knows more formats, and says what is wrong with a file.
    """
    if path.stat().st_size > LARGEST_CROP_BYTES:
        return False
    try:
        with Image.open(path) as image:
            return image.size in _ALIGNED_SIZES_WH
    except (*_HEADER_ERRORS, Image.DecompressionBombError):
        return False


def _cut(cut: CropCutter, path: Path) -> UInt8Array:
    try:
        return cut(path)
    except InputError as error:
        # The report names the picture already.
        raise InputError(str(error).removeprefix(f"{path}: ")) from error


def stamp(path: Path) -> str:
    """Text that changes when the file does; a file that is not there has one too."""
    try:
        status = path.stat()
    except (OSError, ValueError):  # ValueError: a NUL byte in the name
        return "missing"
    return f"{status.st_size} {status.st_mtime_ns}"
