"""The accuracy floor of the bundled model, through facematch's own detection and alignment."""

from __future__ import annotations

from pathlib import Path

import pytest

from facematch.calibration import load_calibration, load_pairs
from facematch.embedding import find_model
from facematch.metrics import Criterion, ThresholdRule, counts_at, tar_at_fmr
from facematch.pipeline import TemplateSource
from facematch.workflows.calibrate import calibrate

pytestmark = [pytest.mark.photos, pytest.mark.slow]

FLOOR = 0.94


def test_accuracy_on_the_test_pairs_at_the_threshold_of_the_training_pairs(
    lfw: Path, templates: TemplateSource
) -> None:
    rule = ThresholdRule(Criterion.ACCURACY)
    chosen = calibrate(load_pairs(lfw / "pairsDevTrain.txt"), templates, rule)
    held_out = calibrate(load_pairs(lfw / "pairsDevTest.txt"), templates, rule)
    threshold = chosen.calibration.threshold
    counts = counts_at(held_out.curve, threshold)
    print(
        f"\nLFW View 1 test: accuracy {counts.accuracy:.4f} at threshold {threshold:.4f} "
        f"(chosen on {chosen.calibration.n_genuine} + {chosen.calibration.n_impostor} pairs), "
        f"TAR {tar_at_fmr(held_out.curve, 0.001):.4f} at FMR 0.001, "
        f"{held_out.calibration.n_genuine} + {held_out.calibration.n_impostor} pairs, "
        f"{held_out.calibration.failures_to_acquire} failures to acquire, "
        f"model {templates.identity.fingerprint[:12]}"
    )
    assert held_out.calibration.failures_to_acquire <= 2
    assert counts.accuracy >= FLOOR


def test_the_bundled_calibration_is_the_one_made_from_these_pairs(
    lfw: Path, templates: TemplateSource
) -> None:
    bundle = find_model()
    shipped = load_calibration(bundle.calibration_path)
    shipped.require_model(bundle.identity, str(bundle.calibration_path))
    again = calibrate(load_pairs(lfw / "pairsDevTrain.txt"), templates, shipped.rule).calibration
    assert again.pairs_sha256 == shipped.pairs_sha256
    assert again.n_genuine == shipped.n_genuine
    assert again.n_impostor == shipped.n_impostor
    assert again.threshold == pytest.approx(shipped.threshold, abs=2e-3)
    assert again.fnmr == pytest.approx(shipped.fnmr, abs=5e-3)
