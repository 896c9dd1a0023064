"""Which threshold a decision uses, and where it came from."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

from facematch.calibration.record import Calibration
from facematch.calibration.store import load_calibration
from facematch.errors import CalibrationNotFoundError, UsageError
from facematch.types import Metric, ModelIdentity

LOCAL_CALIBRATION = Path("calibration.json")


@dataclass(frozen=True, slots=True)
class DecisionThreshold:
    """A threshold with its metric and origin.

    Attributes:
        threshold: accept iff ``distance <= threshold``.
        metric: of the distance.
        origin: for a person: the file, the model's own, or the option.
        calibration: None if the threshold was given by hand.
    """

    threshold: float
    metric: Metric
    origin: str
    calibration: Calibration | None


def choose_decision(
    identity: ModelIdentity,
    bundled: Path,
    *,
    threshold: float | None = None,
    calibration: Path | None = None,
    metric: Metric | None = None,
    local: Path = LOCAL_CALIBRATION,
) -> DecisionThreshold:
    """Picks, in this order: the number given by hand, the calibration file given, the file
    ``calibration.json`` in the working folder, the calibration that the model ships with.

    Args:
        identity: of the model in use.
        bundled: where the model's own calibration is, if it has one.
        threshold: given by hand.
        calibration: given by path.
        metric: for a threshold given by hand; cosine if None.
        local: the file that is taken when neither option is given.

    Raises:
        UsageError: both options at once, or a threshold that is not a finite number.
        CalibrationError: the file cannot be used, or is of another model or metric.
    """
    if threshold is not None:
        if calibration is not None:
            raise UsageError("give --threshold or --calibration, not both")
        if not math.isfinite(threshold):
            raise UsageError(f"--threshold must be a finite number, got {threshold}")
        return DecisionThreshold(threshold, metric or Metric.COSINE, "--threshold", None)
    if calibration is not None:
        path, origin = calibration, str(calibration)
    elif local.is_file():
        path, origin = local, str(local)
    elif bundled.is_file():
        path, origin = bundled, f"the calibration of model {identity.name}"
    else:
        raise CalibrationNotFoundError(
            f"model {identity.name} has no calibration; run: facematch calibrate PAIRS "
            f"--model {identity.name}, or give --threshold"
        )
    loaded = load_calibration(path)
    calibrated = loaded.require_model(identity, origin)
    if metric is not None and metric is not calibrated:
        raise UsageError(
            f"{origin} is for {calibrated} distance, not {metric}; calibrate with "
            f"--metric {metric}, or give --threshold"
        )
    return DecisionThreshold(loaded.threshold, calibrated, origin, loaded)
