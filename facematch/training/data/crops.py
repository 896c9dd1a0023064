"""What a training run reads: crops, whose they are, where they came from."""

from __future__ import annotations

from dataclasses import dataclass

from facematch.types import Int64Array, UInt8Array

ALIGNED_SIZE = 112
BORDER_PX = 8
CROP_SIZE = ALIGNED_SIZE + 2 * BORDER_PX
NO_IDENTITY = -1


@dataclass(frozen=True, slots=True)
class UnreadablePicture:
    """A picture that gave no crop, and why."""

    name: str
    reason: str


@dataclass(frozen=True, slots=True, eq=False)
class CropSet:
    """Aligned crops with identity labels.

    Attributes:
        images: uint8 (n, 128, 128, 3), RGB; the central 112x112 is the aligned face.
        labels: int64 (n,), rows of ``identity_names``; ``NO_IDENTITY`` where none is known.
        sources: int64 (n,), rows of ``source_names``.
        names: the file or archive member of each crop, for reports.
        identity_names: ``source:identity`` of each label.
        source_names: the archives and folders, or what a list's ``source`` column says.
        unreadable: the pictures left out of the arrays.
    """

    images: UInt8Array
    labels: Int64Array
    sources: Int64Array
    names: tuple[str, ...]
    identity_names: tuple[str, ...]
    source_names: tuple[str, ...]
    unreadable: tuple[UnreadablePicture, ...]

    def __len__(self) -> int:
        return len(self.labels)
