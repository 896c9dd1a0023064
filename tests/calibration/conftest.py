"""A calibration to start from."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from labelled_scores import GENUINE, IMPOSTOR, labelled

from facematch.calibration import (
    Calibration,
    FitSettings,
    FittedCalibration,
    LabelledComparisons,
    fit_calibration,
)
from facematch.metrics import Criterion, ThresholdRule
from facematch.types import Metric, ModelIdentity


@pytest.fixture
def identity() -> ModelIdentity:
    return ModelIdentity("compact", "a" * 64, 256)


@pytest.fixture
def comparisons() -> LabelledComparisons:
    return labelled(GENUINE, IMPOSTOR)


@pytest.fixture
def fitted(identity: ModelIdentity, comparisons: LabelledComparisons) -> FittedCalibration:
    return fit_calibration(
        comparisons,
        FitSettings(rule=ThresholdRule(Criterion.FMR, 0.01), resamples=50),
        metric=Metric.COSINE,
        identity=identity,
        failures_to_acquire=3,
        created_at=datetime(2025, 3, 1, 12, 30, 15, 999, tzinfo=UTC),
        version="0.1.0",
    )


@pytest.fixture
def calibration(fitted: FittedCalibration) -> Calibration:
    return fitted.calibration
