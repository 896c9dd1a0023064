"""Evaluate one-to-one comparison on labelled pairs of photographs, or on distances."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
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
    Folds,
    HeldOut,
    Progress,
    ThresholdRule,
    Units,
    VerificationCurve,
    accepts,
    auc,
    average_precision,
    counts_at,
    d_prime,
    eer,
    estimate_fmr,
    estimate_fnmr,
    fit_probability,
    held_out,
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
    threshold = threshold_for(curve, _ACCURACY) if fixed is None else fixed.threshold
    fmr = estimate_fmr(measured.impostor, units.subset(~same), threshold)
    fnmr = estimate_fnmr(measured.genuine, units.subset(same), threshold)
    dealt = _folds(pairs, folds, seed)
    decided = _decided(measured, units, compared, curve, dealt if fixed is None else None)
    summary = summarised(measured, units, curve, seed)
    subjects = measured.labels.subjects
    acquired = None if gathered is None else gathered.acquired
    return VerificationResult(
        measured=measured,
        identity=identity,
        metric=None if identity is None else metric,
        curve=curve,
        protocol=Protocol.FIXED if fixed is not None else decided.protocol,
        held_out=decided.held_out,
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
        d_prime=d_prime(measured.genuine, measured.impostor),
        average_precision=average_precision(curve),
        failures=() if gathered is None else gathered.failures,
        photographs=0 if gathered is None else len(gathered.sha256),
        reused=0 if gathered is None else gathered.reused,
        n_subjects=None if subjects is None else int((units.appearances() > 0).sum()),
        subjects_inferred=subjects is not None and subjects.inferred,
        groups=tuple(
            group_table(
                *(measured, name, threshold, _ACCURACY),
                group_failures(pairs, name, acquired),
            )
            for name in columns
        ),
        probability=_probability(measured, dealt.compared(compared), fixed),
        worst=wrong_pairs(
            *(pairs, measured, compared), accepts(measured.distances, threshold) != same
        ),
        listed=_listed(pairs, measured, compared, threshold, decided),
        seed=seed,
        version=__version__,
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
    )


@dataclass(frozen=True, slots=True)
class _Dealt:
    """How the pairs of the list are put into folds, those that cannot be compared as well."""

    protocol: Protocol
    folds: Folds | None

    def compared(self, compared: BoolArray) -> Folds | None:
        """The folds of the pairs that were."""
        if self.folds is None:
            return None
        return Folds(self.folds.count, self.folds.a[compared], self.folds.b[compared])


@dataclass(frozen=True, slots=True)
class _Decided:
    """The decisions behind accuracy; of all pairs at the threshold where nothing is held out."""

    protocol: Protocol
    held_out: HeldOut | None
    folds: Folds | None


def _decided(
    measured: LabelledComparisons,
    units: Units,
    compared: BoolArray,
    curve: VerificationCurve,
    dealt: _Dealt | None,
) -> _Decided:
    kept = None if dealt is None else dealt.compared(compared)
    if dealt is not None and kept is not None:
        # Folds of a list are judged as they are: that is the protocol of LFW.
        share = None if dealt.protocol is Protocol.LISTED_FOLDS else curve.genuine_share
        distances, same = measured.distances, measured.labels.same
        found = held_out(distances, same, units, kept, _ACCURACY, share)
        if found is not None and len(found.accuracies) > 1:
            return _Decided(dealt.protocol, found, dealt.folds)
    return _Decided(Protocol.SAME_PAIRS, None, None)


def _folds(pairs: PhotographPairs | LabelledComparisons, folds: int, seed: int) -> _Dealt:
    listed = pairs.labels.folds
    if listed is not None and int(listed.max()) >= 1:
        return _Dealt(Protocol.LISTED_FOLDS, Folds(int(listed.max()) + 1, listed, listed))
    known = pairs.labels.subjects is not None
    dealt = subject_folds(pairs.labels.units(), folds, np.random.default_rng((seed, 1)))
    return _Dealt(Protocol.SUBJECT_FOLDS if known else Protocol.COMPARISON_FOLDS, dealt)


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
    threshold: float,
    decided: _Decided,
) -> ListedOutcomes:
    # A pair that could not be compared is rejected, which is a decision.
    distances = np.full(len(compared), np.inf)
    distances[compared] = measured.distances
    found, folds = decided.held_out, decided.folds
    if found is None or folds is None:
        fold, accepted = np.zeros(len(compared), np.int64), accepts(distances, threshold)
    else:
        fold, accepted = np.where(folds.a == folds.b, folds.a, -1), np.zeros_like(compared)
        for one in found.by_fold:
            inside = fold == one.fold
            accepted[inside] = accepts(distances[inside], one.threshold)
    first = second = None
    subjects = pairs.labels.subjects
    if subjects is not None:
        first, second = _by_first_appearance(subjects.a, subjects.b)
    return ListedOutcomes(
        pairs_sha256=measured.sha256,
        same=pairs.labels.same,
        distances=distances,
        accepted=accepted,
        fold=fold,
        at_list_share=found is not None and found.share is not None,
        subject_a=first,
        subject_b=second,
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
