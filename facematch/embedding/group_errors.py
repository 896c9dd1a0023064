"""What a card says of false matches within groups of people."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

ERROR_RATES_BY_GROUP = "error_rates_by_group"
"""Entry of the card: ``protocol``, ``threshold`` and ``groups``. Of each group its name
(``group``), ``comparisons``, ``false_matches``, ``fmr``, ``fmr_interval`` (95 %: low, high)."""


@dataclass(frozen=True, slots=True)
class GroupErrors:
    """One group at the common threshold.

    Attributes:
        group: what its people share.
        comparisons: of different photographs within it.
        false_matches: how many of them are accepted.
        fmr: rate of false matches.
        low: lower limit of its 95 % interval.
        high: upper limit.
    """

    group: str
    comparisons: int
    false_matches: int
    fmr: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class ErrorRatesByGroup:
    """The entry of a card.

    Attributes:
        protocol: of whom, and how it was measured.
        threshold: that all groups share.
        groups: at least one.
    """

    protocol: str
    threshold: float
    groups: tuple[GroupErrors, ...]


def error_rates_by_group(card: Mapping[str, Any]) -> ErrorRatesByGroup | None:
    """Reads the entry.

    Returns:
        None if the card, which may be anyone's, has none of this form.
    """
    try:
        entry = card[ERROR_RATES_BY_GROUP]
        groups = tuple(
            GroupErrors(
                str(line["group"]),
                int(line["comparisons"]),
                int(line["false_matches"]),
                _rate(line["fmr"]),
                *(_rate(limit) for limit in line["fmr_interval"]),
            )
            for line in entry["groups"]
        )
        threshold = float(entry["threshold"])
        protocol = str(entry["protocol"])
    except (KeyError, IndexError, TypeError, ValueError, OverflowError):
        return None
    if not groups or not math.isfinite(threshold):
        return None
    return ErrorRatesByGroup(protocol, threshold, groups)


def _rate(value: Any) -> float:
    rate = float(value)
    if not 0 <= rate <= 1:
        raise ValueError(f"no rate: {rate}")
    return rate
