"""Every command and option is explained, and help costs next to nothing."""

from __future__ import annotations

import inspect
import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Annotated, Any, get_args, get_origin, get_type_hints

import pytest
import typer
from typer.testing import CliRunner

from facematch.cli import app
from facematch.cli.commands import LazyGroup, load_command

HEAVY = {
    "cv2",
    "facenet_pytorch",
    "h5py",
    "matplotlib",
    "numpy",
    "openvino",
    "PIL",
    "rich.live",
    "rich.progress",
    "safetensors",
    "scipy",
    "torch",
    "torchvision",
}


def walk(command: Any, name: str) -> Iterator[tuple[str, Any]]:
    """The command and all below it, by full name."""
    yield name, command
    for child in getattr(command, "commands", {}):
        lazy = isinstance(command, LazyGroup)
        below = load_command(child) if lazy else command.commands[child]
        yield from walk(below, f"{name} {child}")


TREE = dict(walk(typer.main.get_command(app), "facematch"))
PARAMETERS = [
    pytest.param(parameter, id=f"{name} {parameter.name}")
    for name, command in TREE.items()
    for parameter in command.params
    if parameter.name != "help"
]


def test_the_commands_are_those_that_are_documented() -> None:
    groups = {
        "gallery": "list show rename merge remove verify export import snapshots rollback repair "
        "move split distinct audit reembed encrypt decrypt rekey",
        "models": "list show verify pull",
    }
    single = "enroll verify identify calibrate evaluate train export detect align embed cluster"
    expected = {"facematch", *(f"facematch {name}" for name in (*single.split(), *groups))}
    for group, commands in groups.items():
        expected |= {f"facematch {group} {name}" for name in commands.split()}
    assert TREE.keys() == expected


@pytest.mark.parametrize("name", TREE)
def test_every_command_is_explained(name: str) -> None:
    text = TREE[name].help
    assert text is not None
    assert len(text.split()) >= 3
    assert text.rstrip()[-1] in ".?"


@pytest.mark.parametrize("parameter", PARAMETERS)
def test_every_option_is_explained(parameter: Any) -> None:
    assert parameter.help is not None
    assert len(parameter.help) >= 8
    assert parameter.help[0].isupper() or parameter.help[0] in "0123456789-h"


def test_no_path_is_checked_before_the_command_runs() -> None:
    """Typer's own check of an unreadable file would be a usage error, whatever the file."""
    paths = [
        (f"{name} {parameter}", declared)
        for name, command in TREE.items()
        if command.callback is not None
        for parameter, hint in get_type_hints(
            inspect.unwrap(command.callback), include_extras=True
        ).items()
        if get_origin(hint) is Annotated and "Path" in str(get_args(hint)[0])
        for declared in get_args(hint)[1:]
    ]
    assert len(paths) > 20
    assert [name for name, declared in paths if declared.readable or declared.exists] == []


@pytest.mark.parametrize("name", [n for n, c in TREE.items() if not hasattr(c, "commands")])
def test_every_command_has_json_and_quiet(name: str) -> None:
    options = {option for parameter in TREE[name].params for option in parameter.opts}
    assert {"--json", "--quiet", "-q"} <= options


@pytest.mark.parametrize("name", TREE)
@pytest.mark.parametrize("option", ["-h", "--help"])
def test_help_is_printed(name: str, option: str) -> None:
    result = CliRunner().invoke(app, [*name.split()[1:], option])
    assert result.exit_code == 0
    assert "Usage:" in result.stdout
    assert result.stderr == ""


def test_the_exit_codes_are_in_the_help() -> None:
    text = " ".join(CliRunner().invoke(app, ["--help"]).stdout.split())
    assert "1 non-match" in text
    assert "130 interrupted" in text


@pytest.mark.parametrize(
    ("name", "bracketed"),
    [
        ("calibrate", "[default: 0.001]"),
        ("calibrate", "[default: beside the output]"),
        ("verify", "[default: ./calibration.json if it exists, else the model's own]"),
        ("train", "[default: beside the bundle]"),
        ("gallery show", "[default: faces.h5]"),
        ("models verify", "[default: compact-2]"),
    ],
)
def test_defaults_are_in_the_help(name: str, bracketed: str) -> None:
    text = CliRunner().invoke(app, [*name.split(), "--help"]).stdout
    assert bracketed in " ".join(text.split())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--colour"], "No such option: --colour; see facematch -h"),
        (["colour"], "No such command 'colour'"),
        (["verify", "a.jpg"], "Missing argument 'b'; see facematch verify -h"),
        (["verify", "a", "b", "--face", "no"], "see facematch verify -h"),
        (["gallery", "show", "--no"], "; see facematch gallery -h"),
    ],
)
def test_usage_errors_are_one_line(arguments: list[str], message: str) -> None:
    result = CliRunner().invoke(app, arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    (line,) = result.stderr.splitlines()
    assert line.startswith("facematch: ")
    assert message in line


@pytest.mark.parametrize("arguments", [[], ["gallery"], ["models"]])
def test_nothing_asked_is_help(arguments: list[str]) -> None:
    result = CliRunner().invoke(app, arguments)
    assert "Usage: " in result.output
    assert "Commands:" in result.output


def test_an_unknown_option_is_a_usage_error() -> None:
    result = CliRunner().invoke(app, ["gallery", "list", "--colour"])
    assert result.exit_code == 2
    assert "--colour" in result.stderr
    assert result.stdout == ""


@pytest.mark.parametrize("arguments", [["--help"], ["gallery", "remove", "--help"], ["--version"]])
def test_help_loads_nothing_heavy(arguments: list[str]) -> None:
    script = (
        "import json, sys\n"
        "from facematch.cli import app\n"
        f"app({arguments!r}, standalone_mode=False)\n"
        "print(json.dumps(sorted(sys.modules)), file=sys.stderr)\n"
    )
    # -P: what the tests' folder holds is not to be importable.
    done = subprocess.run(
        [sys.executable, "-P", "-c", script], capture_output=True, text=True, check=True, timeout=60
    )
    loaded = set(json.loads(done.stderr.splitlines()[-1]))
    assert "facematch.cli.app" in loaded
    assert done.stdout != ""
    assert loaded & HEAVY == set()
