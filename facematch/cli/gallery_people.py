"""``facematch gallery move``, ``split`` and ``distinct``: who is who."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from facematch.cli import gallery_output, options, output, unlocking
from facematch.cli.foreign import escaped
from facematch.errors import UsageError

if TYPE_CHECKING:
    from facematch.workflows.gallery import MoveResult

Source = Annotated[str, typer.Argument(help="Name of the subject that has the references.")]
Rows = Annotated[
    list[int],
    typer.Option("--reference", "-r", help="Row of `gallery show`; may be repeated.", min=0),
]


def move(
    subject: Source,
    references: Rows,
    to: Annotated[str, typer.Option("--to", help="Subject that gets them; must exist.")],
    gallery: options.GalleryOption = options.DEFAULT_GALLERY,
    passphrase_file: unlocking.PassphraseFile = None,
    key_file: unlocking.KeyFile = None,
    wait: options.Wait = 0,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Give single references to another subject, whose they are."""
    from facematch.workflows import gallery as workflow

    result = workflow.move_references(
        gallery,
        subject,
        references,
        to,
        make=False,
        wait_s=wait,
        keys=unlocking.keys_of(passphrase_file, key_file),
    )
    _report(result, json, quiet)


def split(
    subject: Source,
    references: Rows,
    into: Annotated[str, typer.Option("--into", help="Name of the new subject.")],
    gallery: options.GalleryOption = options.DEFAULT_GALLERY,
    passphrase_file: unlocking.PassphraseFile = None,
    key_file: unlocking.KeyFile = None,
    wait: options.Wait = 0,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Make a new subject of some references that are somebody else's."""
    from facematch.workflows import gallery as workflow

    result = workflow.move_references(
        gallery,
        subject,
        references,
        into,
        make=True,
        wait_s=wait,
        keys=unlocking.keys_of(passphrase_file, key_file),
    )
    _report(result, json, quiet)


def distinct(
    subjects: Annotated[
        list[str] | None, typer.Argument(help="Two subjects; none to list all such pairs.")
    ] = None,
    undo: Annotated[bool, typer.Option("--undo", help="Take it back.")] = False,
    gallery: options.GalleryOption = options.DEFAULT_GALLERY,
    passphrase_file: unlocking.PassphraseFile = None,
    key_file: unlocking.KeyFile = None,
    wait: options.Wait = 0,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Note that two subjects are different people, however alike they look."""
    from facematch.workflows import gallery as workflow

    keys = unlocking.keys_of(passphrase_file, key_file)
    if not subjects and not undo:
        result = workflow.list_distinct(gallery, keys=keys)
    elif subjects is not None and len(subjects) == 2:
        result = workflow.mark_distinct(gallery, *subjects, undo=undo, wait_s=wait, keys=keys)
    else:
        raise UsageError("distinct takes two subjects, or none to list the pairs")
    if json:
        document = {"changed": result.changed, "pairs": [list(pair) for pair in result.pairs]}
        output.print_json(gallery_output.about(document, result.state))
    else:
        for a, b in result.pairs:
            print(f"{escaped(a)} is not {escaped(b)}")
    gallery_output.note_state(result.state, quiet)


def _report(result: MoveResult, json: bool, quiet: bool) -> None:
    if json:
        document = {
            "source": result.source,
            "source_left": result.source_left,
            "to": result.to,
            "moved": result.moved,
            "references": result.references,
        }
        output.print_json(gallery_output.about(document, result.state))
    else:
        count = gallery_output.references(result.moved)
        left = "none left" if result.source_left == 0 else f"{result.source_left} left"
        print(
            f"{count} of {escaped(result.source)} ({left}) now {escaped(result.to)}'s, "
            f"who has {result.references}"
        )
    gallery_output.note_state(result.state, quiet)
