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

    def whole(self, height: int, width: int) -> Float32Array:
        """The picture at another size: float32 (height, width, 3) in [0, 255]."""
        y0, y1 = _bins(np.array([0]), np.array([self.height]), height)
        x0, x1 = _bins(np.array([0]), np.array([self.width]), width)
        upper, lower = self._integral[y0[0]], self._integral[y1[0]]
        strip = lower - upper  # (height, w + 1, 3): whole rows, so that memory is read in order
        sums = strip[:, x1[0]] - strip[:, x0[0]]
        area = (y1 - y0)[0][:, None] * (x1 - x0)[0][None, :]
        return np.asarray(sums.astype(np.float32) / area.astype(np.float32)[..., None])

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
