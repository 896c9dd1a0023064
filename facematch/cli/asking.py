"""Asking the person at the terminal, if there is one."""

from __future__ import annotations

import sys


def can_ask() -> bool:
    """Whether a question would be seen and could be answered."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def agrees(question: str) -> bool:
    """Asks on stderr; anything but yes is no, and so is the end of the input.

    Ctrl-C passes through, unlike with ``typer.confirm``, which would end with exit code 1.
    """
    print(f"{question} [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")
