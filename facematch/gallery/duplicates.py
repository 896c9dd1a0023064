"""Whether a face is enrolled already: the same place in the same photograph.

The boxes need not be equal: another device, or another version, finds the same face a
fraction of a pixel beside.
"""

from __future__ import annotations

import os
from collections.abc import Sequence, Set
from dataclasses import dataclass, field

from facematch.gallery.names import normalize_subject
from facematch.gallery.reader import Gallery
from facematch.types import Float32Array, Reference


@dataclass(frozen=True, slots=True)
class KnownFaces:
    """Faces by photograph (SHA-256), each with its subject and box."""

    _places: dict[str, list[tuple[str, Float32Array]]] = field(default_factory=dict)

    @classmethod
    def of(
        cls, path: str | os.PathLike[str], enrolled: Set[str], wanted: Sequence[Reference]
    ) -> KnownFaces:
        """The faces that a gallery has in the photographs of some references.

        Args:
            path: the gallery; need not exist if nothing is enrolled.
            enrolled: hexadecimal SHA-256 of the photographs in it.
            wanted: the references.

        Raises:
            GalleryCorruptError: the gallery is damaged.
        """
        faces = cls()
        photographs = enrolled & {reference.source_sha256 for reference in wanted}
        if photographs:
            with Gallery.open(path) as gallery:
                for row in range(len(gallery)):
                    reference = gallery.reference(row)
                    if reference.source_sha256 in photographs:
                        faces.add(reference)
        return faces

    def add(self, reference: Reference) -> None:
        """Note one more face."""
        place = (normalize_subject(reference.subject), reference.box_xyxy)
        self._places.setdefault(reference.source_sha256, []).append(place)

    def owner(self, reference: Reference) -> str | None:
        """Who has this face, the reference's own subject if that is one of them."""
        subject = normalize_subject(reference.subject)
        owners = [
            owner
            for owner, box in self._places.get(reference.source_sha256, [])
            if same_place(box, reference.box_xyxy)
        ]
        if subject in owners:
            return subject
        return owners[0] if owners else None


def same_place(a_xyxy: Float32Array, b_xyxy: Float32Array) -> bool:
    """Whether two boxes share at least half of what they cover together.

    Args:
        a_xyxy: float32 (4,), pixels; may be anything in a file from elsewhere.
        b_xyxy: the same.
    """
    # Floats of Python: inf and NaN in a hostile file give False, and no warning.
    a, b = a_xyxy.tolist(), b_xyxy.tolist()
    width = max(0.0, min(a[2], b[2]) - max(a[0], b[0]))
    height = max(0.0, min(a[3], b[3]) - max(a[1], b[1]))
    shared = width * height
    covered = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - shared
    return bool(a == b or shared >= 0.5 * covered > 0)
