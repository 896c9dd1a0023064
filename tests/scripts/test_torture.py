"""The quick torture passes, and a gallery that breaks its promises does not."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from script_runs import run_script


def test_quick_torture(tmp_path: Path) -> None:
    done = run_script("torture", "--quick", "--out", str(tmp_path / "torture.md"))
    assert (done.returncode, done.stderr) == (0, "")
    text = (tmp_path / "torture.md").read_text("utf-8")
    for words in (
        "50 kills of a writer",
        "## kill -9 over an encrypted gallery",
        "nothing was there in plain",
        "25 found (100.0 %)",
        "during 12 commits",
        "None was served",
    ):
        assert words in text


# Each takes one precaution away and lets the script run in the same process.
HARNESS = """
import os, runpy, sys
sys.argv = sys.argv[1:]
import facematch.gallery.atomic as atomic
{sabotage}
sys.exit(runpy.run_path(sys.argv[0], run_name="__main__"))
"""
NO_SYNC = "atomic._sync = lambda path: None"
NO_CHECKSUMS = """
import numpy as np
import facematch.gallery.stored as stored
stored.damaged_blocks = lambda data, digests, blocks: np.empty(0, np.int64)
"""
IN_PLACE = """
import time
from contextlib import contextmanager
import facematch.gallery.committing as committing
@contextmanager
def in_place(path):
    beside = path.with_name(f".{path.name}.1.tmp")
    beside.touch()
    yield beside
    content = beside.read_bytes()
    beside.unlink()
    path.unlink(missing_ok=True)  # or the writer trips over its own map of the old file
    with path.open("wb", buffering=0) as file:
        for start in range(0, len(content), 4096):
            file.write(content[start : start + 4096])
            time.sleep(0.0005)
committing.replacing = in_place
"""
IN_PLAIN = """
import facematch.gallery.committing as committing
committing.write_locked = lambda plain, path, master: path.write_bytes(plain.getvalue())
"""


@pytest.mark.parametrize(
    ("part", "sabotage", "words"),
    [
        pytest.param("faults", NO_SYNC, "power cut", id="no fsync"),
        pytest.param("flips", NO_CHECKSUMS, "not found", id="no checksums"),
        # The kill may come while the gallery is written or one of its snapshots is.
        pytest.param(
            "kills", IN_PLACE, "not the old gallery|snapshot.* is damaged", id="written in place"
        ),
        pytest.param("locked", IN_PLAIN, "in plain|not encrypted", id="not encrypted"),
    ],
)
def test_torture_finds_a_missing_precaution(part: str, sabotage: str, words: str) -> None:
    done = run_script(
        "torture", "--quick", "--only", part, program=HARNESS.format(sabotage=sabotage)
    )
    assert done.returncode == 1
    assert "torture: BROKEN: " in done.stderr
    assert re.search(words, done.stderr)
