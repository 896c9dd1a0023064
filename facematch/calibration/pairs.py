"""Lists of labelled pairs, in four forms.

*CSV*, told by its header: the columns ``a``, ``b`` and ``same`` in any order; ``same`` is 1/0,
true/false or yes/no. Paths are relative to the folder of images, or to the folder of the list.
``subject_a`` and ``subject_b`` say whose pictures they are, ``fold`` which part of the list a
pair belongs to; further columns are kept for rates by group.

*Scores*, told by a header with ``distance`` or ``similarity`` beside ``same``: comparisons that
were made elsewhere. The other columns may be there too; ``a`` and ``b`` then are names. An empty
cell says that the pair could not be compared: it is counted as a failure to acquire.

*LFW*, View 1 or View 2: see :mod:`facematch.calibration.lfw`.

*A folder* of subjects: see :mod:`facematch.calibration.folders`.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np

from facematch.calibration.csv_lists import CsvList, printable, read_csv, wrong
from facematch.calibration.folders import DEFAULT_IMPOSTORS, WholeFolder, read_folder
from facematch.calibration.labels import subjects_of_genuine_pairs
from facematch.calibration.lfw import is_lfw, read_lfw
from facematch.calibration.screening import screened
from facematch.calibration.sources import (
    AllPairs,
    LabelledComparisons,
    PhotographPairs,
    Remarks,
    ScoreKind,
)
from facematch.errors import InputError, OneClassError, PairsFormatError
from facematch.imaging.reading import open_patiently
from facematch.types import BoolArray

MAX_BYTES = 1 << 28


def load_pairs(
    path: Path,
    images_dir: Path | None = None,
    *,
    impostors: int | None = DEFAULT_IMPOSTORS,
    seed: int = 0,
    self_pairs_allowed: bool = False,
) -> PhotographPairs | LabelledComparisons | AllPairs:
    """Reads a list of pairs in any of the forms.

    Whether the pictures exist is not checked here.

    Args:
        path: the list, or the folder of subjects.
        images_dir: what the paths or LFW names in it are relative to; by default its folder.
        impostors: of a folder, how many impostor pairs to draw; None for all.
        seed: of that draw.
        self_pairs_allowed: whether a picture may be compared with itself.

    Returns:
        Comparisons for a list of scores, pairs of photographs for the others; of a folder
        with more pairs than are held in memory, of which all are asked for, the photographs.

    Raises:
        InputError: the file cannot be read.
        PairsFormatError: it follows none of the forms; the message names the line.
        OneClassError: all pairs are genuine, or all are impostor pairs.
    """
    if path.is_dir():
        return _of_folder(path, impostors, seed, self_pairs_allowed)
    content = _read(path)
    text = _decoded(path, content)
    sha256 = hashlib.sha256(content).hexdigest()
    folder = path.parent if images_dir is None else images_dir
    if not is_lfw(text):
        return _of_csv(path, sha256, read_csv(path, text), folder, self_pairs_allowed)
    lfw = read_lfw(path, text, folder)
    _require_both_classes(path, lfw.labels.same)
    remarks = screened(path, lfw.a, lfw.b, lfw.lines, lfw.labels, self_pairs_allowed)
    return PhotographPairs(
        printable(path.name),
        path,
        sha256,
        lfw.photographs,
        lfw.a,
        lfw.b,
        lfw.lines,
        lfw.labels,
        remarks,
        self_pairs_allowed,
    )


def _of_csv(
    path: Path, sha256: str, listed: CsvList, folder: Path, self_pairs_allowed: bool
) -> PhotographPairs | LabelledComparisons:
    labels, remarks = listed.labels, Remarks()
    _require_both_classes(path, labels.same)
    # Two texts can name one path: x.jpg and ./x.jpg.
    rows: dict[Path, int] = {}
    row = np.array([rows.setdefault(folder / p, len(rows)) for p in listed.pictures], np.int64)
    a, b = row[listed.a], row[listed.b]
    if len(rows) > 0:
        if labels.subjects is None:
            subjects = subjects_of_genuine_pairs(len(rows), a, b, labels.same)
            labels = replace(labels, subjects=subjects)
        remarks = screened(path, a, b, listed.lines, labels, self_pairs_allowed)
    name = printable(path.name)
    if listed.kind is not ScoreKind.PHOTOGRAPHS:
        return LabelledComparisons(
            name, sha256, listed.kind, listed.distances, labels, remarks=remarks
        )
    return PhotographPairs(
        name, path, sha256, tuple(rows), a, b, listed.lines, labels, remarks, self_pairs_allowed
    )


def _of_folder(
    path: Path, impostors: int | None, seed: int, self_pairs_allowed: bool
) -> PhotographPairs | AllPairs:
    found = read_folder(path, impostors, seed)
    # The name of "." and ".." is in their absolute form.
    name = printable(path.resolve().name) or "folder"
    if isinstance(found, WholeFolder):
        return AllPairs(
            *(name, path, found.sha256, found.photographs, found.subject), self_pairs_allowed
        )
    return PhotographPairs(
        name,
        path,
        found.sha256,
        found.photographs,
        found.a,
        found.b,
        np.zeros(len(found.a), np.int64),
        found.labels,
        Remarks(),
        self_pairs_allowed,
    )


def _require_both_classes(path: Path, same: BoolArray) -> None:
    if len(same) == 0:
        raise PairsFormatError(f"{path}: the list holds no pairs; add some below its first line")
    for lacking, kind in ((~same, "one person (same=1)"), (same, "different people (same=0)")):
        if bool(lacking.all()):
            raise OneClassError(
                f"{path}: the list holds no pairs of {kind}; no threshold can be chosen, add some"
            )


def _read(path: Path) -> bytes:
    try:
        with open_patiently(path) as stream:
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
        raise wrong(path, line, "this is not UTF-8 text; save the list as UTF-8") from exc
    nul = text.find("\0")
    if nul >= 0:
        raise wrong(path, text.count("\n", 0, nul) + 1, "a NUL character; this is not a text file")
    return text
