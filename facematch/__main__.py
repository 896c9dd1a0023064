"""The ``facematch`` command, and ``python -m facematch``, which torchrun needs."""

from __future__ import annotations

import sys


def main() -> None:
    """Entry point of the command."""
    try:
        from facematch.cli import main as run  # takes a moment, in which Ctrl-C may come

        run()
    except KeyboardInterrupt:
        print("facematch: interrupted", file=sys.stderr)  # noqa: T201
        sys.exit(130)


if __name__ == "__main__":
    main()
