"""What is wrong with labelled crops, found in their embeddings: numpy only, no pictures."""

from facematch.training.cleaning.findings import (
    Finding,
    FindingKind,
    apply_cleaning,
    write_findings,
)
from facematch.training.cleaning.mislabels import find_mislabels
from facematch.training.cleaning.near_duplicates import find_near_duplicates
from facematch.training.cleaning.overlap import exclude_like

__all__ = [
    "Finding",
    "FindingKind",
    "apply_cleaning",
    "exclude_like",
    "find_mislabels",
    "find_near_duplicates",
    "write_findings",
]
