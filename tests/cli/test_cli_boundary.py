"""Whatever goes wrong is one line and an exit code that is not 1, which means *not the same*."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from fakes import GREEN, RED, photograph

import facematch.pipeline
from facematch.__main__ import main
from facematch.cli import app
from facematch.workflows.enroll import EnrolmentInterrupted


def code_of(*arguments: object) -> Any:
    """Exit code of a command in this process; None for success."""
    return app([str(a) for a in arguments], standalone_mode=False)


def failing_with(error: BaseException) -> Any:
    def open_analyzer(*_: object, **__: object) -> None:
        raise error

    return open_analyzer


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    return photograph(tmp_path / "a.png", [RED]), photograph(tmp_path / "b.png", [GREEN])


@pytest.mark.usefixtures("fake_pipeline")
@pytest.mark.parametrize("threshold", [0.1, 2])
def test_a_decision_that_cannot_be_printed_is_none(
    pair: Sequence[Path],
    threshold: float,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with Path("/dev/full").open("w") as full:
        monkeypatch.setattr(sys, "stdout", full)
        assert code_of("verify", *pair, "--threshold", threshold, "-q") == 8
    assert capsys.readouterr().err == "facematch: the output: No space left on device\n"


@pytest.mark.usefixtures("fake_pipeline")
def test_no_output_at_all_is_no_error(
    pair: Sequence[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    assert code_of("verify", *pair, "--threshold", 0.1, "-q") == 1


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (IndexError("oh\nno\x1b[2J"), 70, r"this is a bug in facematch: IndexError: oh\nno\x1b[2J"),
        (PermissionError(13, "Permission denied", "x.h5"), 8, "x.h5: Permission denied"),
        (KeyboardInterrupt(), 130, "interrupted"),
        (EnrolmentInterrupted("interrupted with 3 of 9"), 130, "interrupted with 3 of 9"),
    ],
)
def test_what_escapes_is_one_line(
    pair: Sequence[Path],
    error: BaseException,
    code: int,
    line: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.delenv("FACEMATCH_DEBUG", raising=False)
    monkeypatch.setattr(facematch.pipeline, "open_analyzer", failing_with(error))
    with Path(os.devnull).open("w") as nowhere:
        monkeypatch.setattr(sys, "stdout", nowhere)
        assert code_of("verify", *pair, "-q") == code
    (printed,) = capsys.readouterr().err.splitlines()
    assert printed.startswith(f"facematch: {line}")


def test_a_bug_can_be_looked_into(pair: Sequence[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACEMATCH_DEBUG", "1")
    monkeypatch.setattr(facematch.pipeline, "open_analyzer", failing_with(IndexError("oh")))
    with pytest.raises(IndexError):
        code_of("verify", *pair, "-q")


def test_ctrl_c_while_the_program_loads(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Loading(ModuleType):
        def __getattr__(self, name: str) -> object:
            raise KeyboardInterrupt

    monkeypatch.setitem(sys.modules, "facematch.cli", Loading("facematch.cli"))
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 130
    assert capsys.readouterr().err == "facematch: interrupted\n"


def test_paths_on_stdin_need_not_be_utf_8(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "facematch", "detect", "-"],
        input=b"caf\xe9.png\n",
        capture_output=True,
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "PYTHONUTF8": "1"},
        check=False,
        timeout=60,
    )
    assert done.returncode == 3
    assert done.stdout == b""
    assert done.stderr.startswith(rb"facematch: caf\udce9.png: no such file or folder")
    assert done.stderr.count(b"\n") == 1


def test_stdin_may_be_closed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", None)
    assert code_of("identify", "-") == 2
    assert "stdin, which is closed" in capsys.readouterr().err


@pytest.mark.usefixtures("fake_pipeline")
@pytest.mark.parametrize(("quiet", "level"), [((), "INFO"), (("-q",), "WARNING")])
def test_quiet_is_for_what_the_library_says_too(
    pair: Sequence[Path], quiet: tuple[str, ...], level: str
) -> None:
    code_of("verify", *pair, "--threshold", 0.1, *quiet)
    assert logging.getLevelName(logging.getLogger("facematch").level) == level
