"""What a source of crops is, whatever its form, and the reading of one crop."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np

from facematch.errors import InputError
from facematch.training.data.crops import ALIGNED_SIZE, BORDER_PX, CROP_SIZE
from facematch.types import UInt8Array

LARGEST_CROP_BYTES = 1 << 20
"""No aligned crop takes more: uncompressed, with alpha and 16 bits, it is 128 KiB."""


class CropCutter(Protocol):
    """Cuts the crop of the face in a photograph.

    ``facematch.pipeline.training_crops`` has the real one. It is called from several threads.
    """

    @property
    def version(self) -> str:
        """Changes whenever the same photograph may give another crop."""

    def __call__(self, path: Path) -> UInt8Array:
        """Returns uint8 (128, 128, 3) RGB whose central 112x112 is the aligned face.

        Raises:
            InputError: the file is no photograph, or shows no face.
        """


@dataclass(frozen=True, slots=True)
class Picture:
    """One picture of a source.

    Attributes:
        name: for reports.
        place: where the source finds it: a member of the archive, or a path.
        identity: whose face it is within the source; None if that is not known.
        source: name of the archive, folder or part that it counts to.
        stamp: text that changes with the picture's contents.
    """

    name: str
    place: str
    identity: str | None
    source: str
    stamp: str


class CropSource(Protocol):
    """An archive, a folder or a list; may be read from several threads."""

    @property
    def name(self) -> str:
        """What reports call it."""

    @property
    def pictures(self) -> tuple[Picture, ...]:
        """In the order in which they become crops."""

    def read(self, picture: Picture) -> UInt8Array:
        """The picture's uint8 (128, 128, 3) RGB crop.

        Raises:
            InputError: it gives none; the message is the reason, without the name.
        """

    def close(self) -> None:
        """Lets go of open files."""


def decode_crop(data: bytes) -> UInt8Array:
    """An encoded aligned crop as uint8 (128, 128, 3) RGB.

    One of 112x112 gets its border by repeating its edge.

    Raises:
        InputError: it cannot be decoded, or has another size.
    """
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB)
    except cv2.error:  # no bytes at all, or more pixels than OpenCV's limit
        image = None
    if image is None:
        raise InputError("not a readable picture")
    height, width = image.shape[:2]
    if height != width or width not in (ALIGNED_SIZE, CROP_SIZE):
        raise InputError(
            f"{width}x{height} pixels where an aligned crop has "
            f"{ALIGNED_SIZE}x{ALIGNED_SIZE} or {CROP_SIZE}x{CROP_SIZE}"
        )
    if width == ALIGNED_SIZE:
        image = cv2.copyMakeBorder(image, *4 * (BORDER_PX,), cv2.BORDER_REPLICATE)
    return np.asarray(image, np.uint8)
