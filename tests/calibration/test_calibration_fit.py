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
from labelled_scores import GENUINE, IMPOSTOR, labelled

from facematch.calibration import (
    Calibration,
    FitSettings,
    FittedCalibration,
    IntervalMethod,
    LabelledComparisons,
    ScoreKind,
    SubjectPairs,
    fit_calibration,
)
from facematch.errors import CalibrationModelMismatchError, OneClassError
from facematch.metrics import (
    Criterion,
    Interval,
    ThresholdRule,
    accepts,
    clopper_pearson,
)
from facematch.types import Metric, ModelIdentity

scores = st.lists(st.floats(0, 2, width=32), min_size=1, max_size=25)
rules = st.sampled_from(["fmr<=0.001", "fmr<=0.25", "fnmr<=0.1", "eer", "max-accuracy"])


def fitted_to(
    genuine: list[float], impostor: list[float], rule: ThresholdRule
) -> FittedCalibration:
    return fit_calibration(
        labelled(np.array(genuine), np.array(impostor)),
        FitSettings(rule=rule, resamples=20),
        metric=Metric.EUCLIDEAN,
        identity=ModelIdentity("m", "f" * 64, 4),
        failures_to_acquire=0,
        created_at=datetime(2025, 3, 1, tzinfo=UTC),
        version="1",
    )


def fit(genuine: list[float], impostor: list[float], rule: ThresholdRule) -> Calibration:
    return fitted_to(genuine, impostor, rule).calibration


@settings(max_examples=50)
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
    assert made.interval_method is IntervalMethod.INDEPENDENT
    assert (made.n_genuine, made.n_impostor) == (len(genuine), len(impostor))
    right = len(genuine) - missed + len(impostor) - false_matches
    assert made.accuracy == right / (len(genuine) + len(impostor))
    assert str(made.rule) == rule
    limits = made.threshold_interval
    assert limits is None or limits.low <= made.threshold <= limits.high


def test_failures_to_acquire_are_rejections(calibration: Calibration) -> None:
    # A hundred of four hundred genuine pairs were lost, and no impostor pair.
    assert calibration.frr == pytest.approx(0.25 + 0.75 * calibration.fnmr)
    missed = round(calibration.fnmr * 300)
    assert calibration.frr == pytest.approx((100 + missed) / 400)
    assert calibration.far == calibration.fmr
    lost = replace(calibration, lost_impostor=400)
    assert lost.far == pytest.approx(calibration.fmr / 2)
    unknown = replace(calibration, lost_genuine=None, lost_impostor=None)
    assert (unknown.far, unknown.frr) == (None, None)


def test_the_seed_decides(comparisons: LabelledComparisons, identity: ModelIdentity) -> None:
    def fit_with(seed: int) -> FittedCalibration:
        return fit_calibration(
            comparisons,
            FitSettings(rule=ThresholdRule(Criterion.FMR, 0.2), seed=seed, resamples=50),
            metric=Metric.COSINE,
            identity=identity,
            failures_to_acquire=0,
            created_at=datetime(2025, 3, 1, tzinfo=UTC),
            version="1",
        )

    first, again, other = fit_with(1), fit_with(1), fit_with(2)
    assert first.calibration == again.calibration
    assert first.held_out == again.held_out
    assert first.calibration.threshold_interval != other.calibration.threshold_interval
    assert first.held_out != other.held_out


def test_subjects_widen_the_intervals() -> None:
    alone = labelled(np.tile(GENUINE[:60], 5), np.tile(IMPOSTOR[:60], 5))
    people = np.tile(np.arange(60), 5)
    subjects = SubjectPairs(
        180, np.concatenate((people, people + 60)), np.concatenate((people, people + 120)), False
    )
    shared = replace(alone, labels=replace(alone.labels, subjects=subjects))
    rule = FitSettings(rule=ThresholdRule(Criterion.FMR, 0.2), resamples=200)
    wide, narrow = (
        fit_calibration(
            measured,
            rule,
            metric=None,
            identity=None,
            failures_to_acquire=0,
            created_at=datetime(2025, 3, 1, tzinfo=UTC),
            version="1",
        ).calibration
        for measured in (
            replace(shared, kind=ScoreKind.DISTANCES),
            replace(alone, kind=ScoreKind.DISTANCES),
        )
    )
    assert wide.interval_method is IntervalMethod.SHARED_SUBJECTS
    assert (wide.n_subjects, narrow.n_subjects) == (180, None)
    for name in ("fmr_interval", "fnmr_interval", "threshold_interval"):
        of_wide, of_narrow = getattr(wide, name), getattr(narrow, name)
        assert of_wide.high - of_wide.low > 1.4 * (of_narrow.high - of_narrow.low)


