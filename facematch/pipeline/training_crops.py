"""Photographs to training crops: found, chosen and aligned as every verb does it."""

from __future__ import annotations

import threading
from pathlib import Path

from facematch import __version__
from facematch.errors import NoFaceError
from facematch.imaging.align import align_face
from facematch.imaging.decode import load_photograph
from facematch.imaging.selection import select_faces
from facematch.pipeline.detectors import Detector
from facematch.pipeline.opening import open_detector
from facematch.runtime import Device
from facematch.types import ARCFACE_112, FaceChoice, UInt8Array

BORDER_PX = 8
"""Around the aligned 112x112, for augmentation to move and turn the face in."""


class TrainingCropCutter:
    """Cuts 128x128 crops whose central 112x112 is the ``ARCFACE_112`` alignment.

    Place, turn and size are exactly those of the analyzer's crop. Faces of twice the size and
    more are averaged down from other pixels than there, since the border begins elsewhere.

    May be called from several threads: pictures are decoded side by side, while the detector,
    which uses all cores by itself, takes one at a time.

    Args:
        detector: finds faces.
        choice: which face of a photograph is the one that its folder names.
    """

    def __init__(self, detector: Detector, choice: FaceChoice = FaceChoice.CENTER) -> None:
        if choice is FaceChoice.ALL:
            raise ValueError("a training photograph gives one crop; choose one face")
        self._detector = detector
        self._choice = choice
        self._turn = threading.Lock()

    @property
    def version(self) -> str:
        """What decides the pixels beside the photograph; crops of another are made again."""
        return f"facematch {__version__}, {self._choice.value}, {ARCFACE_112}, {BORDER_PX}"

    def __call__(self, path: Path) -> UInt8Array:
        """The crop of one photograph: uint8 (128, 128, 3), RGB.

        Raises:
            InputError: the file cannot be read, or has no usable face; the message names it.
        """
        photograph = load_photograph(path)
        with self._turn:
            faces = self._detector.detect(photograph.image_rgb)
        chosen = select_faces(faces, self._choice, photograph.size_wh, photograph.path).faces[0]
        try:
            return align_face(photograph.image_rgb, faces[chosen], border=BORDER_PX)
        except ValueError as error:
            raise NoFaceError(f"{path}: the face cannot be aligned ({error})") from error


def open_cutter(
    device: Device = Device.AUTO, choice: FaceChoice = FaceChoice.CENTER
) -> TrainingCropCutter:
    """Opens the face detector for cutting.

    Raises:
        DeviceUnavailableError: the device is missing.
    """
    detector, _ = open_detector(device)
    return TrainingCropCutter(detector, choice)
