"""Detect faces, and cut aligned crops, for people who prepare data."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from facematch.errors import InputError
from facematch.imaging.align import align_face
from facematch.imaging.draw import make_folder, write_image
from facematch.imaging.placing import Placing
from facematch.imaging.quality import measure_quality
from facematch.imaging.selection import select_faces
from facematch.pipeline import Detector, Detectors, Failure, Reader, in_order
from facematch.types import Face, FaceChoice, UInt8Array

# Photographs that are looked at or wait to be taken, for each that is looked at at once.
_AHEAD = 4


@dataclass(frozen=True, slots=True, eq=False)
class DetectResult:
    """The faces of one photograph, most certain first."""

    path: str
    size_wh: tuple[int, int]
    faces: tuple[Face, ...]


@dataclass(frozen=True, slots=True)
class AlignedCrop:
    """A crop that was written."""

    source: str
    path: str
    face_index: int


def detect(
    paths: Iterable[Path], detector: Detector, *, side_by_side: int = 1
) -> Generator[DetectResult | Failure, None, None]:
    """Finds the faces of photographs; a photograph without any is a result, not a failure.

    Close it when it is left early, so that no more photographs are begun.

    Args:
        paths: the photographs.
        detector: finds faces.
        side_by_side: how many are looked at at once.

    Yields:
        One item per path, in order.
    """
    reader, detectors = Reader(), Detectors(detector)

    def found(path: Path) -> DetectResult | Failure:
        try:
            with reader.read(path) as photograph, detectors.lent() as lent:
                faces = tuple(lent.detect(photograph.image_rgb))
                return DetectResult(photograph.path, photograph.size_wh, faces)
        except InputError as error:
            return Failure(str(path), str(error))

    return in_order(found, paths, at_once=side_by_side, ahead=_AHEAD * side_by_side)


def align(
    source: Path,
    photographs: Sequence[Path],
    destination: Path,
    detector: Detector,
    choice: FaceChoice,
    *,
    border: int = 0,
    side_by_side: int = 1,
) -> Iterator[AlignedCrop | Failure]:
    """Writes the aligned 112x112 crops of photographs as PNG, mirroring the folders.

    Photographs of one name, as ``a.jpg`` and ``a.png``, get ``-2``, ``-3`` … .

    Args:
        source: the folder that paths are taken relative to, or the one photograph.
        photographs: files below or equal to ``source``.
        destination: folder for the crops; made if missing.
        detector: finds faces.
        choice: which faces; with ``all``, ``-1``, ``-2`` … is added to the names.
        border: extra pixels on each side of the crop.
        side_by_side: how many photographs are looked at at once.

    Raises:
        OutputError: a crop cannot be written, or might replace a photograph; in that case
            nothing is written at all.
    """
    root = source if source.is_dir() else source.parent
    folder_of = {path: destination / path.relative_to(root).parent for path in photographs}
    placing = Placing(photographs, folder_of.values())
    reader, detectors = Reader(), Detectors(detector)

    def cut(path: Path) -> tuple[Path, Mapping[int, UInt8Array] | Failure]:
        """The crops by number of the face."""
        try:
            with reader.read(path) as photograph, detectors.lent() as lent:
                image = photograph.image_rgb
                found = lent.detect(image)
                crops = [align_face(image, face) for face in found]
                qualities = [measure_quality(f, c) for f, c in zip(found, crops, strict=True)]
                size_wh = photograph.size_wh
                selection = select_faces(found, choice, size_wh, photograph.path, qualities)
                return path, {
                    index: align_face(image, found[index], border=border)
                    for index in selection.faces
                }
        except InputError as error:
            return path, Failure(str(path), str(error))

    ahead = _AHEAD * side_by_side
    with closing(in_order(cut, photographs, at_once=side_by_side, ahead=ahead)) as outcomes:
        for path, outcome in outcomes:
            if isinstance(outcome, Failure):
                yield outcome
                continue
            for position, (index, crop) in enumerate(outcome.items(), start=1):
                suffix = f"-{position}" if choice is FaceChoice.ALL else ""
                make_folder(folder_of[path])
                target = placing.name(folder_of[path], f"{path.stem}{suffix}")
                write_image(target, crop)
                yield AlignedCrop(str(path), str(target), index)
