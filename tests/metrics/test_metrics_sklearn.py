"""The curve against scikit-learn, which knows nothing of it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import det_curve, roc_auc_score, roc_curve

from facematch.metrics import auc, verification_curve

scores = st.one_of(
    st.lists(st.integers(0, 8).map(lambda n: n / 4), min_size=1, max_size=30),
    st.lists(st.floats(0, 2, width=32), min_size=1, max_size=30),
)


@given(scores, scores)
def test_roc_and_its_area(genuine: list[float], impostor: list[float]) -> None:
    curve = verification_curve(np.array(genuine), np.array(impostor))
    labels = [1] * len(genuine) + [0] * len(impostor)
    similarity = -np.array(genuine + impostor)
    fpr, tpr, thresholds = roc_curve(labels, similarity, drop_intermediate=False)
    assert curve.fmr == pytest.approx(fpr)
    assert 1 - curve.fnmr == pytest.approx(tpr)
    assert curve.thresholds.tolist() == (-thresholds).tolist()
    assert auc(curve) == pytest.approx(roc_auc_score(labels, similarity))


@given(scores, scores)
def test_det(genuine: list[float], impostor: list[float]) -> None:
    curve = verification_curve(np.array(genuine), np.array(impostor))
    labels = [1] * len(genuine) + [0] * len(impostor)
    fpr, fnr, thresholds = det_curve(labels, -np.array(genuine + impostor))
    # It leaves out the ends where one of the rates stands still.
    points = np.searchsorted(curve.thresholds, -thresholds)
    assert curve.fmr[points] == pytest.approx(fpr)
    assert curve.fnmr[points] == pytest.approx(fnr)
