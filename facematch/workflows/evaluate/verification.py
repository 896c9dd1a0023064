"""Evaluate one-to-one comparison on labelled pairs of photographs, or on distances."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial

import numpy as np

from facematch import __version__
from facematch.calibration import (
    AllPairs,
    LabelledComparisons,
    PhotographPairs,
    compare_photographs,
    group_columns,
    group_failures,
    group_table,
    require_distinct_pictures,
    require_photographs,
    wrong_pairs,
)
from facematch.metrics import (
    Criterion,
    DecisionCounts,
    Folds,
    Progress,
    RateEstimate,
    ThresholdRule,
    Units,
    VerificationCurve,
    accepts,
    auc,
    average_precision,
    d_prime,
    eer,
    fit_probability,
    fold_accuracy,
    judged_rate,
    measure_reliability,
    probabilities,
    subject_folds,
    threshold_for,
    verification_curve,
)
from facematch.pipeline import Gathered, TemplateSource
from facematch.types import BoolArray, Int64Array, Metric
from facematch.workflows.evaluate.failures import far, frr
from facematch.workflows.evaluate.intervals import effective_at, summarised
from facematch.workflows.evaluate.records import (
    FixedThreshold,
    ListedOutcomes,
    Protocol,
    StatedProbability,
    VerificationResult,
)
from facematch.workflows.evaluate.streamed import evaluate_all_pairs

DEFAULT_FOLDS = 10

_ACCURACY = ThresholdRule(Criterion.ACCURACY)
_EER = ThresholdRule(Criterion.EER)


def evaluate_pairs(
    pairs: PhotographPairs | LabelledComparisons | AllPairs,
    templates: TemplateSource | None,
    *,
    metric: Metric = Metric.COSINE,
    fixed: FixedThreshold | None = None,
    folds: int = DEFAULT_FOLDS,
    groups: Sequence[str] | None = None,
    seed: int = 0,
    progress: Progress = lambda done, total: None,
    comparing: Progress = lambda done, total: None,
) -> VerificationResult:
    """Embeds each photograph once, measures all pairs and decides them by the protocol.

    The folds are those of the list if it has some, else its people are dealt into folds. They
    are dealt before failures to acquire are known, so that two systems on one list are judged
    on the same folds.

    Args:
        pairs: the labelled pairs, or comparisons that were made elsewhere, or the photographs
            of which all pairs are meant.
        templates: of the photographs; None for comparisons made elsewhere.
        metric: distance to measure.
        fixed: decide by this threshold instead of choosing one.
        folds: of people, for a list without folds, at least 2.
        groups: columns to measure the threshold by; the column ``group``, if there is one, if
            None.
        seed: of folds and resampling.
        progress: called with photographs done and in all.
        comparing: called with pairs compared and in all, where they are not held.

    Raises:
        PairsFormatError: a pair names a photograph that does not exist, or the same one twice.
        OneClassError: no genuine or no impostor pair is left.
        UsageError: the list has no such column, or one of too many values; or too many folds
            for pairs that are not held.
    """
    if isinstance(pairs, AllPairs):
        if templates is None:
            raise ValueError("photographs need templates")
        return evaluate_all_pairs(
            *(pairs, templates),
            metric=metric,
            fixed=fixed,
            folds=folds,
            groups=groups,
            seed=seed,
            progress=progress,
            comparing=comparing,
        )
    columns = group_columns(pairs, groups)
    gathered: Gathered | None = None
    compared = np.ones(len(pairs.labels.same), np.bool_)
    if isinstance(pairs, LabelledComparisons):
        measured, identity, compared = pairs.measured(), None, pairs.compared
    elif templates is None:
        raise ValueError("photographs need templates")
    else:
        identity = templates.identity
        require_photographs(pairs)
        distinct = partial(require_distinct_pictures, pairs)
        gathered = templates.gather(pairs.photographs, progress, distinct)
        pairs = pairs.with_contents(gathered.sha256)
        reason = gathered.failures[0].reason if gathered.failures else ""
        measured = compare_photographs(pairs, gathered.templates, metric, reason)
        compared = pairs.compared(gathered.acquired)
    same, units = measured.labels.same, measured.labels.units()
    curve = verification_curve(measured.genuine, measured.impostor)
    decided = _decided(pairs, measured, compared, curve, fixed, folds, seed)
    fmr, fnmr = (_rate(decided, measured, units, bool(kind)) for kind in (0, 1))
    summary = summarised(measured, units, curve, seed)
    subjects = measured.labels.subjects
    acquired = None if gathered is None else gathered.acquired
    return VerificationResult(
        measured=measured,
        identity=identity,
        metric=None if identity is None else metric,
        curve=curve,
        protocol=decided.protocol,
        threshold=decided.threshold,
        threshold_origin=None if fixed is None else fixed.origin,
        accuracy=decided.accuracy,
        accuracy_std=decided.std,
        accuracy_se=decided.se,
        fold_accuracies=decided.fold_accuracies,
        fold_thresholds=decided.fold_thresholds,
        counts=_counts(decided.accepted, decided.judged, same),
        fmr=fmr,
        fnmr=fnmr,
        far=far(fmr, measured, curve),
        frr=frr(fnmr, measured, curve),
        auc=auc(curve),
        auc_interval=summary.auc,
        eer=eer(curve),
        eer_interval=summary.eer,
        tar_at_fmr=summary.tar_at_fmr,
        d_prime=d_prime(measured.genuine, measured.impostor),
        average_precision=average_precision(curve),
        failures=() if gathered is None else gathered.failures,
        photographs=0 if gathered is None else len(gathered.sha256),
        reused=0 if gathered is None else gathered.reused,
        n_subjects=None if subjects is None else int((units.appearances() > 0).sum()),
        subjects_inferred=subjects is not None and subjects.inferred,
        groups=tuple(
            group_table(
                *(measured, name, decided.threshold, _ACCURACY),
                group_failures(pairs, name, acquired),
            )
            for name in columns
        ),
        probability=_probability(measured, decided.dealt, fixed),
        worst=wrong_pairs(
            *(pairs, measured, compared), decided.judged & (decided.accepted != same)
        ),
        listed=_listed(pairs, measured, compared, decided),
        seed=seed,
        version=__version__,
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
    )


class _Decided:
    """Decisions on n comparisons, and where they came from."""

    def __init__(
        self, protocol: Protocol, threshold: float, accepted: BoolArray, judged: BoolArray
    ) -> None:
        self.protocol = protocol
        self.threshold = threshold
        self.accepted = accepted
        self.judged = judged
        self.accuracy = 0.0
        self.std: float | None = None
        self.se: float | None = None
        self.fold_accuracies: tuple[float, ...] = ()
        self.fold_thresholds: tuple[float, ...] = ()
        self.dealt: Folds | None = None


def _decided(
    pairs: PhotographPairs | LabelledComparisons,
    measured: LabelledComparisons,
    compared: BoolArray,
    curve: VerificationCurve,
    fixed: FixedThreshold | None,
    folds: int,
    seed: int,
) -> _Decided:
    distances, same = measured.distances, measured.labels.same
    everything = np.ones(len(same), np.bool_)
    best = threshold_for(curve, _ACCURACY)
    protocol, dealt = _folds(pairs, folds, seed)
    kept = None if dealt is None else Folds(dealt.count, dealt.a[compared], dealt.b[compared])
    if fixed is None and kept is not None:
        found = fold_accuracy(distances, same, kept)
        if found is not None:
            decided = _Decided(protocol, best, found.accepted, found.judged)
            decided.accuracy = found.mean
            decided.std, decided.se = found.standard_deviation, found.standard_error
            decided.fold_accuracies = found.accuracies
            decided.fold_thresholds = found.thresholds
            decided.dealt = kept
            return decided
    threshold = best if fixed is None else fixed.threshold
    protocol = Protocol.SAME_PAIRS if fixed is None else Protocol.FIXED
    decided = _Decided(protocol, threshold, accepts(distances, threshold), everything)
    decided.accuracy = float((decided.accepted == same).mean())
    decided.dealt = kept
    return decided


def _folds(
    pairs: PhotographPairs | LabelledComparisons, folds: int, seed: int
) -> tuple[Protocol, Folds | None]:
    listed = pairs.labels.folds
    if listed is not None and int(listed.max()) >= 1:
        return Protocol.LISTED_FOLDS, Folds(int(listed.max()) + 1, listed, listed)
    known = pairs.labels.subjects is not None
    dealt = subject_folds(pairs.labels.units(), folds, np.random.default_rng((seed, 1)))
    return Protocol.SUBJECT_FOLDS if known else Protocol.COMPARISON_FOLDS, dealt


def _rate(
    decided: _Decided, measured: LabelledComparisons, units: Units, genuine: bool
) -> RateEstimate:
    same, distances = measured.labels.same, measured.distances
    kind = same == genuine
    hardness = distances if genuine else -distances
    return judged_rate(decided.accepted != same, decided.judged & kind, kind, hardness, units)


def _counts(accepted: BoolArray, judged: BoolArray, same: BoolArray) -> DecisionCounts:
    def count(decision: BoolArray, label: BoolArray) -> int:
        return int((judged & decision & label).sum())

    return DecisionCounts(
        true_matches=count(accepted, same),
        false_non_matches=count(~accepted, same),
        false_matches=count(accepted, ~same),
        true_non_matches=count(~accepted, ~same),
    )


def _probability(
    measured: LabelledComparisons, dealt: Folds | None, fixed: FixedThreshold | None
) -> StatedProbability | None:
    """The curve that comes with the threshold, else one of these pairs on held-out people."""
    distances, same = measured.distances, measured.labels.same
    if fixed is not None and fixed.probability is not None:
        curve = fixed.probability
        stated = probabilities(curve.log_ratios(distances), curve.prior)
        reliability = measure_reliability(stated, same, curve.prior)
        return StatedProbability(curve.method, fixed.origin, True, curve.prior, reliability)
    at_eer = threshold_for(verification_curve(measured.genuine, measured.impostor), _EER)
    effective = effective_at(measured, measured.labels.units(), at_eer)
    fit = fit_probability(distances, same, dealt, effective=effective)
    if fit is None:
        return None
    prior = fit.curve.prior
    return StatedProbability(fit.curve.method, None, fit.held_out, prior, fit.reliability)


def _listed(
    pairs: PhotographPairs | LabelledComparisons,
    measured: LabelledComparisons,
    compared: BoolArray,
    decided: _Decided,
) -> ListedOutcomes:
    distances = np.full(len(compared), np.inf)
    distances[compared] = measured.distances
    accepted = np.zeros(len(compared), np.bool_)
    accepted[compared] = decided.accepted
    # A pair that could not be compared is rejected, which is a decision.
    judged = np.ones(len(compared), np.bool_)
    judged[compared] = decided.judged
    first = second = None
    subjects = pairs.labels.subjects
    if subjects is not None:
        first, second = _by_first_appearance(subjects.a, subjects.b)
    return ListedOutcomes(
        measured.sha256, pairs.labels.same, distances, accepted, judged, first, second
    )


def _by_first_appearance(a: Int64Array, b: Int64Array) -> tuple[Int64Array, Int64Array]:
    """The same partition with numbers that do not depend on who numbered it."""
    _, first, inverse = np.unique(
        np.stack((a, b), 1).ravel(), return_index=True, return_inverse=True
    )
    number = np.empty(len(first), np.int64)
    number[np.argsort(first)] = np.arange(len(first))
    numbered = number[inverse].reshape(-1, 2)
    return numbered[:, 0], numbered[:, 1]
