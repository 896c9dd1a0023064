"""A progress bar on stderr for anything over a second."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any

from facematch.cli import options
from facematch.cli.foreign import escaped

SHOWN_AFTER_S = 1.0


class Progress:
    """Context manager whose instance is the ``progress(done, total)`` port of a workflow.

    Nothing is shown, and rich is not imported, before a second has passed, when stderr is
    not a terminal, or when ``quiet``.

    Args:
        what: is being done.
        quiet: show nothing.
        streaming: results are printed meanwhile. On a terminal they would run into the bar,
            and are progress enough.
    """

    def __init__(self, what: str, quiet: bool, *, streaming: bool = False) -> None:
        self._what = what
        self._quiet = quiet
        in_the_way = streaming and sys.stdout.isatty()
        self._wanted = not quiet and sys.stderr.isatty() and not in_the_way
        self._started = time.monotonic()
        self._bar: Any = None
        self._task: Any = None

    def __call__(self, done: int, total: int) -> None:
        if not self._wanted:
            return
        if self._bar is None:
            if time.monotonic() - self._started < SHOWN_AFTER_S:
                return
            self._open(total)
        self._bar.update(self._task, completed=done, total=total)

    def then(self, what: str) -> Callable[[int, int], None]:
        """The port for what is done afterwards; its bar takes the place of this one."""

        def port(done: int, total: int) -> None:
            if self._what != what:
                self._what = what
                if self._bar is not None:
                    self._bar.remove_task(self._task)
                    self._task = self._bar.add_task(what, total=total)
            self(done, total)

        return port

    def note(self, message: str) -> None:
        """Says something on stderr meanwhile, above the bar if there is one."""
        if self._bar is None:
            options.note(message, self._quiet)
        else:
            self._bar.console.print(escaped(message), markup=False, highlight=False, soft_wrap=True)

    def _open(self, total: int) -> None:
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeRemainingColumn,
        )

        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            transient=True,
            # Otherwise rich prints on stderr, wrapped, what was meant for a file on stdout.
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._bar.start()
        self._task = self._bar.add_task(self._what, total=total)

    def __enter__(self) -> Progress:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.stop()
