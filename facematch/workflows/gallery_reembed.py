"""Make the templates of a gallery again, with another model."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from facematch.errors import InputError, UsageError
from facematch.gallery import Gallery
from facematch.gallery.duplicates import same_place
from facematch.gallery.keys import Keys
from facematch.gallery.locking import WriterLock
from facematch.gallery.reembedding import write_reembedded
from facematch.gallery.state import GalleryState, state_of
from facematch.pipeline import Analyzer, in_order
from facematch.types import ARCFACE_112, Reference, UInt8Array

_CROPS_AT_ONCE = 32


@dataclass(frozen=True, slots=True)
class Missing:
    """A reference of which no picture could be found, and why."""

    row: int
    subject: str
    path: str
    reason: str


@dataclass(frozen=True, slots=True)
class ReembedResult:
    """What a re-embedding did.

    Attributes:
        state: of the gallery now.
        written: whether it was changed; not if pictures are missing and may not be dropped.
        from_crops: references made again from kept crops.
        from_sources: and from their photographs.
        missing: those that have no picture any more.
    """

    state: GalleryState
    written: bool
    from_crops: int
    from_sources: int
    missing: tuple[Missing, ...]


def reembed(
    path: Path,
    analyzer: Analyzer,
    *,
    drop_missing: bool = False,
    wait_s: float = 0,
    keys: Keys | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> ReembedResult:
    """Makes every template again, from the kept crop or else from the photograph.

    A photograph counts if its bytes are those that were enrolled, and the face in it if it is
    in the same place. The gallery changes at once, at the end, or not at all: it never holds
    templates of two models.

    Args:
        path: the gallery.
        analyzer: of the other model, choosing all faces of a photograph.
        drop_missing: go on without references of which there is no picture any more.
        wait_s: how long to wait for another writer.
        keys: to open it if it is encrypted.
        progress: called with references done and in all.

    Raises:
        GalleryError: the gallery cannot be used.
        UsageError: it is of that model already.
        OutputError: it cannot be written.
    """
    path = Path(os.path.realpath(path))
    lock = WriterLock(path, wait_s)
    try:
        with Gallery.open(path, keys=keys) as gallery:
            if gallery.identity.fingerprint == analyzer.identity.fingerprint:
                raise UsageError(f"{path} is of model {gallery.identity.name} already")
            crops: list[tuple[int, UInt8Array]] = []
            missing: list[Missing] = []
            from_crops = 0
            with closing(_pictures(gallery, analyzer)) as pictures:
                for row, (reference, found) in enumerate(pictures):
                    if isinstance(found, str):
                        subject, source = reference.subject, reference.source_path
                        missing.append(Missing(row, subject, source, found))
                    else:
                        crops.append((row, found))
                        from_crops += _crop_fits(reference, analyzer)
                    progress(row + 1, len(gallery))
            written = not missing or drop_missing
            if written:
                size = analyzer.identity.embedding_size
                parts = [analyzer.embed_crops(np.stack(batch)) for batch in _batches(crops)]
                templates = np.concatenate([np.zeros((0, size), np.float32), *parts])
                rows = [row for row, _ in crops]
                write_reembedded(path, gallery, analyzer.identity, rows, templates)
        with Gallery.open(path, keys=keys) as gallery:
            return ReembedResult(
                state_of(gallery), written, from_crops, len(crops) - from_crops, tuple(missing)
            )
    finally:
        lock.release()


def _batches(crops: list[tuple[int, UInt8Array]]) -> Iterator[list[UInt8Array]]:
    for start in range(0, len(crops), _CROPS_AT_ONCE):
        yield [crop for _, crop in crops[start : start + _CROPS_AT_ONCE]]


def _crop_fits(reference: Reference, analyzer: Analyzer) -> bool:
    return reference.crop_rgb is not None and analyzer.alignment == ARCFACE_112


def _pictures(
    gallery: Gallery, analyzer: Analyzer
) -> Generator[tuple[Reference, UInt8Array | str], None, None]:
    """Each reference with its picture, or why there is none."""
    at_once = analyzer.side_by_side
    return in_order(
        lambda reference: (reference, _picture(reference, analyzer)),
        map(gallery.reference, range(len(gallery))),
        at_once=at_once,
        ahead=2 * at_once,
    )


def _picture(reference: Reference, analyzer: Analyzer) -> UInt8Array | str:
    """The crop for the model, or why there is none."""
    if reference.crop_rgb is not None and _crop_fits(reference, analyzer):
        return reference.crop_rgb
    source = Path(reference.source_path)
    try:
        if not source.is_file():  # a path in a gallery from elsewhere may name a pipe
            return "no crop was kept, and the photograph is not there"
        with source.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        return f"no crop was kept, and the photograph cannot be read ({error.strerror})"
    if digest != reference.source_sha256:
        return "no crop was kept, and the photograph is another one now"
    try:
        photograph = analyzer.analyze(source)
    except InputError as error:
        return str(error)
    for face in photograph.faces:
        if same_place(face.face.box_xyxy, reference.box_xyxy):
            return face.crop_rgb
    return "no crop was kept, and there is no face in that place any more"
