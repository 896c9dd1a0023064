"""Write copies of photographs with their faces marked."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from facematch.imaging.decode import load_photograph
from facematch.imaging.draw import Annotation, draw_faces, make_folder, write_image


class AnnotatedCopies:
    """A folder of annotated copies; the originals are never touched.

    Args:
        folder: for the copies; made if missing.

    Raises:
        OutputError: it cannot be made.
    """

    def __init__(self, folder: Path) -> None:
        make_folder(folder)
        self._folder = folder
        self._taken: set[str] = set()

    def write(self, source: Path, annotations: Sequence[Annotation]) -> Path:
        """Draws on a copy of one photograph and returns where it is.

        Photographs of one name from several folders get ``-2``, ``-3`` … .
        """
        name, number = f"{source.stem}.png", 1
        while name in self._taken:
            number += 1
            name = f"{source.stem}-{number}.png"
        self._taken.add(name)
        target = self._folder / name
        write_image(target, draw_faces(load_photograph(source).image_rgb, annotations))
        return target
