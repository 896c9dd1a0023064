"""Tell the owner of a gallery what looks wrong in it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from facematch.calibration.choice import DecisionThreshold
from facematch.gallery import Gallery
from facematch.gallery.audit import AuditReport, audit
from facematch.gallery.keys import Keys
from facematch.gallery.state import GalleryState, StoredReference, state_of
from facematch.types import ModelIdentity


@dataclass(frozen=True, slots=True, eq=False)
class AuditResult:
    """What an audit found.

    Attributes:
        state: of the gallery.
        decision: the threshold by which it was judged.
        report: what looks wrong.
        named: the references that the report names, by row, with their crops.
    """

    state: GalleryState
    decision: DecisionThreshold
    report: AuditReport
    named: dict[int, StoredReference]


def audit_gallery(
    path: Path,
    decide: Callable[[ModelIdentity], DecisionThreshold],
    *,
    keys: Keys | None = None,
) -> AuditResult:
    """Compares all references of a gallery with each other.

    Args:
        path: the gallery; only read.
        decide: gives the threshold for the gallery's model.
        keys: to open it if it is encrypted.

    Raises:
        GalleryError: the gallery cannot be read, or is damaged.
        CalibrationError: there is no threshold for its model.
    """
    with Gallery.open(path, keys=keys) as gallery:
        decision = decide(gallery.identity)
        report = audit(gallery, decision.threshold, decision.metric)
        rows = {outlier.row for outlier in report.outliers}
        rows |= {row for pair in report.look_alikes for row in (pair.row_a, pair.row_b)}
        rows |= {row for pair in report.near_duplicates for row in (pair.row_a, pair.row_b)}
        rows |= {poor.row for poor in report.poor}
        named = {row: StoredReference(row, gallery.reference(row)) for row in sorted(rows)}
        return AuditResult(state_of(gallery), decision, report, named)
