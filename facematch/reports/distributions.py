"""How genuine and impostor comparisons spread."""

from __future__ import annotations

from typing import Any

import numpy as np

from facematch.metrics import VerificationCurve
from facematch.reports.drawing import Palette, Plot

_BINS = 60


def scores_plot(
    curve: VerificationCurve,
    threshold: float | None,
    name: str,
    *,
    similarities: bool = False,
    classes: tuple[str, str] = ("genuine", "impostor"),
) -> Plot:
    """Histograms of both classes and the threshold between them.

    Args:
        curve: it holds every distance, and how often.
        threshold: accept iff ``distance <= threshold``; None for none.
        name: of the axis.
        similarities: whether the distances are similarities with their sign turned; they are
            drawn as they were.
        classes: what to call those that should be accepted, and those that should not.
    """

    def draw(axes: Any, palette: Palette) -> None:
        sign = -1 if similarities else 1
        scores = sign * curve.thresholds[1:]
        edges = np.histogram_bin_edges(scores, _BINS)
        counted = (
            (-np.diff(curve.false_non_matches), palette.genuine),
            (np.diff(curve.false_matches), palette.impostor),
        )
        for label, (counts, colour) in zip(classes, counted, strict=True):
            share = np.histogram(scores, edges, weights=counts / counts.sum())[0]
            axes.stairs(share, edges, fill=True, color=colour, alpha=0.25)
            counted_label = f"{label} ({int(counts.sum()):,})"
            axes.stairs(share, edges, color=colour, linewidth=1.6, label=counted_label)
        if threshold is not None:
            place = sign * threshold
            # Named in the legend, which finds itself room: beside the line is the title, or a bar.
            axes.axvline(
                place,
                color=palette.mark,
                linewidth=1.6,
                linestyle="--",
                label=f"threshold {place:.4f}",
            )
        # Room for the legend above the bars.
        axes.set_ylim(0, 1.22 * axes.get_ylim()[1])
        axes.set(xlabel=name, ylabel="share of the class in each bin")
        axes.legend(loc="best")

    return Plot(
        "scores",
        "Scores",
        f"Of {classes[0]} and {classes[1]}, each as shares of its own."
        + ("" if threshold is None else " What lies beyond the dashed line is decided wrongly."),
        draw,
    )
