"""Area resampling of many windows of one picture from its integral image.

facenet-pytorch resizes with adaptive average pooling: output pixel i of a window of length
L resized to N is the mean of input pixels floor(i L / N) to ceil((i + 1) L / N) - 1. A sum
over any rectangle is four look-ups in the integral image, so after one pass over the
picture every pyramid level and every crop costs only its own pixels, and all crops of a
stage are made in one call without a Python loop.
"""

from __future__ import annotations

import cv2
import numpy as np

from facematch.types import Float32Array, Int64Array, UInt8Array

# Pixels of the picture's own width that are looked up at once.
LARGEST_STRIP = 1 << 20


class AreaSampler:
    """Resamples windows of one picture.

    Args:
        image_rgb: uint8 (h, w, 3).
    """

    def __init__(self, image_rgb: UInt8Array) -> None:
        self.height, self.width = image_rgb.shape[:2]
        # 32-bit sums may wrap around on pictures over 8 MP; differences of four do not care
        # as long as one bin's own sum fits, which it does up to 8 MP a bin.
        self._integral = cv2.integral(image_rgb, sdepth=cv2.CV_32S).view(np.uint32)

    def whole(self, height: int, width: int, rows: slice = slice(None)) -> Float32Array:
        """The picture at another size.

        Args:
            height: of the whole result, in pixels.
            width: of the result.
            rows: which of its rows are wanted, r of them.

        Returns:
            float32 (r, width, 3) in [0, 255].
        """
        (y0,), (y1,) = _bins(np.array([0]), np.array([self.height]), height)
        (x0,), (x1,) = _bins(np.array([0]), np.array([self.width]), width)
        y0, y1 = y0[rows], y1[rows]
        resized = np.empty((len(y0), width, 3), np.float32)
        at_once = max(1, LARGEST_STRIP // self._integral.shape[1])
        for start in range(0, len(y0), at_once):
            part = slice(start, start + at_once)
            # (at_once, w + 1, 3): whole rows, so that memory is read in order
            strip = self._integral[y1[part]] - self._integral[y0[part]]
            sums = strip[:, x1] - strip[:, x0]
            area = (y1 - y0)[part, None] * (x1 - x0)[None, :]
            resized[part] = sums.astype(np.float32) / area.astype(np.float32)[..., None]
        return resized

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
        rows0, rows1 = y0[:, :, None], y1[:, :, None]
        columns0, columns1 = x0[:, None, :], x1[:, None, :]
        table = self._integral
        sums = table[rows1, columns1] - table[rows0, columns1]
        sums -= table[rows1, columns0]
        sums += table[rows0, columns0]
        area = ((rows1 - rows0) * (columns1 - columns0)).astype(np.float32)
        return sums.astype(np.float32) / area[..., None]


def _bins(starts: Int64Array, stops: Int64Array, count: int) -> tuple[Int64Array, Int64Array]:
    """Half-open bin edges of adaptive pooling: two int64 (n, count) arrays."""
    index = np.arange(count)
    length = (stops - starts)[:, None]
    first = starts[:, None] + index * length // count
    last = starts[:, None] - (-(index + 1) * length // count)
    return first, last
