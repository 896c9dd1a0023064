"""The command line: build the configuration, call one workflow, render its result.

Nothing heavy is imported here or in the command modules at import time: ``--help`` must not
pay for networks, galleries or plots. A command module is imported when its command is asked
for, and imports its workflow when it runs.
"""

from facematch.cli.app import app, main

__all__ = ["app", "main"]
