"""d-prime and average precision, against arithmetic and scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score

from facematch.metrics import average_precision, d_prime, verification_curve

tied = st.lists(st.integers(0, 8).map(lambda n: n / 4), min_size=1, max_size=30)
free = st.lists(st.floats(0, 4, allow_subnormal=False), min_size=1, max_size=30)
scores = st.one_of(tied, free)


@given(scores, scores)
def test_average_precision_is_that_of_scikit_learn(
    genuine: list[float], impostor: list[float]
) -> None:
    found = average_precision(verification_curve(np.array(genuine), np.array(impostor)))
    labels = [1] * len(genuine) + [0] * len(impostor)
    expected = average_precision_score(labels, [-d for d in genuine + impostor])
    assert found == pytest.approx(expected)
    assert 0 < found <= 1


@given(scores, scores, st.floats(0.5, 4), st.floats(-3, 3))
def test_d_prime_does_not_depend_on_the_scale(
    genuine: list[float], impostor: list[float], scale: float, shift: float
) -> None:
    g, i = np.array(genuine), np.array(impostor)
    found = d_prime(g, i)
    turned = d_prime(i, g)
    assert turned == (None if found is None else -found)
    assert found == d_prime(-i, -g)
    if found is None or np.concatenate((g, i)).std() < 1e-3 or g.var() + i.var() < 1e-6:
        return
    assert found == pytest.approx(d_prime(scale * g + shift, scale * i + shift), rel=1e-6, abs=1e-9)


def test_d_prime_by_hand() -> None:
    # Means 1 and 7; variances 1 and 3: 6 / sqrt(2).
    impostor = 7 + np.sqrt(3) * np.array([-1.0, 1.0])
    assert d_prime(np.array([0.0, 2.0]), impostor) == pytest.approx(6 / np.sqrt(2))
    assert d_prime(impostor, np.array([0.0, 2.0])) == pytest.approx(-6 / np.sqrt(2))


@pytest.mark.parametrize(
    ("genuine", "impostor"),
    [([], [1.0]), ([1.0], []), ([0.3, 0.3, 0.3], [0.9, 0.9, 0.9])],  # no class, no spread
)
def test_d_prime_that_is_not_known(genuine: list[float], impostor: list[float]) -> None:
    assert d_prime(np.array(genuine), np.array(impostor)) is None
