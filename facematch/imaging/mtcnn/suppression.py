"""Non-maximum suppression: of boxes that overlap, the one with the best score stays."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np

from facematch.types import Float32Array, Int64Array


def suppress(scored: Float32Array, overlap: float, groups: Int64Array | None = None) -> Int64Array:
    """Non-maximum suppression of float32 (n, 5) boxes with scores; kept rows, best first.

    With ``groups``, boxes of different groups leave each other alone.
    """
    if len(scored) == 0:
        return np.zeros(0, np.int64)
    rectangles = np.concatenate([scored[:, :2], scored[:, 2:4] - scored[:, :2]], axis=1)
    # OpenCV's stubs know lists only.
    boxes: Any = rectangles.astype(np.float64)
    scores: Any = scored[:, 4]
    if groups is None:
        kept = cv2.dnn.NMSBoxes(boxes, scores, 0.0, overlap)
    else:
        of_groups: Any = groups.astype(np.int32)
        kept = cv2.dnn.NMSBoxesBatched(boxes, scores, of_groups, 0.0, overlap)
    return np.asarray(kept, np.int64).reshape(-1)


def suppress_nested(boxes: Float32Array, scores: Float32Array, overlap: float) -> list[int]:
    """Suppression by intersection over the *smaller* area, which removes boxes in boxes."""
    area = np.prod(boxes[:, 2:4] - boxes[:, 0:2] + 1, axis=1)
    waiting = np.argsort(scores)[::-1]
    kept = []
    while len(waiting):
        best, rest = waiting[0], waiting[1:]
        kept.append(int(best))
        low = np.maximum(boxes[best, :2], boxes[rest, :2])
        high = np.minimum(boxes[best, 2:4], boxes[rest, 2:4])
        shared = np.prod(np.maximum(0, high - low + 1), axis=1)
        waiting = rest[shared / np.minimum(area[best], area[rest]) <= overlap]
    return kept
