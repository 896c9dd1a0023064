"""Which faces of a photograph are used, and why the others are not.

Every choice puts the faces in order of a merit that is stated here; equal merits keep the
detector's order, so the same faces give the same choice every time.

* ``largest``: area of the box inside the picture.
* ``center``: that area less twice the squared distance from the middle of the box to the
  middle of the picture, facenet-pytorch's rule: a small face in the middle does not win over
  a large one beside it.
* ``best``: detector's score x square root of the area inside the picture; with qualities also
  x cos(yaw) x cos(pitch) x min(1, sharpness / 100): size counts by its side, a profile for
  nothing, and sharpness only while it is lacking.
* ``all``: every face, largest first.
* ``only``: the face, if there is exactly one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from facematch.errors import NoFaceError, SeveralFacesError
from facematch.types import (
    Detection,
    Face,
    FaceChoice,
    Float64Array,
    PassedOver,
    Quality,
    Selection,
)

# Variance of the Laplacian above which more sharpness makes no better template.
_SHARP_ENOUGH = 100.0

# Of the side of a face that the detector is sure of: what is smaller is not worth a search. Of
# 602 photographs in wild, two had such a face chosen as the nearest to the middle, 16 and 18 px
# of something that is no face.
_RIVAL_SHARE = 0.2
_SURE_SCORE = 0.95

NEED_EVERY_FACE = frozenset({FaceChoice.ALL, FaceChoice.ONLY})
"""Choices that no search can make before it is complete: any face more changes them."""


def select_faces(
    faces: Sequence[Face],
    choice: FaceChoice,
    size_wh: tuple[int, int],
    name: str,
    qualities: Sequence[Quality] | None = None,
) -> Selection:
    """Choose among the faces of one photograph.

    Args:
        faces: as detected.
        choice: the rule.
        size_wh: of the photograph, in pixels.
        name: of the photograph, for errors.
        qualities: one per face; only ``best`` looks at them.

    Returns:
        The chosen faces, best first, and the reason for each that is passed over.

    Raises:
        NoFaceError: ``faces`` is empty.
        SeveralFacesError: more than one where ``only`` was asked for.
    """
    if qualities is not None and len(qualities) != len(faces):
        raise ValueError(f"{len(faces)} faces but {len(qualities)} qualities")
    if not faces:
        raise NoFaceError(
            f"{name}: no face was found; use a photograph that shows the face upright, "
            "larger and in better light"
        )
    if choice is FaceChoice.ONLY and len(faces) > 1:
        raise SeveralFacesError(
            f"{name}: {len(faces)} faces where exactly one was asked for; crop the photograph "
            "or choose with --face largest, center or best"
        )
    visible = _visible_xyxy(faces, size_wh)
    merits = _merits(faces, choice, size_wh, visible, qualities)
    order = [int(index) for index in np.argsort(-merits, kind="stable")]
    if choice is FaceChoice.ALL:
        return Selection(tuple(order), ())
    chosen = order[0]
    passed_over = tuple(
        PassedOver(index, _reason(choice, faces, visible, index, chosen)) for index in order[1:]
    )
    return Selection((chosen,), passed_over)


def still_open(
    detection: Detection,
    choice: FaceChoice,
    size_wh: tuple[int, int],
    qualities: Sequence[Quality] | None = None,
) -> Float64Array | None:
    """Where a smaller face may lie that would be chosen instead, if there is one.

    A face that is still to be found, or to be moved, is smaller than ``settled_px``. With all
    else in its favour (sure, frontal, sharp) its merit is that of a square of this side, s. If
    the best face so far has the merit m, then a face can be chosen instead

    * by ``largest`` if s**2 > m, by ``best`` if s > m, wherever it is;
    * by ``center`` if its middle is less than sqrt((s**2 - m) / 2) from the picture's.

    A chosen face that is itself smaller than s, and may still move, lies there too. No face is
    worth looking for that has less than a fifth of the side of one that is surely a face: by
    ``center`` it could be chosen, but nearly always it is none.

    Args:
        detection: so far.
        choice: the rule.
        size_wh: of the photograph, in pixels.
        qualities: one per face; only ``best`` looks at them.

    Returns:
        float64 (4,), a box in which the middle of such a face lies; None if there is none.
    """
    if detection.complete:
        return None
    everywhere = np.array([0, 0, *size_wh], np.float64)
    if choice in NEED_EVERY_FACE or not detection.faces:
        return everywhere
    visible = _visible_xyxy(detection.faces, size_wh)
    merit = float(_merits(detection.faces, choice, size_wh, visible, qualities).max())
    attainable = detection.settled_px ** (1 if choice is FaceChoice.BEST else 2)
    if merit >= attainable or detection.settled_px <= _RIVAL_SHARE * _surest_side(
        detection.faces, visible
    ):
        return None
    if choice is not FaceChoice.CENTER:
        return everywhere
    middle, distance = np.asarray(size_wh) / 2, math.sqrt((attainable - merit) / 2)
    return np.concatenate([middle - distance, middle + distance])


def _surest_side(faces: Sequence[Face], visible_xyxy: Float64Array) -> float:
    """Of the largest face that the detector is sure of; 0 if there is none."""
    sides = np.sqrt(np.prod(visible_xyxy[:, 2:] - visible_xyxy[:, :2], axis=1))
    sure = np.array([face.score >= _SURE_SCORE for face in faces])
    return float(sides[sure].max(initial=0.0))


def _visible_xyxy(faces: Sequence[Face], size_wh: tuple[int, int]) -> Float64Array:
    """Boxes cut at the edges of the picture, (n, 4); empty ones have no negative sides."""
    boxes = np.stack([face.box_xyxy for face in faces]).astype(np.float64)
    cut = np.clip(boxes.reshape(-1, 2, 2), 0.0, np.asarray(size_wh, dtype=np.float64))
    return np.concatenate([cut[:, 0], np.maximum(cut[:, 0], cut[:, 1])], axis=1)


def _merits(
    faces: Sequence[Face],
    choice: FaceChoice,
    size_wh: tuple[int, int],
    visible_xyxy: Float64Array,
    qualities: Sequence[Quality] | None,
) -> Float64Array:
    sides = visible_xyxy[:, 2:] - visible_xyxy[:, :2]
    merits: Float64Array = sides[:, 0] * sides[:, 1]
    if choice is FaceChoice.CENTER:
        boxes = np.stack([face.box_xyxy for face in faces]).astype(np.float64)
        offsets = (boxes[:, :2] + boxes[:, 2:] - np.asarray(size_wh)) / 2.0
        merits = merits - 2.0 * (offsets**2).sum(axis=1)
    elif choice is FaceChoice.BEST:
        merits = np.sqrt(merits) * np.array([face.score for face in faces])
        if qualities is not None:
            merits = merits * np.array([_usable(quality) for quality in qualities])
    return merits


def _usable(quality: Quality) -> float:
    """Share in [0, 1] of a face's size that pose and blur leave."""
    frontal = math.cos(math.radians(quality.yaw_deg)) * math.cos(math.radians(quality.pitch_deg))
    return max(frontal, 0.0) * min(1.0, quality.sharpness / _SHARP_ENOUGH)


def _reason(
    choice: FaceChoice,
    faces: Sequence[Face],
    visible_xyxy: Float64Array,
    index: int,
    chosen: int,
) -> str:
    size, chosen_size = _size(visible_xyxy[index]), _size(visible_xyxy[chosen])
    if choice is FaceChoice.CENTER:
        return f"farther from the middle for its size ({size}) than the chosen face ({chosen_size})"
    if choice is FaceChoice.BEST:
        return (
            f"less suitable (score {faces[index].score:.2f}, {size}) "
            f"than the chosen face (score {faces[chosen].score:.2f}, {chosen_size})"
        )
    comparison = "smaller" if size != chosen_size else "no larger"
    return f"{comparison} ({size}) than the chosen face ({chosen_size})"


def _size(box_xyxy: Float64Array) -> str:
    left, top, right, bottom = (float(v) for v in box_xyxy)
    return f"{right - left:.0f}x{bottom - top:.0f} px"
