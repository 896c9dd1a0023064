"""The learning curve as a picture."""

from __future__ import annotations

import json
from pathlib import Path

NOT_DRAWN = {"step", "size", "rate", "crops_per_s", "gradient_norm"}


def draw_curve(log: Path, picture: Path) -> None:
    """Draws the losses and figures of a log over the steps, validation figures beside them.

    Args:
        log: ``log.jsonl`` of a run.
        picture: PNG or SVG to write.
    """
    from matplotlib.figure import Figure

    lines = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    names = {name: None for line in lines for name in line if name not in NOT_DRAWN}
    figure = Figure(figsize=(10, 4), layout="constrained")
    training, validation = figure.subplots(1, 2)
    for name in names:
        axes = validation if name.startswith("val_") else training
        drawn = [(line["step"], line[name]) for line in lines if name in line]
        axes.plot(*zip(*drawn, strict=True), label=name, linewidth=1.2)
    for axes, title in ((training, "training"), (validation, "validation (averaged weights)")):
        axes.set_title(title)
        axes.set_xlabel("step")
        axes.grid(alpha=0.3)
        if axes.lines:
            axes.legend(fontsize=7)
    figure.savefig(picture, dpi=120)
