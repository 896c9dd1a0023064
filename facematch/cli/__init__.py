"""The command line: build the configuration, call one workflow, render its result.

Nothing heavy is imported here or in the command modules at import time: ``--help`` must not
pay for networks, galleries or plots. Each command imports its workflow when it runs.
"""

from facematch.cli.app import app, main

__all__ = ["app", "main"]
