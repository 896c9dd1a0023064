"""Decode, detect, choose, align, measure, embed."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from facematch.errors import InputError
from facematch.imaging.align import align_face
from facematch.imaging.quality import measure_quality, require_quality
from facematch.imaging.selection import NEED_EVERY_FACE, select_faces, still_open
from facematch.pipeline.detectors import Detectors, SearchingDetector
from facematch.pipeline.streaming import Reader, in_order
from facematch.types import (
    ARCFACE_112,
    Alignment,
    Detection,
    Face,
    FaceChoice,
    Failure,
    Float32Array,
    Float64Array,
    ModelIdentity,
    PassedOver,
    Photograph,
    Quality,
    Search,
    UInt8Array,
)

FACES_PER_BATCH = 32


class TemplateNetwork(Protocol):
    """Makes templates; :class:`facematch.embedding.Embedder` is the real one."""

    @property
    def identity(self) -> ModelIdentity: ...

    @property
    def alignment(self) -> Alignment: ...

    def embed(self, crops_rgb: UInt8Array) -> Float32Array:
        """uint8 (n, s, s, 3) crops -> float32 (n, d) unit-norm templates."""


@dataclass(frozen=True, slots=True, eq=False)
class AnalyzedFace:
    """A chosen face.

    Attributes:
        index: in the detector's list.
        face: where it is.
        quality: measured on the aligned crop.
        crop_rgb: cut for the model.
        aligned_rgb: the 112x112 aligned crop, whatever the model.
    """

    index: int
    face: Face
    quality: Quality
    crop_rgb: UInt8Array
    aligned_rgb: UInt8Array


@dataclass(frozen=True, slots=True, eq=False)
class AnalyzedPhotograph:
    """A photograph with its chosen faces.

    Attributes:
        path: as given.
        sha256: of the file.
        size_wh: of the upright picture.
        detected: number of faces found.
        complete: whether every face was looked for. If not, others may be there, smaller or
            farther from the middle.
        choice: the rule by which faces were chosen.
        faces: the chosen ones, at least one.
        passed_over: the others, with reasons.
    """

    path: str
    sha256: str
    size_wh: tuple[int, int]
    detected: int
    complete: bool
    choice: FaceChoice
    faces: tuple[AnalyzedFace, ...]
    passed_over: tuple[PassedOver, ...]


class Analyzer:
    """Turns files into chosen faces, and these into templates.

    Args:
        detector: finds faces.
        network: makes templates.
        choice: which faces of a photograph are used.
        strict: refuse faces below the quality thresholds instead of noting it.
        search: ``fast`` looks for large faces first, and for smaller ones only as far as one of
            them is likely to be chosen (:func:`facematch.imaging.selection.still_open`). With
            the choices ``all`` and ``only`` it is as ``full``.
        side_by_side: how many of many photographs are looked at at once, kept as an attribute.
            What comes of each is the same to the bit.
    """

    def __init__(
        self,
        detector: SearchingDetector,
        network: TemplateNetwork,
        *,
        choice: FaceChoice = FaceChoice.CENTER,
        strict: bool = False,
        search: Search = Search.FULL,
        side_by_side: int = 1,
    ) -> None:
        self._reader = Reader()
        self._detectors = Detectors(detector)
        self._network = network
        self._choice = choice
        self._strict = strict
        self._complete = search is Search.FULL or choice in NEED_EVERY_FACE
        self.side_by_side = side_by_side

    @property
    def identity(self) -> ModelIdentity:
        return self._network.identity

    @property
    def alignment(self) -> Alignment:
        """How the network's crops are cut."""
        return self._network.alignment

    def embed_crops(self, crops_rgb: UInt8Array) -> Float32Array:
        """Templates of crops that were cut for this network before.

        Args:
            crops_rgb: uint8 (n, s, s, 3).

        Returns:
            float32 (n, d), unit norm.
        """
        return self._network.embed(crops_rgb)

    def analyze(self, path: Path) -> AnalyzedPhotograph:
        """Reads one file and chooses its faces. May be called from several threads.

        Raises:
            InputError: it cannot be read, or has no usable face; the message names it.
        """
        with self._reader.read(path) as photograph:
            return self.analyze_photograph(photograph)

    def analyze_photograph(self, photograph: Photograph) -> AnalyzedPhotograph:
        """The same from decoded pixels."""
        image = photograph.image_rgb
        detection = self._detected(photograph)
        found = detection.faces
        aligned = [align_face(image, face) for face in found]
        qualities = _qualities(found, aligned)
        selection = select_faces(
            found, self._choice, photograph.size_wh, photograph.path, qualities
        )
        if self._strict:
            for index in selection.faces:
                require_quality(qualities[index], photograph.path)
        faces = tuple(
            AnalyzedFace(
                index,
                found[index],
                qualities[index],
                self._crop(image, found[index], aligned[index]),
                aligned[index],
            )
            for index in selection.faces
        )
        return AnalyzedPhotograph(
            photograph.path,
            photograph.sha256,
            photograph.size_wh,
            len(found),
            detection.complete,
            self._choice,
            faces,
            selection.passed_over,
        )

    def _detected(self, photograph: Photograph) -> Detection:
        image = photograph.image_rgb
        if self._complete:
            with self._detectors.lent() as detector:
                return Detection(tuple(detector.detect(image)))

        def remaining(detection: Detection) -> Float64Array | None:
            qualities = None
            if self._choice is FaceChoice.BEST:
                faces = detection.faces
                qualities = _qualities(faces, [align_face(image, face) for face in faces])
            return still_open(detection, self._choice, photograph.size_wh, qualities)

        with self._detectors.lent() as detector:
            return detector.search(image, remaining)

    def _crop(self, image: UInt8Array, face: Face, aligned: UInt8Array) -> UInt8Array:
        alignment = self._network.alignment
        return aligned if alignment == ARCFACE_112 else align_face(image, face, alignment)

    def embed(self, faces: Sequence[AnalyzedFace]) -> Float32Array:
        """The templates of faces: float32 (n, d), unit norm."""
        if not faces:
            return np.zeros((0, self.identity.embedding_size), np.float32)
        return self._network.embed(np.stack([face.crop_rgb for face in faces]))

    def outcomes(
        self, paths: Iterable[Path]
    ) -> Generator[tuple[Path, AnalyzedPhotograph | InputError], None, None]:
        """Reads files and chooses their faces, several at once.

        Close it when it is left early; see :func:`facematch.pipeline.streaming.in_order`.

        Yields:
            In the order of ``paths``: each with its photograph, or why it cannot be used.
        """
        # Enough to be going on with while a batch is embedded.
        ahead = FACES_PER_BATCH + self.side_by_side
        return in_order(self._outcome, paths, at_once=self.side_by_side, ahead=ahead)

    def _outcome(self, path: Path) -> tuple[Path, AnalyzedPhotograph | InputError]:
        try:
            return path, self.analyze(path)
        except InputError as error:
            # The frames that it came through hold pixels, and it may wait for long.
            error.__cause__ = error.__context__ = None
            return path, error.with_traceback(None)

    def stream(
        self, paths: Iterable[Path]
    ) -> Generator[tuple[AnalyzedPhotograph, Float32Array] | Failure, None, None]:
        """Analyses and embeds files, with network batches that cross photographs.

        Close it when it is left early, as :meth:`outcomes`.

        Yields:
            In the order of ``paths``: the photograph with its float32 (k, d) templates, one
            row per chosen face, or the failure.
        """
        waiting: list[AnalyzedPhotograph | Failure] = []
        faces = 0
        with closing(self.outcomes(paths)) as outcomes:
            for path, outcome in outcomes:
                if isinstance(outcome, InputError):
                    waiting.append(Failure(str(path), str(outcome)))
                else:
                    faces += len(outcome.faces)
                    waiting.append(outcome)
                if faces >= FACES_PER_BATCH:
                    yield from self._flush(waiting)
                    waiting, faces = [], 0
        yield from self._flush(waiting)

    def _flush(
        self, waiting: Sequence[AnalyzedPhotograph | Failure]
    ) -> Iterator[tuple[AnalyzedPhotograph, Float32Array] | Failure]:
        templates = self.embed(
            [face for p in waiting if isinstance(p, AnalyzedPhotograph) for face in p.faces]
        )
        row = 0
        for item in waiting:
            if isinstance(item, Failure):
                yield item
            else:
                yield item, templates[row : row + len(item.faces)]
                row += len(item.faces)


def _qualities(faces: Sequence[Face], aligned: Sequence[UInt8Array]) -> list[Quality]:
    return [measure_quality(face, crop) for face, crop in zip(faces, aligned, strict=True)]
