"""Lists of pairs in the two forms of Labeled Faces in the Wild.

*View 1* (``pairsDevTrain.txt``): a line with a number n; n genuine pairs ``name i j``;
n impostor pairs ``name1 i name2 j``; separated by tabs.

*View 2* (``pairs.txt``): a line ``folds n``; then for each fold as above.

``name i`` stands for ``name/name_000i.jpg``; if that file is missing, the same with .jpeg,
.png or .webp.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from facematch.calibration.csv_lists import wrong
from facematch.calibration.labels import PairLabels, SubjectPairs
from facematch.types import Int64Array

_FIRST_LINE = re.compile(r"(?:([0-9]{1,9})\s+)?([0-9]{1,9})\s*", re.ASCII)
_IMAGE = re.compile(r"[0-9]{1,9}", re.ASCII)
_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp")


@dataclass(frozen=True, slots=True, eq=False)
class LfwList:
    """What an LFW list holds.

    Attributes:
        photographs: each once.
        a: int64 (n,), first photograph of each pair.
        b: int64 (n,), second photograph.
        lines: int64 (n,), from 1.
        labels: with the people, and for View 2 with the folds.
    """

    photographs: tuple[Path, ...]
    a: Int64Array
    b: Int64Array
    lines: Int64Array
    labels: PairLabels


def is_lfw(text: str) -> bool:
    """Whether the first line is that of an LFW list."""
    return _FIRST_LINE.fullmatch(text.partition("\n")[0]) is not None


def read_lfw(path: Path, text: str, folder: Path) -> LfwList:
    """Reads a list of either view.

    Args:
        path: for messages.
        text: its content, for which :func:`is_lfw` is true.
        folder: of the people's folders.

    Raises:
        PairsFormatError: it does not follow the form; the message names the line.
    """
    first_line = _FIRST_LINE.fullmatch(text.partition("\n")[0])
    if first_line is None:
        raise wrong(path, 1, "expected one or two numbers")
    folds, per_class = int(first_line[1] or 1), int(first_line[2])
    # Not splitlines(), which also splits at characters that a name may hold.
    lines = [
        (number, line.removesuffix("\r"))
        for number, line in enumerate(text.split("\n"), start=1)
        if number > 1 and line.strip() != ""
    ]
    expected = 2 * per_class * folds
    if len(lines) != expected:
        raise wrong(
            path,
            1,
            f"it announces {expected} pairs ({folds} x {per_class} genuine and as many "
            f"impostor), but {len(lines)} lines follow",
        )
    images = _Images(folder)
    people: dict[str, int] = {}
    pairs = np.empty((len(lines), 4), np.int64)
    for index, (number, line) in enumerate(lines):
        same = index // per_class % 2 == 0
        name1, image1, name2, image2 = _fields(path, number, line, same)
        pairs[index] = (
            images.row(name1, image1),
            images.row(name2, image2),
            people.setdefault(name1, len(people)),
            people.setdefault(name2, len(people)),
        )
    position = np.arange(len(lines))
    labels = PairLabels(
        position // max(per_class, 1) % 2 == 0,
        SubjectPairs(len(people), pairs[:, 2], pairs[:, 3], inferred=False),
        position // max(2 * per_class, 1) if first_line[1] is not None else None,
    )
    numbers = np.array([number for number, _ in lines], np.int64)
    return LfwList(images.paths(), pairs[:, 0], pairs[:, 1], numbers, labels)


def _fields(path: Path, number: int, line: str, same: bool) -> tuple[str, int, str, int]:
    parts = line.split("\t")
    wanted, shape = (3, "name, i, j") if same else (4, "name1, i, name2, j")
    if len(parts) != wanted:
        kind = "a genuine" if same else "an impostor"
        raise wrong(
            path,
            number,
            f"expected {kind} pair of {wanted} fields separated by tabs ({shape}), "
            f"got {len(parts)}",
        )
    name1, image1 = parts[0], parts[1]
    name2, image2 = (name1, parts[2]) if same else (parts[2], parts[3])
    for name in (name1, name2):
        if not _is_folder_name(name):
            raise wrong(path, number, f"{name[:40]!r} is not the name of a person")
    for image in (image1, image2):
        if _IMAGE.fullmatch(image.strip()) is None:
            raise wrong(path, number, f"{image[:40]!r} is not the number of a picture")
    if not same and name1 == name2:
        raise wrong(path, number, f"{name1[:40]!r} on both sides of an impostor pair")
    return name1, int(image1), name2, int(image2)


class _Images:
    """Files of an LFW folder; each is looked up once, though many pairs share a picture."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._rows: dict[tuple[str, int], int] = {}

    def row(self, name: str, image: int) -> int:
        return self._rows.setdefault((name, image), len(self._rows))

    def paths(self) -> tuple[Path, ...]:
        return tuple(self._path(name, image) for name, image in self._rows)

    def _path(self, name: str, image: int) -> Path:
        stem = self._folder / name / f"{name}_{image:04d}"
        choices = [stem.with_name(stem.name + suffix) for suffix in _SUFFIXES]
        return next((p for p in choices if _exists(p)), choices[0])


def _is_folder_name(name: str) -> bool:
    """Whether it names a folder inside the images' own, and not a path out of it."""
    return name.strip() not in ("", ".", "..") and not any(c in name for c in "/\\")


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # a name too long, a folder without permission: reported when it is read
        return False
