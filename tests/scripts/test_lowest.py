"""Which versions scripts/test-lowest takes; pip may not fetch them here."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """As much of one as the script needs until it installs."""
    (tmp_path / "scripts").mkdir()
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    (tmp_path / ".venv" / "bin" / "python").symlink_to(sys.executable)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    shutil.copy(ROOT / "scripts" / "test-lowest", tmp_path / "scripts")
    (tmp_path / "scripts" / "setup").write_text("#!/bin/sh\n")
    (tmp_path / "scripts" / "setup").chmod(0o755)
    return tmp_path


def run(checkout: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [checkout / "scripts" / "test-lowest", *arguments],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"PYTHON": sys.executable, "PIP_NO_INDEX": "1"},
    )


def test_every_lower_bound_is_taken(checkout: Path) -> None:
    done = run(checkout)
    wanted = [*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["dev"]]
    expected = [re.sub(r">=([^,]+),.*", r"==\1", line) for line in wanted]
    assert done.stdout.splitlines() == expected
    assert done.returncode == 1  # nothing to install from


def test_a_few_are_taken_alone(checkout: Path) -> None:
    done = run(checkout, "--only", "h5py,cryptography")
    lines = [line for line in PROJECT["dependencies"] if re.match("h5py|cryptography", line)]
    assert sorted(done.stdout.splitlines()) == [
        line.split(",")[0].replace(">", "=") for line in lines
    ]
    assert "h5py==" in done.stderr  # by pip
    unknown = run(checkout, "--only", "leftpad")
    assert unknown.returncode == 1
    assert unknown.stderr == "test-lowest: leftpad is no dependency in pyproject.toml\n"
