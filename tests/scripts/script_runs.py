"""Running a script of the repository as its users do, or with something taken out of it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def run_script(
    name: str, *arguments: str, program: str | None = None
) -> subprocess.CompletedProcess[str]:
    """Run ``scripts/NAME``; or a program that gets its path as the first argument."""
    script = str(ROOT / "scripts" / name)
    start = [script] if program is None else ["-c", program, script]
    return subprocess.run(
        [sys.executable, *start, *arguments],
        capture_output=True,
        text=True,
        timeout=300,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        check=False,
    )
