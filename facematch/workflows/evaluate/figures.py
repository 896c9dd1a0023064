"""What two systems are compared by, on pairs and on searches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from facematch.errors import UsageError
from facematch.metrics import (
    AccuracyByFolds,
    Figures,
    OpenSetCurve,
    SearchFigures,
    Statistic,
    Sweep,
    Units,
    WeightedCurve,
    curve_figures,
    error_statistics,
    open_set_curve_of,
    targets_shown,
)
from facematch.types import Float64Array, Int64Array
from facematch.workflows.evaluate.records import (
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
    targets = targets_shown(n_impostor)
    fold, share = _shared_folds(systems)
    names = ["auc", "eer", *(f"tar@{_plain(t)}" for t in targets)]
    accuracies = [AccuracyByFolds(system.accepted, same, fold, share) for system in systems]
    accuracy_known = accuracies[0].under(np.ones(len(same))) is not None
    if accuracy_known:
        names.insert(0, "accuracy")
    sweeps = [Sweep(system.distances, same) for system in systems]
    return SharedTrials(
        names=tuple(names),
        figures=tuple(
            curve_figures(sweep, _statistics(accuracy if accuracy_known else None, targets))
            for sweep, accuracy in zip(sweeps, accuracies, strict=True)
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


def _shared_folds(systems: Sequence[ListedOutcomes]) -> tuple[Int64Array, float | None]:
    """Folds that all systems were judged by, and the share that accuracy is stated at.

    Where the systems were judged by different folds, as by other seeds or by a threshold given
    beforehand, the pairs that all of them decided are taken together.
    """
    first = systems[0]
    stated = any(system.at_list_share for system in systems)
    fold = first.fold
    if not all(np.array_equal(fold, system.fold) for system in systems):
        decided = np.logical_and.reduce([system.fold >= 0 for system in systems])
        fold = np.where(decided, 0, -1)
    return fold, float(first.same.mean()) if stated else None


def _statistics(accuracy: AccuracyByFolds | None, targets: Sequence[float]) -> list[Statistic]:
    figures = error_statistics(targets)
    if accuracy is not None:
        figures.insert(0, partial(_accuracy, accuracy=accuracy))
    return figures


def _accuracy(curve: WeightedCurve, weights: Float64Array, *, accuracy: AccuracyByFolds) -> float:
    found = accuracy.under(weights)
    # Where a resample leaves no fold to judge, it does so for all systems: no difference.
    return 1.0 if found is None else found


def _plain(target: float) -> str:
    return f"{target:.5f}".rstrip("0")
