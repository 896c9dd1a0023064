"""Verify two photographs: is it the same person?"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from facematch.calibration.choice import DecisionThreshold
from facematch.errors import UsageError
from facematch.metrics.decision import accepts
from facematch.metrics.distances import pairwise
from facematch.pipeline import AnalyzedFace, AnalyzedPhotograph, Analyzer


@dataclass(frozen=True, slots=True, eq=False)
class VerifiedSide:
    """One photograph and the face that was compared."""

    photograph: AnalyzedPhotograph
    face: AnalyzedFace


@dataclass(frozen=True, slots=True, eq=False)
class VerifyResult:
    """The comparison and the decision.

    Attributes:
        distance: between the two templates.
        decision: the threshold, its metric and origin.
        match: whether the distance is within the threshold.
        margin: ``threshold - distance``; positive on a match.
        probability: P(same person) if the calibration has one.
        prior: P(same person) before comparing, which that starts from.
        comparisons: pairs of faces compared; over 1 only if all faces were asked for, and
            then the closest pair is reported.
        model_name: of the templates.
        model_fingerprint: of the templates.
        a: first photograph.
        b: second photograph.
    """

    distance: float
    decision: DecisionThreshold
    match: bool
    margin: float
    probability: float | None
    prior: float | None
    comparisons: int
    model_name: str
    model_fingerprint: str
    a: VerifiedSide
    b: VerifiedSide


def verify(
    a: Path,
    b: Path,
    analyzer: Analyzer,
    decision: DecisionThreshold,
    prior: float | None = None,
) -> VerifyResult:
    """Compares two photographs.

    Args:
        a: first photograph.
        b: second photograph.
        analyzer: finds and embeds the faces.
        decision: the threshold.
        prior: P(same person) before comparing, in (0, 1); that of the calibration if None.

    Raises:
        InputError: a photograph cannot be read or has no usable face.
        UsageError: the prior is out of range.
    """
    if prior is not None and not 0 < prior < 1:
        raise UsageError(f"--prior must lie between 0 and 1, got {prior}")
    photographs = analyzer.analyze(a), analyzer.analyze(b)
    faces = [*photographs[0].faces, *photographs[1].faces]
    templates = analyzer.embed(faces)
    first = len(photographs[0].faces)
    distances = pairwise(templates[:first], templates[first:], decision.metric)
    row, column = np.unravel_index(int(np.argmin(distances)), distances.shape)
    distance = float(distances[row, column])
    calibration = decision.calibration
    curve = None if calibration is None else calibration.match_probability
    if curve is not None and prior is not None:
        curve = replace(curve, prior=prior)
    return VerifyResult(
        distance=distance,
        decision=decision,
        match=accepts(distance, decision.threshold),
        margin=decision.threshold - distance,
        probability=None if curve is None else curve.at(distance),
        prior=None if curve is None else curve.prior,
        comparisons=int(distances.size),
        model_name=analyzer.identity.name,
        model_fingerprint=analyzer.identity.fingerprint,
        a=VerifiedSide(photographs[0], photographs[0].faces[int(row)]),
        b=VerifiedSide(photographs[1], photographs[1].faces[int(column)]),
    )
