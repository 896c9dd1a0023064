"""The bar is on the terminal, results are where stdout goes, and neither spoils the other."""

from __future__ import annotations

import os
import pty
import select
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

import pytest

from facematch.cli import progress
from facematch.cli.progress import Progress

RESULT = "/a/path/that/is/longer/than/eighty/columns" + "/x" * 60 + ".jpg: 640x480, 1 face(s)"


@dataclass
class Terminal:
    """A terminal, with what was shown on it."""

    master: int
    stream: TextIO

    def shown(self) -> str:
        """All of it: the kernel hands over what was written a little later, and in parts."""
        parts = []
        while select.select([self.master], [], [], 0.3)[0]:
            parts.append(os.read(self.master, 1 << 16))
        return b"".join(parts).decode()


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[Terminal]:
    master, slave = pty.openpty()
    monkeypatch.setattr(progress, "SHOWN_AFTER_S", 0)
    monkeypatch.setenv("TERM", "xterm")
    with os.fdopen(slave, "w", encoding="utf-8", buffering=1) as stream:
        yield Terminal(master, stream)
    os.close(master)


@pytest.mark.parametrize("streaming", [False, True])
def test_results_go_into_the_file_while_the_bar_is_on_the_terminal(
    tmp_path: Path, terminal: Terminal, monkeypatch: pytest.MonkeyPatch, streaming: bool
) -> None:
    with (tmp_path / "out").open("w") as file:
        monkeypatch.setattr(sys, "stdout", file)
        monkeypatch.setattr(sys, "stderr", terminal.stream)
        with Progress("detecting", quiet=False, streaming=streaming) as bar:
            bar(0, 2)
            print(RESULT)
            bar(1, 2)
            bar.note("device: fake, [not] markup")
    assert (tmp_path / "out").read_text() == f"{RESULT}\n"
    shown = terminal.shown()
    assert "detecting" in shown
    assert "/x/x" not in shown
    assert "device: fake, [not] markup\r\n" in shown


def test_results_on_the_terminal_do_without_a_bar(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("stdout", "stderr"):
        monkeypatch.setattr(sys, name, terminal.stream)
    with Progress("detecting", quiet=False, streaming=True) as bar:
        bar(0, 2)
        print(RESULT)
        bar.note("device: fake")
        bar(1, 2)
    assert terminal.shown() == f"{RESULT}\r\ndevice: fake\r\n"


def test_what_is_done_afterwards_has_the_bar_to_itself(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stderr", terminal.stream)
    with Progress("embedding", quiet=False) as bar:
        comparing = bar.then("comparing")
        bar(1, 2)
        bar(2, 2)
        comparing(1, 1000)
        comparing(500, 1000)
    shown = terminal.shown()
    assert "embedding" in shown
    assert "comparing" in shown[shown.rindex("embedding") :]
    assert "500/1000" in shown


def test_quiet_shows_nothing(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", terminal.stream)
    with Progress("detecting", quiet=True) as bar:
        bar(0, 2)
        bar.note("device: fake")
    assert terminal.shown() == ""
