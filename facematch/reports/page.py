"""What a report holds, before it becomes HTML. All texts are plain: the page escapes them."""

from __future__ import annotations

from dataclasses import dataclass

from facematch.reports.drawing import Plot


@dataclass(frozen=True, slots=True)
class Paragraph:
    """Running text."""

    text: str


@dataclass(frozen=True, slots=True)
class Notice:
    """A sentence that must not be overlooked."""

    text: str


@dataclass(frozen=True, slots=True)
class Code:
    """Text for a machine, such as a command; it wraps and can be copied."""

    text: str


@dataclass(frozen=True, slots=True)
class Texts:
    """A list of short texts."""

    items: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Fact:
    """A name and what is known under it."""

    name: str
    value: str


@dataclass(frozen=True, slots=True)
class Facts:
    """Facts, one a line.

    Attributes:
        items: in order.
        large: whether they are the few figures that the reader came for.
    """

    items: tuple[Fact, ...]
    large: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of cells.

    Attributes:
        columns: headings, the first of the row names.
        rows: as many cells each.
        caption: what the numbers are.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    caption: str = ""

    def __post_init__(self) -> None:
        for row in self.rows:
            if len(row) != len(self.columns):
                raise ValueError(f"expected {len(self.columns)} cells, got {row}")


@dataclass(frozen=True, slots=True)
class Figures:
    """Plots, side by side where the page is wide enough."""

    plots: tuple[Plot, ...]


@dataclass(frozen=True, slots=True)
class Photo:
    """A small picture.

    Attributes:
        jpeg: the file; None where there is no picture to show.
        label: what it shows.
    """

    jpeg: bytes | None
    label: str


@dataclass(frozen=True, slots=True)
class PhotoPair:
    """Two pictures and what was made of them."""

    left: Photo
    right: Photo
    caption: str


@dataclass(frozen=True, slots=True)
class PhotoPairs:
    """Pairs of pictures under one heading."""

    title: str
    items: tuple[PhotoPair, ...]


Block = Paragraph | Notice | Code | Texts | Facts | Table | Figures | PhotoPairs


@dataclass(frozen=True, slots=True)
class Section:
    """A heading and what stands under it."""

    title: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True, slots=True)
class Page:
    """A report.

    Attributes:
        title: heading.
        question: what was asked.
        answer: in a sentence or two.
        sections: the rest.
    """

    title: str
    question: str
    answer: str
    sections: tuple[Section, ...]

    @property
    def plots(self) -> tuple[Plot, ...]:
        """All plots, in order."""
        return tuple(
            plot
            for section in self.sections
            for block in section.blocks
            if isinstance(block, Figures)
            for plot in block.plots
        )
