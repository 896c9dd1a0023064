"""Whether a face is enrolled already: the same place in the same photograph.

The boxes need not be equal: another device, or another version, finds the same face a
fraction of a pixel beside.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from facematch.gallery.names import normalize_subject
from facematch.gallery.reader import Gallery
from facematch.types import Float32Array, Reference


@dataclass(frozen=True, slots=True, eq=False)
class KnownFace:
    """A face in a photograph; ``row`` is that in the gallery, None if it is not there yet."""

    subject: str
    box_xyxy: Float32Array
    row: int | None


@dataclass(frozen=True, slots=True)
class KnownFaces:
    """Faces by photograph (SHA-256)."""

    _places: dict[str, list[KnownFace]] = field(default_factory=dict)

    @classmethod
    def of(cls, gallery: Gallery, wanted: Sequence[Reference]) -> KnownFaces:
        """The faces that a gallery has in the photographs of some references.

        Args:
            gallery: open.
            wanted: the references.

        Raises:
            GalleryCorruptError: the gallery is damaged.
        """
        faces = cls()
        photographs = gallery.source_hashes() & {r.source_sha256 for r in wanted}
        for row in range(len(gallery)) if photographs else ():
            reference = gallery.reference(row)
            if reference.source_sha256 in photographs:
                faces.add(reference, row)
        return faces

    def add(self, reference: Reference, row: int | None = None) -> None:
        """Note one more face."""
        face = KnownFace(normalize_subject(reference.subject), reference.box_xyxy, row)
        self._places.setdefault(reference.source_sha256, []).append(face)

    def replace(self, reference: Reference) -> None:
        """Note a face in place of those in the same place."""
        same = self.same(reference)
        places = self._places[reference.source_sha256]
        self._places[reference.source_sha256] = [face for face in places if face not in same]
        self.add(reference)

    def same(self, reference: Reference) -> tuple[KnownFace, ...]:
        """The faces in the same place of the same photograph."""
        return tuple(
            face
            for face in self._places.get(reference.source_sha256, [])
            if same_place(face.box_xyxy, reference.box_xyxy)
        )

    def owner(self, reference: Reference) -> str | None:
        """Who has this face, the reference's own subject if that is one of them."""
        subject = normalize_subject(reference.subject)
        owners = [face.subject for face in self.same(reference)]
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
