"""A calibration: a threshold together with everything that says what it is worth."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from datetime import datetime

from facematch.errors import CalibrationModelMismatchError
from facematch.metrics import Interval, MatchProbability, ThresholdRule
from facematch.types import Metric, ModelIdentity

SCHEMA_VERSION = 1

_SHA256 = re.compile(r"[0-9a-f]{64}", re.ASCII)
_MAX_TEXT = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """A threshold, measured on labelled pairs with one model and one metric.

    Attributes:
        metric: the distance that the threshold is for.
        threshold: accept iff ``distance <= threshold``; finite.
        rule: what the threshold was chosen for.
        fmr: measured false match rate at the threshold, in [0, 1].
        fmr_interval: its 95 % Clopper-Pearson interval.
        fnmr: measured false non-match rate at the threshold, in [0, 1].
        fnmr_interval: its 95 % Clopper-Pearson interval.
        n_genuine: genuine comparisons measured, at least 1.
        n_impostor: impostor comparisons measured, at least 1.
        failures_to_acquire: pictures that gave no template. Their pairs are in none of the
            rates and counts above.
        resolved: False if there were too few comparisons for the rule's target: one error
            would already be more than it.
        auc: area under the ROC, in [0, 1].
        eer: equal error rate, in [0, 1].
        accuracy: share of comparisons decided rightly at the threshold, in [0, 1].
        match_probability: None if the pairs did not support one.
        pairs_name: file name of the list of pairs.
        pairs_sha256: hexadecimal digest of that file.
        model_name: as ``--model`` takes it.
        model_fingerprint: of the model that made the templates.
        facematch_version: of the program that measured.
        created_at: ISO 8601 with offset.
        schema_version: of the file format.

    Raises:
        ValueError: a field is out of range; the message begins with its name.
    """

    metric: Metric
    threshold: float
    rule: ThresholdRule
    fmr: float
    fmr_interval: Interval
    fnmr: float
    fnmr_interval: Interval
    n_genuine: int
    n_impostor: int
    failures_to_acquire: int
    resolved: bool
    auc: float
    eer: float
    accuracy: float
    match_probability: MatchProbability | None
    pairs_name: str
    pairs_sha256: str
    model_name: str
    model_fingerprint: str
    facematch_version: str
    created_at: str
    schema_version: int = SCHEMA_VERSION

    def __post_init__(self) -> None:
        _require(math.isfinite(self.threshold), "threshold", "a finite number", self.threshold)
        for name, share in (
            ("fmr", self.fmr),
            ("fnmr", self.fnmr),
            ("auc", self.auc),
            ("eer", self.eer),
            ("accuracy", self.accuracy),
        ):
            _require(0 <= share <= 1, name, "a number in [0, 1]", share)
        for name, rate, interval in (
            ("fmr_interval", self.fmr, self.fmr_interval),
            ("fnmr_interval", self.fnmr, self.fnmr_interval),
        ):
            inside = interval.low <= rate <= interval.high
            _require(inside, name, f"limits around the rate {rate}", interval)
        _require(self.n_genuine >= 1, "n_genuine", "at least 1", self.n_genuine)
        _require(self.n_impostor >= 1, "n_impostor", "at least 1", self.n_impostor)
        failures = self.failures_to_acquire
        _require(failures >= 0, "failures_to_acquire", "at least 0", failures)
        for name, text in (
            ("pairs_name", self.pairs_name),
            ("model_name", self.model_name),
            ("model_fingerprint", self.model_fingerprint),
            ("facematch_version", self.facematch_version),
        ):
            # Control characters would reach the user's terminal.
            short = 0 < len(text) <= _MAX_TEXT and text.isprintable()
            _require(short, name, f"1 to {_MAX_TEXT} printable characters", text[:40])
        is_digest = _SHA256.fullmatch(self.pairs_sha256) is not None
        _require(is_digest, "pairs_sha256", "64 hexadecimal digits", self.pairs_sha256[:80])
        is_time = _is_time_with_offset(self.created_at)
        _require(is_time, "created_at", "an ISO 8601 time with offset", self.created_at[:40])
        is_known = self.schema_version == SCHEMA_VERSION
        _require(is_known, "schema_version", str(SCHEMA_VERSION), self.schema_version)

    def probability(self, distance: float) -> float | None:
        """P(same subject | distance) at the stated prior, strictly between 0 and 1.

        None if the calibration has no probability.
        """
        return None if self.match_probability is None else self.match_probability.at(distance)

    def require_model(self, identity: ModelIdentity, source: str) -> None:
        """Refuses distances of another model.

        Args:
            identity: the model in use.
            source: where the calibration came from, for the message.

        Raises:
            CalibrationModelMismatchError: the fingerprints differ.
        """
        if self.model_fingerprint != identity.fingerprint:
            raise CalibrationModelMismatchError(
                f"{source}: this calibration was made with model {self.model_name} "
                f"(fingerprint {self.model_fingerprint[:12]}), not with {identity.name} "
                f"({identity.fingerprint[:12]}); "
                f"run `facematch calibrate PAIRS --model {identity.name}`"
            )


def _require(condition: bool, name: str, expected: str, found: object) -> None:
    if not condition:
        raise ValueError(f"{name}: expected {expected}, got {found!r}")


def _is_time_with_offset(text: str) -> bool:
    try:
        return datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        return False
