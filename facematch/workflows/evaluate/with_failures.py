"""Figures of searches with failures to acquire counted in.

A probe without a template is found by nobody: of an enrolled person that is a miss, of a
stranger a right answer. A system that refuses poor photographs is judged on all of them so, and
two systems on the same ones. Probes whose very picture is enrolled are in none of the figures.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from facematch.metrics import RateEstimate, SearchFigures, SearchOutcomes, comparisons_needed
from facematch.types import BoolArray
from facematch.workflows.evaluate.records import (
    FPIR_TARGETS,
    FiguresWithFailures,
    ListedProbes,
)


def figures_with_failures(
    listed: ListedProbes,
    rank: Sequence[RateEstimate],
    fnir: RateEstimate | None,
    fpir: RateEstimate | None,
) -> FiguresWithFailures:
    """The figures of all probes.

    Args:
        listed: every probe.
        rank: of probes with a template, how often the subject is not among the first so many.
        fnir: of those, at the threshold that was given.
        fpir: the same.
    """
    outcomes = outcomes_of(listed)
    mated = int(outcomes.mated.sum())
    nonmated = len(outcomes.mated) - mated
    shown = fpir_targets_shown(nonmated)
    found = SearchFigures(outcomes, shown)(np.ones(len(outcomes.mated)))
    known = {} if found is None else dict(zip(shown, found[2:], strict=True))
    return FiguresWithFailures(
        rank=tuple((one.comparisons - one.errors) / mated for one in rank),
        mean_average_precision=None if found is None else found[1],
        fnir_at_fpir=tuple(known.get(target) for target in FPIR_TARGETS),
        fnir=None if fnir is None else 1 - (fnir.comparisons - fnir.errors) / mated,
        fpir=None if fpir is None else fpir.errors / nonmated,
    )


def outcomes_of(listed: ListedProbes) -> SearchOutcomes:
    """What became of the probes that are searched for."""
    chosen: BoolArray = listed.searched
    found = listed.outcomes
    return SearchOutcomes(
        found.mated[chosen],
        found.first[chosen],
        found.own_distance[chosen],
        found.nearest_distance[chosen],
        found.average_precision[chosen],
    )


def fpir_targets_shown(nonmated: int) -> list[float]:
    """The targets that so many probes of strangers can show (rule of three)."""
    return [target for target in FPIR_TARGETS if nonmated >= comparisons_needed(target)]
