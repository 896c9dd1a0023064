"""Intervals hold the truth nine times in ten, or more often, whoever is compared: simulated.

The designs, and a table of far more runs, are those of scripts/coverage.py and
docs/intervals.md.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from script_runs import load_script

from facematch.metrics import ThresholdRule

RUNS = 150


designs = load_script("coverage.py")


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(lambda: designs.photographs("", [12] * 4, 0.02), id="4 x 12"),
        pytest.param(lambda: designs.photographs("", [10] * 8, 0.01), id="8 x 10"),
        pytest.param(lambda: designs.photographs("", [6] * 15, 0.005), id="15 x 6"),
        pytest.param(
            lambda: designs.photographs("", designs.FEW, 0.01, 0.5, 0.4), id="20 x 2 and 5 x 12"
        ),
        pytest.param(lambda: designs.pairs_of_people("", 5, 10, 0.1, 1.9), id="every two differ"),
        pytest.param(
            lambda: designs.persons("", [10] * 5 + [2] * 25, 0.5, 4.5), id="every one differs"
        ),
        pytest.param(lambda: designs.persons("", [10] * 10, 0.1, 4.9), id="a few are hard"),
        pytest.param(lambda: designs.habits("", 6, 8, 0.5, -1.5), id="wolves and lambs"),
    ],
)
def test_rates(make: Callable[[], object]) -> None:
    found = designs.rates_covered(make(), RUNS)
    print(f"FMR {found.fmr}, FNMR {found.fnmr}; {found.without_errors:.0%} without false match")
    assert found.fmr is None or found.fmr.held >= 0.9
    assert found.fnmr is None or found.fnmr.held >= 0.9


def test_many_people_pay_little() -> None:
    # What Korn and Graubard's factor and leaving out people cost is gone with a hundred people:
    # of these, the interval of independent comparisons of the same standard error is as wide.
    found = designs.rates_covered(designs.habits("", 100, 1, 0.3, -2), RUNS)
    assert found.fmr is not None
    assert 0.92 <= found.fmr.held <= 0.99
    assert found.fmr.width < 0.022


@pytest.mark.parametrize(
    ("make", "rule"),
    [
        pytest.param(
            lambda: designs.photographs("", [10] * 6, 0.05), "fmr<=0.05", id="6 people x 10"
        ),
        pytest.param(
            lambda: designs.photographs("", designs.FEW, 0.01, 0.5, 0.4),
            *("fmr<=0.01",),
            id="20 x 2 and 5 x 12, uneven people",
        ),
    ],
)
def test_what_a_calibration_and_an_evaluation_state(make: Callable[[], object], rule: str) -> None:
    found = designs.all_covered(make(), ThresholdRule.parse(rule), 60, resamples=60)
    print({name: str(one) for name, one in found.items()})
    assert set(found) >= {"FMR", "FNMR", "threshold", "AUC"}
    assert all(one.held >= 0.9 for one in found.values())
