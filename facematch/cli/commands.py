"""Which commands there are, and loading the one that was asked for.

A command module declares its options with all that they need, and Typer takes a moment to turn
them into a parser: for all commands together, longer than for everything else that ``--help``
does. So the list of commands needs no command module, and running one needs only its own.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command, get_group

from facematch.cli.coercion import spare_pydantic


@dataclass(frozen=True, slots=True)
class CommandSource:
    """Where a command is.

    Attributes:
        module: of this package.
        attribute: in the module, the function of a command or the application of a group.
        summary: what the list of commands says of it: the first paragraph of its own help.
    """

    module: str
    attribute: str
    summary: str


COMMANDS = {
    "enroll": CommandSource(
        "enroll",
        "enroll",
        "Add people to a gallery. Photographs that are in it already are skipped.",
    ),
    "verify": CommandSource(
        "verify",
        "verify",
        "Is it the same person in both photographs? Exit code 0 if so, 1 if not.",
    ),
    "identify": CommandSource(
        "identify",
        "identify",
        "Who is in these photographs? Every face is searched in the gallery.",
    ),
    "calibrate": CommandSource(
        "calibrate",
        "calibrate",
        "Choose the threshold from your own labelled pairs; verify and identify then use it.",
    ),
    "evaluate": CommandSource(
        "evaluate",
        "evaluate",
        "How good is it? Error rates of pairs, of searches in a gallery, and of systems compared.",
    ),
    "train": CommandSource(
        "train",
        "train",
        "Train an embedding network on faces with names, by the quadruplet loss or another.",
    ),
    "export": CommandSource(
        "export",
        "export",
        "Write a model's network for other programs, and show that it decides the same.",
    ),
    "detect": CommandSource("detect", "detect", "Find faces: boxes, landmarks and scores."),
    "align": CommandSource(
        "detect", "align", "Write aligned face crops, as the networks see them."
    ),
    "embed": CommandSource(
        "embed", "embed", "Write templates to a file, for use elsewhere or for `gallery import`."
    ),
    "cluster": CommandSource(
        "cluster",
        "cluster",
        "Sort photographs of unknown people: who is on which? Review it, then enroll it.",
    ),
    "gallery": CommandSource("gallery", "app", "List, change, check, export and import galleries."),
    "models": CommandSource("models", "app", "List, show, check and install models."),
}


class LazyGroup(TyperGroup):
    """The group of ``COMMANDS``: lists them from the table, and loads what is invoked."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        # Name and summary are all that help and suggestions ask of a command.
        self.commands = {
            name: TyperCommand(name, help=source.summary, rich_markup_mode=None)
            for name, source in COMMANDS.items()
        }

    def get_params(self, ctx: Any) -> Any:
        parameters = super().get_params(ctx)
        spare_pydantic(parameters)
        return parameters

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        name, command, rest = super().resolve_command(ctx, args)
        if name is not None:
            command = load_command(name)
            for each in (command, *getattr(command, "commands", {}).values()):
                spare_pydantic(each.get_params(ctx))  # with --help, which comes from the context
        return name, command, rest


def load_command(name: str) -> TyperCommand | TyperGroup:
    """The command or group of a name in ``COMMANDS``, from its module."""
    source = COMMANDS[name]
    module = importlib.import_module(f"facematch.cli.{source.module}")
    found = getattr(module, source.attribute)
    if isinstance(found, typer.Typer):
        group = get_group(found)
        group.name = name
        return group
    alone = typer.Typer(add_completion=False, rich_markup_mode=None)
    alone.command(name)(found)
    command = get_command(alone)
    assert isinstance(command, TyperCommand)
    return command
