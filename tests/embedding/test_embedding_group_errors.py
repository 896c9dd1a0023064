"""A card's error rates by group: read if they are of the form, passed over if not."""

from __future__ import annotations

from typing import Any

import pytest

from facematch.embedding import find_model
from facematch.embedding.group_errors import (
    ERROR_RATES_BY_GROUP,
    GroupErrors,
    error_rates_by_group,
)

LINE = {
    "group": "a",
    "comparisons": 100,
    "false_matches": 2,
    "fmr": 0.02,
    "fmr_interval": [0.01, 0.05],
}


def card(line: Any, **entries: Any) -> dict[str, Any]:
    entry = {"protocol": "how", "threshold": 0.5, "groups": [line]}
    return {ERROR_RATES_BY_GROUP: entry | entries}


def test_entry_is_read() -> None:
    found = error_rates_by_group(card(LINE))
    assert found is not None
    assert (found.protocol, found.threshold) == ("how", 0.5)
    assert found.groups == (GroupErrors("a", 100, 2, 0.02, 0.01, 0.05),)


@pytest.mark.parametrize(
    "other",
    [
        {},
        {ERROR_RATES_BY_GROUP: None},
        {ERROR_RATES_BY_GROUP: ["a"]},
        card(LINE, groups=[]),
        card(LINE, groups=3),
        card(LINE, threshold=float("nan")),
        card(None),
        card({**LINE, "fmr": float("nan")}),
        card({**LINE, "fmr": 2}),
        card({**LINE, "comparisons": float("inf")}),
        card({**LINE, "fmr_interval": [0.01]}),
        card({**LINE, "fmr_interval": [0.01, 0.02, 0.03]}),
        card({key: LINE[key] for key in LINE if key != "group"}),
    ],
)
def test_anything_else_is_passed_over(other: dict[str, Any]) -> None:
    assert error_rates_by_group(other) is None


def test_the_default_model_states_its_own() -> None:
    found = error_rates_by_group(find_model().card)
    assert found is not None
    assert len(found.groups) > 20
    assert all(line.low <= line.fmr <= line.high for line in found.groups)
