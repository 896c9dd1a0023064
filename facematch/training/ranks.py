"""The processes of one run: who is asked, what they agree on, what they pool."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Protocol

from torch import Tensor

from facematch.errors import UsageError

if TYPE_CHECKING:
    from facematch.training.losses.wide_head import WideHead


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

    def split(self, head: WideHead) -> None:
        """Leaves each rank its part of a head, which lies on the rank's device.

        Raises:
            UsageError: there are not enough ranks, or too many for the head.
        """


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

    def split(self, head: WideHead) -> None:
        raise UsageError(
            "split_head: one process holds the whole head; start several with torchrun, or leave "
            "it out"
        )
