"""ROC and DET curves.

A rate of zero has no place on a logarithmic or normal-deviate axis: such points are drawn at
half an error.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np

from facematch.metrics import VerificationCurve, WeightedCurve
from facematch.reports.drawing import Palette, Plot, line_style, log_percent_axis
from facematch.types import Float64Array

# The drawing is about this many pixels wide; more steps than that cannot be seen.
_STEPS = 600
_RATES = (1e-6, 1e-5, 1e-4, 1e-3, 0.01, 0.05, 0.2, 0.5, 0.8, 0.95, 0.99, 0.999)
_LOWEST, _HIGHEST = 1e-6, 0.999


@dataclass(frozen=True, slots=True)
class MarkedRate:
    """A point of the ROC with its interval.

    Attributes:
        fmr: in (0, 1).
        tar: in [0, 1].
        low: lower limit of ``tar``.
        high: upper limit.
    """

    fmr: float
    tar: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, eq=False)
class Trace:
    """One curve.

    Attributes:
        label: in the legend, plain ASCII (the fonts of plot files lack many scripts).
        curve: its operating points.
        fmr: at the threshold in use; None if there is none to show.
        fnmr: at the threshold in use.
        marked: points with intervals.
    """

    label: str
    curve: VerificationCurve | WeightedCurve
    fmr: float | None = None
    fnmr: float | None = None
    marked: tuple[MarkedRate, ...] = ()


def roc_plot(traces: Sequence[Trace]) -> Plot:
    """True accept rate over FMR, the latter logarithmic."""

    def draw(axes: Any, palette: Palette) -> None:
        left = min(0.5 / trace.curve.n_impostor for trace in traces)
        grid = np.geomspace(left, 1, _STEPS)
        for index, trace in enumerate(traces):
            colour = palette.curves[index % len(palette.curves)]
            shown = grid[grid >= 0.5 / trace.curve.n_impostor]
            tar = 1 - _fnmr_at(trace.curve, shown)
            style = {"color": colour, "linestyle": line_style(index), "linewidth": 1.8}
            axes.step(shown, tar, where="post", label=trace.label, **style)
            for mark in trace.marked:
                spread = [[mark.tar - mark.low], [mark.high - mark.tar]]
                axes.errorbar(
                    *([mark.fmr], [mark.tar], spread),
                    fmt="none",
                    color=colour,
                    elinewidth=1.2,
                    capsize=3,
                )
            if trace.fmr is not None and trace.fnmr is not None:
                place = max(trace.fmr, left), 1 - trace.fnmr
                _mark(axes, *place, colour if len(traces) > 1 else palette.mark)
        log_percent_axis(axes.xaxis)
        axes.set(xlim=(left, 1), ylim=(0, 1.02))
        axes.set(xlabel="false match rate (FMR)", ylabel="true accept rate (1 - FNMR)")
        if len(traces) > 1:
            axes.legend(loc="lower right")

    return Plot(
        "roc",
        "ROC",
        "Genuine comparisons accepted, over impostor comparisons accepted. Nearer to the top "
        "left is better; the dot is what the decisions gave, bars are 95 % intervals.",
        draw,
    )


def det_plot(traces: Sequence[Trace]) -> Plot:
    """FNMR over FMR on normal-deviate axes.

    Martin et al., *The DET curve in assessment of detection task performance*, Eurospeech
    1997: normally distributed scores make straight lines.
    """

    def draw(axes: Any, palette: Palette) -> None:
        lowest = [_floor(trace.curve.n_impostor) for trace in traces]
        left = min(lowest)
        bottom = min(_floor(trace.curve.n_genuine) for trace in traces)
        top = 0.5
        marks: list[tuple[float, float, str]] = []
        for index, trace in enumerate(traces):
            colour = palette.curves[index % len(palette.curves)]
            fmr = _rates_between(lowest[index], 0.6)
            fnmr = np.clip(_fnmr_at(trace.curve, fmr), _floor(trace.curve.n_genuine), _HIGHEST)
            top = max(top, float(fnmr.max()))
            axes.step(
                *(_deviates(fmr), _deviates(fnmr)),
                where="post",
                color=colour,
                linestyle=line_style(index),
                linewidth=1.8,
                label=trace.label,
            )
            if trace.fmr is not None and trace.fnmr is not None:
                colour = colour if len(traces) > 1 else palette.mark
                marks.append((trace.fmr, trace.fnmr, colour))
        right, top = 0.6, min(top * 1.1, _HIGHEST)
        for fmr_there, fnmr_there, colour in marks:
            # What lies beyond the axes is drawn on their edge.
            shown = np.clip([fmr_there, fnmr_there], [left, bottom], [right, top])
            x, y = _deviates(shown)
            _mark(axes, float(x), float(y), colour)
        _deviate_axis(axes.xaxis, left, right)
        _deviate_axis(axes.yaxis, bottom, top)
        equal = _deviates(np.array([max(left, bottom), 0.5]))
        axes.plot(equal, equal, color=palette.muted, linewidth=1, linestyle=":")
        axes.set(xlabel="false match rate (FMR)", ylabel="false non-match rate (FNMR)")
        if len(traces) > 1:
            axes.legend(loc="upper right")

    return Plot(
        "det",
        "DET",
        "Both error rates on normal-deviate axes. Nearer to the bottom left is better; on the "
        "dotted line both are equal (EER). A rate of zero is drawn at half an error.",
        draw,
    )


def _fnmr_at(curve: VerificationCurve | WeightedCurve, fmr: Float64Array) -> Float64Array:
    """The lowest FNMR with at most each FMR."""
    fnmr: Float64Array = curve.fnmr[np.searchsorted(curve.fmr, fmr, side="right") - 1]
    return fnmr


def _floor(comparisons: float) -> float:
    return max(0.5 / comparisons, _LOWEST)


def _rates_between(low: float, high: float) -> Float64Array:
    normal = NormalDist()
    grid = np.linspace(normal.inv_cdf(min(low, high / 2)), normal.inv_cdf(high), _STEPS)
    return np.array([normal.cdf(float(x)) for x in grid])


def _deviates(rates: Float64Array) -> Float64Array:
    return np.array([NormalDist().inv_cdf(float(rate)) for rate in rates])


def _deviate_axis(axis: Any, low: float, high: float) -> None:
    ticks = [rate for rate in _RATES if low * 0.999 <= rate <= high]
    axis.set_ticks(_deviates(np.array(ticks)), labels=[f"{100 * rate:g} %" for rate in ticks])
    axis.axes.set(
        **{f"{axis.axis_name}lim": tuple(_deviates(np.array([low * 0.95, min(high, _HIGHEST)])))}
    )


def _mark(axes: Any, x: float, y: float, colour: str) -> None:
    axes.plot([x], [y], "o", color=colour, markersize=6, clip_on=False, zorder=5)
