"""Systems side by side on the same trials, with what their differences are worth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

from facematch.errors import UsageError
from facematch.metrics import (
    OpenSetCurve,
    PairedDifference,
    Units,
    WeightedCurve,
    paired_difference,
    resampled_figures,
)
from facematch.types import Float64Array
from facematch.workflows.evaluate.figures import lower_is_better, shared_trials
from facematch.workflows.evaluate.records import ListedProbes
from facematch.workflows.evaluate.store import StoredSystem

CONFIDENCE = 0.95
RESAMPLES = 2000

# Two hundred million weights take about ten seconds here.
_MOST_WEIGHTS = 200_000_000
_FEWEST_RESAMPLES = 200


@dataclass(frozen=True, slots=True)
class ComparedSystem:
    """One of the systems.

    Attributes:
        system: as read.
        curve: its operating points, failures to acquire counted as rejections; None if
            searches lack a kind of probe.
        values: of the figures, in the order of ``SystemComparison.figures``.
        differences: from the first system, each with an interval at 95 %; empty for the
            first itself, and if people are too few to resample.
        worse: names of figures that are significantly worse than the first system's, all
            figures together at 95 % (Bonferroni).
    """

    system: StoredSystem
    curve: WeightedCurve | OpenSetCurve | None
    values: tuple[float, ...]
    differences: tuple[PairedDifference, ...]
    worse: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SystemComparison:
    """Systems on the same pairs, or on the same searches.

    A pair that a system could not compare, for a failure to acquire, counts as rejected by
    it, and a probe as found by nobody: leaving it out would reward failures.

    Attributes:
        searches: whether it is searches in a gallery that are compared, and no pairs.
        figures: names: ``accuracy``, ``auc``, ``eer``, ``tar@0.01`` and so on; of searches
            ``rank-1_with_failures``, ``map_with_failures``, ``fnir@0.01_with_failures`` and so
            on, which are those of :class:`FiguresWithFailures`.
        systems: the first is what the others are compared with.
        n_mated: genuine pairs, or probes of enrolled people.
        n_nonmated: impostor pairs, or probes of strangers.
        by_subject: whether people were resampled; else each pair on its own.
        resamples: how many; 0 if people are too few.
        seed: of the resampling.
        created_at: ISO 8601 with offset.
    """

    searches: bool
    figures: tuple[str, ...]
    systems: tuple[ComparedSystem, ...]
    n_mated: int
    n_nonmated: int
    by_subject: bool
    resamples: int
    seed: int
    created_at: str


def compare_systems(systems: Sequence[StoredSystem], *, seed: int = 0) -> SystemComparison:
    """Resamples people, the same for all systems, and looks at the differences.

    Args:
        systems: at least two; the first is what the others are compared with.
        seed: of the resampling.

    Raises:
        UsageError: fewer than two systems, or not on the same pairs or probes.
    """
    if len(systems) < 2:
        raise UsageError("a comparison takes the results of at least two systems")
    shared = shared_trials(systems)
    plain = np.ones(shared.trials)
    values = [_known(figures(plain)) for figures in shared.figures]
    most = _MOST_WEIGHTS // shared.trials // len(systems)
    resamples = min(RESAMPLES, max(_FEWEST_RESAMPLES, most))
    drawn = resampled_figures(
        *(shared.figures, shared.units or Units.independent(shared.trials), resamples),
        np.random.default_rng((seed, 3)),
    )
    return SystemComparison(
        searches=isinstance(systems[0].listed, ListedProbes),
        figures=shared.names,
        systems=tuple(
            ComparedSystem(
                system,
                shared.curves[row],
                tuple(values[row]),
                *_judgement(shared.names, values[row], values[0], drawn, row),
            )
            for row, system in enumerate(systems)
        ),
        n_mated=shared.n_mated,
        n_nonmated=shared.n_nonmated,
        by_subject=shared.units is not None,
        resamples=0 if drawn is None else resamples,
        seed=seed,
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def _known(figures: Sequence[float] | None) -> Sequence[float]:
    if figures is None:  # excluded when the file was read
        raise ValueError("the trials are of one class")
    return figures


def _judgement(
    names: Sequence[str],
    values: Sequence[float],
    baseline: Sequence[float],
    drawn: Float64Array | None,
    row: int,
) -> tuple[tuple[PairedDifference, ...], tuple[str, ...]]:
    """Differences from the first system, and the figures that are worse beyond chance."""
    if drawn is None or row == 0:
        return (), ()
    strict = 1 - (1 - CONFIDENCE) / len(names)
    differences, worse = [], []
    for column, name in enumerate(names):
        change = drawn[:, row, column] - drawn[:, 0, column]
        differences.append(paired_difference(values[column], baseline[column], change, CONFIDENCE))
        strictly = paired_difference(values[column], baseline[column], change, strict)
        low, high = strictly.interval.low, strictly.interval.high
        is_worse = low > 0 if lower_is_better(name) else high < 0
        if is_worse:
            worse.append(name)
    return tuple(differences), tuple(worse)
