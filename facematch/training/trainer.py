"""The training loop: readable, resumable, interruptible.

Everything random in a step is derived from (seed, step), and the schedule depends on the
step alone, so a run that was interrupted continues with the numbers it would have had.
"""

from __future__ import annotations

import contextlib
import json
import os
import pickle
import queue
import threading
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from facematch.errors import TrainingError
from facematch.training.augmentation import Augmentation
from facematch.training.sampling import BatchSampler

CHECKPOINT_FORMAT = 1


@dataclass(frozen=True, slots=True)
class TrainingConfig:
    """One phase of training.

    Attributes:
        steps: batches in all.
        sizes: (first step, side in pixels) in rising order; the resolution schedule.
        learning_rate: peak rate of AdamW after warm-up; falls to zero along a cosine.
        warmup_steps: of linear warm-up.
        weight_decay: on weights of two or more dimensions.
        ema_decay: of the averaged weights, which are the ones exported.
        gradient_clip: largest norm of the gradient.
        seed: of sampling and augmentation.
        checkpoint_every_s: seconds between checkpoints.
        bfloat16: autocast the network (not the loss) to bfloat16.
    """

    steps: int
    sizes: tuple[tuple[int, int], ...] = ((0, 112),)
    learning_rate: float = 2e-3
    warmup_steps: int = 200
    weight_decay: float = 0.05
    ema_decay: float = 0.999
    gradient_clip: float = 5.0
    seed: int = 1
    checkpoint_every_s: float = 180.0
    bfloat16: bool = True

    def size_at(self, step: int) -> int:
        return next(size for first, size in reversed(self.sizes) if step >= first)

    def rate_at(self, step: int) -> float:
        if step < self.warmup_steps:
            return self.learning_rate * (step + 1) / self.warmup_steps
        progress = (step - self.warmup_steps) / max(1, self.steps - self.warmup_steps)
        return self.learning_rate * 0.5 * (1 + float(np.cos(np.pi * min(1.0, progress))))


Objective = Callable[[Tensor, npt.NDArray[np.int64]], tuple[Tensor, Mapping[str, float]]]
"""(embeddings (n, d), crop indices (n,)) -> (scalar loss, figures for the log)."""

Validation = Callable[[nn.Module, int], Mapping[str, float]]
"""(averaged network, side in pixels) -> figures for the log."""


class BatchLoader:
    """Draws, augments and queues batches in one thread, in step order."""

    def __init__(
        self,
        images: npt.NDArray[np.uint8],
        sampler: BatchSampler,
        augmentation: Augmentation,
        config: TrainingConfig,
    ) -> None:
        self._images = images
        self._sampler = sampler
        self._augmentation = augmentation
        self._config = config

    def load(self, step: int) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
        """Returns the augmented uint8 (n, s, s, 3) crops of one step, and their indices."""
        indices = self._sampler.indices(step)
        rng = np.random.default_rng((self._config.seed, 1 << 32, step))
        size = self._config.size_at(step)
        return self._augmentation.batch(self._images[indices], size, rng), indices

    def stream(
        self, first_step: int, last_step: int
    ) -> Iterator[tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]]:
        """Yields the batches of a half-open range of steps, prepared ahead."""
        ready: queue.Queue[Any] = queue.Queue(maxsize=4)
        stopped = threading.Event()

        def put(item: object) -> None:
            while not stopped.is_set():
                with contextlib.suppress(queue.Full):
                    ready.put(item, timeout=0.2)
                    return

        def fill() -> None:
            try:
                for step in range(first_step, last_step):
                    put(self.load(step))
                    if stopped.is_set():
                        return
            except BaseException as error:  # noqa: BLE001 - the consumer raises it
                put(error)

        worker = threading.Thread(target=fill, name="batch-loader", daemon=True)
        worker.start()
        try:
            for _ in range(first_step, last_step):
                item = ready.get()
                if isinstance(item, BaseException):
                    raise item
                yield item
        finally:
            stopped.set()
            worker.join()


