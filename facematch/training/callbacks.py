"""What watches a run: budgets, alarms, the best network so far, pictures, TensorBoard."""

from __future__ import annotations

import contextlib
import signal
import threading
import time
from collections import deque
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol

from torch import Tensor

from facematch.errors import CollapseError, MissingExtraError
from facematch.training.checkpoint import read_checkpoint, write_checkpoint
from facematch.training.log import LOG
from facematch.training.ranks import Ranks

INTERRUPTED, OUT_OF_TIME = "interrupted", "out of time"
BEST = "best.pt"


class Run(Protocol):
    """What a callback may know of, and ask from, the :class:`Trainer` that calls it."""

    @property
    def step(self) -> int:
        """Updates made so far."""

    @property
    def run_dir(self) -> Path:
        """Where the run keeps its files."""

    @property
    def ranks(self) -> Ranks:
        """The processes that train together."""

    def ask_to_stop(self, reason: str) -> None:
        """Ends the run after the step at hand."""

    def averaged_state(self) -> dict[str, Tensor]:
        """The network's tensors with averaged weights."""


class Observer(Protocol):
    """What a run tells of itself, and to whom; :class:`Callback` is one to inherit from."""

    def on_start(self, run: Run) -> None:
        """Before the first step, after a checkpoint was restored."""

    def on_step(self, run: Run, figures: Mapping[str, float]) -> None:
        """After each update, with its figures."""

    def on_report(self, run: Run, line: Mapping[str, float]) -> None:
        """After each line of the log, on the first rank."""

    def on_end(self, run: Run, reason: str) -> None:
        """After the last checkpoint."""


class Callback:
    """An observer that does nothing; what inherits it chooses its occasions."""

    def on_start(self, run: Run) -> None:
        """See :class:`Observer`."""

    def on_step(self, run: Run, figures: Mapping[str, float]) -> None:
        """See :class:`Observer`."""

    def on_report(self, run: Run, line: Mapping[str, float]) -> None:
        """See :class:`Observer`."""

    def on_end(self, run: Run, reason: str) -> None:
        """See :class:`Observer`."""


class TimeBudget(Callback):
    """Leaves off after a number of minutes of this process's run."""

    def __init__(self, minutes: float) -> None:
        self._seconds = 60 * minutes
        self._started = 0.0

    def on_start(self, run: Run) -> None:
        self._started = time.monotonic()

    def on_step(self, run: Run, figures: Mapping[str, float]) -> None:
        if time.monotonic() - self._started > self._seconds:
            run.ask_to_stop(OUT_OF_TIME)


class CollapseAlarm(Callback):
    """Stops a run whose embeddings have become one point.

    A network that gives every face the same vector has all distances zero, so that a hinge
    loss sticks at the sum of its margins, where its gradient vanishes: the run would go on for
    hours and learn nothing. Two signs, over a window of steps: the variance of the distances
    of a batch (``distance_variance`` among the figures) is gone, or the loss stays where a
    collapsed network's would be.

    Args:
        collapsed_loss: the loss of a collapsed network, or None if the loss has no such value.
        window: steps that must agree.
        least_variance: of distances, below which they count as equal.
        tolerance: relative, of the loss around ``collapsed_loss``.
    """

    def __init__(
        self,
        collapsed_loss: float | None,
        window: int = 100,
        least_variance: float = 1e-6,
        tolerance: float = 0.01,
    ) -> None:
        self._collapsed_loss = collapsed_loss
        self._least_variance = least_variance
        self._tolerance = tolerance
        self._signs: deque[str | None] = deque(maxlen=window)

    def on_step(self, run: Run, figures: Mapping[str, float]) -> None:
        self._signs.append(self._sign(figures))
        full = len(self._signs) == self._signs.maxlen
        if full and all(sign is not None for sign in self._signs):
            raise CollapseError(
                f"step {run.step}: the embeddings have collapsed ({self._signs[-1]}, for "
                f"{len(self._signs)} steps). Lower the learning rate, mine less hard "
                "(--mining semi-hard), start from a trained network (--init), or put more "
                f"identities in a batch; the checkpoint in {run.run_dir} is from before"
            )

    def _sign(self, figures: Mapping[str, float]) -> str | None:
        if figures.get("distance_variance", 1.0) < self._least_variance:
            return "all distances are equal"
        stuck = self._collapsed_loss
        loss = figures.get("metric_loss", figures["loss"])
        if stuck is not None and abs(loss - stuck) < self._tolerance * stuck:
            return f"the loss sticks at {stuck:g}, the sum of the margins"
        return None


class KeepBest(Callback):
    """Keeps the averaged weights that validated best, in ``best.pt``.

    Args:
        figure: of the report; higher is better.
        ties: figures that decide between equal ones, in order; higher is better.
    """

    def __init__(self, figure: str, *ties: str) -> None:
        self.figures = (figure, *ties)
        self._best: list[float] | None = None

    @property
    def best(self) -> float | None:
        """The highest figure so far."""
        return None if self._best is None else self._best[0]

    def on_start(self, run: Run) -> None:
        kept = read_best(run.run_dir)
        self._best = None if kept is None else [float(value) for value in kept["values"]]

    def on_report(self, run: Run, line: Mapping[str, float]) -> None:
        if any(figure not in line for figure in self.figures):
            return
        values = [line[figure] for figure in self.figures]
        if self._best is not None and values <= self._best:
            return
        self._best = values
        state = {
            "figures": list(self.figures),
            "values": values,
            "step": run.step,
            "average": run.averaged_state(),
        }
        write_checkpoint(run.run_dir / BEST, state)


class TensorBoardLog(Callback):
    """Writes every figure of the reports for TensorBoard, into the run's folder.

    Raises:
        MissingExtraError: the package is not installed.
    """

    def __init__(self) -> None:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError as error:
            raise MissingExtraError(
                "--tensorboard needs the package tensorboard: pip install 'facematch[train]'"
            ) from error
        self._open = SummaryWriter
        self._writer: Any = None

    def on_report(self, run: Run, line: Mapping[str, float]) -> None:
        if self._writer is None:
            self._writer = self._open(str(run.run_dir / "tensorboard"))
        for name, value in line.items():
            if name != "step":
                self._writer.add_scalar(name, value, run.step)
        self._writer.flush()

    def on_end(self, run: Run, reason: str) -> None:
        if self._writer is not None:
            self._writer.close()


class LearningCurve(Callback):
    """Draws ``curve.png`` from the log at the end of a run."""

    def on_end(self, run: Run, reason: str) -> None:
        if run.ranks.index == 0:
            from facematch.training.curve import draw_curve

            log = run.run_dir / LOG
            if log.exists():
                draw_curve(log, run.run_dir / "curve.png")


@contextlib.contextmanager
def interruptible(run: Run) -> Iterator[None]:
    """Ctrl-C ends the run after the step at hand, with a checkpoint; a second one at once.

    Process-wide, and so only for the time of the run, and only in the main thread (elsewhere
    it does nothing).
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(signum: int, frame: object) -> None:
        signal.signal(signal.SIGINT, previous)
        run.ask_to_stop(INTERRUPTED)

    previous = signal.signal(signal.SIGINT, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, previous)


def read_best(run_dir: Path) -> dict[str, Any] | None:
    """What :class:`KeepBest` kept, if anything: ``average``, ``figures``, ``values``, ``step``.

    Raises:
        TrainingError: the file cannot be read.
    """
    path = run_dir / BEST
    return read_checkpoint(path) if path.exists() else None
