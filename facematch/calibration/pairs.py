"""Lists of labelled pairs.

Three forms, told apart by the first line:

*CSV*: a header with the columns ``a``, ``b`` and ``same`` in any order, others beside them;
``same`` is 1/0, true/false or yes/no. Paths are relative to the folder of images, or to the
folder of the list.

*LFW View 1* (``pairsDevTrain.txt``): a line with a number n; n genuine pairs ``name i j``;
n impostor pairs ``name1 i name2 j``; separated by tabs.

*LFW View 2* (``pairs.txt``): a line ``folds n``; then for each fold as above.

In LFW lists, ``name i`` stands for ``name/name_000i.jpg``; if that file is missing, the same
with .jpeg, .png or .webp.
"""

from __future__ import annotations

import csv
import hashlib
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from facematch.errors import InputError, OneClassError, PairsFormatError

MAX_BYTES = 1 << 28

_LFW_FIRST_LINE = re.compile(r"(?:([0-9]{1,9})\s+)?([0-9]{1,9})\s*", re.ASCII)
_LFW_IMAGE = re.compile(r"[0-9]{1,9}", re.ASCII)
_LFW_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp")
_COLUMNS = ("a", "b", "same")
_SAME = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}


@dataclass(frozen=True, slots=True)
class Pair:
    """Two pictures and whether they show one subject; ``line`` counts from 1."""

    a: Path
    b: Path
    same: bool
    line: int


@dataclass(frozen=True, slots=True)
class PairList:
    """Labelled pairs in the order of their file; both classes are present.

    Attributes:
        name: the file's name, without what cannot be printed.
        sha256: hexadecimal digest of the file's bytes.
        pairs: at least one genuine and one impostor pair.
    """

    name: str
    sha256: str
    pairs: tuple[Pair, ...]


def load_pairs(path: Path, images_dir: Path | None = None) -> PairList:
    """Reads a list of pairs in any of the three forms.

    Whether the pictures exist is not checked here.

    Args:
        path: the list.
        images_dir: what the paths or LFW names in it are relative to; by default its folder.

    Raises:
        InputError: the file cannot be read.
        PairsFormatError: it follows none of the forms; the message names the line.
        OneClassError: all pairs are genuine, or all are impostor pairs.
    """
    content = _read(path)
    text = _decoded(path, content)
    folder = path.parent if images_dir is None else images_dir
    first_line = text.partition("\n")[0]
    lfw = _LFW_FIRST_LINE.fullmatch(first_line)
    if lfw is None:
        pairs = tuple(_csv_pairs(path, text, folder))
    else:
        folds, pairs_per_class = int(lfw[1] or 1), int(lfw[2])
        pairs = tuple(_lfw_pairs(path, text, folder, folds, pairs_per_class))
    if len(pairs) == 0:
        raise PairsFormatError(f"{path}: the list holds no pairs; add some below its first line")
    for same, kind in ((True, "one person (same=1)"), (False, "different people (same=0)")):
        if all(pair.same is not same for pair in pairs):
            raise OneClassError(
                f"{path}: the list holds no pairs of {kind}; no threshold can be chosen, add some"
            )
    return PairList(_printable(path.name), hashlib.sha256(content).hexdigest(), pairs)


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as stream:
            content = stream.read(MAX_BYTES + 1)
    except OSError as exc:
        raise InputError(
            f"{path}: the list of pairs cannot be read ({exc.strerror or exc})"
        ) from exc
    if len(content) > MAX_BYTES:
        raise PairsFormatError(
            f"{path}: larger than {MAX_BYTES >> 20} MiB, so hardly a list of pairs; split it"
        )
    return content


def _decoded(path: Path, content: bytes) -> str:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        line = content.count(b"\n", 0, exc.start) + 1
        raise _wrong(path, line, "this is not UTF-8 text; save the list as UTF-8") from exc
    nul = text.find("\0")
    if nul >= 0:
        raise _wrong(path, text.count("\n", 0, nul) + 1, "a NUL character; this is not a text file")
    return text


