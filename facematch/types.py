"""Frozen records that cross package boundaries. Shapes, ranges and units are stated here.

Coordinates are pixels of the upright picture (EXIF orientation applied), x to the right,
y down; the centre of the top left pixel is (0, 0). Pictures are uint8 RGB.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from facematch.choices import FaceChoice as FaceChoice
from facematch.choices import Metric as Metric
from facematch.choices import Search as Search

UInt8Array = npt.NDArray[np.uint8]
Float32Array = npt.NDArray[np.float32]
Float64Array = npt.NDArray[np.float64]
Int64Array = npt.NDArray[np.int64]
UInt32Array = npt.NDArray[np.uint32]
BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Photograph:
    """A decoded picture.

    Attributes:
        path: as the user gave it.
        sha256: hexadecimal digest of the file's bytes.
        image_rgb: uint8 (h, w, 3), upright.
    """

    path: str
    sha256: str
    image_rgb: UInt8Array

    @property
    def size_wh(self) -> tuple[int, int]:
        return int(self.image_rgb.shape[1]), int(self.image_rgb.shape[0])


@dataclass(frozen=True, slots=True, eq=False)
class Face:
    """A detected face.

    Attributes:
        box_xyxy: float32 (4,): left, top, right, bottom; may reach outside the picture.
        landmarks_xy: float32 (5, 2): left eye, right eye, nose, left and right corner of the
            mouth, left and right as seen in the picture.
        score: the detector's probability that this is a face, in [0, 1].
    """

    box_xyxy: Float32Array
    landmarks_xy: Float32Array
    score: float

    def __post_init__(self) -> None:
        if self.box_xyxy.shape != (4,) or self.landmarks_xy.shape != (5, 2):
            raise ValueError(
                "a face needs box_xyxy of shape (4,) and landmarks_xy of shape (5, 2), got "
                f"{self.box_xyxy.shape} and {self.landmarks_xy.shape}"
            )

    @property
    def size_wh(self) -> tuple[float, float]:
        left, top, right, bottom = (float(v) for v in self.box_xyxy)
        return right - left, bottom - top


@dataclass(frozen=True, slots=True, eq=False)
class Detection:
    """What a search from large faces to small ones has found at one point of it.

    Attributes:
        faces: most certain first.
        complete: whether every face was looked for, in the whole picture.
        settled_px: side (square root of the box's area) from which on looking for smaller
            faces finds no more and moves none; 0 once the search is complete.
    """

    faces: tuple[Face, ...]
    complete: bool = True
    settled_px: float = 0.0


@dataclass(frozen=True, slots=True)
class Quality:
    """What can be measured of a face without knowing whose it is.

    Attributes:
        face_px: shorter side of the box in pixels of the photograph.
        sharpness: variance of the Laplacian of the grey aligned crop (grey levels squared).
        brightness: mean grey level of the aligned crop, in [0, 255].
        contrast: standard deviation of its grey levels.
        yaw_deg: estimated rotation to the side from the landmarks; 0 is frontal, positive
            when the face turns to the right side of the picture.
        pitch_deg: the same up (positive) and down.
        roll_deg: in-plane rotation; positive is clockwise as seen.
        score: the detector's confidence, in [0, 1].
        warnings: what falls below the thresholds, each a short phrase for a person.
    """

    face_px: float
    sharpness: float
    brightness: float
    contrast: float
    yaw_deg: float
    pitch_deg: float
    roll_deg: float
    score: float
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PassedOver:
    """A detected face that was not used, and why."""

    index: int
    reason: str


@dataclass(frozen=True, slots=True, eq=False)
class Selection:
    """The faces of one picture that are used, and why the others are not.

    Attributes:
        faces: indices into the detector's list, in order of preference.
        passed_over: the rest.
    """

    faces: tuple[int, ...]
    passed_over: tuple[PassedOver, ...]


@dataclass(frozen=True, slots=True)
class Alignment:
    """How a face is cut from its photograph for a model. Part of the model's fingerprint.

    Attributes:
        kind: ``similarity`` maps the five landmarks onto ``points_xy`` by the least-squares
            similarity transform; ``box`` resizes the detector's box.
        size: side of the square crop in pixels.
        points_xy: five (x, y) reference points in the crop; empty for ``box``.
    """

    kind: str
    size: int
    points_xy: tuple[tuple[float, float], ...] = ()

    def __post_init__(self) -> None:
        points = {"similarity": 5, "box": 0}.get(self.kind)
        if points is None:
            raise ValueError(f"alignment kind must be similarity or box, got {self.kind!r}")
        if len(self.points_xy) != points:
            raise ValueError(f"{self.kind} alignment takes {points} points: {self.points_xy}")
        if not 16 <= self.size <= 1024:
            raise ValueError(f"alignment size must be in [16, 1024], got {self.size}")


ARCFACE_112 = Alignment(
    "similarity",
    112,
    (
        (38.2946, 51.6963),
        (73.5318, 51.5014),
        (56.0252, 71.7366),
        (41.5493, 92.3655),
        (70.7299, 92.2041),
    ),
)
"""The reference points that ArcFace (arXiv 1801.07698) and its successors use."""


_LONGEST_NAME = 255


@dataclass(frozen=True, slots=True)
class ModelIdentity:
    """What a gallery, calibration or report records of the model behind it.

    Attributes:
        name: as ``--model`` takes it; as long as the name of a folder can be.
        fingerprint: SHA-256 over weights, architecture, preprocessing and alignment.
        embedding_size: length of a template.

    Raises:
        ValueError: the name or the fingerprint is too long to be one.
    """

    name: str
    fingerprint: str
    embedding_size: int

    def __post_init__(self) -> None:
        # Also what a gallery can hold: its attributes have to fit into a heap of few blocks.
        for what, text in (("model name", self.name), ("fingerprint", self.fingerprint)):
            if len(text) > _LONGEST_NAME:
                raise ValueError(f"a {what} of {len(text)} characters")


@dataclass(frozen=True, slots=True, eq=False)
class Reference:
    """One enrolled face without its template.

    Attributes:
        subject: whose face it is.
        source_path: path of the photograph as enrolled.
        source_sha256: hexadecimal digest of the photograph's bytes.
        box_xyxy: float32 (4,), where the face is in the photograph.
        quality: measured at enrolment.
        enrolled_at: seconds since the epoch, UTC.
        crop_rgb: uint8 (112, 112, 3) aligned crop, if it was kept.
    """

    subject: str
    source_path: str
    source_sha256: str
    box_xyxy: Float32Array
    quality: Quality
    enrolled_at: float
    crop_rgb: UInt8Array | None = None


@dataclass(frozen=True, slots=True)
class Failure:
    """A file that could not be used: a failure to acquire or to enrol."""

    path: str
    reason: str


@dataclass(frozen=True, slots=True)
class Candidate:
    """A subject that a probe may belong to, by its nearest reference.

    Attributes:
        subject: the name.
        distance: of the nearest reference of that subject.
        reference: row of that reference in the gallery.
    """

    subject: str
    distance: float
    reference: int
