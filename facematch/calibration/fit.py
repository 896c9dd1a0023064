"""From measured distances to a calibration."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import partial

import numpy as np

from facematch.calibration.mistakes import WrongPair
from facematch.calibration.record import (
    Calibration,
    HeldOutRates,
    IntervalMethod,
    stored_rate,
)
from facematch.calibration.sources import LabelledComparisons
from facematch.calibration.streaming import StreamedComparisons, StreamedDecisions
from facematch.errors import OneClassError
from facematch.metrics import (
    EffectiveCounts,
    Folds,
    HeldOut,
    Limits,
    ProbabilityFit,
    Progress,
    RateEstimate,
    Sweep,
    ThresholdChoice,
    ThresholdRule,
    Units,
    VerificationCurve,
    auc,
    bootstrap,
    choose_threshold,
    eer,
    estimate_fmr,
    estimate_fnmr,
    exact_threshold_limits,
    fit_probability,
    fit_probability_of,
    held_out,
    jackknife_limits,
    limits_around,
    percentile_limits,
    seems_reversed,
    subject_folds,
    threshold_for,
    threshold_is_uncertain,
    verification_curve,
)
from facematch.metrics.distances import largest_distance
from facematch.types import Metric, ModelIdentity

DEFAULT_FOLDS = 5
DEFAULT_RESAMPLES = 500

# Ten million comparisons take half a second a resample.
_MOST_WEIGHTS = 1_000_000_000
_FEWEST_RESAMPLES = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class FitSettings:
    """How a calibration is made.

    Attributes:
        rule: what the threshold is chosen for.
        seed: of folds and resampling.
        folds: for the rates on new people, at least 2; a list that comes in folds keeps its own.
        resamples: for the interval of the threshold, at least 20; fewer are taken of more than
            two million comparisons, and none where they are counted and not held.
        prior: that probabilities are stated at, in (0, 1).

    Raises:
        ValueError: a number is out of range.
    """

    rule: ThresholdRule
    seed: int = 0
    folds: int = DEFAULT_FOLDS
    resamples: int = DEFAULT_RESAMPLES
    prior: float = 0.5

    def __post_init__(self) -> None:
        if self.seed < 0:
            raise ValueError(f"the seed must be at least 0, got {self.seed}")
        if self.folds < 2:
            raise ValueError(f"the number of folds must be at least 2, got {self.folds}")
        if self.resamples < 20:
            raise ValueError(f"the number of resamples must be at least 20, got {self.resamples}")
        if not 0 < self.prior < 1:
            raise ValueError(f"the prior must lie between 0 and 1, got {self.prior}")


@dataclass(frozen=True, slots=True, eq=False)
class FittedCalibration:
    """A calibration with what it was read from.

    Attributes:
        calibration: the record.
        curve: all operating points.
        choice: the threshold, and what the data could not tell.
        fmr: at the threshold.
        fnmr: at the threshold.
        held_out: what the rule gives on people it was not chosen on; None if they are too few.
        probability: the chosen curve and how good it is; None if there is none.
    """

    calibration: Calibration
    curve: VerificationCurve
    choice: ThresholdChoice
    fmr: RateEstimate
    fnmr: RateEstimate
    held_out: HeldOut | None
    probability: ProbabilityFit | None

    @property
    def is_reversed(self) -> bool:
        """Whether genuine pairs are farther apart than impostor pairs, beyond chance."""
        return seems_reversed(self.curve, EffectiveCounts(self.fnmr.effective, self.fmr.effective))


def fit_calibration(
    measured: LabelledComparisons,
    settings: FitSettings,
    *,
    metric: Metric | None,
    identity: ModelIdentity | None,
    failures_to_acquire: int,
    created_at: datetime,
    version: str,
) -> FittedCalibration:
    """Chooses the threshold that the rule asks for and measures what it does.

    Args:
        measured: the comparisons.
        settings: the rule, and how to judge it.
        metric: of the distances; None for scores made elsewhere.
        identity: the model behind the distances; None for scores made elsewhere.
        failures_to_acquire: pictures that gave no template.
        created_at: when, with a time zone.
        version: of facematch.

    Raises:
        OneClassError: either class is empty.
        ValueError: NaN or infinity among the distances, or a field out of range.
    """
    rule, same, units = settings.rule, measured.labels.same, measured.labels.units()
    curve = verification_curve(measured.genuine, measured.impostor)
    choice = choose_threshold(curve, rule)
    fmr = estimate_fmr(measured.impostor, units.subset(~same), choice.threshold)
    fnmr = estimate_fnmr(measured.genuine, units.subset(same), choice.threshold)
    folds = _folds(measured, units, settings)
    effective = EffectiveCounts.of(fnmr, fmr)
    return _assembled(
        *(measured, settings, curve, choice, fmr, fnmr),
        _held_out(measured, units, folds, rule, curve),
        fit_probability(measured.distances, same, folds, settings.prior, effective),
        _threshold_limits(measured, units, settings, curve, effective),
        None if measured.labels.subjects is None else int((units.appearances() > 0).sum()),
        metric=metric,
        identity=identity,
        failures_to_acquire=failures_to_acquire,
        created_at=created_at,
        version=version,
    )


def fit_all_pairs(
    measured: StreamedComparisons,
    settings: FitSettings,
    *,
    identity: ModelIdentity,
    failures_to_acquire: int,
    created_at: datetime,
    version: str,
    progress: Progress = lambda done, total: None,
) -> tuple[FittedCalibration, tuple[WrongPair, ...]]:
    """The same of all pairs of many photographs, which are not kept.

    The interval of the threshold is from leaving out groups of people
    (:mod:`facematch.metrics.jackknife`), and where few errors decide, exact as well. Rates on
    new people and probabilities are of distances rounded up to 1/131,072 of their range.

    Args:
        measured: the pairs, with the folds of their people.
        settings: the rule, and how to judge it.
        identity: the model behind the distances.
        failures_to_acquire: photographs that gave no template.
        created_at: when, with a time zone.
        version: of facematch.
        progress: called with pairs decided and in all.

    Returns:
        The calibration, and the pairs that it decides most wrongly.
    """
    curve, counts, rule = measured.curve, measured.counts, settings.rule
    choice = choose_threshold(curve, rule)
    decided = StreamedDecisions(
        *(measured, [choice.threshold], measured.thresholds_of_folds(rule)), progress=progress
    )
    fmr, fnmr = decided.fmr(choice.threshold), decided.fnmr(choice.threshold)
    folds = [(fold.choose, fold.judge) for fold in counts.folds]
    effective = EffectiveCounts.of(fnmr, fmr)
    fitted = _assembled(
        *(measured, settings, curve, choice, fmr, fnmr),
        decided.held_out(),
        fit_probability_of(counts.rounded, folds or None, settings.prior, effective),
        _limits_of_rates(settings, curve, effective, _threshold_without(measured, rule)),
        measured.n_subjects,
        metric=measured.metric,
        identity=identity,
        failures_to_acquire=failures_to_acquire,
        created_at=created_at,
        version=version,
    )
    return fitted, decided.worst()


def _assembled(
    measured: LabelledComparisons | StreamedComparisons,
    settings: FitSettings,
    curve: VerificationCurve,
    choice: ThresholdChoice,
    fmr: RateEstimate,
    fnmr: RateEstimate,
    judged: HeldOut | None,
    probability: ProbabilityFit | None,
    threshold_interval: Limits,
    n_subjects: int | None,
    *,
    metric: Metric | None,
    identity: ModelIdentity | None,
    failures_to_acquire: int,
    created_at: datetime,
    version: str,
) -> FittedCalibration:
    """What was found, with its record."""
    choice = choice.judged_by(fnmr.effective, fmr.effective)
    independent = fmr.independent and fnmr.independent
    calibration = Calibration(
        scores=measured.kind,
        metric=metric,
        threshold=choice.threshold,
        rule=settings.rule,
        fmr=fmr.rate,
        fmr_interval=fmr.interval,
        fnmr=fnmr.rate,
        fnmr_interval=fnmr.interval,
        interval_method=(
            IntervalMethod.INDEPENDENT if independent else IntervalMethod.SHARED_SUBJECTS
        ),
        threshold_interval=_possible(threshold_interval, choice.threshold, metric, identity),
        n_genuine=curve.n_genuine,
        n_impostor=curve.n_impostor,
        n_subjects=n_subjects,
        failures_to_acquire=failures_to_acquire,
        lost_genuine=measured.lost_genuine,
        lost_impostor=measured.lost_impostor,
        resolved=choice.resolved,
        auc=auc(curve),
        eer=eer(curve),
        accuracy=choice.counts.accuracy,
        match_probability=None if probability is None else probability.curve,
        pairs_name=measured.name,
        pairs_sha256=measured.sha256,
        photographs_sha256=measured.photographs_sha256,
        seed=settings.seed,
        model_name=None if identity is None else identity.name,
        model_fingerprint=None if identity is None else identity.fingerprint,
        facematch_version=version,
        created_at=created_at.isoformat(timespec="seconds"),
        held_out=None
        if judged is None
        else HeldOutRates(
            judged.folds, stored_rate(judged.fmr), stored_rate(judged.fnmr), judged.accuracy
        ),
    )
    return FittedCalibration(calibration, curve, choice, fmr, fnmr, judged, probability)


def _possible(
    limits: Limits, threshold: float, metric: Metric | None, identity: ModelIdentity | None
) -> Limits:
    """The part of the limits that distances can have; the threshold stays inside.

    To accept nothing at all, a threshold is put below the least distance, though it be zero.
    """
    if metric is None or identity is None:
        return limits
    least = min(0.0, threshold)
    most = max(largest_distance(metric, identity.embedding_size), threshold)
    return Limits(min(max(limits.low, least), most), max(min(limits.high, most), least))


def _folds(measured: LabelledComparisons, units: Units, settings: FitSettings) -> Folds | None:
    """The folds of the list if it has some, else subjects dealt out by seed."""
    listed = measured.labels.folds
    if listed is not None:
        count = int(listed.max()) + 1
        return Folds(count, listed, listed) if count >= 2 else None
    return subject_folds(units, settings.folds, np.random.default_rng((settings.seed, 1)))


def _held_out(
    measured: LabelledComparisons,
    units: Units,
    folds: Folds | None,
    rule: ThresholdRule,
    curve: VerificationCurve,
) -> HeldOut | None:
    """With accuracy at the share of all pairs, if people were dealt; else of folds as they are."""
    if folds is None:
        return None
    share = curve.genuine_share if measured.labels.folds is None else None
    return held_out(measured.distances, measured.labels.same, units, folds, rule, share)


def _threshold_limits(
    measured: LabelledComparisons,
    units: Units,
    settings: FitSettings,
    curve: VerificationCurve,
    effective: EffectiveCounts,
) -> Limits:
    """By resampling people, and exactly where few errors decide or resamples say nothing."""
    resamples = _resampled_thresholds(measured, units, settings)
    return _limits_of_rates(settings, curve, effective, resamples)


def _threshold_without(measured: StreamedComparisons, rule: ThresholdRule) -> Limits | None:
    """By leaving out groups of people."""
    without = measured.counts.figures_without(lambda curve: (threshold_for(curve, rule),))
    if without is None:
        return None
    return jackknife_limits(threshold_for(measured.curve, rule), without[:, 0])


def _limits_of_rates(
    settings: FitSettings,
    curve: VerificationCurve,
    effective: EffectiveCounts,
    resamples: Limits | None,
) -> Limits:
    return limits_around(
        threshold_for(curve, settings.rule),
        resamples,
        uncertain=threshold_is_uncertain(curve, settings.rule, effective),
        exact=partial(exact_threshold_limits, curve, settings.rule, effective),
    )


def _resampled_thresholds(
    measured: LabelledComparisons, units: Units, settings: FitSettings
) -> Limits | None:
    sweep = Sweep(measured.distances, measured.labels.same)
    most = max(_FEWEST_RESAMPLES, _MOST_WEIGHTS // len(measured.distances))
    try:
        thresholds = bootstrap(
            sweep,
            units,
            lambda curve: threshold_for(curve, settings.rule),
            min(settings.resamples, most),
            np.random.default_rng((settings.seed, 2)),
        )
    except OneClassError:  # too few subjects to resample
        return None
    return percentile_limits(thresholds)
