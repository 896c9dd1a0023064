"""The quick fuzzing finds nothing, and something where there is something to find."""

from __future__ import annotations

from pathlib import Path

import pytest
from script_runs import run_script


def test_quick_fuzzing_finds_nothing() -> None:
    done = run_script("fuzz", "--quick")
    assert (done.returncode, done.stderr) == (0, "")
    rows = [
        [cell.strip() for cell in line.split("|")[1:-1]] for line in done.stdout.splitlines()[2:]
    ]
    assert {"pictures", "pairs", "gallery", "card", "graph", "archive"} <= {row[0] for row in rows}
    assert rows[-1][:2] == ["all", "2,000"]
    assert [row[5] for row in rows] == ["0"] * len(rows)
    # A fuzzer all of whose cases are refused is blind to what comes after the first check.
    assert [row[0] for row in rows if row[2] == "0"] == []


# Each makes a reader do what none may, and lets the script run in the same process.
HARNESS = """
import os, runpy, signal, sys, time
sys.argv = sys.argv[1:]
sys.path[:0] = [os.path.dirname(sys.argv[0])]
import fuzzing.targets as targets
from facematch.errors import InputError
def wrong(content, name):
    {wrong}
targets.decode_image = wrong
sys.exit(runpy.run_path(sys.argv[0], run_name="__main__"))
"""


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ("raise KeyError(name)", "KeyError at "),
        ("os.kill(os.getpid(), signal.SIGSEGV)", "signal SIGSEGV"),
        ("any(iter(int, 1))", "hang"),
        ("raise InputError('one' + chr(10) + 'two')", "a refusal of several lines"),
        ("os.write(2, b'oh'); raise InputError('x')", "wrote on the terminal"),
        ("bytearray(3 << 30)", "MemoryError at "),
    ],
)
def test_what_may_not_happen_is_found(wrong: str, words: str, tmp_path: Path) -> None:
    arguments = ("--only", "pictures", "--cases", "1", "--out", str(tmp_path / "found"))
    done = run_script("fuzz", *arguments, program=HARNESS.format(wrong=wrong))
    assert done.returncode == 1
    assert words in done.stderr
    assert "again: scripts/fuzz --only pictures --seed 0 --case 0" in done.stderr
    saved = sorted(path.name for path in (tmp_path / "found").iterdir())
    assert saved == ["pictures-0-0-small.picture", "pictures-0-0.picture"]
