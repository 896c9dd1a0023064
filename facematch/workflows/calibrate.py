"""Choose a threshold from labelled pairs of photographs, or from distances."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial

import numpy as np

from facematch import __version__
from facematch.calibration import (
    AllPairs,
    Calibration,
    Dealt,
    FitSettings,
    FittedCalibration,
    GroupTable,
    LabelledComparisons,
    PhotographPairs,
    Remarks,
    Rounds,
    StreamedComparisons,
    WrongPair,
    compare_photographs,
    deal_people,
    fit_all_pairs,
    fit_calibration,
    group_columns,
    group_failures,
    group_table,
    require_distinct_pictures,
    require_photographs,
    stored_groups,
    stream_photographs,
    wrong_pairs,
)
from facematch.metrics import (
    Interval,
    Progress,
    ThresholdChoice,
    ThresholdRule,
    VerificationCurve,
    accepts,
    auc,
    choose_threshold,
    eer,
    fpir_estimate,
    people_needed,
    verification_curve,
)
from facematch.pipeline import Failure, Gathered, TemplateSource
from facematch.types import Metric


@dataclass(frozen=True, slots=True)
class MeasureRow:
    """What the rule gives with one of the distances, on the same pairs.

    Attributes:
        metric: the distance.
        threshold: that the rule chooses.
        fmr: at the threshold.
        fnmr: at the threshold.
        accuracy: at the threshold.
        eer: equal error rate.
        auc: area under the ROC.
    """

    metric: Metric
    threshold: float
    fmr: float
    fnmr: float
    accuracy: float
    eer: float
    auc: float


@dataclass(frozen=True, slots=True)
class GalleryEstimate:
    """What the threshold does when a gallery is searched with strangers.

    Attributes:
        size: references searched.
        fpir: ``1 - (1 - FMR)^size``.
        interval: the same of the limits of the FMR.
    """

    size: int
    fpir: float
    interval: Interval


@dataclass(frozen=True, slots=True)
class Unresolved:
    """A target that the comparisons of one class cannot show.

    Attributes:
        kind: ``impostor`` or ``genuine``.
        needed: independent comparisons that would do: the rule of three.
        pairs: there are.
        worth: how many independent ones would tell as much.
        people: about how many like these would do, at the most; None if nobody is named or
            in two comparisons: then it takes pairs.
    """

    kind: str
    needed: int
    pairs: int
    worth: float
    people: int | None


@dataclass(frozen=True, slots=True, eq=False)
class CalibrateResult:
    """The calibration and what it was made from.

    Attributes:
        fitted: the record to store, and the curves and estimates behind it.
        failures: photographs without a template: failures to acquire.
        photographs: number of distinct photographs in the list.
        reused: photographs whose templates came from the cache.
        remarks: on the list.
        subjects_inferred: whether nobody named the subjects.
        measures: the rule with each distance; empty for scores made elsewhere.
        groups: a table for each column asked for.
        gallery: None if no size was given.
        worst: wrong decisions, the furthest from the threshold first, a few of each class.
        streamed: whether the pairs were counted and not held: people are then left out, group by
            group, and not resampled.
    """

    fitted: FittedCalibration
    failures: tuple[Failure, ...]
    photographs: int
    reused: int
    remarks: Remarks
    subjects_inferred: bool
    measures: tuple[MeasureRow, ...]
    groups: tuple[GroupTable, ...]
    gallery: GalleryEstimate | None
    worst: tuple[WrongPair, ...]
    streamed: bool = False

    @property
    def calibration(self) -> Calibration:
        """The record to store."""
        return self.fitted.calibration

    @property
    def curve(self) -> VerificationCurve:
        """All operating points, for the plot."""
        return self.fitted.curve

    @property
    def choice(self) -> ThresholdChoice:
        """The threshold with what the data could not tell."""
        return self.fitted.choice

    @property
    def unresolved(self) -> tuple[Unresolved, ...]:
        """Classes of which there are too few comparisons to show the target."""
        found = []
        for kind, needed, rate in (
            ("impostor", self.choice.impostors_needed, self.fitted.fmr),
            ("genuine", self.choice.genuine_needed, self.fitted.fnmr),
        ):
            if rate.effective < needed:
                subjects = None if rate.independent else self.calibration.n_subjects
                people = None
                if subjects is not None:
                    people = people_needed(subjects, needed, rate.effective)
                found.append(Unresolved(kind, needed, rate.comparisons, rate.effective, people))
        return tuple(found)

    @property
    def intervals_rough(self) -> bool:
        """Whether few people stand behind the intervals."""
        return self.fitted.fmr.rough or self.fitted.fnmr.rough


def calibrate(
    pairs: PhotographPairs | LabelledComparisons | AllPairs,
    templates: TemplateSource | None,
    settings: FitSettings | ThresholdRule,
    *,
    metric: Metric = Metric.COSINE,
    groups: Sequence[str] | None = None,
    gallery_size: int | None = None,
    progress: Progress = lambda done, total: None,
    comparing: Progress = lambda done, total: None,
) -> CalibrateResult:
    """Embeds each photograph once, measures all pairs and chooses the threshold.

    Args:
        pairs: the labelled pairs, or comparisons that were made elsewhere, or the photographs
            of which all pairs are meant.
        templates: of the photographs; None for comparisons made elsewhere.
        settings: what the threshold is for, and how to judge it.
        metric: distance to calibrate.
        groups: columns to measure the threshold by; the column ``group``, if there is one, if
            None.
        gallery_size: to estimate false positives of a search for; that of the rule if None.
        progress: called with photographs done and in all.
        comparing: called with pairs compared and in all, where they are not held.

    Raises:
        PairsFormatError: a pair names a photograph that does not exist, or the same one twice.
        OneClassError: no genuine or no impostor pair is left.
        UsageError: the list has no such column, or one of too many values; or too many folds
            for pairs that are not held.
    """
    if isinstance(settings, ThresholdRule):
        settings = FitSettings(rule=settings)
    columns = group_columns(pairs, groups)
    if isinstance(pairs, AllPairs):
        if templates is None:
            raise ValueError("photographs need templates")
        return _of_all(*(pairs, templates, settings, metric, gallery_size), progress, comparing)
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
        measured = _compared(pairs, gathered, metric)
        compared = pairs.compared(gathered.acquired)
    fitted = fit_calibration(
        measured,
        settings,
        metric=None if identity is None else metric,
        identity=identity,
        failures_to_acquire=0 if gathered is None else len(gathered.failures),
        created_at=datetime.now(UTC),
        version=__version__,
    )
    measures: tuple[MeasureRow, ...] = ()
    if isinstance(pairs, PhotographPairs) and gathered is not None:
        measures = tuple(
            _measure(_curve(_compared(pairs, gathered, each)), each, settings.rule)
            for each in Metric
        )
    subjects = measured.labels.subjects
    acquired = None if gathered is None else gathered.acquired
    made = fitted.calibration
    wrong = accepts(measured.distances, made.threshold) != measured.labels.same
    tables = tuple(
        group_table(
            *(measured, name, made.threshold, settings.rule),
            failures=group_failures(pairs, name, acquired),
        )
        for name in columns
    )
    kept = replace(fitted, calibration=replace(made, groups=stored_groups(tables)))
    return CalibrateResult(
        fitted=kept,
        failures=() if gathered is None else gathered.failures,
        photographs=0 if gathered is None else len(gathered.sha256),
        reused=0 if gathered is None else gathered.reused,
        remarks=pairs.remarks,
        subjects_inferred=subjects is not None and subjects.inferred,
        measures=measures,
        groups=tables,
        gallery=_gallery(made, gallery_size),
        worst=wrong_pairs(pairs, measured, compared, wrong),
    )


def _of_all(
    pairs: AllPairs,
    templates: TemplateSource,
    settings: FitSettings,
    metric: Metric,
    gallery_size: int | None,
    progress: Progress,
    comparing: Progress,
) -> CalibrateResult:
    """All pairs, which are counted in one round and decided in another."""
    require_photographs(pairs)
    distinct = partial(require_distinct_pictures, pairs)
    gathered = templates.gather(pairs.photographs, progress, distinct)
    pairs = pairs.with_contents(gathered.sha256)
    rounds = Rounds(1 + len(Metric), comparing)
    sizes = np.bincount(pairs.subject[gathered.acquired], minlength=int(pairs.subject[-1]) + 1)
    dealt = deal_people(sizes, settings.folds, settings.seed)
    reason = gathered.failures[0].reason if gathered.failures else ""

    def counted(each: Metric, parts: Dealt | None) -> StreamedComparisons:
        return stream_photographs(pairs, gathered.templates, each, parts, reason, rounds.next())

    # First, so that no two curves, each of up to 600 MB, are held at a time.
    rows = {
        each: _measure(counted(each, None).curve, each, settings.rule)
        for each in Metric
        if each is not metric
    }
    measured = counted(metric, dealt)
    fitted, worst = fit_all_pairs(
        measured,
        settings,
        identity=templates.identity,
        failures_to_acquire=len(gathered.failures),
        created_at=datetime.now(UTC),
        version=__version__,
        progress=rounds.next(),
    )
    rows[metric] = _measure(fitted.curve, metric, settings.rule)
    return CalibrateResult(
        fitted=fitted,
        failures=gathered.failures,
        photographs=len(gathered.sha256),
        reused=gathered.reused,
        remarks=measured.remarks,
        subjects_inferred=False,
        measures=tuple(rows[each] for each in Metric),
        groups=(),
        gallery=_gallery(fitted.calibration, gallery_size),
        worst=worst,
        streamed=True,
    )


def _compared(pairs: PhotographPairs, gathered: Gathered, metric: Metric) -> LabelledComparisons:
    reason = gathered.failures[0].reason if gathered.failures else ""
    return compare_photographs(pairs, gathered.templates, metric, reason)


def _curve(measured: LabelledComparisons) -> VerificationCurve:
    return verification_curve(measured.genuine, measured.impostor)


def _measure(curve: VerificationCurve, metric: Metric, rule: ThresholdRule) -> MeasureRow:
    choice = choose_threshold(curve, rule)
    return MeasureRow(
        metric=metric,
        threshold=choice.threshold,
        fmr=choice.counts.fmr,
        fnmr=choice.counts.fnmr,
        accuracy=choice.counts.accuracy,
        eer=eer(curve),
        auc=auc(curve),
    )


def _gallery(calibration: Calibration, asked: int | None) -> GalleryEstimate | None:
    """For the size that was asked for, else that of the rule, if there is one."""
    size = asked if asked is not None else calibration.rule.gallery_size
    if size is None:
        return None
    limits = calibration.fmr_interval
    return GalleryEstimate(
        size=size,
        fpir=fpir_estimate(calibration.fmr, size),
        interval=Interval(fpir_estimate(limits.low, size), fpir_estimate(limits.high, size)),
    )
