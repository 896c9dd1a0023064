"""The data of a training run: opened, cleaned, with a validation set beside it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from facematch.choices import Device
from facematch.errors import TrainingDataError
from facematch.pipeline.training_crops import TrainingCropCutter, open_cutter
from facematch.training.cleaning import (
    Finding,
    apply_cleaning,
    exclude_like,
    find_mislabels,
    find_near_duplicates,
    write_findings,
)
from facematch.training.data import CropSet, UnreadablePicture, open_crops
from facematch.training.data.crops import BORDER_PX, NO_IDENTITY
from facematch.training.recipe import Recipe
from facematch.types import Float32Array, Int64Array, UInt8Array
from facematch.workflows.train.validating import (
    ValidationSet,
    cut_pairs,
    held_out,
    validation_of,
    validation_on,
)

Embed = Callable[[UInt8Array], Float32Array]
"""uint8 (n, 112, 112, 3) crops -> unit-norm float32 (n, d) embeddings by the start."""

Progress = Callable[[int, int], None]

EMBEDDED_AT_ONCE = 256
FINDINGS = "left-out.csv"


@dataclass(frozen=True, slots=True)
class DataReport:
    """What a run learns from, and what was left out.

    Attributes:
        crops: that are learned from.
        identities: that have a crop among them.
        sources: name of each archive, folder or part, with its crops.
        unreadable: pictures that gave no crop.
        removed: crops that cleaning took out, by reason.
        alone: identities with one crop.
        held_out: crops kept aside for validation.
        validation_pairs: genuine and impostor pairs of the validation set.
    """

    crops: int
    identities: int
    sources: tuple[tuple[str, int], ...]
    unreadable: tuple[UnreadablePicture, ...]
    removed: tuple[tuple[str, int], ...]
    alone: int
    held_out: int
    validation_pairs: tuple[int, int]


@dataclass(frozen=True, slots=True, eq=False)
class TrainingData:
    """Opened data.

    Attributes:
        crops: to learn from.
        centres: float32 (identities, d) unit vectors by label, for batches of look-alikes.
        validation: what the run is judged by, if anything.
        report: counts.
    """

    crops: CropSet
    centres: Float32Array | None
    validation: ValidationSet | None
    report: DataReport


def open_training_data(
    recipe: Recipe,
    cache_dir: Path,
    device: Device,
    embed: Embed,
    progress: Progress,
) -> TrainingData:
    """Opens what the recipe names.

    Args:
        recipe: what was asked for.
        cache_dir: for decoded crops.
        device: of the face detector, where there are photographs.
        embed: the start network, for cleaning and for look-alikes.
        progress: of reading pictures.

    Raises:
        TrainingDataError: the data cannot be read, or nothing is left of it.
        PairsFormatError, OneClassError: of the validation pairs.
    """
    cut = open_cutter(device)
    crops = open_crops([Path(path) for path in recipe.data], cache_dir, cut, progress)
    unreadable = crops.unreadable
    kept_aside: Int64Array = np.zeros(0, np.int64)
    validation = None
    if recipe.val is not None:
        validation = validation_of(recipe, recipe.val, crops, cut, cache_dir)
        unreadable = (*unreadable, *validation.lost)
    elif recipe.hold_out > 0:
        kept_aside = held_out(crops.labels, recipe.hold_out, recipe.seed)
        validation = validation_on(crops, kept_aside)
        crops = _subset(crops, np.setdiff1d(np.arange(len(crops)), kept_aside))
    removed: tuple[tuple[str, int], ...] = ()
    if recipe.clean or recipe.exclude_like is not None:
        crops, removed = _cleaned(recipe, crops, cut, embed, cache_dir.parent / FINDINGS)
    _, people = np.unique(crops.labels[crops.labels != NO_IDENTITY], return_counts=True)
    counts = np.bincount(crops.sources, minlength=len(crops.source_names))
    report = DataReport(
        len(crops),
        len(people),
        tuple(zip(crops.source_names, counts.tolist(), strict=True)),
        unreadable,
        removed,
        int((people == 1).sum()),
        len(kept_aside),
        (0, 0) if validation is None else validation.pairs,
    )
    centres = _centres(crops, embed) if recipe.look_alikes else None
    return TrainingData(crops, centres, validation, report)


def _cleaned(
    recipe: Recipe, crops: CropSet, cut: TrainingCropCutter, embed: Embed, report: Path
) -> tuple[CropSet, tuple[tuple[str, int], ...]]:
    """The crops that are left, and how many went for what reason; the report names each.

    Raises:
        TrainingDataError: nothing is left.
        OutputError: the report cannot be written.
    """
    embeddings = _embedded(crops.images, embed)
    findings: list[Finding] = []
    if recipe.clean:
        findings += find_mislabels(embeddings, crops.labels, crops.names)
        findings += find_near_duplicates(embeddings, crops.labels, crops.names)
    if recipe.exclude_like is not None:
        tested = cut_pairs(recipe.exclude_like, recipe.images, cut)
        findings += exclude_like(
            embeddings,
            crops.labels,
            crops.names,
            _embedded(tested.images, embed),
            tested.names,
            threshold=recipe.exclude_threshold,
        )
    write_findings(report, findings)
    kept = apply_cleaning(len(crops), findings)
    if len(kept) == 0:
        raise TrainingDataError(f"cleaning left no picture; {report} says why each went")
    counts = Counter(str(finding.kind) for finding in findings)
    return _subset(crops, kept), tuple(sorted(counts.items()))


def _subset(crops: CropSet, rows: Int64Array) -> CropSet:
    """Some of the crops. Only rows of the memory map that are used are ever read."""
    return replace(
        crops,
        images=_Rows(crops.images, rows),  # type: ignore[arg-type]
        labels=crops.labels[rows],
        sources=crops.sources[rows],
        names=tuple(crops.names[row] for row in rows),
    )


class _Rows:
    """Rows of a memory map, looked up when they are asked for and never all copied."""

    def __init__(self, images: UInt8Array, rows: Int64Array) -> None:
        self._images = images
        self._rows = rows

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, key: slice | Int64Array) -> UInt8Array:
        return self._images[self._rows[key]]


def _centres(crops: CropSet, embed: Embed) -> Float32Array:
    """Unit-norm mean embedding of each label; float32 (identities, d), zero where unused."""
    embeddings = _embedded(crops.images, embed)
    sums = np.zeros((len(crops.identity_names), embeddings.shape[1]), np.float32)
    known = crops.labels != NO_IDENTITY
    np.add.at(sums, crops.labels[known], embeddings[known])
    norms = np.linalg.norm(sums, axis=1, keepdims=True)
    return np.asarray(sums / np.where(norms > 0, norms, 1), np.float32)


def _embedded(images: UInt8Array, embed: Embed) -> Float32Array:
    """Embeddings of 128x128 crops as aligned, read block by block."""
    blocks = []
    for start in range(0, len(images), EMBEDDED_AT_ONCE):
        block = np.asarray(images[start : start + EMBEDDED_AT_ONCE])
        inner = block[:, BORDER_PX:-BORDER_PX, BORDER_PX:-BORDER_PX]
        blocks.append(embed(np.ascontiguousarray(inner)))
    return np.concatenate(blocks)
