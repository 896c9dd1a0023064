"""Plots: what is drawn, and in which form."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree

import matplotlib
import numpy as np
import pytest
from self_contained import requests_of

from facematch.metrics import OpenSetCurve, measure_reliability, verification_curve
from facematch.reports import (
    PLOT_NAMES,
    MarkedRate,
    Plot,
    SearchTrace,
    Trace,
    cmc_plot,
    det_plot,
    open_set_plot,
    picture,
    reliability_plot,
    roc_plot,
    scores_plot,
)
from facematch.reports.drawing import LIGHT, inline_svg
from facematch.types import Float64Array

SPREAD = verification_curve(
    np.random.default_rng(0).normal(0.4, 0.15, 300), np.random.default_rng(1).normal(0.9, 0.15, 900)
)


def reliability() -> Plot:
    same = np.arange(100) < 50
    stated = np.clip(np.where(same, 0.8, 0.2) + np.linspace(-0.15, 0.15, 100), 0.01, 0.99)
    return reliability_plot(measure_reliability(stated, same, 0.5))


def searched(*labels: str) -> Plot:
    curve = OpenSetCurve(
        np.array([-np.inf, 0.2, 0.5]), np.array([0, 1, 4]), np.array([9, 3, 1]), 9, 4
    )
    return open_set_plot([SearchTrace(label, curve) for label in labels])


MARKS = (MarkedRate(0.01, 0.9, 0.85, 0.93),)
PLOTS = [
    roc_plot([Trace("", SPREAD, 0.01, 0.1, MARKS)]),
    roc_plot([Trace("one", SPREAD), Trace("<two>", SPREAD, 0.0, 0.2)]),
    det_plot([Trace("", SPREAD, 0.0, 0.1)]),
    det_plot([Trace("one", SPREAD), Trace("two", SPREAD)]),
    scores_plot(SPREAD, 0.65, "cosine distance"),
    scores_plot(SPREAD, None, "distance", classes=("enrolled people", "strangers")),
    scores_plot(SPREAD, 0.65, "similarity", similarities=True),
    reliability(),
    cmc_plot(np.array([0.5, 0.75, 1.0])),
    searched(""),
    searched("one", "two"),
]


@pytest.mark.parametrize("plot", PLOTS, ids=lambda plot: plot.name)
def test_a_plot_in_a_page_needs_nothing_and_takes_the_pages_colours(plot: Plot) -> None:
    svg = inline_svg(plot)
    assert requests_of(svg) == []
    assert set(re.findall(r"#[0-9a-f]{6}\b", svg)) == set()
    assert "DejaVu" not in svg
    assert f'aria-label="{plot.title}"' in svg


def test_the_names_of_plots_are_known() -> None:
    assert {plot.name for plot in PLOTS} == set(PLOT_NAMES)


def test_equal_measurements_make_equal_files() -> None:
    for file_format, start in (("png", b"\x89PNG"), ("svg", b"<?xml")):
        files = [picture(PLOTS[0], file_format) for _ in range(2)]
        assert files[0] == files[1]
        assert files[0].startswith(start)
    ElementTree.fromstring(picture(PLOTS[1], "svg"))


def test_drawing_leaves_no_setting_behind() -> None:
    before = dict(matplotlib.rcParams)
    inline_svg(PLOTS[0])
    assert dict(matplotlib.rcParams) == before


@pytest.mark.parametrize(
    ("genuine", "impostor"),
    [
        pytest.param([0.1], [0.9], id="one of each, apart"),
        pytest.param([0.9], [0.1], id="one of each, the wrong way round"),
        pytest.param([0.5, 0.5], [0.5, 0.5], id="all ties"),
        pytest.param([0.0] * 50, [1.0] * 50, id="no error"),
    ],
)
def test_edges(genuine: list[float], impostor: list[float]) -> None:
    curve = verification_curve(np.array(genuine), np.array(impostor))
    for fmr, fnmr in ((0.0, 0.0), (1.0, 1.0)):
        trace = Trace("", curve, fmr, fnmr, (MarkedRate(0.5, 1.0, 1.0, 1.0),))
        for plot in (roc_plot([trace]), det_plot([trace]), scores_plot(curve, 0.5, "distance")):
            assert requests_of(inline_svg(plot)) == []


def drawn_lines(plot: Plot) -> list[tuple[Float64Array, Float64Array]]:
    """The data of each line on the axes."""
    from matplotlib.figure import Figure

    axes = Figure().add_subplot()
    plot.draw(axes, LIGHT)
    return [(np.asarray(line.get_xdata()), np.asarray(line.get_ydata())) for line in axes.lines]


def test_the_roc_is_that_of_the_counts() -> None:
    (line, *_) = drawn_lines(roc_plot([Trace("", SPREAD)]))
    for fmr, tar in zip(*line, strict=True):
        best = max(1 - SPREAD.fnmr[SPREAD.fmr <= fmr])
        assert tar == pytest.approx(best)


def test_normal_scores_make_a_straight_det() -> None:
    """Slope -1 for equal spreads, through the EER on the diagonal."""
    from statistics import NormalDist

    grid = (np.arange(20_000) + 0.5) / 20_000
    normal = np.array([NormalDist().inv_cdf(p) for p in grid])
    curve = verification_curve(normal, normal + 3)
    x, y = drawn_lines(det_plot([Trace("", curve)]))[0]
    middle = (x > -2.5) & (x < 0)
    assert np.polyfit(x[middle], y[middle], 1) == pytest.approx([-1, -3], abs=0.02)


def test_histograms_hold_every_comparison() -> None:
    from matplotlib.figure import Figure
    from matplotlib.patches import StepPatch

    axes = Figure().add_subplot()
    scores_plot(SPREAD, 0.6, "distance").draw(axes, LIGHT)
    sums = [float(p.get_data().values.sum()) for p in axes.patches if isinstance(p, StepPatch)]
    assert sums == pytest.approx([1, 1, 1, 1])
    labels = [text.get_text() for text in axes.get_legend().get_texts()]
    assert labels == ["genuine (300)", "impostor (900)", "threshold 0.6000"]
    # Nothing is written beside the axes, where the title is.
    assert not axes.texts
