"""Write copies of photographs with their faces marked."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from facematch.imaging.decode import load_photograph
from facematch.imaging.draw import Annotation, draw_faces, make_folder, write_image
from facematch.imaging.placing import Placing


class AnnotatedCopies:
    """A folder of annotated copies; the originals are never touched.

    Args:
        folder: for the copies; made if missing.
        photographs: that will be copied.

    Raises:
        OutputError: it cannot be made, or a photograph in it might be replaced.
    """

    def __init__(self, folder: Path, photographs: Sequence[Path]) -> None:
        self._folder = folder
        self._placing = Placing(photographs, [folder])
        make_folder(folder)

    def write(self, source: Path, annotations: Sequence[Annotation]) -> Path:
        """Draws on a copy of one photograph and returns where it is.

        Photographs of one name from several folders get ``-2``, ``-3`` … .
        """
        target = self._placing.name(self._folder, source.stem)
        write_image(target, draw_faces(load_photograph(source).image_rgb, annotations))
        return target
