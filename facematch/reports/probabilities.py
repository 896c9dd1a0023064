"""Reliability diagram: stated probabilities against what was observed."""

from __future__ import annotations

from typing import Any

from facematch.metrics import Reliability
from facematch.reports.drawing import Palette, Plot


def reliability_plot(reliability: Reliability) -> Plot:
    """Observed share of genuine comparisons over stated probability, in ten bins.

    DeGroot and Fienberg, *The comparison and evaluation of forecasters*, The Statistician 32,
    1983.
    """

    def draw(axes: Any, palette: Palette) -> None:
        filled = [one for one in reliability.bins if one.comparisons]
        stated = [one.stated for one in filled]
        observed = [one.observed for one in filled]
        axes.bar(
            [(one.low + one.high) / 2 for one in filled],
            [one.weight for one in filled],
            width=0.09,
            color=palette.genuine,
            alpha=0.2,
            label="share of comparisons",
        )
        axes.plot([0, 1], [0, 1], color=palette.muted, linewidth=1, linestyle=":")
        axes.plot(
            *(stated, observed),
            *("o-",),
            color=palette.genuine,
            linewidth=1.8,
            clip_on=False,
            label="observed",
        )
        axes.set(xlim=(0, 1), ylim=(0, 1.02))
        axes.set(xlabel="stated probability of one person", ylabel="observed share")
        axes.legend(loc="upper left")

    return Plot(
        "reliability",
        "Reliability",
        "Of the comparisons with a stated probability, how many are genuine; on the dotted line "
        "statements are kept.",
        draw,
    )
