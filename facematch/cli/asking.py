"""Asking the person at the terminal, if there is one."""

from __future__ import annotations

import getpass
import sys

from facematch.errors import UsageError


def can_ask() -> bool:
    """Whether a question would be seen and could be answered."""
    return all(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stderr))


def agrees(question: str) -> bool:
    """Asks on stderr; anything but yes is no, and so is the end of the input.

    Ctrl-C passes through, unlike with ``typer.confirm``, which would end with exit code 1.
    """
    print(f"{question} [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def secret(question: str) -> str:
    """Asks for a passphrase without showing it.

    Raises:
        UsageError: the input ended.
    """
    try:
        return getpass.getpass(question)
    except EOFError:
        raise UsageError("no passphrase was given") from None


def require_answer(yes: bool, command: str) -> None:
    """Refuses a command that asks where nobody can answer.

    Raises:
        UsageError: there is no terminal, and ``--yes`` was not given.
    """
    if not yes and not can_ask():
        raise UsageError(f"{command} asks for confirmation on a terminal; add --yes to do without")
