"""The log of a run: one JSON object a line, one line a checkpoint."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path

LOG = "log.jsonl"


def append_line(path: Path, line: Mapping[str, float]) -> None:
    """Adds a line."""
    with path.open("a", encoding="utf-8") as log:
        log.write(json.dumps(line) + "\n")


def trim_log(path: Path, step: int) -> None:
    """Drops lines of a log after ``step``: what a killed process reported and did not save."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    except FileNotFoundError:
        return
    kept = [line for line in lines if line.endswith("\n") and json.loads(line)["step"] <= step]
    if len(kept) < len(lines):
        partial = path.with_suffix(".partial")
        partial.write_text("".join(kept), encoding="utf-8")
        os.replace(partial, path)
