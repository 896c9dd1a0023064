"""Identify the faces of photographs in a gallery."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from facematch.calibration.choice import DecisionThreshold
from facematch.gallery import Gallery
from facematch.metrics.decision import accepts
from facematch.metrics.identification import fpir_estimate
from facematch.pipeline import AnalyzedFace, AnalyzedPhotograph, Analyzer, Failure
from facematch.types import Candidate

_CONTESTANTS = 20


@dataclass(frozen=True, slots=True, eq=False)
class IdentifiedFace:
    """A probe with its candidates, nearest first.

    ``unknown`` is whether no candidate is within the threshold. Candidates beyond it are
    listed all the same, for a person to look at. ``contested`` names the subjects within the
    threshold that are marked as being somebody else than the nearest one: the face cannot be
    both, so a person has to decide.
    """

    face: AnalyzedFace
    candidates: tuple[Candidate, ...]
    unknown: bool
    contested: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class IdentifyResult:
    """The faces of one photograph."""

    photograph: AnalyzedPhotograph
    faces: tuple[IdentifiedFace, ...]


@dataclass(frozen=True, slots=True)
class Promise:
    """How often a stranger is taken for somebody.

    Attributes:
        fpir: chance in one search, from the calibration's FMR and the number of references,
            as if their comparisons were independent.
        upper: the same from the upper limit of the FMR's interval.
        resolved: False if the calibration had too few pairs for its target; then only
            ``upper`` says anything.
    """

    fpir: float
    upper: float
    resolved: bool


def promised(gallery: Gallery, decision: DecisionThreshold) -> Promise | None:
    """What the threshold means in this gallery; None for one without a calibration."""
    calibration = decision.calibration
    if calibration is None:
        return None
    size = len(gallery.templates)
    return Promise(
        fpir_estimate(calibration.fmr, size),
        fpir_estimate(calibration.fmr_interval.high, size),
        calibration.resolved and calibration.fmr > 0,
    )


def identify(
    paths: Iterable[Path],
    analyzer: Analyzer,
    gallery: Gallery,
    decision: DecisionThreshold,
    *,
    top: int = 5,
) -> Generator[IdentifyResult | Failure, None, None]:
    """Searches every chosen face of every photograph.

    Close it when it is left early, so that no more photographs are begun.

    Args:
        paths: the photographs.
        analyzer: decodes, detects and embeds.
        gallery: open, of the analyzer's model.
        decision: the threshold.
        top: how many subjects to list for each face.

    Yields:
        One item per path, in order.

    Raises:
        EmptyGalleryError: the gallery has no templates.
        GalleryCorruptError: it holds templates that are not finite.
    """
    # Who else it may be matters, also to somebody who asked for one candidate.
    looked_at = max(top, _CONTESTANTS) if gallery.distinct else top
    with closing(analyzer.stream(paths)) as outcomes:
        for outcome in outcomes:
            if isinstance(outcome, Failure):
                yield outcome
                continue
            photograph, templates = outcome
            found = gallery.search(templates, top=looked_at, metric=decision.metric)
            yield IdentifyResult(
                photograph,
                tuple(
                    IdentifiedFace(
                        face,
                        candidates[:top],
                        unknown=not accepts(candidates[0].distance, decision.threshold),
                        contested=_contested(candidates, gallery, decision.threshold),
                    )
                    for face, candidates in zip(photograph.faces, found, strict=True)
                ),
            )


def _contested(
    candidates: Sequence[Candidate], gallery: Gallery, threshold: float
) -> tuple[str, ...]:
    if not gallery.distinct:
        return ()
    first, *others = candidates
    nearest = gallery.find_subject(first.subject)
    accepted = [other for other in others if accepts(other.distance, threshold)]
    return tuple(
        other.subject
        for other in accepted
        if _pair(nearest, gallery.find_subject(other.subject)) in gallery.distinct
    )


def _pair(a: int, b: int) -> tuple[int, int]:
    return min(a, b), max(a, b)
