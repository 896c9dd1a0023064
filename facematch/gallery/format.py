"""The gallery file, byte by byte.

A gallery is one HDF5 file (superblock version 3, so HDF5 1.10 and later read it) behind a
user block of 4096 bytes. All numbers are little endian. Each dataset is contiguous,
uncompressed and page-aligned, so that every column can be used where it lies on disk. What
HDF5 writes for itself comes first, then ``DISK_ORDER``: a file whose tail is missing keeps what
is before the cut.
There are no soft or external links, no filters, no virtual datasets and no data outside
the file; a reader refuses a file that has any. Any HDF5 program reads the file; facematch itself
reads it without the HDF5 library, which dies of some forged files, and only in the form that
``headers.py`` names.

Root attributes::

    format           fixed-length string   "facematch gallery"
    version          int32                 2
    model            fixed-length UTF-8    name of the model, as --model takes it
    fingerprint      fixed-length string   SHA-256 of the model, hexadecimal
    embedding_size   int32                 d
    created_at       float64               seconds since the epoch, UTC
    updated_at       float64               the same, of the last commit
    library_version  fixed-length string   of the facematch that wrote the file
    snapshots        int32                 how many older versions writers keep beside it

Datasets, for n references of s subjects, c of them with a crop::

    templates                       float32 (n, d)           unit norm
    references/subject              int32   (n,)             row of the subject
    references/source_path/offsets  int64   (n + 1,)         strings, see below
    references/source_path/utf8     uint8   (bytes,)
    references/source_sha256        uint8   (n, 32)          of the photograph's bytes
    references/box_xyxy             float32 (n, 4)           pixels of the photograph
    references/quality              float64 (n, 8)           QUALITY_COLUMNS, in this order
    references/warnings/offsets     int64   (n + 1,)         phrases joined by line feeds
    references/warnings/utf8        uint8   (bytes,)
    references/enrolled_at          float64 (n,)             seconds since the epoch, UTC
    crops/row                       int64   (c,)             reference row, strictly rising
    crops/rgb                       uint8   (c, 112, 112, 3) aligned crop
    subjects/name/offsets           int64   (s + 1,)         in order of first enrolment
    subjects/name/utf8              uint8   (bytes,)
    subjects/distinct               int32   (p, 2)           rows of subjects that are known to
                                                             be different people, the smaller
                                                             first, pairs strictly rising
    checksums                       uint8   (blocks, 32)     see below

*Strings.* String i of a column is ``utf8[offsets[i]:offsets[i + 1]]``; offsets start at 0,
never fall, and end at the length of the blob. Bytes of a path that are not UTF-8 stand as
they are (``surrogateescape``). HDF5 strings of variable length live in a shared heap that
is slow to open by the million and keeps what was deleted; this form does neither.

*Checksums.* Each dataset but ``checksums`` is cut into blocks of 16384 bytes, the last one
shorter. ``checksums`` holds the SHA-256 of every block, datasets in the order above. Blocks
rather than whole datasets, so that one reference can be checked without reading all, damage
can be told from what is sound, and an append does not hash again what it did not change.

*Seal.* The user block starts with::

    0   8 bytes    "FACEMTCH"
    8   uint32     layout version, the same as the attribute
    12  uint32     0
    16  uint64     size of the file in bytes
    24  32 bytes   SHA-256 of all bytes from 88 on that belong to no dataset with block
                   checksums: rest of the user block, HDF5 structure, attributes,
                   ``checksums``, padding
    56  32 bytes   SHA-256 of bytes 0 to 55

Seal and block checksums together cover every bit of the file. These 88 bytes keep their
form in later layouts, so that an older reader can tell a newer file from a damaged one.

*Versions.* Version 1 had neither the attribute ``snapshots`` nor ``subjects/distinct``. What
an older version lacks is read as 0 or empty, and the next commit writes the present version.
Columns are only ever added, each at the end of the list and with the version it came in.

A commit writes a whole new file with only what is kept and renames it over the old one, so
no byte of a removed template, crop, name or path is left in the file. Free blocks of the
disk, file system snapshots and backups are outside of what a program can promise.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum, auto
from math import prod

import numpy as np

FORMAT_NAME = "facematch gallery"
FORMAT_VERSION = 2
PAGE_BYTES = 4096
BLOCK_BYTES = 16384
DIGEST_BYTES = 32
CROP_SHAPE = (112, 112, 3)
QUALITY_COLUMNS = (
    "face_px",
    "sharpness",
    "brightness",
    "contrast",
    "yaw_deg",
    "pitch_deg",
    "roll_deg",
    "score",
)
CHECKSUMS = "checksums"

# Without these nothing can be said of a reference; they are small, and lie first.
INDEX = (
    CHECKSUMS,
    "references/subject",
    "subjects/name/offsets",
    "subjects/name/utf8",
)
SHA256_HEX = re.compile(r"[0-9a-f]{64}")

# float32 normalisation is good to 1e-7; what is further off was not normalised, or is damaged.
UNIT_NORM_TOLERANCE = 1e-5


class Count(Enum):
    """What the rows of a dataset are counted by."""

    REFERENCES = auto()
    REFERENCES_AND_END = auto()
    SUBJECTS_AND_END = auto()
    CROPS = auto()
    PAIRS = auto()
    BYTES = auto()


@dataclass(frozen=True, slots=True)
class Column:
    """One dataset of the layout.

    Attributes:
        name: path inside the file.
        dtype: numpy's name, with byte order.
        count: what its rows are counted by.
        row_shape: shape of one row; None where a row is a template.
        since: version of the layout that it came in.
    """

    name: str
    dtype: str
    count: Count
    row_shape: tuple[int, ...] | None = ()
    since: int = 1

    def shape(self, rows: int, embedding_size: int) -> tuple[int, ...]:
        return (rows, *((embedding_size,) if self.row_shape is None else self.row_shape))

    def nbytes(self, rows: int, embedding_size: int) -> int:
        return prod(self.shape(rows, embedding_size)) * np.dtype(self.dtype).itemsize


COLUMNS = (
    Column("templates", "<f4", Count.REFERENCES, None),
    Column("references/subject", "<i4", Count.REFERENCES),
    Column("references/source_path/offsets", "<i8", Count.REFERENCES_AND_END),
    Column("references/source_path/utf8", "|u1", Count.BYTES),
    Column("references/source_sha256", "|u1", Count.REFERENCES, (32,)),
    Column("references/box_xyxy", "<f4", Count.REFERENCES, (4,)),
    Column("references/quality", "<f8", Count.REFERENCES, (len(QUALITY_COLUMNS),)),
    Column("references/warnings/offsets", "<i8", Count.REFERENCES_AND_END),
    Column("references/warnings/utf8", "|u1", Count.BYTES),
    Column("references/enrolled_at", "<f8", Count.REFERENCES),
    Column("crops/row", "<i8", Count.CROPS),
    Column("crops/rgb", "|u1", Count.CROPS, CROP_SHAPE),
    Column("subjects/name/offsets", "<i8", Count.SUBJECTS_AND_END),
    Column("subjects/name/utf8", "|u1", Count.BYTES),
    Column("subjects/distinct", "<i4", Count.PAIRS, (2,), since=2),
)

# From the dearest and smallest to what can be made again.
DISK_ORDER = (
    *INDEX,
    *(c.name for c in COLUMNS if c.name not in INDEX and c.name not in ("templates", "crops/rgb")),
    "templates",
    "crops/rgb",
)


def columns_of(version: int) -> tuple[Column, ...]:
    """The columns that a file of this version has, in order."""
    return tuple(column for column in COLUMNS if column.since <= version)


def block_count(nbytes: int) -> int:
    """Number of checksum blocks of a dataset."""
    return -(-nbytes // BLOCK_BYTES)
