"""Where the results of ``facematch evaluate`` go."""

from __future__ import annotations

import json as json_module
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from facematch.cli import options, report_files


@dataclass(frozen=True, slots=True)
class Outputs:
    """Where results go."""

    out: Path | None
    report: Path | None
    plots: Path | None
    photos: bool
    json: bool
    command: str


def require_place(out: Path) -> None:
    """Finds out before the work whether its result can be written.

    Raises:
        OutputError: it cannot, or a file that is no result is there.
    """
    from facematch.overwriting import require_replaceable
    from facematch.workflows.evaluate import is_result

    options.require_folder_of(out)
    require_replaceable(out, "the result of an evaluation", is_result)


def write(path: Path, document: dict[str, Any]) -> None:
    """A result as a file, whole or not at all."""
    from facematch.calibration.files import write_atomically

    text = json_module.dumps(document, ensure_ascii=False, allow_nan=False)
    write_atomically(path, (text + "\n").encode("utf-8", "backslashreplace"))


def with_faces(outputs: Outputs) -> bool:
    """Whether the page shows faces."""
    return outputs.report is not None and outputs.photos


def say_written(outputs: Outputs, written: list[Path]) -> None:
    """The last line of the text."""
    report_files.say_written(written if outputs.out is None else [outputs.out, *written])
