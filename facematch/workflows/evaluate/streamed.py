"""Evaluate one-to-one comparison on all pairs of many photographs, which are not held."""

from __future__ import annotations

from collections.abc import Sequence
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
    Criterion,
    EffectiveCounts,
    Progress,
    ThresholdRule,
    auc,
    average_precision,
    counts_at,
    d_prime_of,
    eer,
    fit_probability_of,
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
    threshold = threshold_for(curve, _ACCURACY) if fixed is None else fixed.threshold
    decided = StreamedDecisions(
        measured,
        (threshold, *thresholds_judged_at(curve)),
        measured.thresholds_of_folds(_ACCURACY) if fixed is None else (),
        progress=rounds.next(),
    )
    held_out = decided.held_out()
    if held_out is not None and len(held_out.accuracies) < 2:
        held_out = None
    if fixed is not None:
        protocol = Protocol.FIXED
    else:
        protocol = Protocol.SAME_PAIRS if held_out is None else Protocol.SUBJECT_FOLDS
    fmr, fnmr = decided.fmr(threshold), decided.fnmr(threshold)

    def effective_at(at: float) -> EffectiveCounts:
        return EffectiveCounts.of(decided.fnmr(at), decided.fmr(at))

    summary = summary_without_groups(measured.counts, effective_at)
    return VerificationResult(
        measured=measured,
        identity=templates.identity,
        metric=metric,
        curve=curve,
        protocol=protocol,
        held_out=held_out,
        threshold=threshold,
        threshold_origin=None if fixed is None else fixed.origin,
        counts=counts_at(curve, threshold),
        fmr=fmr,
        fnmr=fnmr,
        far=far(fmr, measured, curve),
        frr=frr(fnmr, measured, curve),
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
