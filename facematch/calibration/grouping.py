"""Error rates by the values of a column of the list."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from facematch.calibration.sources import LabelledComparisons, PhotographPairs
from facematch.errors import UsageError
from facematch.metrics import Disparity, GroupRates, ThresholdRule, disparities, group_rates

DEFAULT_GROUP = "group"
MOST_GROUPS = 50


@dataclass(frozen=True, slots=True)
class GroupTable:
    """A column of the list, and what the threshold does to each of its values.

    Attributes:
        column: its name.
        groups: one a value.
        disparities: values whose intervals do not overlap.
    """

    column: str
    groups: tuple[GroupRates, ...]
    disparities: tuple[Disparity, ...]


def group_columns(
    pairs: PhotographPairs | LabelledComparisons, wanted: Sequence[str] | None
) -> tuple[str, ...]:
    """Names of the columns to group by.

    Args:
        pairs: the list.
        wanted: names; the column ``group``, if there is one, if None.

    Raises:
        UsageError: the list has none of that name, or one of too many values.
    """
    if wanted is None:
        wanted = [DEFAULT_GROUP] if pairs.labels.column(DEFAULT_GROUP) is not None else []
    found = []
    for name in wanted:
        column = pairs.labels.column(name)
        if column is None:
            there = ", ".join(c.name for c in pairs.labels.columns) or "none"
            raise UsageError(
                f"{pairs.name}: there is no column {name!r} to group by; further columns: {there}"
            )
        if len(column.values) > MOST_GROUPS:
            raise UsageError(
                f"{pairs.name}: the column {name!r} has {len(column.values)} values; at most "
                f"{MOST_GROUPS} groups can be told apart"
            )
        found.append(column.name)
    return tuple(found)


def group_table(
    measured: LabelledComparisons, name: str, threshold: float, rule: ThresholdRule
) -> GroupTable:
    """Measures every value of a column at one threshold.

    Args:
        measured: the comparisons.
        name: as :func:`group_columns` gives it.
        threshold: accept iff ``distance <= threshold``.
        rule: what the threshold was chosen for.
    """
    (column,) = (c for c in measured.labels.columns if c.name == name)
    groups = group_rates(
        measured.distances,
        measured.labels.same,
        measured.labels.units(),
        column.values,
        column.codes,
        threshold,
        rule,
    )
    return GroupTable(name, groups, disparities(groups))
