"""True accept rates of a model on people's crops, and what changed from one model to another."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from facematch.embedding import Embedder, ModelBundle
from facematch.metrics import Units, distance
from facematch.pipeline.training_crops import open_cutter
from facematch.runtime import open_engine
from facematch.training.data import open_crops
from facematch.types import BoolArray, Float32Array, Int64Array, Metric, UInt8Array
from facematch.workflows.train import Verdict, verdict

BORDER = 8
AT_ONCE = 1 << 16


@dataclass(frozen=True, slots=True, eq=False)
class Faces:
    """Crops of known people, and all their pairs.

    Attributes:
        images: uint8 (n, 112, 112, 3), RGB, aligned.
        first: int64 (m,), rows of ``images``.
        second: int64 (m,).
        same: bool (m,), whether a pair shows one person.
        people: whose pictures are in each pair.
    """

    images: UInt8Array
    first: Int64Array
    second: Int64Array
    same: BoolArray
    people: Units

    def distances(self, model: ModelBundle) -> Float32Array:
        """float32 (m,), cosine distance of each pair by a model."""
        templates = Embedder(model, open_engine()).embed(self.images)
        found = np.empty(len(self.first), np.float32)
        for start in range(0, len(self.first), AT_ONCE):
            rows = slice(start, start + AT_ONCE)
            a, b = templates[self.first[rows]], templates[self.second[rows]]
            found[rows] = distance(a, b, Metric.COSINE)
        return found

    def compared(self, before: Float32Array, after: Float32Array) -> Verdict:
        """Both models at their own thresholds of FMR 1 %."""
        return verdict(before, after, self.same, self.people)


def read_faces(source: Path, cache: Path) -> Faces:
    """Crops of a folder of photographs, found and aligned by facematch, or of an archive."""
    crops = open_crops([source], cache, open_cutter())
    images = np.ascontiguousarray(crops.images[:, BORDER:-BORDER, BORDER:-BORDER])
    first, second = np.triu_indices(len(crops), 1)
    a, b = crops.labels[first], crops.labels[second]
    return Faces(images, first, second, a == b, Units(len(crops.identity_names), a, b))
