"""A folder with one sub-folder per subject as a list of pairs.

All pairs within a sub-folder are genuine. Of the impostor pairs, which are many more, a
sample is drawn without replacement, each pair as likely as any other; or all are taken. All
pairs of many photographs are not listed: they are counted where they are measured.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from facematch.calibration.labels import PairLabels, SubjectPairs
from facematch.errors import InputError, OneClassError, UsageError
from facematch.imaging.paths import find_photographs
from facematch.metrics import all_pairs, numbers_of_pairs
from facematch.types import Int64Array

DEFAULT_IMPOSTORS = 100_000
MOST_PAIRS = 20_000_000


@dataclass(frozen=True, slots=True, eq=False)
class SubjectFolder:
    """The pairs of a folder.

    Attributes:
        sha256: over the photographs' names and the pairs.
        photographs: each once, in the order of their paths.
        a: int64 (n,), first photograph of each pair.
        b: int64 (n,), second photograph.
        labels: with the people.
    """

    sha256: str
    photographs: tuple[Path, ...]
    a: Int64Array
    b: Int64Array
    labels: PairLabels


@dataclass(frozen=True, slots=True, eq=False)
class WholeFolder:
    """A folder of which all pairs are meant, more than are listed.

    Attributes:
        sha256: over the photographs' names.
        photographs: each once, in the order of their paths.
        subject: int64 (n,), whose photograph each is, never falling.
    """

    sha256: str
    photographs: tuple[Path, ...]
    subject: Int64Array


def read_folder(path: Path, impostors: int | None, seed: int) -> SubjectFolder | WholeFolder:
    """Lists the photographs of each subject and pairs them.

    Args:
        path: holds one sub-folder per subject; photographs beside those are not looked at.
        impostors: how many impostor pairs to draw, at least 1; None for all there are.
        seed: of the draw.

    Raises:
        InputError: a folder cannot be read.
        OneClassError: fewer than two subjects, or no subject with two photographs.
        UsageError: a part of the pairs, and more than are held in memory; or more than can be
            counted.
    """
    if impostors is not None and impostors < 1:
        raise UsageError(f"the number of impostor pairs must be at least 1, got {impostors}")
    photographs, subject = _photographs(path)
    sizes = np.bincount(subject)
    genuine, mixed = numbers_of_pairs(sizes)
    if genuine == 0 or mixed == 0:
        lacking = "a subject with two photographs" if genuine == 0 else "a second subject"
        raise OneClassError(
            f"{path}: no threshold can be chosen without {lacking}; expected one sub-folder "
            "per subject with its photographs in it"
        )
    drawn = mixed if impostors is None else min(impostors, mixed)
    if genuine + drawn > MOST_PAIRS:
        if drawn < mixed or genuine + drawn > all_pairs.MOST_PAIRS:
            raise UsageError(_too_many(path, genuine, drawn, whole=drawn == mixed))
        return WholeFolder(_digest(path, photographs, b"all pairs"), photographs, subject)
    starts = np.concatenate(([0], np.cumsum(sizes)[:-1]))
    within = [
        start + np.stack(np.triu_indices(size, 1))
        for start, size in zip(starts, sizes, strict=True)
    ]
    across = _impostors(subject, drawn, mixed, np.random.default_rng(seed))
    a, b = np.concatenate((*within, across), axis=1).astype(np.int64)
    labels = PairLabels(
        np.arange(len(a)) < genuine,
        SubjectPairs(len(sizes), subject[a], subject[b], inferred=False),
    )
    digest = _digest(path, photographs, np.stack((a, b)).astype("<i8").tobytes())
    return SubjectFolder(digest, photographs, a, b, labels)


def _digest(path: Path, photographs: tuple[Path, ...], pairs: bytes) -> str:
    digest = hashlib.sha256()
    for photograph in photographs:
        digest.update(photograph.relative_to(path).as_posix().encode("utf-8", "surrogateescape"))
        digest.update(b"\0")
    digest.update(pairs)
    return digest.hexdigest()


def _too_many(path: Path, genuine: int, drawn: int, *, whole: bool) -> str:
    pairs = f"{path}: {genuine:,} genuine and {drawn:,} impostor pairs are more than the "
    if whole:
        return f"{pairs}{all_pairs.MOST_PAIRS:,} that can be counted; draw some with --impostors N"
    return (
        f"{pairs}{MOST_PAIRS:,} that are held in memory; draw fewer with --impostors N, or count "
        "all with --impostors all"
    )


def _photographs(path: Path) -> tuple[tuple[Path, ...], Int64Array]:
    """Photographs in the order of their subjects, and the subject of each."""
    try:
        folders = sorted(f for f in path.iterdir() if f.is_dir() and not f.name.startswith("."))
    except OSError as exc:
        raise InputError(f"{path}: cannot be read ({exc.strerror or exc})") from exc
    found = [photographs for f in folders if (photographs := find_photographs([f]))]
    if not found:
        raise OneClassError(
            f"{path}: no photographs in its sub-folders; expected one sub-folder per subject"
        )
    subject = np.repeat(np.arange(len(found)), [len(photographs) for photographs in found])
    return tuple(p for photographs in found for p in photographs), subject.astype(np.int64)


def _impostors(
    subject: Int64Array, wanted: int, available: int, generator: np.random.Generator
) -> Int64Array:
    """Distinct pairs (2, wanted) of photographs of two subjects, in the order of their rows."""
    n = len(subject)
    if wanted > available // 2:
        first, second = np.triu_indices(n, 1)
        pairs = np.stack((first, second))[:, subject[first] != subject[second]]
        if wanted < available:
            pairs = pairs[:, np.sort(generator.choice(available, wanted, replace=False))]
        return pairs.astype(np.int64)
    keys = np.zeros(0, np.int64)
    while len(keys) < wanted:
        first, second = generator.integers(n, size=(2, wanted))
        keep = subject[first] != subject[second]
        low, high = np.minimum(first, second)[keep], np.maximum(first, second)[keep]
        keys = np.unique(np.concatenate((keys, low * n + high)))
    chosen = np.sort(generator.choice(keys, wanted, replace=False))
    return np.stack(np.divmod(chosen, n))
