"""Detect faces, and cut aligned crops, for people who prepare data."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from facematch.errors import InputError
from facematch.imaging.align import align_face
from facematch.imaging.decode import load_photograph
from facematch.imaging.draw import make_folder, write_image
from facematch.imaging.placing import Placing
from facematch.imaging.quality import measure_quality
from facematch.imaging.selection import select_faces
from facematch.pipeline import Detector, Failure
from facematch.types import Face, FaceChoice, Photograph


@dataclass(frozen=True, slots=True, eq=False)
class DetectResult:
    """The faces of one photograph, most certain first."""

    photograph: Photograph
    faces: tuple[Face, ...]


@dataclass(frozen=True, slots=True)
class AlignedCrop:
    """A crop that was written."""

    source: str
    path: str
    face_index: int


def detect(paths: Iterable[Path], detector: Detector) -> Iterator[DetectResult | Failure]:
    """Finds the faces of photographs; a photograph without any is a result, not a failure."""
    for path in paths:
        try:
            photograph = load_photograph(path)
        except InputError as error:
            yield Failure(str(path), str(error))
            continue
        yield DetectResult(photograph, tuple(detector.detect(photograph.image_rgb)))


def align(
    source: Path,
    photographs: Sequence[Path],
    destination: Path,
    detector: Detector,
    choice: FaceChoice,
    *,
    border: int = 0,
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

    Raises:
        OutputError: a crop cannot be written, or might replace a photograph; in that case
            nothing is written at all.
    """
    root = source if source.is_dir() else source.parent
    folder_of = {path: destination / path.relative_to(root).parent for path in photographs}
    placing = Placing(photographs, folder_of.values())
    for path in photographs:
        try:
            photograph = load_photograph(path)
            found = detector.detect(photograph.image_rgb)
            crops = [align_face(photograph.image_rgb, face) for face in found]
            qualities = [measure_quality(f, c) for f, c in zip(found, crops, strict=True)]
            selection = select_faces(found, choice, photograph.size_wh, photograph.path, qualities)
        except InputError as error:
            yield Failure(str(path), str(error))
            continue
        for position, index in enumerate(selection.faces, start=1):
            suffix = f"-{position}" if choice is FaceChoice.ALL else ""
            make_folder(folder_of[path])
            target = placing.name(folder_of[path], f"{path.stem}{suffix}")
            write_image(target, align_face(photograph.image_rgb, found[index], border=border))
            yield AlignedCrop(str(path), str(target), index)
