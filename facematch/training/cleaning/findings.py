"""A crop that had better not be trained on, and the reports of such crops."""

from __future__ import annotations

import csv
import os
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import numpy as np

from facematch.errors import OutputError
from facematch.types import Int64Array

COLUMNS = ("kind", "crop", "name", "identity", "other", "distance", "reason")
# What a spreadsheet takes for the beginning of a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


class FindingKind(StrEnum):
    """Why a crop is reported."""

    MISLABEL = "mislabel"
    NEAR_DUPLICATE = "near-duplicate"
    TEST_LOOK_ALIKE = "like-test"


@dataclass(frozen=True, slots=True)
class Finding:
    """One crop to leave out.

    Attributes:
        kind: what is wrong.
        crop: its row.
        name: of the crop.
        identity: its label; ``NO_IDENTITY`` if it has none.
        other: the crop, or the template of a test set, that it is too like.
        distance: cosine distance to that, in [0, 2].
        reason: a sentence for a person, with the figures.
    """

    kind: FindingKind
    crop: int
    name: str
    identity: int
    other: str
    distance: float
    reason: str


def apply_cleaning(count: int, findings: Sequence[Finding]) -> Int64Array:
    """The rows that are left, ascending: int64 (m,).

    ``SubsetBatches`` draws from them without a copy of the crops.

    Args:
        count: number of crops.
        findings: of any kinds; a crop may be in several.

    Raises:
        ValueError: a finding is about a crop that is not there.
    """
    kept = np.ones(count, bool)
    for finding in findings:
        if not 0 <= finding.crop < count:
            raise ValueError(f"a finding is about crop {finding.crop} of {count}")
        kept[finding.crop] = False
    return np.flatnonzero(kept)


def write_findings(path: Path, findings: Sequence[Finding]) -> None:
    """Writes a CSV with one line per finding; the old file stays if that fails.

    Text that a spreadsheet would run as a formula gets a quotation mark in front.

    Raises:
        OutputError: the file cannot be written.
    """
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        # Names come from file systems, where not all are UTF-8.
        with partial.open("w", encoding="utf-8", errors="backslashreplace", newline="") as file:
            table = csv.writer(file)
            table.writerow(COLUMNS)
            for f in findings:
                name, other = _inert(f.name), _inert(f.other)
                distance = f"{f.distance:.4f}"
                table.writerow([f.kind, f.crop, name, f.identity, other, distance, f.reason])
        os.replace(partial, path)
    except OSError as error:
        raise OutputError(f"{path}: cannot be written ({error.strerror or error})") from error
    finally:
        partial.unlink(missing_ok=True)


def _inert(text: str) -> str:
    return f"'{text}" if text.startswith(_FORMULA) else text