def test_folds_of_the_list_are_kept(comparisons: LabelledComparisons) -> None:
    folds = np.arange(700) % 7
    labels = replace(comparisons.labels, folds=folds)
    found = fit_calibration(
        replace(comparisons, kind=ScoreKind.SIMILARITIES, labels=labels),
        FitSettings(rule=ThresholdRule(Criterion.ACCURACY), resamples=20),
        metric=None,
        identity=None,
        failures_to_acquire=0,
        created_at=datetime(2025, 3, 1, tzinfo=UTC),
        version="1",
    ).held_out
    assert found is not None
    assert found.folds == 7
    assert (found.fmr.comparisons, found.fnmr.comparisons) == (400, 300)


def test_scores_made_elsewhere_have_no_model(
    calibration: Calibration, identity: ModelIdentity
) -> None:
    elsewhere = replace(
        calibration,
        scores=ScoreKind.DISTANCES,
        metric=None,
        model_name=None,
        model_fingerprint=None,
    )
    with pytest.raises(CalibrationModelMismatchError, match="distances made elsewhere"):
        elsewhere.require_model(identity, "c.json")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"seed": -1}, "seed"),
        ({"folds": 1}, "folds"),
        ({"resamples": 10}, "resamples"),
        ({"prior": 1.0}, "prior"),
    ],
)
def test_settings_refuse(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        FitSettings(rule=ThresholdRule(Criterion.EER), **changes)


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
    near, far = calibration.probability(0.2), calibration.probability(1.2)
    assert near is not None
    assert far is not None
    assert 0 < far < 0.01 < 0.99 < near < 1


def test_no_probability_when_the_pairs_do_not_support_one() -> None:
    made = fit([0.9, 0.8], [0.1, 0.2], ThresholdRule(Criterion.EER))
    assert made.match_probability is None
    assert made.probability(0.5) is None


def test_too_few_impostors_are_not_resolved() -> None:
    assert not fit([0.1] * 5, [0.9] * 299, ThresholdRule(Criterion.FMR, 0.01)).resolved
    assert fit([0.1] * 5, [0.9] * 300, ThresholdRule(Criterion.FMR, 0.01)).resolved


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
        ("schema_version", 3),
        ("schema_version", 1),
        ("n_subjects", -1),
        ("lost_genuine", -1),
        ("seed", -1),
        ("metric", None),
        ("model_name", None),
        ("model_fingerprint", None),
    ],
)
def test_refuses_values_out_of_range(calibration: Calibration, field: str, value: Any) -> None:
    with pytest.raises(ValueError, match=f"^{field}: expected"):
        replace(calibration, **{field: value})


def test_limits_of_a_threshold_are_distances_that_there_can_be() -> None:
    # Resamples with four impostor pairs at distance 0 accept nothing: a threshold below zero.
    genuine, impostor = [0.0] * 50, [0.0] * 3 + [1.0] * 97
    loose = fitted_to(genuine, impostor, ThresholdRule(Criterion.FMR, 0.03)).calibration
    assert loose.threshold == 0.5
    assert loose.threshold_interval is not None
    assert loose.threshold_interval.low == 0
    strict = fitted_to(genuine, impostor, ThresholdRule(Criterion.FMR, 0.02)).calibration
    assert strict.threshold < 0
    assert strict.threshold_interval is not None
    assert strict.threshold_interval.low == strict.threshold
