"""What two systems are compared by, on pairs and on searches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from facematch.errors import UsageError
from facematch.metrics import (
    Figures,
    OpenSetCurve,
    SearchFigures,
    Statistic,
    Sweep,
    Units,
    WeightedCurve,
    comparisons_needed,
    curve_figures,
    error_statistics,
    open_set_curve_of,
)
from facematch.types import BoolArray, Float64Array
from facematch.workflows.evaluate.records import (
    FMR_TARGETS,
    ListedOutcomes,
    ListedProbes,
)
from facematch.workflows.evaluate.store import StoredSystem
from facematch.workflows.evaluate.with_failures import fpir_targets_shown, outcomes_of


@dataclass(frozen=True, slots=True, eq=False)
class SharedTrials:
    """Systems on the same pairs or the same searches.

    Attributes:
        names: of the figures.
        figures: of each system, under any weights of the trials.
        curves: of each system; None if searches lack a kind of probe.
        n_mated: genuine pairs, or probes of enrolled people.
        n_nonmated: impostor pairs, or probes of strangers.
        units: whose trials they are; None if nobody is named.
        trials: how many.
    """

    names: tuple[str, ...]
    figures: tuple[Figures, ...]
    curves: tuple[WeightedCurve | OpenSetCurve | None, ...]
    n_mated: int
    n_nonmated: int
    units: Units | None
    trials: int


def shared_trials(systems: Sequence[StoredSystem]) -> SharedTrials:
    """What at least two systems can be compared by.

    Raises:
        UsageError: they are not of the same pairs or searches.
    """
    pairs = [s.listed for s in systems if isinstance(s.listed, ListedOutcomes)]
    searches = [s.listed for s in systems if isinstance(s.listed, ListedProbes)]
    if pairs and searches:
        raise UsageError(
            "results of pairs and of searches cannot be compared; give results of one kind"
        )
    for other in systems[1:]:
        if pairs:
            _require_same_pairs(systems[0], other)
        else:
            _require_same_probes(systems[0], other)
    return _of_pairs(pairs) if pairs else _of_searches(searches)


def lower_is_better(figure: str) -> bool:
    """Of a figure by name: an error rate, not an accuracy."""
    return figure == "eer" or figure.startswith("fnir")


def _of_pairs(systems: Sequence[ListedOutcomes]) -> SharedTrials:
    same = systems[0].same
    n_impostor = int((~same).sum())
    targets = [t for t in FMR_TARGETS if n_impostor >= comparisons_needed(t)]
    judged = np.logical_and.reduce([system.judged for system in systems])
    names = ["auc", "eer", *(f"tar@{_plain(t)}" for t in targets)]
    if bool(judged.any()):
        names.insert(0, "accuracy")
    sweeps = [Sweep(system.distances, same) for system in systems]
    return SharedTrials(
        names=tuple(names),
        figures=tuple(
            curve_figures(sweep, _statistics(system, judged, targets))
            for sweep, system in zip(sweeps, systems, strict=True)
        ),
        curves=tuple(sweep.curve(np.ones(len(same))) for sweep in sweeps),
        n_mated=int(same.sum()),
        n_nonmated=n_impostor,
        units=_units(systems),
        trials=len(same),
    )


def _of_searches(systems: Sequence[ListedProbes]) -> SharedTrials:
    searched = systems[0].searched
    outcomes = [outcomes_of(system) for system in systems]
    mated = outcomes[0].mated
    n_nonmated = int((~mated).sum())
    if not bool(mated.any()):
        raise UsageError("no probe is of an enrolled person: there is nothing to compare")
    targets = fpir_targets_shown(n_nonmated)
    names = ("rank-1", "map", *(f"fnir@{_plain(t)}" for t in targets))
    person = systems[0].subject[searched]
    return SharedTrials(
        names=tuple(f"{name}_with_failures" for name in names),
        figures=tuple(SearchFigures(found, targets) for found in outcomes),
        curves=tuple(open_set_curve_of(found) for found in outcomes),
        n_mated=int(mated.sum()),
        n_nonmated=n_nonmated,
        units=Units(int(person.max()) + 1, person, person),
        trials=len(mated),
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
    if not isinstance(a, ListedOutcomes) or not isinstance(b, ListedOutcomes):
        raise ValueError("results of searches have no pairs")
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


def _require_same_probes(first: StoredSystem, other: StoredSystem) -> None:
    """Refuses searches for other probes, or among other people.

    Raises:
        UsageError: they differ.
    """
    a, b = first.listed, other.listed
    if not isinstance(a, ListedProbes) or not isinstance(b, ListedProbes):
        raise ValueError("results of pairs have no probes")
    if a.probes_sha256 != b.probes_sha256 or len(a.searched) != len(b.searched):
        raise UsageError(
            f"{first.path} and {other.path} are not of the same probes; systems are compared on "
            "the same photographs of the same people"
        )
    enrolled = np.array_equal(a.outcomes.mated, b.outcomes.mated)
    if not enrolled or not np.array_equal(a.searched, b.searched):
        raise UsageError(
            f"{first.path} and {other.path} searched galleries of other people or photographs; "
            "enroll the same ones for each system"
        )


def _units(systems: Sequence[ListedOutcomes]) -> Units | None:
    """The people, from the first system that knows them."""
    for system in systems:
        a, b = system.subject_a, system.subject_b
        if a is not None and b is not None:
            return Units(int(max(a.max(), b.max())) + 1, a, b)
    return None


def _statistics(
    listed: ListedOutcomes, judged: BoolArray, targets: Sequence[float]
) -> list[Statistic]:
    figures = error_statistics(targets)
    if bool(judged.any()):
        right = (listed.accepted == listed.same)[judged]
        figures.insert(0, partial(_accuracy, right=right, judged=judged))
    return figures


def _accuracy(
    curve: WeightedCurve, weights: Float64Array, *, right: BoolArray, judged: BoolArray
) -> float:
    counted = weights[judged]
    total = float(counted.sum())
    return float(counted[right].sum()) / total if total > 0 else 1.0


def _plain(target: float) -> str:
    return f"{target:.5f}".rstrip("0")
