"""Curves of searches: CMC, and misses over false positives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from facematch.metrics import OpenSetCurve
from facematch.reports.drawing import Palette, Plot, line_style, log_percent_axis
from facematch.types import Float64Array

_STEPS = 600
_SHOWN_RANKS = 100


def cmc_plot(cmc: Float64Array) -> Plot:
    """Cumulative match characteristic.

    Args:
        cmc: float64 (subjects,), the share of mated probes with their subject among the first
            1, 2, … subjects.
    """

    def draw(axes: Any, palette: Palette) -> None:
        shown = cmc[:_SHOWN_RANKS]
        ranks = np.arange(1, len(shown) + 1)
        axes.step(ranks, shown, where="post", color=palette.genuine, linewidth=1.8)
        axes.plot(ranks[:1], shown[:1], "o", color=palette.mark, markersize=6, clip_on=False)
        lowest = max(0.0, float(shown[0]) - 0.1)
        axes.set(xlim=(1, max(len(shown), 2)), ylim=(lowest, 1.005))
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.set(xlabel="rank k", ylabel="subject among the first k")

    return Plot(
        "cmc",
        "CMC",
        "Share of probes of enrolled people whose subject is among the k nearest; the dot is "
        "rank 1.",
        draw,
    )


@dataclass(frozen=True, slots=True, eq=False)
class SearchTrace:
    """One curve of an open-set search.

    Attributes:
        label: in the legend, plain ASCII (the fonts of plot files lack many scripts).
        curve: its operating points.
    """

    label: str
    curve: OpenSetCurve


def open_set_plot(traces: Sequence[SearchTrace]) -> Plot:
    """FNIR over FPIR, the latter logarithmic; of at least one search."""

    def draw(axes: Any, palette: Palette) -> None:
        left = min(0.5 / trace.curve.n_nonmated for trace in traces)
        fpir = np.geomspace(left, 1, _STEPS)
        highest = 0.0
        for index, trace in enumerate(traces):
            curve = trace.curve
            fnir = curve.fnir[np.searchsorted(curve.fpir, fpir, side="right") - 1]
            style = {
                "color": palette.curves[index % len(palette.curves)],
                "linestyle": line_style(index),
                "linewidth": 1.8,
            }
            axes.step(fpir, fnir, where="post", label=trace.label, **style)
            highest = max(highest, float(fnir.max()))
        if len(traces) > 1:
            axes.legend(loc="upper right")
        log_percent_axis(axes.xaxis)
        axes.set(xlim=(left, 1), ylim=(0, min(1.02, highest * 1.2 + 0.02)))
        axes.set(
            xlabel="strangers for whom somebody is named (FPIR)",
            ylabel="enrolled people missed (FNIR)",
        )

    return Plot(
        "open-set",
        "Open-set search",
        "Enrolled people missed, over strangers named as somebody. Nearer to the bottom left is "
        "better; an FPIR of zero is drawn at half a stranger.",
        draw,
    )
