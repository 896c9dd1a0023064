"""Figures of weighted searches against the unweighted ones and against repetition."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facematch.metrics import SearchFigures, SearchOutcomes, open_set_curve_of, point_at_fpir

TARGETS = (0.1, 0.3, 1.0)

probes = st.lists(
    st.tuples(
        st.booleans(),
        st.booleans(),
        st.sampled_from([0.1, 0.2, 0.3, 0.4, np.inf]),
        st.integers(0, 3),
    ),
    min_size=1,
    max_size=20,
)


def outcomes(rows: list[tuple[bool, bool, float, int]]) -> SearchOutcomes:
    mated = np.array([row[0] for row in rows])
    found = np.array([row[2] for row in rows], np.float64)
    first = mated & np.array([row[1] for row in rows]) & np.isfinite(found)
    return SearchOutcomes(
        mated, first, np.where(mated, found, np.inf), found, np.where(first, 1.0, 0.25)
    )


@given(probes)
def test_a_weight_is_a_count(rows: list[tuple[bool, bool, float, int]]) -> None:
    weights = np.array([row[3] for row in rows], np.float64)
    repeated = outcomes([row for row in rows for _ in range(row[3])]) if weights.any() else None
    found = SearchFigures(outcomes(rows), TARGETS)(weights)
    curve = None if repeated is None else open_set_curve_of(repeated)
    if repeated is None or curve is None:
        assert found is None
        return
    mated = repeated.mated
    expected = [
        float(repeated.first[mated].mean()),
        float(repeated.average_precision[mated].mean()),
        *(float(curve.fnir[point_at_fpir(curve, target)]) for target in TARGETS),
    ]
    assert found == pytest.approx(expected)


def test_strangers_are_needed_for_an_fpir_only() -> None:
    found = outcomes([(True, True, 0.1, 1), (True, False, 0.1, 1)])
    assert SearchFigures(found, ())(np.ones(2)) == [0.5, 0.625]
    assert SearchFigures(found, (0.1,))(np.ones(2)) is None
