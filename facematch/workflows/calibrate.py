"""Choose a threshold from labelled pairs of photographs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from facematch import __version__
from facematch.calibration import Calibration, PairList, fit_calibration
from facematch.errors import OneClassError, PairsFormatError
from facematch.metrics import (
    ThresholdChoice,
    ThresholdRule,
    VerificationCurve,
    choose_threshold,
    verification_curve,
)
from facematch.metrics.distances import distance
from facematch.pipeline import Analyzer, Failure
from facematch.types import Float32Array, Int64Array, Metric

ROWS_PER_BLOCK = 1 << 16


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
    pairs: PairList,
    analyzer: Analyzer,
    rule: ThresholdRule,
    *,
    metric: Metric = Metric.COSINE,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> CalibrateResult:
    """Embeds each photograph once, measures all pairs and chooses the threshold.

    Args:
        pairs: the labelled pairs.
        analyzer: decodes, detects and embeds; must choose one face a photograph.
        rule: what the threshold is for.
        metric: distance to calibrate.
        progress: called with photographs done and in all.

    Raises:
        PairsFormatError: a pair names a photograph that does not exist.
        OneClassError: no genuine or no impostor pair is left.
    """
    row_of: dict[Path, int] = {}
    for pair in pairs.pairs:
        for path in (pair.a, pair.b):
            if path not in row_of:
                if not path.is_file():
                    raise PairsFormatError(
                        f"{pairs.name}: line {pair.line}: there is no photograph {path}; "
                        "check the path or give --images DIR"
                    )
                row_of[path] = len(row_of)
    templates = np.full((len(row_of), analyzer.identity.embedding_size), np.nan, np.float32)
    failures: list[Failure] = []
    for row, outcome in enumerate(analyzer.stream(row_of)):
        if isinstance(outcome, Failure):
            failures.append(outcome)
        else:
            templates[row] = outcome[1][0]
        progress(row + 1, len(row_of))

    first = np.array([row_of[pair.a] for pair in pairs.pairs])
    second = np.array([row_of[pair.b] for pair in pairs.pairs])
    same = np.array([pair.same for pair in pairs.pairs])
    acquired = ~np.isnan(templates[:, 0])
    compared = acquired[first] & acquired[second]
    if not (compared & same).any() or not (compared & ~same).any():
        raise OneClassError(
            f"{pairs.name}: after {len(failures)} failures to acquire, no "
            f"{'genuine' if not (compared & same).any() else 'impostor'} pair is left; "
            f"first failure: {failures[0].reason}"
        )
    distances = _distances(templates, first[compared], second[compared], metric)
    genuine, impostor = distances[same[compared]], distances[~same[compared]]
    calibration = fit_calibration(
        genuine,
        impostor,
        metric=metric,
        rule=rule,
        identity=analyzer.identity,
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
        failures=tuple(failures),
        pairs_lost=(int((~compared & same).sum()), int((~compared & ~same).sum())),
        photographs=len(row_of),
    )


def _distances(
    templates: Float32Array, first: Int64Array, second: Int64Array, metric: Metric
) -> Float32Array:
    """Distances of template rows, in blocks so that the pairs are never all gathered."""
    blocks = [
        distance(
            templates[first[start : start + ROWS_PER_BLOCK]],
            templates[second[start : start + ROWS_PER_BLOCK]],
            metric,
        )
        for start in range(0, len(first), ROWS_PER_BLOCK)
    ]
    return np.concatenate(blocks)