class Trainer:
    """Trains a network until ``config.steps``, from a checkpoint if there is one.

    Args:
        network: maps float (n, 3, s, s) in [-1, 1] to (n, d) embeddings.
        loader: of the batches.
        objective: the loss on a batch of embeddings.
        config: the recipe.
        run_dir: holds ``checkpoint.pt`` and ``log.jsonl``; made if missing.
        validate: called with the averaged network at every checkpoint.
    """

    def __init__(
        self,
        network: nn.Module,
        loader: BatchLoader,
        objective: Objective,
        config: TrainingConfig,
        run_dir: Path,
        validate: Validation | None = None,
    ) -> None:
        self.network = network.to(memory_format=torch.channels_last)
        self.config = config
        self.step = 0
        self._loader = loader
        self._objective = objective
        self._validate = validate
        self._run_dir = run_dir
        self._checkpoint_path = run_dir / "checkpoint.pt"
        self._optimizer = _optimizer(network, config)
        self._average = {name: value.clone() for name, value in _floats(network)}
        run_dir.mkdir(parents=True, exist_ok=True)

    def resume(self) -> bool:
        """Restores ``checkpoint.pt`` if it exists; returns whether it did.

        Raises:
            TrainingError: the checkpoint was written under another configuration, or cannot
                be read.
        """
        if not self._checkpoint_path.exists():
            return False
        state = _read_checkpoint(self._checkpoint_path)
        if state["format"] != CHECKPOINT_FORMAT or state["config"] != _plain(self.config):
            raise TrainingError(
                f"{self._checkpoint_path}: made under another configuration; "
                "use that one or start in an empty folder"
            )
        self.network.load_state_dict(state["network"])
        self._optimizer.load_state_dict(state["optimizer"])
        self._average = dict(state["average"])
        self.step = int(state["step"])
        return True

    def run(self, until: int | None = None) -> None:
        """Trains to the end. An interruption loses what came after the last checkpoint.

        Args:
            until: leave off after this step, with the schedule as it is; None for the end.
        """
        self.resume()
        last = self.config.steps if until is None else min(until, self.config.steps)
        saved_at = time.monotonic()
        figures: dict[str, list[float]] = {}
        for images, indices in self._loader.stream(self.step, last):
            for name, value in self._train_step(images, indices).items():
                figures.setdefault(name, []).append(value)
            self.step += 1
            elapsed_s = time.monotonic() - saved_at
            if elapsed_s > self.config.checkpoint_every_s or self.step == last:
                crops = len(figures["loss"]) * len(indices)
                self._report(figures, crops=crops, elapsed_s=elapsed_s)
                self.save()
                saved_at = time.monotonic()

    def _train_step(
        self, images: npt.NDArray[np.uint8], indices: npt.NDArray[np.int64]
    ) -> dict[str, float]:
        for group in self._optimizer.param_groups:
            group["lr"] = self.config.rate_at(self.step)
        self.network.train()
        pixels = to_network_input(torch.from_numpy(images))
        with torch.autocast("cpu", torch.bfloat16, enabled=self.config.bfloat16):
            embeddings = self.network(pixels)
        loss, figures = self._objective(embeddings.float(), indices)
        if not torch.isfinite(loss):
            raise TrainingError(f"the loss became {loss.item()} at step {self.step}")
        self._optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        norm = nn.utils.clip_grad_norm_(self.network.parameters(), self.config.gradient_clip)
        self._optimizer.step()
        self._update_average()
        return {"loss": loss.item(), "gradient_norm": float(norm), **figures}

    def _update_average(self) -> None:
        # Early on a long memory would hold the random start; let it grow with the run.
        decay = min(self.config.ema_decay, (1 + self.step) / (10 + self.step))
        with torch.no_grad():
            current = dict(_floats(self.network))
            torch._foreach_lerp_(  # one fused call for all tensors
                list(self._average.values()), [current[n] for n in self._average], 1 - decay
            )

    def averaged_state(self) -> dict[str, Tensor]:
        """The state dict with averaged weights: what is validated and exported."""
        return {**self.network.state_dict(), **self._average}

    @contextlib.contextmanager
    def averaged(self) -> Iterator[nn.Module]:
        """The network with averaged weights in evaluation mode, put back afterwards."""
        trained = {name: value.clone() for name, value in self.network.state_dict().items()}
        self.network.load_state_dict(self.averaged_state())
        self.network.eval()
        try:
            yield self.network
        finally:
            self.network.load_state_dict(trained)

    def save(self) -> None:
        """Writes the checkpoint beside the old one, then replaces it."""
        partial = self._checkpoint_path.with_suffix(".partial")
        torch.save(
            {
                "format": CHECKPOINT_FORMAT,
                "config": _plain(self.config),
                "step": self.step,
                "network": self.network.state_dict(),
                "average": self._average,
                "optimizer": self._optimizer.state_dict(),
            },
            partial,
        )
        os.replace(partial, self._checkpoint_path)

    def _report(self, figures: dict[str, list[float]], crops: int, elapsed_s: float) -> None:
        line: dict[str, float] = {
            "step": self.step,
            "size": self.config.size_at(self.step - 1),
            "rate": self.config.rate_at(self.step - 1),
            "crops_per_s": crops / max(elapsed_s, 1e-9),
            **{name: float(np.mean(values)) for name, values in figures.items()},
        }
        figures.clear()
        if self._validate is not None:
            with self.averaged() as network, torch.no_grad():
                line.update(self._validate(network, int(line["size"])))
        rounded = {name: float(f"{value:.6g}") for name, value in line.items()}
        with (self._run_dir / "log.jsonl").open("a", encoding="utf-8") as log:
            log.write(json.dumps(rounded) + "\n")


def _read_checkpoint(path: Path) -> dict[str, Any]:
    try:
        # torch.save writes zip files; of anything else torch.load makes any error at all.
        if not zipfile.is_zipfile(path):
            raise pickle.UnpicklingError("not a zip file")
        state: dict[str, Any] = torch.load(path, weights_only=True)
    except (OSError, RuntimeError, pickle.UnpicklingError) as error:
        raise TrainingError(
            f"{path}: not a readable checkpoint; delete it to start over, or restore a copy"
        ) from error
    return state


def to_network_input(images: Tensor) -> Tensor:
    """uint8 (n, h, w, 3) RGB -> float32 (n, 3, h, w) in [-1, 1], channels last."""
    return images.permute(0, 3, 1, 2).float().sub_(127.5).div_(127.5)


def _floats(network: nn.Module) -> Iterator[tuple[str, Tensor]]:
    for name, value in network.state_dict().items():
        if value.is_floating_point():
            yield name, value


def _optimizer(network: nn.Module, config: TrainingConfig) -> torch.optim.Optimizer:
    decayed = [p for p in network.parameters() if p.ndim > 1]
    plain = [p for p in network.parameters() if p.ndim <= 1]
    groups = [
        {"params": decayed, "weight_decay": config.weight_decay},
        {"params": plain, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=config.learning_rate, fused=True)


def _plain(config: TrainingConfig) -> dict[str, Any]:
    """The configuration as JSON types, which a checkpoint can hold without pickling."""
    plain: dict[str, Any] = json.loads(json.dumps(asdict(config)))
    return plain
