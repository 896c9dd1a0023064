"""One progress over several rounds through the same pairs."""

from __future__ import annotations

from facematch.metrics import Progress


class Rounds:
    """Adds up what rounds of equal length have done.

    Args:
        count: rounds in all.
        progress: called with what is done and what there is, of all rounds.
    """

    def __init__(self, count: int, progress: Progress) -> None:
        self._count = count
        self._progress = progress
        self._begun = 0

    def next(self) -> Progress:
        """The port of the next round."""
        before, self._begun = self._begun, self._begun + 1

        def port(done: int, total: int) -> None:
            self._progress(before * total + done, self._count * total)

        return port
