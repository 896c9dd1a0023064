"""The processes of one run: who is asked, what they agree on, what they pool."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from torch import Tensor


class Ranks(Protocol):
    """The processes that train together, as one of them sees it.

    :class:`OneRank` is a process by itself; ``training.parallel`` has the others.
    """

    @property
    def index(self) -> int:
        """This process, from 0; the first one writes files."""

    @property
    def count(self) -> int:
        """Processes with batches of their own."""

    def pooled(self, tensor: Tensor) -> Tensor:
        """The rows of all ranks in their order, with the gradient to this rank's own."""

    def agreed(self, *flags: bool) -> tuple[bool, ...]:
        """Each flag as true for all if it is true for the first rank."""

    def follow(self, tensors: Iterable[Tensor]) -> None:
        """Gives tensors the values that they have on the first rank, in place."""

    def average(self, tensors: Iterable[Tensor]) -> None:
        """Gives tensors the mean of their values on all ranks, in place."""


class OneRank:
    """A process that trains by itself."""

    index = 0
    count = 1

    def pooled(self, tensor: Tensor) -> Tensor:
        return tensor

    def agreed(self, *flags: bool) -> tuple[bool, ...]:
        return flags

    def follow(self, tensors: Iterable[Tensor]) -> None:
        pass

    def average(self, tensors: Iterable[Tensor]) -> None:
        pass
