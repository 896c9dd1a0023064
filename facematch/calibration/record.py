"""A calibration: a threshold together with everything that says what it is worth."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from facematch.calibration.sources import ScoreKind
from facematch.errors import CalibrationModelMismatchError
from facematch.metrics import (
    Interval,
    IsotonicProbability,
    Limits,
    MatchProbability,
    RateEstimate,
    ThresholdRule,
)
from facematch.types import Metric, ModelIdentity

SCHEMA_VERSION = 2

_SHA256 = re.compile(r"[0-9a-f]{64}", re.ASCII)
_MAX_TEXT = 1024


class IntervalMethod(StrEnum):
    """How the intervals of the rates were made: see :mod:`facematch.metrics.clustering`."""

    INDEPENDENT = "clopper-pearson"
    SHARED_SUBJECTS = "shared-subjects"


@dataclass(frozen=True, slots=True)
class StoredRate:
    """A measured error rate as a calibration keeps it.

    Attributes:
        rate: in [0, 1].
        interval: at 95 %, around the rate.
        comparisons: at least 1.

    Raises:
        ValueError: a number is out of range.
    """

    rate: float
    interval: Interval
    comparisons: int

    def __post_init__(self) -> None:
        inside = self.interval.low <= self.rate <= self.interval.high
        _require(inside, "interval", f"limits around the rate {self.rate}", self.interval)
        _require(self.comparisons >= 1, "comparisons", "at least 1", self.comparisons)


@dataclass(frozen=True, slots=True)
class HeldOutRates:
    """What the rule gave on people that the threshold was not chosen on.

    Attributes:
        folds: at least 2.
        fmr: over all folds.
        fnmr: over all folds.
        accuracy: in [0, 1], mean over the folds; where people were dealt into them, at the
            share of genuine pairs that all pairs have.

    Raises:
        ValueError: a number is out of range.
    """

    folds: int
    fmr: StoredRate
    fnmr: StoredRate
    accuracy: float

    def __post_init__(self) -> None:
        _require(self.folds >= 2, "held_out.folds", "at least 2", self.folds)
        in_range = 0 <= self.accuracy <= 1
        _require(in_range, "held_out.accuracy", "a number in [0, 1]", self.accuracy)


@dataclass(frozen=True, slots=True)
class StoredGroup:
    """The rates of one group at the threshold.

    Attributes:
        column: of the list.
        value: what the pairs share.
        fmr: None without impostor pairs.
        fnmr: None without genuine pairs.

    Raises:
        ValueError: a text that cannot be printed.
    """

    column: str
    value: str
    fmr: StoredRate | None
    fnmr: StoredRate | None

    def __post_init__(self) -> None:
        for name, text in (("column", self.column), ("value", self.value)):
            short = len(text) <= _MAX_TEXT and text.isprintable()
            _require(short, name, f"at most {_MAX_TEXT} printable characters", text[:40])


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """A threshold, measured on labelled pairs with one model and one metric.

    Of scores that were made elsewhere nothing is known of model and metric: the calibration
    then describes them, and no model of ours can use it.

    Attributes:
        scores: photographs, or scores made elsewhere. Similarities are calibrated with their
            sign turned: accept iff ``-similarity <= threshold``.
        metric: the distance that the threshold is for; None for scores made elsewhere.
        threshold: accept iff ``distance <= threshold``; finite.
        rule: what the threshold was chosen for.
        fmr: measured false match rate at the threshold, in [0, 1].
        fmr_interval: its 95 % interval.
        fnmr: measured false non-match rate at the threshold, in [0, 1].
        fnmr_interval: its 95 % interval.
        interval_method: of the two intervals.
        threshold_interval: at 95 %, where the rule would put the threshold on other people
            like these: by resampling subjects, or leaving out groups of them where pairs are
            too many to be held (:mod:`facematch.metrics.jackknife`), and where few errors
            decide by the exact limits of the rates as well
            (:mod:`facematch.metrics.inversion`); None if it was not measured.
        n_genuine: genuine comparisons measured, at least 1.
        n_impostor: impostor comparisons measured, at least 1.
        n_subjects: people in those comparisons; None if not known.
        failures_to_acquire: pictures that gave no template. Their pairs are in none of the
            rates and counts above.
        lost_genuine: genuine pairs that could not be compared because of them; None if that
            was not counted.
        lost_impostor: the same of impostor pairs.
        resolved: False if there were too few comparisons to show the rule's target, even
            without any error among them.
        auc: area under the ROC, in [0, 1].
        eer: equal error rate, in [0, 1].
        accuracy: share of comparisons decided rightly at the threshold, in [0, 1].
        match_probability: None if the pairs did not support one.
        pairs_name: file name of the list of pairs.
        pairs_sha256: hexadecimal digest of that file; of a folder, of its names, pairs and
            photographs.
        seed: of resampling and folds.
        model_name: as ``--model`` takes it; None for scores made elsewhere.
        model_fingerprint: of the model that made the templates; None for scores made elsewhere.
        facematch_version: of the program that measured.
        created_at: ISO 8601 with offset.
        held_out: what the rule gives on new people; None if they are too few, or if it was not
            kept.
        groups: the rates of each group asked for.
        photographs_sha256: over the digests of the photographs' bytes, in the order of the
            list; None for scores made elsewhere, or if it was not kept.
        schema_version: of the file format.

    Raises:
        ValueError: a field is out of range; the message begins with its name.
    """

    scores: ScoreKind
    metric: Metric | None
    threshold: float
    rule: ThresholdRule
    fmr: float
    fmr_interval: Interval
    fnmr: float
    fnmr_interval: Interval
    interval_method: IntervalMethod
    threshold_interval: Limits | None
    n_genuine: int
    n_impostor: int
    n_subjects: int | None
    failures_to_acquire: int
    lost_genuine: int | None
    lost_impostor: int | None
    resolved: bool
    auc: float
    eer: float
    accuracy: float
    match_probability: MatchProbability | IsotonicProbability | None
    pairs_name: str
    pairs_sha256: str
    seed: int
    model_name: str | None
    model_fingerprint: str | None
    facematch_version: str
    created_at: str
    held_out: HeldOutRates | None = None
    groups: tuple[StoredGroup, ...] = ()
    photographs_sha256: str | None = None
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
        for name, count in (
            ("n_subjects", self.n_subjects),
            ("failures_to_acquire", self.failures_to_acquire),
            ("lost_genuine", self.lost_genuine),
            ("lost_impostor", self.lost_impostor),
            ("seed", self.seed),
        ):
            _require(count is None or count >= 0, name, "at least 0", count)
        elsewhere = self.scores is not ScoreKind.PHOTOGRAPHS
        for name, given in (
            ("metric", self.metric),
            ("model_name", self.model_name),
            ("model_fingerprint", self.model_fingerprint),
        ):
            expected = "null for scores made elsewhere, and only for those"
            _require((given is None) is elsewhere, name, expected, given)
        for name, text in (
            ("pairs_name", self.pairs_name),
            ("model_name", self.model_name),
            ("model_fingerprint", self.model_fingerprint),
            ("facematch_version", self.facematch_version),
        ):
            # Control characters would reach the user's terminal.
            short = text is None or (0 < len(text) <= _MAX_TEXT and text.isprintable())
            _require(short, name, f"1 to {_MAX_TEXT} printable characters", (text or "")[:40])
        for name, digest in (
            ("pairs_sha256", self.pairs_sha256),
            ("photographs_sha256", self.photographs_sha256),
        ):
            is_digest = digest is None or _SHA256.fullmatch(digest) is not None
            _require(is_digest, name, "64 hexadecimal digits", (digest or "")[:80])
        is_time = _is_time_with_offset(self.created_at)
        _require(is_time, "created_at", "an ISO 8601 time with offset", self.created_at[:40])
        is_known = self.schema_version == SCHEMA_VERSION
        _require(is_known, "schema_version", str(SCHEMA_VERSION), self.schema_version)

    @property
    def far(self) -> float | None:
        """False accept rate: FMR with failures to acquire counted as rejections.

        ``FMR (1 - FTA)`` with FTA the share of the impostor pairs that could not be compared
        (ISO/IEC 19795-1). None if those were not counted.
        """
        fta = _share(self.lost_impostor, self.n_impostor)
        return None if fta is None else self.fmr * (1 - fta)

    @property
    def frr(self) -> float | None:
        """False reject rate: FNMR with failures to acquire counted as rejections.

        ``FTA + FNMR (1 - FTA)`` with FTA the share of the genuine pairs that could not be
        compared (ISO/IEC 19795-1). None if those were not counted.
        """
        fta = _share(self.lost_genuine, self.n_genuine)
        return None if fta is None else fta + self.fnmr * (1 - fta)

    def probability(self, distance: float) -> float | None:
        """P(same subject | distance) at the stated prior, strictly between 0 and 1.

        None if the calibration has no probability.
        """
        return None if self.match_probability is None else self.match_probability.at(distance)

    def require_model(self, identity: ModelIdentity, source: str) -> Metric:
        """Refuses distances of another model.

        Args:
            identity: the model in use.
            source: where the calibration came from, for the message.

        Returns:
            The distance that the threshold is for.

        Raises:
            CalibrationModelMismatchError: the fingerprints differ.
        """
        if self.metric is None or self.model_fingerprint is None:
            raise CalibrationModelMismatchError(
                f"{source}: this calibration is of {self.scores} made elsewhere "
                f"({self.pairs_name}), not of {identity.name}; "
                f"run `facematch calibrate PAIRS --model {identity.name}`"
            )
        if self.model_fingerprint != identity.fingerprint:
            raise CalibrationModelMismatchError(
                f"{source}: this calibration was made with model {self.model_name} "
                f"(fingerprint {self.model_fingerprint[:12]}), not with {identity.name} "
                f"({identity.fingerprint[:12]}); "
                f"run `facematch calibrate PAIRS --model {identity.name}`"
            )
        return self.metric


def stored_rate(estimate: RateEstimate) -> StoredRate:
    """An estimate as a calibration keeps it."""
    return StoredRate(estimate.rate, estimate.interval, estimate.comparisons)


def _share(lost: int | None, compared: int) -> float | None:
    return None if lost is None else lost / (lost + compared)


def _require(condition: bool, name: str, expected: str, found: object) -> None:
    if not condition:
        raise ValueError(f"{name}: expected {expected}, got {found!r}")


def _is_time_with_offset(text: str) -> bool:
    try:
        return datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        return False
