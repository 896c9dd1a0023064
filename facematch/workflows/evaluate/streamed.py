"""Evaluate one-to-one comparison on all pairs of many photographs, which are not held."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

import numpy as np

from facematch import __version__
from facematch.calibration import (
    AllPairs,
    Rounds,
    StreamedComparisons,
    StreamedDecisions,
    deal_people,
    group_columns,
    require_distinct_pictures,
    require_photographs,
    stream_photographs,
)
from facematch.metrics import (
    Accuracies,
    Criterion,
    DecisionCounts,
    EffectiveCounts,
    Progress,
    RateEstimate,
    ThresholdRule,
    auc,
    average_precision,
    d_prime_of,
    eer,
    fit_probability_of,
    fold_thresholds,
    measure_reliability,
    probabilities,
    threshold_for,
)
from facematch.pipeline import TemplateSource
from facematch.types import Metric
from facematch.workflows.evaluate.failures import far, frr
from facematch.workflows.evaluate.intervals import summary_without_groups, thresholds_judged_at
from facematch.workflows.evaluate.records import (
    FixedThreshold,
    Protocol,
    StatedProbability,
    VerificationResult,
)

_ACCURACY = ThresholdRule(Criterion.ACCURACY)


def evaluate_all_pairs(
    pairs: AllPairs,
    templates: TemplateSource,
    *,
    metric: Metric,
    fixed: FixedThreshold | None,
    folds: int,
    groups: Sequence[str] | None,
    seed: int,
    progress: Progress,
    comparing: Progress,
) -> VerificationResult:
    """As :func:`facematch.workflows.evaluate.evaluate_pairs`, which calls this.

    One round counts the pairs, another decides them. Intervals of AUC, EER and true accept
    rates are from leaving out groups of people (:mod:`facematch.metrics.jackknife`); thresholds
    of folds and probabilities are of distances rounded up to 1/131,072 of their range; and no
    list of outcomes is kept, so that systems cannot be compared by it.
    """
    group_columns(pairs, groups)
    require_photographs(pairs)
    dealt = deal_people(np.bincount(pairs.subject), folds, seed)
    distinct = partial(require_distinct_pictures, pairs)
    gathered = templates.gather(pairs.photographs, progress, distinct)
    pairs = pairs.with_contents(gathered.sha256)
    reason = gathered.failures[0].reason if gathered.failures else ""
    rounds = Rounds(2, comparing)
    measured = stream_photographs(pairs, gathered.templates, metric, dealt, reason, rounds.next())
    curve = measured.curve
    chosen = None if fixed is not None else _chosen(measured)
    threshold = threshold_for(curve, _ACCURACY) if fixed is None else fixed.threshold
    decided = StreamedDecisions(
        measured,
        (threshold, *thresholds_judged_at(curve)),
        () if chosen is None else chosen,
        worst_within_folds=chosen is not None,
        progress=rounds.next(),
    )
    judged = _of_all(decided, threshold) if chosen is None else _of_folds(decided, chosen)
    if fixed is not None:
        protocol = Protocol.FIXED
    else:
        protocol = Protocol.SAME_PAIRS if chosen is None else Protocol.SUBJECT_FOLDS

    def effective_at(at: float) -> EffectiveCounts:
        return EffectiveCounts.of(decided.fnmr(at), decided.fmr(at))

    summary = summary_without_groups(measured.counts, effective_at)
    by_folds = judged.by_folds
    return VerificationResult(
        measured=measured,
        identity=templates.identity,
        metric=metric,
        curve=curve,
        protocol=protocol,
        threshold=threshold,
        threshold_origin=None if fixed is None else fixed.origin,
        accuracy=judged.accuracy,
        accuracy_std=None if by_folds is None else by_folds.standard_deviation,
        accuracy_se=None if by_folds is None else by_folds.standard_error,
        fold_accuracies=() if by_folds is None else by_folds.accuracies,
        fold_thresholds=() if by_folds is None else by_folds.thresholds,
        counts=judged.counts,
        fmr=judged.fmr,
        fnmr=judged.fnmr,
        far=far(judged.fmr, measured, curve),
        frr=frr(judged.fnmr, measured, curve),
        auc=auc(curve),
        auc_interval=summary.auc,
        eer=eer(curve),
        eer_interval=summary.eer,
        tar_at_fmr=summary.tar_at_fmr,
        d_prime=d_prime_of(curve),
        average_precision=average_precision(curve),
        failures=gathered.failures,
        photographs=len(gathered.sha256),
        reused=gathered.reused,
        n_subjects=measured.n_subjects,
        subjects_inferred=False,
        groups=(),
        probability=_probability(measured, fixed, effective_at(thresholds_judged_at(curve)[0])),
        worst=decided.worst(),
        listed=None,
        seed=seed,
        version=__version__,
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
    )


@dataclass(frozen=True, slots=True)
class _Judged:
    """What the decisions of the protocol were worth."""

    fmr: RateEstimate
    fnmr: RateEstimate
    by_folds: Accuracies | None

    @property
    def counts(self) -> DecisionCounts:
        fmr, fnmr = self.fmr, self.fnmr
        return DecisionCounts(
            true_matches=fnmr.comparisons - fnmr.errors,
            false_non_matches=fnmr.errors,
            false_matches=fmr.errors,
            true_non_matches=fmr.comparisons - fmr.errors,
        )

    @property
    def accuracy(self) -> float:
        return self.counts.accuracy if self.by_folds is None else self.by_folds.mean


def _of_all(decided: StreamedDecisions, threshold: float) -> _Judged:
    return _Judged(decided.fmr(threshold), decided.fnmr(threshold), None)


def _of_folds(decided: StreamedDecisions, thresholds: Sequence[float]) -> _Judged:
    """By the folds that decide a pair."""
    right, everything = decided.right_within()
    accuracies, used = [], []
    for correct, pairs, threshold in zip(
        right.tolist(), everything.tolist(), thresholds, strict=True
    ):
        if pairs > 0:
            accuracies.append(correct / pairs)
            used.append(threshold)
    by_folds = Accuracies(tuple(accuracies), tuple(used))
    return _Judged(decided.fmr_within(), decided.fnmr_within(), by_folds)


def _chosen(measured: StreamedComparisons) -> tuple[float, ...] | None:
    """A threshold for each fold; None where folds are too few or lack a class."""
    counts = measured.counts
    chosen = fold_thresholds(counts, _ACCURACY)
    judged = [fold.judge.n_genuine + fold.judge.n_impostor > 0 for fold in counts.folds]
    if any(a is None and decides for a, decides in zip(chosen, judged, strict=True)):
        return None
    genuine = any(fold.judge.n_genuine for fold in counts.folds)
    impostor = any(fold.judge.n_impostor for fold in counts.folds)
    if sum(judged) < 2 or not genuine or not impostor:
        return None
    # Nothing is decided by that of a fold without pairs.
    return tuple(0.0 if threshold is None else threshold for threshold in chosen)


def _probability(
    measured: StreamedComparisons, fixed: FixedThreshold | None, effective: EffectiveCounts
) -> StatedProbability | None:
    """The curve that comes with the threshold, else one of these pairs on held-out people."""
    counts = measured.counts
    if fixed is not None and fixed.probability is not None:
        curve = fixed.probability
        distances, same, often = counts.rounded.sample()
        stated = probabilities(curve.log_ratios(distances), curve.prior)
        reliability = measure_reliability(stated, same, curve.prior, often)
        return StatedProbability(curve.method, fixed.origin, True, curve.prior, reliability)
    folds = [(fold.choose, fold.judge) for fold in counts.folds]
    fit = fit_probability_of(counts.rounded, folds or None, effective=effective)
    if fit is None:
        return None
    prior = fit.curve.prior
    return StatedProbability(fit.curve.method, None, fit.held_out, prior, fit.reliability)
