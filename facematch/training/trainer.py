"""The training loop: readable, resumable, interruptible.

Everything random in a step is derived from (seed, step), and the schedule depends on the
step alone, so a run that was interrupted continues with the numbers it would have had.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from facematch.errors import OutputError, TrainingError
from facematch.training.averaging import WeightAverage
from facematch.training.callbacks import Observer
from facematch.training.checkpoint import read_checkpoint, write_checkpoint
from facematch.training.config import TrainingConfig
from facematch.training.loading import Batch, BatchLoader, batch_of
from facematch.training.log import LOG, append_line, trim_log
from facematch.training.ranks import OneRank, Ranks
from facematch.training.sharding import is_sharded, load_whole, replicated, whole
from facematch.training.updates import Updates

CHECKPOINT = "checkpoint.pt"
FINISHED, LEFT_OFF = "finished", "left off"

Objective = Callable[[nn.Module, Batch], tuple[Tensor, Mapping[str, float]]]
"""(network, batch) -> (scalar loss, figures for the log).

It runs under autocast where that is on; losses leave it by themselves. An objective that is
a module has its parameters trained and its state saved with the network's.
"""

Validation = Callable[[nn.Module, int], Mapping[str, float]]
"""(averaged network, side in pixels) -> figures for the log."""


class Trainer:
    """Trains a network until ``config.steps``, from a checkpoint if there is one.

    Args:
        network: maps float (n, 3, s, s) in [-1, 1] to (n, d) embeddings.
        loader: of the batches.
        objective: the loss on a batch.
        config: the recipe.
        run_dir: holds ``checkpoint.pt`` and ``log.jsonl``; made if missing.
        validate: called with the averaged network at every checkpoint.
        callbacks: told of each step and report; may ask the run to stop.
        device: where the network is trained.
        forward: what the objective calls, if not the network itself (compiled, or prepared
            for several processes by ``training.parallel``, which may put the network in
            shards).
        ranks: the processes that train together.
    """

    def __init__(
        self,
        network: nn.Module,
        loader: BatchLoader,
        objective: Objective,
        config: TrainingConfig,
        run_dir: Path,
        validate: Validation | None = None,
        *,
        callbacks: Sequence[Observer] = (),
        device: torch.device | str = "cpu",
        forward: nn.Module | None = None,
        ranks: Ranks | None = None,
    ) -> None:
        self.device = torch.device(device)
        self.network = network
        self._sharded = is_sharded(network)
        if not self._sharded:  # shards are in their place, and have their own layout
            network.to(self.device).to(memory_format=torch.channels_last)
        self.config = config
        self.step = 0
        self.run_dir = run_dir
        self.ranks = OneRank() if ranks is None else ranks
        self._forward = network if forward is None else forward
        self._loader = loader
        self._objective = objective
        self._validate = validate
        self._callbacks = tuple(callbacks)
        self._stop_reason: str | None = None
        self._gathered: tuple[int, dict[str, Tensor]] | None = None
        freeze(network, config.frozen)
        if isinstance(objective, nn.Module):
            if not is_sharded(objective):
                objective.to(self.device)
            self.ranks.follow(replicated(objective.state_dict().values()))
        self._updates = Updates(self._trained_modules(), config)
        self._average = WeightAverage(network, config.ema_decay)
        try:
            run_dir.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(f"{run_dir}: cannot be made ({error.strerror})") from error

    def _trained_modules(self) -> list[nn.Module]:
        extra = [self._objective] if isinstance(self._objective, nn.Module) else []
        return [self.network, *extra]

    def resume(self) -> bool:
        """Restores ``checkpoint.pt`` if it exists; returns whether it did.

        Raises:
            TrainingError: the checkpoint was written under another configuration, or cannot
                be read.
        """
        path = self.run_dir / CHECKPOINT
        if not path.exists():
            return False
        state = read_checkpoint(path)
        if state["config"] != self.config.plain():
            raise TrainingError(
                f"{path}: made under another configuration; "
                "use that one or start in an empty folder"
            )
        load_whole(self.network, state["network"])
        if isinstance(self._objective, nn.Module):
            load_whole(self._objective, state["objective"])
        self._updates.load(state["optimizer"])
        self._average.load(state["average"])
        self.step = int(state["step"])
        if self.ranks.index == 0:
            trim_log(self.run_dir / LOG, self.step)
        return True

    def ask_to_stop(self, reason: str) -> None:
        """Ends the run after the step at hand, with a checkpoint. The first reason counts."""
        if self._stop_reason is None:
            self._stop_reason = reason

    def run(self, until: int | None = None) -> str:
        """Trains to the end, or until something asks to stop; then saves.

        A process that is killed loses what came after the last checkpoint.

        Args:
            until: leave off after this step, with the schedule as it is; None for the end.

        Returns:
            Why it ended: ``FINISHED``, ``LEFT_OFF``, or the reason that was asked for.

        Raises:
            TrainingError: the loss is no longer a number, or a checkpoint does not fit.
            OutputError: the run's folder cannot be written.
        """
        self.resume()
        for callback in self._callbacks:
            callback.on_start(self)
        last = self.config.steps if until is None else min(until, self.config.steps)
        reason = FINISHED if self.step >= self.config.steps else LEFT_OFF
        if self.step < last:
            with contextlib.closing(self._steps(last)) as steps:
                reason = self._run(steps, last)
        self.averaged_state()  # by all ranks; then one may ask for it
        for callback in self._callbacks:
            callback.on_end(self, reason)
        return reason

    def _run(self, steps: Iterator[dict[str, float]], last: int) -> str:
        figures: dict[str, list[float]] = {}
        saved_at, crops = time.monotonic(), 0.0
        for of_step in steps:
            crops += of_step["crops"]
            for name, value in of_step.items():
                if name != "crops":
                    figures.setdefault(name, []).append(value)
            for callback in self._callbacks:
                callback.on_step(self, of_step)
            elapsed_s = time.monotonic() - saved_at
            stopping, saving = self.ranks.agreed(
                self._stop_reason is not None, elapsed_s > self.config.checkpoint_every_s
            )
            if stopping or saving or self.step == last:
                self._report(figures, crops / max(elapsed_s, 1e-9))
                self.save()
                saved_at, crops = time.monotonic(), 0.0
            if stopping:
                return self._stop_reason or LEFT_OFF
        return FINISHED if self.step == self.config.steps else LEFT_OFF

    def _steps(self, last: int) -> Generator[dict[str, float]]:
        """Updates the weights step by step; yields the figures of each."""
        each = self.config.accumulate
        with contextlib.closing(self._loader.stream(self.step * each, last * each)) as stream:
            while self.step < last:
                batches = (batch_of(self.step, *next(stream), self.device) for _ in range(each))
                yield self._update(batches)

    def _update(self, batches: Iterator[Batch]) -> dict[str, float]:
        train_mode(self.network, self.config.frozen, self.config.keep_statistics)
        self._updates.clear()
        totals: dict[str, float] = {"crops": 0.0, "loss": 0.0}
        for batch in batches:
            with torch.autocast(self.device.type, torch.bfloat16, enabled=self.config.bfloat16):
                loss, figures = self._objective(self._forward, batch)
            if not torch.isfinite(loss):
                raise TrainingError(
                    f"the loss became {loss.item()} at step {self.step}; the last checkpoint is "
                    "sound: lower the learning rate, in a new folder"
                )
            torch.autograd.backward(loss / self.config.accumulate)
            totals["crops"] += len(batch.indices) * self.ranks.count
            for name, value in {"loss": loss.item(), **figures}.items():
                totals[name] = totals.get(name, 0.0) + value / self.config.accumulate
        if isinstance(self._objective, nn.Module):  # the network's are averaged by ``forward``
            gradients = (p.grad for p in self._objective.parameters() if p.grad is not None)
            self.ranks.average(replicated(gradients))
        norm = self._updates.make(self.step)
        self._average.update(self.network, self.step)
        self.step += 1
        return {**totals, "gradient_norm": norm}

    def averaged_state(self) -> dict[str, Tensor]:
        """The state dict with averaged weights, whole: what is validated and exported.

        If the network lies in shards, all ranks must ask together, once after each update;
        the loop does so before it reports and at its end, so that after that one may ask.
        """
        if not self._sharded:
            return self._averaged_parts()
        if self._gathered is None or self._gathered[0] != self.step:
            self._gathered = (self.step, whole(self._averaged_parts()))
        return self._gathered[1]

    def _averaged_parts(self) -> dict[str, Tensor]:
        """The state dict with averaged weights, as they lie on this rank."""
        return {**self.network.state_dict(), **self._average.tensors}

    @contextlib.contextmanager
    def averaged(self) -> Iterator[nn.Module]:
        """The network with averaged weights in evaluation mode, put back afterwards."""
        trained = {name: value.clone() for name, value in self.network.state_dict().items()}
        self.network.load_state_dict(self._averaged_parts())
        self.network.eval()
        try:
            yield self.network
        finally:
            self.network.load_state_dict(trained)

    def save(self) -> None:
        """Writes the checkpoint beside the old one, then replaces it.

        Raises:
            OutputError: it cannot be written; the old one is still there.
        """
        objective = self._objective
        state: dict[str, Any] = {
            "config": self.config.plain(),
            "step": self.step,
            "network": whole(self.network.state_dict()),
            "average": whole(self._average.tensors),
            "objective": whole(objective.state_dict()) if isinstance(objective, nn.Module) else {},
            "optimizer": self._updates.state(),
        }
        if self.ranks.index != 0:  # only now: gathering shards takes all ranks
            return
        try:
            write_checkpoint(self.run_dir / CHECKPOINT, state)
        except OSError as error:
            raise OutputError(
                f"{self.run_dir / CHECKPOINT}: cannot be written ({error.strerror or error}); "
                "the one before it is whole, and the same command goes on from there"
            ) from error

    def _report(self, figures: dict[str, list[float]], crops_per_s: float) -> None:
        line: dict[str, float] = {
            "step": self.step,
            "size": self.config.size_at(self.step - 1),
            "rate": self.config.rate_at(self.step - 1),
            "crops_per_s": crops_per_s,
            **{name: float(np.mean(values)) for name, values in figures.items()},
        }
        figures.clear()
        self.averaged_state()  # by all ranks; callbacks on the first one may ask for it
        # A network in shards runs on all ranks or on none.
        validating = self.ranks.index == 0 or self._sharded
        if self._validate is not None and validating:
            with self.averaged() as network, torch.no_grad():
                line.update(self._validate(network, int(line["size"])))
        if self.ranks.index != 0:
            return
        rounded = {name: float(f"{value:.6g}") for name, value in line.items()}
        append_line(self.run_dir / LOG, rounded)
        for callback in self._callbacks:
            callback.on_report(self, rounded)


def freeze(network: nn.Module, prefixes: Sequence[str]) -> None:
    """Takes the parameters with these prefixes out of training.

    Raises:
        TrainingError: no parameter has one of the prefixes.
    """
    names = [name for name, _ in network.named_parameters()]
    for prefix in prefixes:
        if not any(name.startswith(prefix) for name in names):
            raise TrainingError(
                f"frozen: the network has no parameter that begins with {prefix!r}; it has "
                f"{', '.join(sorted({name.split('.')[0] for name in names}))}"
            )
    for name, parameter in network.named_parameters():
        parameter.requires_grad_(not name.startswith(tuple(prefixes)) if prefixes else True)


def train_mode(network: nn.Module, frozen: Sequence[str], keep_statistics: bool = False) -> None:
    """Training mode, but for frozen layers, whose running statistics stay as they are.

    Args:
        network: changed in place.
        frozen: prefixes of the names of frozen layers.
        keep_statistics: leave all running statistics as they are, and normalise by them.
    """
    network.train()
    for name, module in network.named_modules():
        is_frozen = frozen and f"{name}.".startswith(tuple(f"{p.rstrip('.')}." for p in frozen))
        if is_frozen or (keep_statistics and isinstance(module, _BatchNorm)):
            module.eval()
