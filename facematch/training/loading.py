"""Batches, drawn and augmented ahead of the step that uses them."""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Generator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from facematch.training.augmentation import Augmentation
from facematch.training.config import TrainingConfig
from facematch.training.sampling import BatchSampler, Sharded


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """What one forward pass learns from.

    Attributes:
        step: number of the update it belongs to, from 0.
        indices: int64 (n,), which crops.
        images: uint8 (n, s, s, 3), RGB: the augmented crops.
        pixels: the same as float32 (n, 3, s, s) in [-1, 1], on the training device.
    """

    step: int
    indices: npt.NDArray[np.int64]
    images: npt.NDArray[np.uint8]
    pixels: Tensor


def to_network_input(images: Tensor) -> Tensor:
    """uint8 (n, h, w, 3) RGB -> float32 (n, 3, h, w) in [-1, 1], channels last."""
    return images.permute(0, 3, 1, 2).float().sub_(127.5).div_(127.5)


class BatchLoader:
    """Draws, augments and queues batches in one thread, in order.

    Args:
        images: uint8 (n, 128, 128, 3), RGB, or a memory map of that.
        sampler: which crops make up a batch.
        augmentation: what is done to them.
        config: for the seed, the resolution schedule and ``accumulate``.
    """

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

    def load(self, number: int) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
        """Returns the augmented uint8 (n, s, s, 3) crops of batch ``number``, and their indices."""
        indices = self._sampler.indices(number)
        rng = np.random.default_rng((self._config.seed, 1 << 32, number))
        size = self._config.size_at(number // self._config.accumulate)
        positions = self._sampler.positions if isinstance(self._sampler, Sharded) else None
        return self._augmentation.batch(self._images[indices], size, rng, positions), indices

    def stream(
        self, first: int, last: int
    ) -> Generator[tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]]:
        """Yields the batches of a half-open range of numbers, prepared ahead."""
        ready: queue.Queue[Any] = queue.Queue(maxsize=4)
        stopped = threading.Event()

        def put(item: object) -> None:
            while not stopped.is_set():
                with contextlib.suppress(queue.Full):
                    ready.put(item, timeout=0.2)
                    return

        def fill() -> None:
            try:
                for number in range(first, last):
                    put(self.load(number))
                    if stopped.is_set():
                        return
            except BaseException as error:  # noqa: BLE001 - the consumer raises it
                put(error)

        worker = threading.Thread(target=fill, name="batch-loader", daemon=True)
        worker.start()
        try:
            for _ in range(first, last):
                item = ready.get()
                if isinstance(item, BaseException):
                    raise item
                yield item
        finally:
            stopped.set()
            worker.join()


def batch_of(
    step: int,
    images: npt.NDArray[np.uint8],
    indices: npt.NDArray[np.int64],
    device: torch.device,
) -> Batch:
    """A loaded batch on the training device."""
    pixels = to_network_input(torch.from_numpy(images).to(device, non_blocking=True))
    return Batch(step, indices, images, pixels)
