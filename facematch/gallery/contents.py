"""What the next version of a gallery file holds: columns of the old one without the removed
rows, followed by the new rows, as streams of bounded memory."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from facematch.gallery.format import (
    BLOCK_BYTES,
    CHECKSUMS,
    COLUMNS,
    CROP_SHAPE,
    DIGEST_BYTES,
    FORMAT_VERSION,
)
from facematch.gallery.quality import joined_warnings, quality_rows
from facematch.gallery.reader import Gallery
from facematch.gallery.seal import (
    SEAL_BYTES,
    BlockHasher,
    Seal,
    as_bytes,
    structure_digest,
)
from facematch.gallery.stored import TEXT_ERRORS, Stored
from facematch.gallery.structure import Structure
from facematch.types import BoolArray, Float32Array, Int64Array, Reference, UInt8Array

_CHUNK_BYTES = 1 << 22
_NOTHING_KNOWN = np.empty((0, DIGEST_BYTES), np.uint8)


@dataclass(frozen=True, slots=True, eq=False)
class Content:
    """One column of a new file.

    Attributes:
        rows: how many.
        chunks: the data in order, each chunk some rows.
        carried: uint8 (k, 32), digests of the first k blocks, which are those of the old
            file and in it. Carrying them over saves hashing what an append does not
            change, and a block damaged on disk stays one that its checksum gives away.
    """

    rows: int
    chunks: Iterable[npt.NDArray[Any]]
    carried: UInt8Array


def row_counts(contents: Mapping[str, Content]) -> dict[str, int]:
    """Number of rows per column name."""
    return {name: content.rows for name, content in contents.items()}


def write_contents(file: BinaryIO, structure: Structure, contents: Mapping[str, Content]) -> None:
    """Write the data, the checksums and the seal of a gallery.

    Args:
        file: with the structure in it, on disk or in memory.
        structure: the same.
        contents: every column of the layout.

    Raises:
        OSError: the file cannot be written.
        GalleryCorruptError: old rows do not have their checksums.
    """
    digests = []
    for column in COLUMNS:
        content, extent = contents[column.name], structure.extents[column.name]
        hasher = BlockHasher(content.carried)
        file.seek(extent.offset)
        written = 0
        for chunk in content.chunks:
            data = as_bytes(np.ascontiguousarray(chunk, column.dtype))
            file.write(data.data)
            hasher.update(data)
            written += len(data)
        if written != extent.nbytes:
            raise ValueError(f"{column.name}: {written} bytes for {extent.nbytes}")
        digests.append(hasher.digests())
    file.seek(structure.extents[CHECKSUMS].offset)
    file.write(b"".join(digests))
    size = file.seek(0, 2)
    data_extents = [structure.extents[column.name] for column in COLUMNS]
    digest = structure_digest(file, data_extents, size)
    if digest is None:
        raise ValueError("datasets overlap")
    file.seek(0)
    file.write(Seal(FORMAT_VERSION, size, digest).pack().ljust(SEAL_BYTES, b"\0"))


def fresh(rows: npt.NDArray[Any]) -> Content:
    """A column from memory."""
    return Content(len(rows), [rows], _NOTHING_KNOWN)


def merged(old: Stored | None, keep: BoolArray, new: npt.NDArray[Any]) -> Content:
    """Kept rows of an old column, then new rows.

    Args:
        old: the column in the open gallery; None if there is no gallery yet.
        keep: bool (rows of old,).
        new: rows to append.
    """
    if old is None:
        return fresh(new)
    unchanged = len(keep) if keep.all() else int(np.argmin(keep))
    carried = old.digests[: unchanged * old.row_bytes // BLOCK_BYTES]
    chunks = chain(_kept(old, keep, len(carried) * BLOCK_BYTES), [new])
    return Content(int(keep.sum()) + len(new), chunks, carried)


def merged_text(
    name: str, old: Gallery | None, keep: BoolArray, new: Sequence[str]
) -> dict[str, Content]:
    """The two columns of a column of strings."""
    encoded = [text.encode("utf-8", TEXT_ERRORS) for text in new]
    lengths = np.array([len(e) for e in encoded], np.int64)
    blob = np.frombuffer(b"".join(encoded), np.uint8)
    if old is None:
        utf8 = fresh(blob)
    else:
        offsets = old.text(name).checked_offsets()
        old_lengths = np.diff(offsets)
        lengths = np.concatenate([old_lengths[keep], lengths])
        utf8 = merged(old.column(f"{name}/utf8"), np.repeat(keep, old_lengths), blob)
    ends = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)])
    return {f"{name}/offsets": fresh(ends), f"{name}/utf8": utf8}


def merged_crops(
    old: Gallery | None, keep: BoolArray, references: Sequence[Reference]
) -> dict[str, Content]:
    """The two columns of crops. Rows move up where references before them are removed."""
    new_rows = np.array(
        [i for i, r in enumerate(references) if r.crop_rgb is not None], np.int64
    ) + int(keep.sum())
    crops = [r.crop_rgb for r in references if r.crop_rgb is not None]
    rgb = np.stack(crops) if crops else np.empty((0, *CROP_SHAPE), np.uint8)
    if old is None:
        return {"crops/row": fresh(new_rows), "crops/rgb": fresh(rgb)}
    old_rows: Int64Array = old.column("crops/row").checked
    keep_crop: BoolArray = keep[old_rows]
    moved = (np.cumsum(keep) - 1)[old_rows[keep_crop]]
    return {
        "crops/row": fresh(np.concatenate([moved, new_rows])),
        "crops/rgb": merged(old.column("crops/rgb"), keep_crop, rgb),
    }


def reference_contents(
    old: Gallery | None,
    keep: BoolArray,
    references: Sequence[Reference],
    templates: Float32Array,
) -> dict[str, Content]:
    """All columns of references, without their subjects: kept rows, then new ones.

    Args:
        old: the open gallery; None if there is none yet.
        keep: bool (rows of old,).
        references: m new ones.
        templates: float32 (m, d), theirs.
    """
    digests = [bytes.fromhex(r.source_sha256) for r in references]
    new: dict[str, npt.NDArray[Any]] = {
        "templates": templates,
        "references/source_sha256": np.frombuffer(b"".join(digests), np.uint8).reshape(-1, 32),
        "references/box_xyxy": np.array([r.box_xyxy for r in references], "<f4").reshape(-1, 4),
        "references/quality": quality_rows(references),
        "references/enrolled_at": np.array([r.enrolled_at for r in references], "<f8"),
    }
    paths = [r.source_path for r in references]
    return {
        **{
            name: merged(None if old is None else old.column(name), keep, rows)
            for name, rows in new.items()
        },
        **merged_text("references/source_path", old, keep, paths),
        **merged_text("references/warnings", old, keep, joined_warnings(references)),
        **merged_crops(old, keep, references),
    }


def subject_contents(
    names: Sequence[str],
    used: Collection[int],
    subjects: Int64Array,
    distinct: Collection[tuple[int, int]],
) -> dict[str, Content]:
    """Subjects that are left, numbered anew without gaps, and what points to them.

    Args:
        names: of all subjects that ever were, by row.
        used: rows of those that are left.
        subjects: int64 (n,), row of each reference's subject.
        distinct: pairs of rows of different people.
    """
    is_used = np.zeros(len(names), bool)
    is_used[list(used)] = True
    number = np.cumsum(is_used) - 1
    left = [names[row] for row in np.flatnonzero(is_used).tolist()]
    pairs = np.array(sorted(distinct), np.int64).reshape(-1, 2)
    return {
        "references/subject": fresh(number[subjects].astype("<i4")),
        **merged_text("subjects/name", None, np.ones(0, bool), left),
        "subjects/distinct": fresh(number[pairs].astype("<i4")),
    }


def _kept(old: Stored, keep: BoolArray, carried_bytes: int) -> Iterator[npt.NDArray[Any]]:
    step = max(1, _CHUNK_BYTES // old.row_bytes)
    # What keeps its old digests need not be checked; anything else would get new ones, and
    # with them damage would pass for sound.
    unchecked = carried_bytes // old.row_bytes
    for start in range(0, unchecked, step):
        yield old.array[start : min(start + step, unchecked)]
    for start in range(unchecked, len(old), step):
        block = old.rows(start, min(start + step, len(old)))
        kept = keep[start : start + step]
        yield block if kept.all() else block[kept]
