"""Error rates by the values of a column of the list."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from facematch.calibration.csv_lists import printable
from facematch.calibration.record import StoredGroup, stored_rate
from facematch.calibration.sources import AllPairs, LabelledComparisons, PhotographPairs
from facematch.errors import UsageError
from facematch.metrics import Disparity, GroupRates, ThresholdRule, disparities, group_rates
from facematch.types import BoolArray

DEFAULT_GROUP = "group"
MOST_GROUPS = 50

# Of a name that is kept with a calibration.
_LONGEST = 200


@dataclass(frozen=True, slots=True)
class GroupFailures:
    """What failures to acquire took from one value of a column.

    Attributes:
        value: what the pairs share.
        photographs: distinct photographs in those pairs; 0 for scores made elsewhere.
        failures: of them, how many gave no template; 0 likewise.
        lost_genuine: genuine pairs that could not be compared for it.
        lost_impostor: impostor pairs, the same.
    """

    value: str
    photographs: int
    failures: int
    lost_genuine: int
    lost_impostor: int


@dataclass(frozen=True, slots=True)
class GroupTable:
    """A column of the list, and what the threshold does to each of its values.

    Attributes:
        column: its name.
        groups: one a value.
        disparities: values whose intervals do not overlap.
        failures: to acquire, one a value; empty for scores made elsewhere that lack none.
    """

    column: str
    groups: tuple[GroupRates, ...]
    disparities: tuple[Disparity, ...]
    failures: tuple[GroupFailures, ...] = ()


def group_columns(
    pairs: PhotographPairs | LabelledComparisons | AllPairs, wanted: Sequence[str] | None
) -> tuple[str, ...]:
    """Names of the columns to group by.

    Args:
        pairs: the list; a folder has no columns.
        wanted: names; the column ``group``, if there is one, if None.

    Raises:
        UsageError: the list has none of that name, or one of too many values.
    """
    columns = () if isinstance(pairs, AllPairs) else pairs.labels.columns
    known = {column.name: column for column in columns}
    if wanted is None:
        wanted = [name for name in (DEFAULT_GROUP,) if name in known]
    found = []
    for name in wanted:
        column = known.get(name.strip().lower())
        if column is None:
            there = ", ".join(known) or "none"
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
    measured: LabelledComparisons,
    name: str,
    threshold: float,
    rule: ThresholdRule,
    failures: tuple[GroupFailures, ...] = (),
) -> GroupTable:
    """Measures every value of a column at one threshold.

    Args:
        measured: the comparisons.
        name: as :func:`group_columns` gives it.
        threshold: accept iff ``distance <= threshold``.
        rule: what the threshold was chosen for.
        failures: to acquire, as :func:`group_failures` counts them.
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
    return GroupTable(name, groups, disparities(groups), failures)


def stored_groups(tables: Sequence[GroupTable]) -> tuple[StoredGroup, ...]:
    """What a calibration keeps of its groups."""
    return tuple(
        StoredGroup(
            printable(table.column)[:_LONGEST],
            printable(group.value)[:_LONGEST],
            None if group.fmr is None else stored_rate(group.fmr),
            None if group.fnmr is None else stored_rate(group.fnmr),
        )
        for table in tables
        for group in table.groups
    )


def group_failures(
    pairs: PhotographPairs | LabelledComparisons, name: str, acquired: BoolArray | None
) -> tuple[GroupFailures, ...]:
    """Counts failures to acquire in each value of a column.

    Args:
        pairs: the list.
        name: as :func:`group_columns` gives it.
        acquired: bool (p,), which photographs gave a template; None for scores made elsewhere.

    Returns:
        One a value; empty for scores made elsewhere that lack none.
    """
    if isinstance(pairs, LabelledComparisons):
        lost = ~pairs.compared
        if not bool(lost.any()):
            return ()
    elif acquired is None:
        return ()
    else:
        lost = ~pairs.compared(acquired)
    (column,) = (c for c in pairs.labels.columns if c.name == name)
    found = []
    for code, value in enumerate(column.values):
        inside = column.codes == code
        photographs = failures = 0
        if isinstance(pairs, PhotographPairs) and acquired is not None:
            shown = np.unique(np.concatenate((pairs.a[inside], pairs.b[inside])))
            photographs, failures = len(shown), int((~acquired[shown]).sum())
        found.append(
            GroupFailures(
                value=value,
                photographs=photographs,
                failures=failures,
                lost_genuine=int((inside & lost & pairs.labels.same).sum()),
                lost_impostor=int((inside & lost & ~pairs.labels.same).sum()),
            )
        )
    return tuple(found)
