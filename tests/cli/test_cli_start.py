"""A command pays for nothing but itself."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from facematch.cli import app
from facematch.cli.coercion import PlainCoercion, spare_pydantic
from facematch.cli.commands import COMMANDS, load_command

# The longest to load of what verify has no use for.
NOT_FOR_VERIFY = {
    "facematch.calibration.fit",
    "facematch.cli.gallery",
    "facematch.gallery",
    "facematch.training",
    "h5py",
    "matplotlib",
    "openvino.tools.ovc",
    "openvino_telemetry",
    "pydantic",
    "scipy",
    "torch",
}


def test_verify_loads_what_it_needs_and_no_more(tmp_path: Path) -> None:
    path = tmp_path / "grey.png"
    cv2.imwrite(str(path), np.full((80, 80, 3), 128, np.uint8))
    script = (
        "import json, sys\n"
        "from facematch.cli import main\n"
        f"sys.argv = ['facematch', 'verify', {str(path)!r}, {str(path)!r}]\n"
        "try:\n"
        "    main()\n"
        "finally:\n"
        "    print(json.dumps([name for name, module in sys.modules.items() if module]))\n"
    )
    command = [sys.executable, "-P", "-c", script]
    for _ in range(2):  # the first may have networks to convert
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
        assert done.returncode == 3, done.stderr
    assert "no face" in done.stderr
    loaded = set(json.loads(done.stdout.splitlines()[-1]))
    assert {"openvino", "facematch.calibration.store", "facematch.cli.verify"} <= loaded
    assert loaded & NOT_FOR_VERIFY == set()


@pytest.mark.parametrize("name", COMMANDS)
def test_the_list_says_what_the_command_says_of_itself(name: str) -> None:
    text = load_command(name).help
    assert text is not None
    assert " ".join(text.split("\n\n")[0].split()) == COMMANDS[name].summary


def test_a_mistyped_command_is_answered_with_the_nearest() -> None:
    result = CliRunner().invoke(app, ["verfy", "a", "b"])
    assert result.exit_code == 2
    assert "verify" in result.stderr


def echoing() -> typer.Typer:
    """A program whose one command says what it was given."""

    def say(
        *,
        path: Path = Path("here"),
        number: float = 1,
        count: int = 2,
        words: list[str] = [],  # noqa: B006  (as Typer declares lists)
        flag: bool = False,
    ) -> None:
        print(repr((path, number, count, words, flag)))

    program = typer.Typer()
    program.command()(say)
    return program


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        [
            "--path",
            "é x",
            "--number",
            "2",
            "--count",
            "3",
            "--words",
            "a",
            "--words",
            "b",
            "--flag",
        ],
        ["--number", "much"],
        ["--count", "1.5"],
        ["--path", ""],
    ],
)
def test_values_are_what_typer_makes_of_them(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = CliRunner().invoke(echoing(), arguments)
    program = echoing()
    command = typer.main.get_command(program)
    spare_pydantic(command.params)
    assert all(isinstance(p.get_runtime_param, PlainCoercion) for p in command.params)
    monkeypatch.setattr(typer.main, "get_command", lambda _: command)
    result = CliRunner().invoke(program, arguments)
    assert (result.exit_code, result.output) == (expected.exit_code, expected.output)


# A directory of a TIFF that promises 24 samples a pixel, on which Pillow comments in its log.
_REMARKABLE_TIFF = (
    "49492a00080000000f000001040001000000080000000101040001000000080000000201040001000000"
    "080000000301040001000000040000000601030001000000070000000a010900ffff0000020000001101"
    "0400010000002e010000150103000200000018000000"
)


def test_a_codec_has_no_words_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "hostile.tif"
    path.write_bytes(bytes.fromhex(_REMARKABLE_TIFF))
    command = [sys.executable, "-P", "-m", "facematch", "detect", "-q", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 3
    assert "hostile.tif: damaged, truncated or unsupported TIFF" in done.stderr
    assert "More samples" not in done.stderr
