"""Verify two photographs: is it the same person?"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from facematch.calibration.choice import DecisionThreshold
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
    comparisons: int
    model_name: str
    model_fingerprint: str
    a: VerifiedSide
    b: VerifiedSide


def verify(a: Path, b: Path, analyzer: Analyzer, decision: DecisionThreshold) -> VerifyResult:
    """Compares two photographs.

    Raises:
        InputError: a photograph cannot be read or has no usable face.
    """
    photographs = analyzer.analyze(a), analyzer.analyze(b)
    faces = [*photographs[0].faces, *photographs[1].faces]
    templates = analyzer.embed(faces)
    first = len(photographs[0].faces)
    distances = pairwise(templates[:first], templates[first:], decision.metric)
    row, column = np.unravel_index(int(np.argmin(distances)), distances.shape)
    distance = float(distances[row, column])
    calibration = decision.calibration
    return VerifyResult(
        distance=distance,
        decision=decision,
        match=accepts(distance, decision.threshold),
        margin=decision.threshold - distance,
        probability=None if calibration is None else calibration.probability(distance),
        comparisons=int(distances.size),
        model_name=analyzer.identity.name,
        model_fingerprint=analyzer.identity.fingerprint,
        a=VerifiedSide(photographs[0], photographs[0].faces[int(row)]),
        b=VerifiedSide(photographs[1], photographs[1].faces[int(column)]),
    )
