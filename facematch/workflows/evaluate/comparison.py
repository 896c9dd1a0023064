"""Systems side by side on the same pairs, with what their differences are worth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

import numpy as np

from facematch.errors import UsageError
from facematch.metrics import (
    PairedDifference,
    Statistic,
    Sweep,
    Units,
    WeightedCurve,
    auc,
    comparisons_needed,
    eer,
    paired_difference,
    resampled,
    tar_at_fmr,
)
from facematch.types import BoolArray, Float64Array
from facematch.workflows.evaluate.records import FMR_TARGETS
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
        curve: its operating points, failures to acquire counted as rejections.
        values: of the figures, in the order of ``SystemComparison.figures``.
        differences: from the first system, each with an interval at 95 %; empty for the
            first itself, and if people are too few to resample.
        worse: names of figures that are significantly worse than the first system's, all
            figures together at 95 % (Bonferroni).
    """

    system: StoredSystem
    curve: WeightedCurve
    values: tuple[float, ...]
    differences: tuple[PairedDifference, ...]
    worse: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SystemComparison:
    """Systems on the same pairs.

    A pair that a system could not compare, for a failure to acquire, counts as rejected by
    it: leaving it out would reward failures.

    Attributes:
        figures: names: ``accuracy``, ``auc``, ``eer``, ``tar@0.01`` and so on.
        systems: the first is what the others are compared with.
        n_genuine: pairs of one subject.
        n_impostor: pairs of two.
        by_subject: whether people were resampled; else each pair on its own.
        resamples: how many; 0 if people are too few.
        seed: of the resampling.
        created_at: ISO 8601 with offset.
    """

    figures: tuple[str, ...]
    systems: tuple[ComparedSystem, ...]
    n_genuine: int
    n_impostor: int
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
        UsageError: fewer than two systems, or not on the same pairs.
    """
    if len(systems) < 2:
        raise UsageError("a comparison takes the results of at least two systems")
    first = systems[0]
    for other in systems[1:]:
        _require_same_pairs(first, other)
    same = first.listed.same
    n_impostor = int((~same).sum())
    targets = [t for t in FMR_TARGETS if n_impostor >= comparisons_needed(t)]
    judged = np.logical_and.reduce([system.listed.judged for system in systems])
    names = ["auc", "eer", *(f"tar@{_plain(t)}" for t in targets)]
    if bool(judged.any()):
        names.insert(0, "accuracy")
    statistics = [_statistics(system, judged, targets) for system in systems]
    sweeps = [Sweep(system.listed.distances, same) for system in systems]
    plain = np.ones(len(same))
    curves = [_curve(sweep, plain) for sweep in sweeps]
    values = [
        [figure(curve, plain) for figure in figures]
        for curve, figures in zip(curves, statistics, strict=True)
    ]
    units = _units(systems)
    resamples = min(RESAMPLES, max(_FEWEST_RESAMPLES, _MOST_WEIGHTS // len(same) // len(systems)))
    drawn = resampled(
        *(sweeps, units or Units.independent(len(same)), statistics, resamples),
        np.random.default_rng((seed, 3)),
    )
    return SystemComparison(
        figures=tuple(names),
        systems=tuple(
            ComparedSystem(
                system,
                curves[row],
                tuple(values[row]),
                *_judgement(names, values[row], values[0], drawn, row),
            )
            for row, system in enumerate(systems)
        ),
        n_genuine=int(same.sum()),
        n_impostor=n_impostor,
        by_subject=units is not None,
        resamples=0 if drawn is None else resamples,
        seed=seed,
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def _require_same_pairs(first: StoredSystem, other: StoredSystem) -> None:
    """Refuses lists that differ, as far as can be told.

    Two results of photographs must come from the same list. Distances made elsewhere come in
    a file of their own, with a hash of its own: then labels and people have to agree, row by
    row.

    Raises:
        UsageError: they differ.
    """
    a, b = first.listed, other.listed
    photographs = first.measured_photographs and other.measured_photographs
    differ = not np.array_equal(a.same, b.same)
    differ = differ or (photographs and a.pairs_sha256 != b.pairs_sha256)
    for one, two in ((a.subject_a, b.subject_a), (a.subject_b, b.subject_b)):
        if one is not None and two is not None:
            differ = differ or not np.array_equal(one, two)
    if differ:
        raise UsageError(
            f"{first.path} and {other.path} are not of the same pairs; systems are compared on "
            "one list, in one order"
        )


def _units(systems: Sequence[StoredSystem]) -> Units | None:
    """The people, from the first system that knows them."""
    for system in systems:
        a, b = system.listed.subject_a, system.listed.subject_b
        if a is not None and b is not None:
            return Units(int(max(a.max(), b.max())) + 1, a, b)
    return None


def _statistics(
    system: StoredSystem, judged: BoolArray, targets: Sequence[float]
) -> list[Statistic]:
    listed = system.listed
    figures: list[Statistic] = [lambda c, w: auc(c), lambda c, w: eer(c)]
    figures += [partial(_tar, target=target) for target in targets]
    if bool(judged.any()):
        right = (listed.accepted == listed.same)[judged]
        figures.insert(0, partial(_accuracy, right=right, judged=judged))
    return figures


def _tar(curve: WeightedCurve, weights: Float64Array, *, target: float) -> float:
    return tar_at_fmr(curve, target)


def _accuracy(
    curve: WeightedCurve, weights: Float64Array, *, right: BoolArray, judged: BoolArray
) -> float:
    counted = weights[judged]
    total = float(counted.sum())
    return float(counted[right].sum()) / total if total > 0 else 1.0


def _curve(sweep: Sweep, weights: Float64Array) -> WeightedCurve:
    curve = sweep.curve(weights)
    if curve is None:  # excluded when the file was read
        raise ValueError("the pairs are of one class")
    return curve


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
        is_worse = strictly.interval.low > 0 if name == "eer" else strictly.interval.high < 0
        if is_worse:
            worse.append(name)
    return tuple(differences), tuple(worse)


def _plain(target: float) -> str:
    return f"{target:.5f}".rstrip("0")
