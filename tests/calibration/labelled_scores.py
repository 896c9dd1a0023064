"""Distances that fit no model, for calibrations to be made from."""

from __future__ import annotations

import numpy as np

from facematch.calibration import LabelledComparisons, PairLabels, ScoreKind
from facematch.types import Float64Array

GENUINE = np.random.default_rng(0).normal(0.4, 0.15, 300).clip(0, 2)
IMPOSTOR = np.random.default_rng(1).normal(0.9, 0.15, 400).clip(0, 2)


def labelled(genuine: Float64Array, impostor: Float64Array) -> LabelledComparisons:
    """Comparisons of photographs of unknown people."""
    distances = np.concatenate((genuine, impostor))
    return LabelledComparisons(
        name="Paare für Größe.csv",
        sha256="b" * 64,
        kind=ScoreKind.PHOTOGRAPHS,
        distances=distances,
        labels=PairLabels(np.arange(len(distances)) < len(genuine), None),
        lost_genuine=100,
        lost_impostor=0,
    )
