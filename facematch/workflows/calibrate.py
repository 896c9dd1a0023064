"""Choose a threshold from labelled pairs of photographs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from facematch import __version__
from facematch.calibration import (
    Calibration,
    LabelledComparisons,
    PhotographPairs,
    compare_photographs,
    fit_calibration,
    require_distinct_pictures,
    require_photographs,
)
from facematch.metrics import (
    ThresholdChoice,
    ThresholdRule,
    VerificationCurve,
    choose_threshold,
    verification_curve,
)
from facematch.pipeline import Failure, TemplateSource
from facematch.types import Metric


@dataclass(frozen=True, slots=True, eq=False)
class CalibrateResult:
    """The calibration and what it was made from.

    Attributes:
        calibration: the record to store.
        curve: for the plot.
        choice: the threshold with what the data could not tell.
        failures: photographs without a template: failures to acquire.
        pairs_lost: pairs that could not be compared because of them, genuine and impostor.
        photographs: number of distinct photographs in the list.
    """

    calibration: Calibration
    curve: VerificationCurve
    choice: ThresholdChoice
    failures: tuple[Failure, ...]
    pairs_lost: tuple[int, int]
    photographs: int


def calibrate(
    pairs: PhotographPairs | LabelledComparisons,
    templates: TemplateSource,
    rule: ThresholdRule,
    *,
    metric: Metric = Metric.COSINE,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> CalibrateResult:
    """Embeds each photograph once, measures all pairs and chooses the threshold.

    Args:
        pairs: the labelled pairs.
        templates: of the photographs.
        rule: what the threshold is for.
        metric: distance to calibrate.
        progress: called with photographs done and in all.

    Raises:
        PairsFormatError: a pair names a photograph that does not exist.
        OneClassError: no genuine or no impostor pair is left.
    """
    failures: tuple[Failure, ...] = ()
    photographs = 0
    if isinstance(pairs, LabelledComparisons):
        measured = pairs
    else:
        require_photographs(pairs)
        gathered = templates.gather(pairs.photographs, progress)
        require_distinct_pictures(pairs, gathered.sha256)
        failures, photographs = gathered.failures, len(pairs.photographs)
        reason = failures[0].reason if failures else ""
        measured = compare_photographs(pairs, gathered.templates, metric, reason)
    genuine, impostor = measured.genuine, measured.impostor
    calibration = fit_calibration(
        genuine,
        impostor,
        metric=metric,
        rule=rule,
        identity=templates.identity,
        pairs_name=pairs.name,
        pairs_sha256=pairs.sha256,
        failures_to_acquire=len(failures),
        created_at=datetime.now(UTC),
        version=__version__,
    )
    curve = verification_curve(genuine, impostor)
    return CalibrateResult(
        calibration=calibration,
        curve=curve,
        choice=choose_threshold(curve, rule),
        failures=failures,
        pairs_lost=(measured.lost_genuine, measured.lost_impostor),
        photographs=photographs,
    )
