"""The datasets of exported templates in HDF5; ``hdf5.py`` specifies them."""

from __future__ import annotations

from dataclasses import dataclass

from facematch.gallery.format import CROP_SHAPE, QUALITY_COLUMNS

TEXT = "S"


@dataclass(frozen=True, slots=True)
class ExchangeColumn:
    """One dataset.

    Attributes:
        name: of it.
        dtype: numpy's name, with byte order; ``TEXT`` for strings of any fixed length.
        row_shape: shape of one row; None where a row is a template.
        since: version of the form that it came in.
    """

    name: str
    dtype: str
    row_shape: tuple[int, ...] | None = ()
    since: int = 1

    def shape(self, rows: int, embedding_size: int) -> tuple[int, ...]:
        return (rows, *((embedding_size,) if self.row_shape is None else self.row_shape))


EXCHANGE_COLUMNS = (
    ExchangeColumn("templates", "<f4", None),
    ExchangeColumn("subject", TEXT),
    ExchangeColumn("source_path", TEXT),
    ExchangeColumn("source_sha256", TEXT),
    ExchangeColumn("box_xyxy", "<f4", (4,)),
    ExchangeColumn("quality", "<f8", (len(QUALITY_COLUMNS),)),
    ExchangeColumn("warnings", TEXT),
    ExchangeColumn("enrolled_at", "<f8"),
    ExchangeColumn("crop_row", "<i8"),
    ExchangeColumn("crop_rgb", "|u1", CROP_SHAPE),
    ExchangeColumn("distinct", TEXT, (2,), since=2),
)


@dataclass(frozen=True, slots=True)
class Place:
    """Where the bytes of a dataset lie.

    Attributes:
        rows: how many.
        itemsize: bytes of one element.
        offset: of the first byte in the file.
    """

    rows: int
    itemsize: int
    offset: int


@dataclass(frozen=True, slots=True)
class Contents:
    """What the structure of a file of exported templates says.

    Attributes:
        version: of the form.
        model: name of the model that made the templates.
        fingerprint: of the same.
        embedding_size: numbers of a template.
        places: of each dataset of that version, by name.
    """

    version: int
    model: str
    fingerprint: str
    embedding_size: int
    places: dict[str, Place]
