"""Area resampling of many windows of one picture from its integral image.

facenet-pytorch resizes with adaptive average pooling: output pixel i of a window of length
L resized to N is the mean of input pixels floor(i L / N) to ceil((i + 1) L / N) - 1. A sum
over any rectangle is four look-ups in the integral image, so after one pass over the
picture every pyramid level and every crop costs only its own pixels, and all crops of a
stage are made in one call without a Python loop.

Rows and columns are divided by their lengths one after the other, on arrays whose last axis
holds columns and channels together: NumPy is several times slower where a last axis has three
elements. For the same reason pixels are looked up with ``take``, which moves them whole.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from facematch.types import Float32Array, Int64Array, UInt8Array

# Pixels of the picture's own width that are looked up at once: what stays in a core's cache, and
# is small enough for the allocator to give the same memory again.
LARGEST_STRIP = 1 << 14

Int32Array = npt.NDArray[np.int32]


class AreaSampler:
    """Resamples windows of one picture.

    Args:
        image_rgb: uint8 (h, w, 3).
    """

    def __init__(self, image_rgb: UInt8Array) -> None:
        self.height, self.width = image_rgb.shape[:2]
        # 32-bit sums may wrap around on pictures over 8 MP; differences of four do not care
        # as long as one bin's own sum fits, which it does up to 8 MP a bin.
        self._integral: Int32Array = np.asarray(cv2.integral(image_rgb, sdepth=cv2.CV_32S))

    def whole(
        self, height: int, width: int, rows: range | None = None, columns: range | None = None
    ) -> Float32Array:
        """The picture at another size, or a part of that.

        Args:
            height: of the whole result, in pixels.
            width: of the whole result.
            rows: which of its rows are wanted; None for all.
            columns: which of its columns are wanted.

        Returns:
            float32 (r, c, 3) in [0, 255].
        """
        y0, y1 = _of_whole(self.height, height, rows)
        x0, x1 = _of_whole(self.width, width, columns)
        left, right = int(x0[0]), int(x1[-1]) + 1
        table = self._integral[:, left:right]
        x0, x1 = x0 - left, x1 - left
        resized = np.empty((len(y0), 3 * len(x0)), np.float32)
        shares_of_rows = _shares(y0, y1)[:, None]
        at_once = max(1, LARGEST_STRIP // (right - left))
        for start in range(0, len(y0), at_once):
            part = slice(start, start + at_once)
            # (at_once, right - left, 3): whole rows, so that memory is read in order
            strip = table[y1[part]]
            strip -= table[y0[part]]
            sums = strip.take(x1, axis=1, mode="clip")
            sums -= strip.take(x0, axis=1, mode="clip")
            resized[part] = sums.reshape(len(sums), -1)
            resized[part] *= shares_of_rows[part]
        resized *= np.repeat(_shares(x0, x1), 3)
        return resized.reshape(len(y0), len(x0), 3)

    def crops(self, windows_xyxy: Int64Array, side: int) -> Float32Array:
        """Square resamplings of rectangular windows.

        Args:
            windows_xyxy: int64 (n, 4), half-open and inside the picture, not empty.
            side: of the result.

        Returns:
            float32 (n, side, side, 3) in [0, 255].
        """
        x0, x1 = _bins(windows_xyxy[:, 0], windows_xyxy[:, 2], side)
        y0, y1 = _bins(windows_xyxy[:, 1], windows_xyxy[:, 3], side)
        table = self._integral.reshape(-1, 3)
        rows0, rows1 = (y[:, :, None] * (self.width + 1) for y in (y0, y1))
        columns0, columns1 = x0[:, None, :], x1[:, None, :]
        sums = table.take(rows1 + columns1, axis=0, mode="clip")
        sums -= table.take(rows0 + columns1, axis=0, mode="clip")
        sums -= table.take(rows1 + columns0, axis=0, mode="clip")
        sums += table.take(rows0 + columns0, axis=0, mode="clip")
        crops: Float32Array = sums.reshape(-1, side, 3 * side).astype(np.float32)
        crops *= _shares(y0, y1)[:, :, None]
        crops *= np.repeat(_shares(x0, x1), 3, axis=1)[:, None, :]
        return crops.reshape(-1, side, side, 3)


def _shares(starts: Int64Array, stops: Int64Array) -> Float32Array:
    """What one pixel contributes to the mean of each bin."""
    return np.reciprocal((stops - starts).astype(np.float32))


def _of_whole(length: int, count: int, wanted: range | None) -> tuple[Int64Array, Int64Array]:
    """Edges of the wanted ones of ``count`` bins over ``length`` pixels."""
    (first,), (last,) = _bins(np.array([0]), np.array([length]), count, wanted)
    return first, last


def _bins(
    starts: Int64Array, stops: Int64Array, count: int, wanted: range | None = None
) -> tuple[Int64Array, Int64Array]:
    """Half-open edges of the wanted bins of adaptive pooling: two int64 (n, wanted) arrays."""
    index = np.asarray(range(count) if wanted is None else wanted)
    length = (stops - starts)[:, None]
    first = starts[:, None] + index * length // count
    last = starts[:, None] - (-(index + 1) * length // count)
    return first, last
