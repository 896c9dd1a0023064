"""The live view of a training run on stderr: progress, rate, time left, figures."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from typing import Any

SMOOTHING = 0.98


class TrainView:
    """A callback that shows a run to the person at the terminal.

    On a terminal a bar is redrawn in place; elsewhere each report is one line.

    Args:
        steps: updates of the whole schedule.
        quiet: show nothing.
    """

    def __init__(self, steps: int, quiet: bool) -> None:
        self._steps = steps
        self._shown = not quiet
        self._live = self._shown and sys.stderr.isatty()
        self._bar: Any = None
        self._task: Any = None
        self._loss: float | None = None
        self._crops = 0.0
        self._started = 0.0

    def on_start(self, run: Any) -> None:
        """Opens the bar."""
        self._started = time.monotonic()
        if not self._live or run.ranks.index != 0:
            return
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

        self._bar = Progress(
            TextColumn("training"),
            BarColumn(),
            TextColumn("{task.completed}/{task.total}"),
            TextColumn("{task.fields[figures]}"),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._bar.start()
        self._task = self._bar.add_task(
            "training", total=self._steps, completed=run.step, figures=""
        )

    def on_step(self, run: Any, figures: Mapping[str, float]) -> None:
        """Moves the bar on; the loss is smoothed, the rate is since the start."""
        loss = figures["loss"]
        previous = loss if self._loss is None else self._loss
        self._loss = SMOOTHING * previous + (1 - SMOOTHING) * loss
        self._crops += figures.get("crops", 0.0)
        if self._bar is not None:
            rate = self._crops / max(time.monotonic() - self._started, 1e-9)
            text = f"loss {self._loss:.4f}  {rate:.0f} crops/s"
            self._bar.update(self._task, completed=run.step, figures=text)

    def on_report(self, run: Any, line: Mapping[str, float]) -> None:
        """Prints one line a checkpoint."""
        if not self._shown:
            return
        shown = [f"{name} {value:.4g}" for name, value in line.items() if _is_shown(name)]
        text = f"step {run.step}/{self._steps}: {', '.join(shown)}"
        if self._bar is not None:
            self._bar.console.print(text, highlight=False, markup=False, soft_wrap=True)
        else:
            print(text, file=sys.stderr)

    def on_end(self, run: Any, reason: str) -> None:
        """Closes the bar."""
        if self._bar is not None:
            self._bar.stop()


def _is_shown(name: str) -> bool:
    return name in ("loss", "crops_per_s", "cosine", "active") or name.startswith("val_")
