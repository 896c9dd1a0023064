"""The faces that a run is judged by: of a list of pairs, of a folder, or kept aside."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from facematch.calibration import PhotographPairs, load_pairs
from facematch.errors import InputError, OneClassError, TrainingDataError, UsageError
from facematch.metrics import Units
from facematch.pipeline.training_crops import TrainingCropCutter
from facematch.training.data import CropSet, UnreadablePicture, open_crops
from facematch.training.data.crops import NO_IDENTITY
from facematch.training.recipe import Recipe
from facematch.types import BoolArray, Int64Array, UInt8Array

if TYPE_CHECKING:
    from facematch.training.validation import PairVerification

_MIDDLE_ROW = 64


@dataclass(frozen=True, slots=True, eq=False)
class ValidationSet:
    """What a run is validated on.

    Attributes:
        check: the pairs.
        lost: pictures that gave no face.
        people: whose pictures they are; 0 if nobody said.
        learned_from: how many of them are learned from, going by the names of their folders.
    """

    check: PairVerification
    lost: tuple[UnreadablePicture, ...] = ()
    people: int = 0
    learned_from: int = 0

    @property
    def pairs(self) -> tuple[int, int]:
        """Genuine and impostor pairs."""
        genuine = int(self.check.same.sum())
        return genuine, len(self.check.same) - genuine


def validation_of(
    recipe: Recipe, val: str, crops: CropSet, cut: TrainingCropCutter, cache_dir: Path
) -> ValidationSet:
    """Opens what ``--val`` names: a list of pairs, or a folder or archive of people.

    Args:
        recipe: what was asked for.
        val: the path.
        crops: what is learned from.
        cut: makes crops of photographs.
        cache_dir: for decoded crops.

    Raises:
        InputError: it is not there.
        UsageError: it is, holds or lies in training data, or goes with no ``--images``.
        TrainingDataError: it cannot be read, or has a training picture in it.
        PairsFormatError, OneClassError: of its pairs.
    """
    path = Path(val)
    if not path.exists():
        raise InputError(
            f"val: {val}: no such folder or file; expected a folder with one sub-folder per "
            "person, a zip archive of crops, or a list of pairs"
        )
    if not path.is_dir() and path.suffix.lower() != ".zip":
        return _of_pairs(recipe, val, cut)
    if recipe.images is not None and recipe.exclude_like is None:
        raise UsageError(f"images: goes with a list of pairs, and val {val} is none")
    _require_apart(path, recipe.data)
    found = open_crops([path], cache_dir, cut)
    rows = np.flatnonzero(found.labels != NO_IDENTITY)
    labels = found.labels[rows]
    if len(np.unique(labels)) < 2 or len(np.unique(labels)) == len(labels):
        raise OneClassError(
            f"{val}: validation needs two people and two pictures of one of them; expected a "
            "folder with one sub-folder per person"
        )
    images = np.asarray(found.images[rows])
    _require_unseen(val, images, [found.names[row] for row in rows], crops)
    trained = {_own_name(name) for name in crops.identity_names}
    names = [found.identity_names[label] for label in np.unique(labels)]
    known = sum(_own_name(name) in trained for name in names)
    return ValidationSet(_verification(images, labels), found.unreadable, len(names), known)


def held_out(labels: Int64Array, share: float, seed: int) -> Int64Array:
    """Rows of identities drawn for validation: ``share`` of those with two crops or more."""
    present, counts = np.unique(labels[labels != NO_IDENTITY], return_counts=True)
    usable = present[counts >= 2]
    wanted = max(2, round(share * len(usable)))
    if wanted >= len(usable):
        raise TrainingDataError(
            f"hold_out: {len(usable)} people have two pictures or more, too few to keep "
            f"{wanted} of them aside; give --val PAIRS, or more people"
        )
    chosen = np.random.default_rng((seed, 2)).choice(usable, wanted, replace=False)
    return np.flatnonzero(np.isin(labels, chosen))


def validation_on(crops: CropSet, rows: Int64Array) -> ValidationSet:
    """All pairs of some crops of the data, which are then not to be learned from."""
    labels = crops.labels[rows]
    check = _verification(np.asarray(crops.images[rows]), labels)
    return ValidationSet(check, people=len(np.unique(labels)))


def _verification(images: UInt8Array, labels: Int64Array) -> PairVerification:
    from facematch.training.validation import verification_on

    return verification_on(images, labels)


def _require_apart(val: Path, data: tuple[str, ...]) -> None:
    """Refuses a folder whose pictures are learned from, or whose people would be one.

    Raises:
        UsageError: one of the two lies in the other.
    """
    place = val.resolve()
    for given in data:
        other = Path(given).resolve()
        if place == other or other in place.parents or place in other.parents:
            raise UsageError(
                f"val: {val} and the training data {given} lie in each other; keep photographs "
                "for validation in a folder of their own"
            )


def _require_unseen(val: str, images: UInt8Array, names: list[str], crops: CropSet) -> None:
    """Refuses crops that are learned from, pixel for pixel.

    Raises:
        TrainingDataError: there are some.
    """
    # One row tells crops apart, and of all training data is all that must be read.
    rows_of: dict[bytes, list[int]] = {}
    for row, image in enumerate(images):
        rows_of.setdefault(image[_MIDDLE_ROW].tobytes(), []).append(row)
    seen: set[int] = set()
    for start in range(0, len(crops), 256):
        block = crops.images[start : start + 256]
        for offset, middle in enumerate(block[:, _MIDDLE_ROW]):
            for row in rows_of.get(middle.tobytes(), ()):
                if np.array_equal(block[offset], images[row]):
                    seen.add(row)
    if seen:
        raise TrainingDataError(
            f"val: {len(seen)} pictures of {val} are training pictures too ({names[min(seen)]} "
            "for one); a network has learned those by heart, so keep them in one place only"
        )


def _own_name(identity: str) -> str:
    """The name of a person, without that of the source."""
    return identity.partition(":")[2]


@dataclass(frozen=True, slots=True, eq=False)
class CutPairs:
    """Crops of the photographs of a list of pairs, and the pairs as their rows.

    Attributes:
        images: uint8 (n, 128, 128, 3), RGB.
        names: of the photographs.
        first: int64 (m,), rows of ``images``.
        second: int64 (m,).
        same: bool (m,), whether a pair shows one person.
        people: whose pictures are in each pair; None if nobody said.
        lost: photographs that gave no face; their pairs are left out.
    """

    images: UInt8Array
    names: tuple[str, ...]
    first: Int64Array
    second: Int64Array
    same: BoolArray
    people: Units | None
    lost: tuple[UnreadablePicture, ...]


def cut_pairs(path: str, images_dir: str | None, cut: TrainingCropCutter) -> CutPairs:
    """Cuts the photographs of a list of pairs.

    Raises:
        PairsFormatError, OneClassError: of the list.
        UsageError: it holds scores.
        TrainingDataError: none of its photographs gave a face.
    """
    listed = load_pairs(Path(path), None if images_dir is None else Path(images_dir))
    if not isinstance(listed, PhotographPairs):
        raise UsageError(f"{path}: holds scores, not pairs of photographs")
    row_of = np.full(len(listed.photographs), -1, np.int64)
    crops: list[UInt8Array] = []
    names: list[str] = []
    lost: list[UnreadablePicture] = []
    for index, photograph in enumerate(listed.photographs):
        try:
            crops.append(cut(photograph))
        except InputError as error:
            lost.append(UnreadablePicture(str(photograph), str(error)))
        else:
            row_of[index] = len(names)
            names.append(str(photograph))
    if not crops:
        raise TrainingDataError(f"{path}: none of its photographs gave a face: {lost[0].reason}")
    first, second = row_of[listed.a], row_of[listed.b]
    kept = (first >= 0) & (second >= 0)
    labels = listed.labels.subset(kept)
    subjects = labels.subjects
    return CutPairs(
        np.stack(crops),
        tuple(names),
        first[kept],
        second[kept],
        labels.same,
        None if subjects is None else Units(subjects.count, subjects.a, subjects.b),
        tuple(lost),
    )


def _of_pairs(recipe: Recipe, path: str, cut: TrainingCropCutter) -> ValidationSet:
    from facematch.training.validation import PairVerification

    pairs = cut_pairs(path, recipe.images, cut)
    if not pairs.same.any() or pairs.same.all():
        raise OneClassError(f"{path}: pairs of one kind are left; validation needs both")
    check = PairVerification(pairs.images, pairs.first, pairs.second, pairs.same, pairs.people)
    return ValidationSet(check, pairs.lost)
