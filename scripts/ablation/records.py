"""The JSON lines: one for each run that has finished, and one for the setting of all."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SETTING, RATE, CELL = "setting", "rate", "cell"


@dataclass(frozen=True, slots=True)
class Key:
    """Which run a line is about.

    Attributes:
        kind: ``RATE`` of the sweep, or ``CELL`` of the table.
        method: name.
        start: name.
        seed: of the run.
        rate: learning rate; None in the key of a cell, whose rate the sweep has chosen.
    """

    kind: str
    method: str
    start: str
    seed: int
    rate: float | None = None


class Records:
    """A file of JSON lines that grows by one line whenever a run has finished.

    Args:
        path: made if it is missing.
        setting: that all its runs have.

    Raises:
        SystemExit: the file holds runs of another setting.
    """

    def __init__(self, path: Path, setting: dict[str, Any]) -> None:
        self.path = path
        self._lines = read_lines(path) if path.exists() else []
        if not self._lines:
            self._append({"kind": SETTING, **setting})
        known = {k: v for k, v in self._lines[0].items() if k != "kind"}
        if known != setting:
            raise SystemExit(f"{path}: holds runs of another setting; name another RUN_DIR")

    def find(self, key: Key) -> dict[str, Any] | None:
        """The line of a run, if it has finished."""
        return next((line for line in self._lines if _is_of(line, key)), None)

    def add(self, key: Key, **figures: Any) -> None:
        """Writes the line of a run that has finished."""
        named = {name: getattr(key, name) for name in ("kind", "method", "start", "seed")}
        rate = {} if key.rate is None else {"rate": key.rate}
        self._append({**named, **rate, **figures})

    def _append(self, line: dict[str, Any]) -> None:
        self._lines.append(line)
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")


def read_lines(path: Path) -> list[dict[str, Any]]:
    """All whole lines; the last one may have been cut off when the process was killed."""
    text = path.read_text("utf-8")
    return [json.loads(line) for line in text.splitlines(keepends=True) if line.endswith("\n")]


def _is_of(line: dict[str, Any], key: Key) -> bool:
    return all(line.get(n) == getattr(key, n) for n in ("kind", "method", "start", "seed")) and (
        key.rate is None or line["rate"] == key.rate
    )
