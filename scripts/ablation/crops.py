"""The crops of the ablation: decoded, or found and aligned in photographs, once."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from facematch.calibration import PhotographPairs, load_pairs
from facematch.pipeline.training_crops import open_cutter
from facematch.training.data import open_crops
from facematch.training.data.crops import NO_IDENTITY
from facematch.types import BoolArray, Int64Array, UInt8Array


@dataclass(frozen=True, slots=True, eq=False)
class Labelled:
    """Crops and whose they are.

    Attributes:
        images: uint8 (n, 128, 128, 3), RGB, a memory map.
        labels: int64 (n,), from 0 without gaps; ``NO_IDENTITY`` for those that take no part.
    """

    images: UInt8Array
    labels: Int64Array

    @property
    def identities(self) -> int:
        return int(self.labels.max()) + 1


@dataclass(frozen=True, slots=True, eq=False)
class Pairs:
    """A list of labelled pairs.

    Attributes:
        first: int64 (m,), rows of the crops.
        second: int64 (m,).
        same: bool (m,).
        lost: pairs left out, because no face was found in a photograph.
    """

    first: Int64Array
    second: Int64Array
    same: BoolArray
    lost: int


@dataclass(frozen=True, slots=True, eq=False)
class Crops:
    """All that the ablation reads.

    Attributes:
        train: of CelebA's training partition, people with enough crops.
        every: all of that partition, for the distilled start, which needs no labels.
        held_out: of other people.
        lfw: uint8 (n, 128, 128, 3), aligned by facematch's own detector.
        dev_train: pairs of ``lfw`` to choose by.
        dev_test: pairs of ``lfw`` to report.
    """

    train: Labelled
    every: UInt8Array
    held_out: Labelled
    lfw: UInt8Array
    dev_train: Pairs
    dev_test: Pairs


def read_crops(data: Path, run_dir: Path, at_least: int) -> Crops:
    """Reads the data pack, with a cache of what was decoded and cut.

    Args:
        data: folder of the data pack.
        run_dir: for the cache and the photographs.
        at_least: crops of a person who is to be learned from.
    """
    cache = run_dir / "cache"
    train = open_crops([data / "train" / "celeba.zip"], cache)
    held_out = open_crops([data / "holdout" / "celeba.zip"], cache)
    photographs = run_dir / "lfw"
    if not photographs.exists():
        partial = run_dir / "lfw.partial"
        with zipfile.ZipFile(data / "lfw-view1" / "images.zip") as archive:
            archive.extractall(partial)
        partial.rename(photographs)
    lfw = open_crops([photographs], cache, open_cutter(), _say)
    row_of = {name.partition(":")[2]: row for row, name in enumerate(lfw.names)}
    lists = data / "lfw-view1"
    return Crops(
        train=Labelled(train.images, with_enough(train.labels, at_least)),
        every=train.images,
        held_out=Labelled(held_out.images, held_out.labels),
        lfw=lfw.images,
        dev_train=_pairs(lists / "pairsDevTrain.txt", photographs, row_of),
        dev_test=_pairs(lists / "pairsDevTest.txt", photographs, row_of),
    )


def with_enough(labels: Int64Array, at_least: int) -> Int64Array:
    """Labels numbered anew, those with fewer crops as ``NO_IDENTITY``; int64 (n,)."""
    present, number, counts = np.unique(labels, return_inverse=True, return_counts=True)
    usable = (present != NO_IDENTITY) & (counts >= at_least)
    anew = np.where(usable, np.cumsum(usable) - 1, NO_IDENTITY)
    return anew[number].astype(np.int64)


def _pairs(path: Path, photographs: Path, row_of: dict[str, int]) -> Pairs:
    listed = load_pairs(path, photographs)
    assert isinstance(listed, PhotographPairs)  # the format of LFW's lists has no scores
    rows = np.array(
        [row_of.get(p.relative_to(photographs).as_posix(), -1) for p in listed.photographs]
    )
    first, second = rows[listed.a], rows[listed.b]
    kept = (first >= 0) & (second >= 0)
    return Pairs(first[kept], second[kept], listed.labels.same[kept], int((~kept).sum()))


def _say(done: int, total: int) -> None:
    if done % 500 == 0:
        print(f"finding faces: {done} of {total} photographs", flush=True)
