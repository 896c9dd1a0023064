"""The one decision rule."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facematch.metrics import accepts


@pytest.mark.parametrize(
    ("distance", "threshold", "accepted"),
    [
        (0.3, 0.4, True),
        (0.4, 0.4, True),  # a tie is accepted
        (math.nextafter(0.4, 1), 0.4, False),
        (0.0, 0.0, True),  # zero is a threshold like any other
        (0.0, -1.0, False),
        (math.inf, 2.0, False),
        (0.0, -math.inf, False),
    ],
)
def test_accepts_up_to_the_threshold(distance: float, threshold: float, accepted: bool) -> None:
    assert accepts(distance, threshold) is accepted
    assert accepts(np.array([[distance]]), threshold).tolist() == [[accepted]]


@given(st.floats(0, 2, width=32), st.floats(0, 2))
def test_number_and_array_decide_alike(distance: float, threshold: float) -> None:
    array = np.array([distance], np.float32)
    assert accepts(array, threshold).tolist() == [accepts(distance, threshold)]


def test_threshold_is_not_rounded_to_float32() -> None:
    # The float32 nearest to 0.3 is above it.
    distances = np.array([0.3], np.float32)
    assert float(distances[0]) > 0.3
    assert accepts(distances, 0.3).tolist() == [False]


def test_empty_array() -> None:
    assert accepts(np.empty((0, 3)), 0.5).shape == (0, 3)


def test_nan_is_no_decision() -> None:
    with pytest.raises(ValueError, match="NaN"):
        accepts(math.nan, 0.5)
    with pytest.raises(ValueError, match="NaN"):
        accepts(np.array([0.1, np.nan]), 0.5)
    with pytest.raises(ValueError, match="NaN"):
        accepts(0.1, math.nan)
