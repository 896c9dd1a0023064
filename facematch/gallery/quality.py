"""Quality measurements as rows of numbers, the form in which files hold them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from facematch.gallery.format import QUALITY_COLUMNS
from facematch.types import Float64Array, Quality, Reference


def quality_rows(references: Sequence[Reference]) -> Float64Array:
    """float64 (n, 8) in the order of QUALITY_COLUMNS."""
    values = [[getattr(r.quality, name) for name in QUALITY_COLUMNS] for r in references]
    return np.array(values, "<f8").reshape(-1, len(QUALITY_COLUMNS))


def joined_warnings(references: Sequence[Reference]) -> list[str]:
    """The phrases of each reference, joined by line feeds."""
    return ["\n".join(r.quality.warnings) for r in references]


def quality_from(row: Float64Array, warnings: str) -> Quality:
    """Back from float64 (8,) and joined phrases."""
    measured: dict[str, float] = dict(zip(QUALITY_COLUMNS, row.tolist(), strict=True))
    return Quality(**measured, warnings=tuple(filter(None, warnings.split("\n"))))
