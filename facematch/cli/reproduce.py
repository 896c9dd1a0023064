"""The command line that made a result, as it can be given again."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer


def command_line(context: typer.Context) -> str:
    """What was given on the command line; what was left to its default is left out.

    Options are spelled out in full, so that aliases and abbreviations read the same.
    """
    words = ["facematch", *context.command_path.split(" ")[1:]]
    arguments: list[str] = []
    for parameter in context.command.params:
        source = context.get_parameter_source(str(parameter.name))
        if source is None or source.name != "COMMANDLINE":
            continue
        values = list(_values(context.params[str(parameter.name)]))
        if parameter.param_type_name == "argument":
            arguments += values
        elif values == ["True"]:
            words.append(_name(parameter.opts))
        else:
            for value in values:
                words += [_name(parameter.opts), value]
    if any(argument.startswith("-") for argument in arguments):
        words.append("--")
    return shlex.join([*words, *arguments])


def _name(names: list[str]) -> str:
    """The first long name."""
    return next((name for name in names if name.startswith("--")), names[0])


def _values(value: Any) -> Iterator[str]:
    if isinstance(value, list | tuple):
        for one in value:
            yield from _values(one)
    else:
        yield str(value) if isinstance(value, Path) else str(getattr(value, "value", value))
