"""A calibration to start from."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest

from facematch.calibration import Calibration, fit_calibration
from facematch.metrics import Criterion, ThresholdRule
from facematch.types import Metric, ModelIdentity

GENUINE = np.random.default_rng(0).normal(0.4, 0.15, 300).clip(0, 2)
IMPOSTOR = np.random.default_rng(1).normal(0.9, 0.15, 400).clip(0, 2)


@pytest.fixture
def identity() -> ModelIdentity:
    return ModelIdentity("compact", "a" * 64, 256)


@pytest.fixture
def calibration(identity: ModelIdentity) -> Calibration:
    return fit_calibration(
        GENUINE,
        IMPOSTOR,
        metric=Metric.COSINE,
        rule=ThresholdRule(Criterion.FMR, 0.01),
        identity=identity,
        pairs_name="Paare für Größe.csv",
        pairs_sha256="b" * 64,
        failures_to_acquire=3,
        created_at=datetime(2025, 3, 1, 12, 30, 15, 999, tzinfo=UTC),
        version="0.1.0",
    )
