"""A detector for each thread that asks for one."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Generic, Protocol, Self, TypeVar

from facematch.types import Detection, Face, Float64Array, UInt8Array


class Detector(Protocol):
    """Finds faces; :class:`facematch.imaging.mtcnn.FaceDetector` is the real one."""

    def detect(self, image_rgb: UInt8Array) -> list[Face]:
        """Returns the faces of an upright uint8 (h, w, 3) picture."""

    def beside(self) -> Self:
        """The same detector for one more thread."""


class SearchingDetector(Detector, Protocol):
    """Finds large faces before small ones, and stops when it is told to."""

    def search(
        self, image_rgb: UInt8Array, remaining: Callable[[Detection], Float64Array | None]
    ) -> Detection:
        """Asks in between where smaller faces are worth looking for; None ends the search."""


D = TypeVar("D", bound=Detector)


class Detectors(Generic[D]):
    """Lends a detector to each thread; makes one more where all are lent.

    Args:
        detector: the first.
    """

    def __init__(self, detector: D) -> None:
        self._first = detector
        self._free: deque[D] = deque([detector])
        self._making = threading.Lock()

    @contextmanager
    def lent(self) -> Iterator[D]:
        """A detector that nobody else uses meanwhile."""
        try:
            detector = self._free.pop()
        except IndexError:
            with self._making:
                detector = self._first.beside()
        try:
            yield detector
        finally:
            self._free.append(detector)
