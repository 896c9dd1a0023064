"""What can be said of a face before it is compared: size, focus, light, pose, confidence.

Pose is estimated from the five landmarks by comparing them with a mean face under parallel
projection. One unit is half the distance between the eyes; the frontal positions of nose and
mouth are those of the alignment's reference points, and the nose stands ``_NOSE_DEPTH``
before the plane of eyes and mouth:

* roll is the angle of the line between the eyes; everything else is measured along it;
* pitch follows from where the nose lies between eyes and mouth,
  ``tan(pitch) = (n - r * h) / d`` with ``r`` the nose's share of the height of the mouth;
* yaw follows from the nose's offset from the middle of the eyes,
  ``tan(yaw) = offset / (d * cos(pitch) + n * sin(pitch))``.

With a head that nods first, then turns, then tilts, this is exact for the mean face. Faces are
not the mean face (the depth of noses alone varies by a fifth) and smiles move the corners of
the mouth, so the angles are rough: good to sort out profiles, not to measure heads. Beyond 45
degrees only the side is reliable.

Sharpness is the variance of the Laplacian (Pech-Pacheco et al., ICPR 2000) on the aligned
crop, where every face has the same scale: enlarging a small face shows as blur.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import cv2
import numpy as np

from facematch.errors import LowQualityError
from facematch.types import Face, Float32Array, Quality, UInt8Array

# The mean face in halves of the distance between the eyes, from the middle of the eyes: down
# to the nose and to the mouth, and forward to the tip of the nose.
_NOSE_DOWN = 1.142
_MOUTH_DOWN = 2.309
_NOSE_DEPTH = 1.0


@dataclass(frozen=True, slots=True)
class QualityThresholds:
    """Where warnings begin.

    The defaults were chosen so that about two photographs in a hundred of Labeled Faces in the
    Wild draws any warning at all.

    Attributes:
        min_face_px: shorter side of the box.
        min_sharpness: variance of the Laplacian, grey levels squared.
        min_brightness: mean grey level.
        max_brightness: mean grey level.
        min_contrast: standard deviation of the grey levels.
        max_yaw_deg: to either side.
        max_pitch_deg: up or down.
        min_score: the detector's confidence.
    """

    min_face_px: float = 50.0
    min_sharpness: float = 30.0
    min_brightness: float = 40.0
    max_brightness: float = 215.0
    min_contrast: float = 18.0
    max_yaw_deg: float = 50.0
    max_pitch_deg: float = 35.0
    min_score: float = 0.9


DEFAULT_THRESHOLDS = QualityThresholds()


@dataclass(frozen=True, slots=True)
class Pose:
    """Head rotation in degrees, roughly. Signs as in :class:`facematch.types.Quality`."""

    yaw_deg: float
    pitch_deg: float
    roll_deg: float


def measure_quality(
    face: Face, aligned_rgb: UInt8Array, thresholds: QualityThresholds = DEFAULT_THRESHOLDS
) -> Quality:
    """Measure a face and say what falls below the thresholds.

    Args:
        face: as detected, in pixels of the photograph.
        aligned_rgb: uint8 (112, 112, 3), the same face aligned.
        thresholds: where warnings begin.

    Returns:
        The measurements, with a short phrase for each that is beyond its threshold.
    """
    if aligned_rgb.shape != (112, 112, 3) or aligned_rgb.dtype != np.uint8:
        raise ValueError(
            "aligned_rgb must be uint8 of shape (112, 112, 3), got "
            f"{aligned_rgb.dtype} of shape {aligned_rgb.shape}"
        )
    grey = cv2.cvtColor(aligned_rgb, cv2.COLOR_RGB2GRAY)
    pose = estimate_pose(face.landmarks_xy)
    measured = Quality(
        face_px=min(face.size_wh),
        sharpness=float(cv2.Laplacian(grey, cv2.CV_64F).var()),
        brightness=float(grey.mean()),
        contrast=float(grey.std()),
        yaw_deg=pose.yaw_deg,
        pitch_deg=pose.pitch_deg,
        roll_deg=pose.roll_deg,
        score=face.score,
    )
    return with_warnings(measured, thresholds)


def estimate_pose(landmarks_xy: Float32Array) -> Pose:
    """Estimate the rotation of a head from five landmarks; see the module for the formulas.

    Args:
        landmarks_xy: float (5, 2), in the order of :class:`facematch.types.Face`.

    Returns:
        Angles in degrees; yaw and pitch in [-90, 90], roll in [-180, 180]. Landmarks that
        coincide give numbers without meaning but never an error.
    """
    points = np.asarray(landmarks_xy, dtype=np.float64)
    eye_line = points[1] - points[0]
    roll = math.atan2(eye_line[1], eye_line[0])
    along = np.array([math.cos(roll), math.sin(roll)])
    down = np.array([-math.sin(roll), math.cos(roll)])
    middle = (points[0] + points[1]) / 2
    half_eyes = float(np.hypot(*eye_line)) / 2
    nose = points[2] - middle
    mouth_y = float(((points[3] + points[4]) / 2 - middle) @ down)
    nose_x, nose_y = float(nose @ along), float(nose @ down)

    # Multiplied out, so that a mouth at the height of the eyes divides by nothing.
    pitch = math.atan2(_NOSE_DOWN * mouth_y - _MOUTH_DOWN * nose_y, _NOSE_DEPTH * mouth_y)
    pitch = min(max(pitch, -math.pi / 2), math.pi / 2)
    depth = _NOSE_DEPTH * math.cos(pitch) + _NOSE_DOWN * math.sin(pitch)
    # A head bent far down hides the depth of the nose: bound what noise in pitch does to yaw.
    yaw = math.atan2(nose_x, half_eyes * max(depth, _NOSE_DEPTH / 2))
    return Pose(math.degrees(yaw), math.degrees(pitch), math.degrees(roll))


def with_warnings(quality: Quality, thresholds: QualityThresholds) -> Quality:
    """The same measurements judged by other thresholds.

    Args:
        quality: measured before; its warnings are replaced.
        thresholds: where warnings begin.

    Returns:
        A copy with new ``warnings``. A measurement that is NaN draws its warning.
    """
    q, t = quality, thresholds
    yaw, pitch = abs(q.yaw_deg), abs(q.pitch_deg)
    vertically = "up" if q.pitch_deg > 0 else "down"
    return replace(
        quality,
        warnings=(
            *_below("face is only {:.0f} px wide", q.face_px, t.min_face_px),
            *_below("blurred, sharpness {:.0f}", q.sharpness, t.min_sharpness),
            *_below("too dark, brightness {:.0f}", q.brightness, t.min_brightness),
            *_above("too bright, brightness {:.0f}", q.brightness, t.max_brightness),
            *_below("too flat, contrast {:.0f}", q.contrast, t.min_contrast),
            *_above("turned {:.0f} degrees to the side", yaw, t.max_yaw_deg),
            *_above(f"turned {{:.0f}} degrees {vertically}", pitch, t.max_pitch_deg),
            *_below("detector unsure, score {:.2f}", q.score, t.min_score),
        ),
    )


def require_quality(quality: Quality, name: str) -> None:
    """Refuse a face that has warnings.

    Args:
        quality: as measured.
        name: of the photograph, for the error.

    Raises:
        LowQualityError: naming the photograph and each warning.
    """
    if quality.warnings:
        raise LowQualityError(
            f"{name}: {'; '.join(quality.warnings)}; use a better photograph, "
            "or allow it by leaving out --strict"
        )


def _below(phrase: str, value: float, least: float) -> tuple[str, ...]:
    return () if value >= least else (f"{phrase.format(value)} ({least:g} wanted)",)


def _above(phrase: str, value: float, most: float) -> tuple[str, ...]:
    return () if value <= most else (f"{phrase.format(value)} (at most {most:g} wanted)",)