def _csv_pairs(path: Path, text: str, folder: Path) -> Iterator[Pair]:
    # strict: otherwise a quote that is never closed swallows the rest of the file silently.
    reader = csv.reader(io.StringIO(text, newline=""), strict=True, skipinitialspace=True)
    try:
        header = [name.strip().lower() for name in next(reader, [])]
        a, b, same = (_column(path, header, name) for name in _COLUMNS)
        for row in reader:
            line = reader.line_num
            if len(row) == 0:
                continue
            if len(row) != len(header):
                raise _wrong(path, line, f"expected {len(header)} fields, got {len(row)}")
            label = _SAME.get(row[same].strip().lower())
            if label is None:
                raise _wrong(
                    path,
                    line,
                    f"'same' must be 1/0, true/false or yes/no, got {row[same][:40]!r}",
                )
            for name, column in (("a", a), ("b", b)):
                if row[column].strip() == "":
                    raise _wrong(path, line, f"the path in column '{name}' is empty")
            yield Pair(folder / row[a], folder / row[b], label, line)
    except csv.Error as exc:
        raise _wrong(path, reader.line_num, f"this is not valid CSV ({exc})") from exc


def _column(path: Path, header: list[str], name: str) -> int:
    if header.count(name) != 1:
        problem = "is missing" if name not in header else "is there more than once"
        found = ", ".join(header)[:80] or "nothing"
        raise _wrong(
            path,
            1,
            f"the column '{name}' {problem} (found: {_printable(found)}); "
            "expected a CSV header with a,b,same, or an LFW pairs file",
        )
    return header.index(name)


def _lfw_pairs(
    path: Path, text: str, folder: Path, folds: int, pairs_per_class: int
) -> Iterator[Pair]:
    # Not splitlines(), which also splits at characters that a name may hold.
    lines = [
        (number, line.removesuffix("\r"))
        for number, line in enumerate(text.split("\n"), start=1)
        if number > 1 and line.strip() != ""
    ]
    expected = 2 * pairs_per_class * folds
    if len(lines) != expected:
        raise _wrong(
            path,
            1,
            f"it announces {expected} pairs ({folds} x {pairs_per_class} genuine and as many "
            f"impostor), but {len(lines)} lines follow",
        )
    images = _LfwImages(folder)
    for index, (number, line) in enumerate(lines):
        parts = line.split("\t")
        same = index // pairs_per_class % 2 == 0
        wanted, shape = (3, "name, i, j") if same else (4, "name1, i, name2, j")
        if len(parts) != wanted:
            kind = "a genuine" if same else "an impostor"
            raise _wrong(
                path,
                number,
                f"expected {kind} pair of {wanted} fields separated by tabs ({shape}), "
                f"got {len(parts)}",
            )
        name1, image1 = parts[0], parts[1]
        name2, image2 = (name1, parts[2]) if same else (parts[2], parts[3])
        for name in (name1, name2):
            if not _is_folder_name(name):
                raise _wrong(path, number, f"{name[:40]!r} is not the name of a person")
        for image in (image1, image2):
            if _LFW_IMAGE.fullmatch(image.strip()) is None:
                raise _wrong(path, number, f"{image[:40]!r} is not the number of a picture")
        yield Pair(images.path(name1, image1), images.path(name2, image2), same, number)


class _LfwImages:
    """Files of an LFW folder; each is looked up once, though many pairs share a picture."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._found: dict[tuple[str, int], Path] = {}

    def path(self, name: str, image: str) -> Path:
        key = (name, int(image))
        if key not in self._found:
            stem = self._folder / name / f"{name}_{key[1]:04d}"
            choices = [stem.with_name(stem.name + suffix) for suffix in _LFW_SUFFIXES]
            self._found[key] = next((p for p in choices if _exists(p)), choices[0])
        return self._found[key]


def _is_folder_name(name: str) -> bool:
    """Whether it names a folder inside the images' own, and not a path out of it."""
    return name.strip() not in ("", ".", "..") and not any(c in name for c in "/\\")


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # a name too long, a folder without permission: reported when it is read
        return False


def _wrong(path: Path, line: int, problem: str) -> PairsFormatError:
    return PairsFormatError(f"{path}, line {line}: {problem}")


def _printable(text: str) -> str:
    """Without control characters and bytes of no encoding, which file names may hold."""
    return "".join(c if c.isprintable() else "?" for c in text)
