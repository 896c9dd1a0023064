"""From distances to a calibration, and what a calibration answers."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facematch.calibration import Calibration, fit_calibration
from facematch.errors import CalibrationModelMismatchError, OneClassError
from facematch.metrics import Criterion, Interval, ThresholdRule, accepts, clopper_pearson
from facematch.types import Metric, ModelIdentity

scores = st.lists(st.floats(0, 2, width=32), min_size=1, max_size=25)
rules = st.sampled_from(["fmr<=0.001", "fmr<=0.25", "fnmr<=0.1", "eer", "max-accuracy"])


def fit(genuine: list[float], impostor: list[float], rule: ThresholdRule) -> Calibration:
    return fit_calibration(
        np.array(genuine, np.float32),
        np.array(impostor, np.float32),
        metric=Metric.EUCLIDEAN,
        rule=rule,
        identity=ModelIdentity("m", "f" * 64, 4),
        pairs_name="pairs.csv",
        pairs_sha256="0" * 64,
        failures_to_acquire=0,
        created_at=datetime(2025, 3, 1, tzinfo=UTC),
        version="1",
    )


@settings(deadline=None)
@given(scores, scores, rules)
def test_says_what_its_threshold_does(
    genuine: list[float], impostor: list[float], rule: str
) -> None:
    made = fit(genuine, impostor, ThresholdRule.parse(rule))
    false_matches = int(accepts(np.array(impostor, np.float32), made.threshold).sum())
    missed = len(genuine) - int(accepts(np.array(genuine, np.float32), made.threshold).sum())
    assert made.fmr == false_matches / len(impostor)
    assert made.fnmr == missed / len(genuine)
    assert made.fmr_interval == clopper_pearson(false_matches, len(impostor))
    assert made.fnmr_interval == clopper_pearson(missed, len(genuine))
    assert (made.n_genuine, made.n_impostor) == (len(genuine), len(impostor))
    right = len(genuine) - missed + len(impostor) - false_matches
    assert made.accuracy == right / (len(genuine) + len(impostor))
    assert str(made.rule) == rule


def test_records_where_it_comes_from(calibration: Calibration, identity: ModelIdentity) -> None:
    assert calibration.metric is Metric.COSINE
    assert str(calibration.rule) == "fmr<=0.01"
    assert calibration.fmr <= 0.01
    assert calibration.resolved
    assert calibration.model_name == identity.name
    assert calibration.model_fingerprint == identity.fingerprint
    assert calibration.pairs_sha256 == "b" * 64
    assert calibration.failures_to_acquire == 3
    assert calibration.created_at == "2025-03-01T12:30:15+00:00"
    assert calibration.facematch_version == "0.1.0"
    assert calibration.auc > 0.95
    assert 0 < calibration.eer < 0.1


def test_probability_falls_with_distance(calibration: Calibration) -> None:
    near, far = calibration.probability(0.3), calibration.probability(1.2)
    assert near is not None
    assert far is not None
    assert 0 < far < 0.01 < 0.99 < near < 1


def test_no_probability_when_the_pairs_do_not_support_one() -> None:
    made = fit([0.9, 0.8], [0.1, 0.2], ThresholdRule(Criterion.EER))
    assert made.match_probability is None
    assert made.probability(0.5) is None


def test_too_few_impostors_are_not_resolved() -> None:
    assert not fit([0.1] * 5, [0.9] * 99, ThresholdRule(Criterion.FMR, 0.01)).resolved
    assert fit([0.1] * 5, [0.9] * 100, ThresholdRule(Criterion.FMR, 0.01)).resolved


def test_one_class() -> None:
    with pytest.raises(OneClassError):
        fit([0.1], [], ThresholdRule(Criterion.EER))
    with pytest.raises(OneClassError):
        fit([], [0.1], ThresholdRule(Criterion.EER))


def test_nan_distance() -> None:
    with pytest.raises(ValueError, match="NaN"):
        fit([0.1, math.nan], [0.5], ThresholdRule(Criterion.EER))


def test_model_must_be_the_same(calibration: Calibration, identity: ModelIdentity) -> None:
    calibration.require_model(identity, "c.json")
    # A model under another name is still the same model.
    calibration.require_model(replace(identity, name="renamed"), "c.json")
    other = ModelIdentity("facenet-casia", "c" * 64, 512)
    with pytest.raises(CalibrationModelMismatchError) as caught:
        calibration.require_model(other, "c.json")
    message = str(caught.value)
    assert message.startswith("c.json: ")
    assert "compact" in message
    assert "facematch calibrate PAIRS --model facenet-casia" in message
    assert "\n" not in message
    assert caught.value.exit_code == 6


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("threshold", math.inf),
        ("threshold", math.nan),
        ("fmr", -0.1),
        ("fnmr", 1.1),
        ("auc", math.nan),
        ("eer", 2.0),
        ("accuracy", -1.0),
        ("fmr_interval", Interval(0.5, 0.6)),
        ("fnmr_interval", Interval(0.5, 0.6)),
        ("n_genuine", 0),
        ("n_impostor", -3),
        ("failures_to_acquire", -1),
        ("pairs_name", ""),
        ("model_name", "x" * 2000),
        ("model_name", "\x1b[31mred"),  # would colour the terminal
        ("model_fingerprint", "line\nbreak"),
        ("facematch_version", "\ud800"),  # cannot be encoded
        ("pairs_sha256", "B" * 64),
        ("pairs_sha256", "b" * 63),
        ("created_at", "yesterday"),
        ("created_at", "2025-03-01T12:00:00"),  # no offset
        ("schema_version", 2),
    ],
)
def test_refuses_values_out_of_range(calibration: Calibration, field: str, value: Any) -> None:
    with pytest.raises(ValueError, match=f"^{field}: expected"):
        replace(calibration, **{field: value})
