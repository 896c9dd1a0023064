"""``facematch gallery remove``."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from facematch.cli import asking, gallery_output, options, output, unlocking
from facematch.cli.foreign import escaped

if TYPE_CHECKING:
    from facematch.workflows.gallery_erase import Removal, RemoveResult


def remove(
    subject: Annotated[str, typer.Argument(help="Name of the subject.")],
    reference: Annotated[
        int | None,
        typer.Option(
            "--reference", help="Only the reference in this row of `gallery show`.", min=0
        ),
    ] = None,
    yes: options.Yes = False,
    gallery: options.GalleryOption = options.DEFAULT_GALLERY,
    passphrase_file: unlocking.PassphraseFile = None,
    key_file: unlocking.KeyFile = None,
    wait: options.Wait = 0,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Remove a subject, or one reference, so that no byte of it stays in the file."""
    from facematch.workflows import gallery_erase as workflow

    asking.require_answer(yes, "remove")
    result = workflow.remove_subject(
        gallery,
        subject,
        row=reference,
        confirm=lambda removal: yes or _agrees(removal),
        wait_s=wait,
        keys=unlocking.keys_of(passphrase_file, key_file),
    )
    if json:
        output.print_json(_remove_json(result))
    else:
        print(f"removed {_what(result.removed)}")
        for snapshot in result.snapshots:
            what = "deleted, it was damaged" if snapshot.deleted else "rewritten without it"
            print(f"  {escaped(snapshot.path)}: {what}")
    gallery_output.note_state(result.state, quiet)
    options.note("backups and exports made before still hold it", quiet)


def _what(removal: Removal) -> str:
    name = escaped(removal.subject)
    if removal.whole_subject:
        return f"{name} with {gallery_output.references(len(removal.references))}"
    return f"row {removal.references[0].row} of {name}"


def _agrees(removal: Removal) -> bool:
    return asking.agrees(f"Remove {_what(removal)} from {removal.state.path} for good?")


def _remove_json(result: RemoveResult) -> dict[str, Any]:
    before = result.removed.state
    document = {
        "subject": result.removed.subject,
        "subject_removed": result.removed.whole_subject,
        "removed": [gallery_output.reference_json(stored) for stored in result.removed.references],
        "snapshots": [asdict(snapshot) for snapshot in result.snapshots],
        "before": {
            "references": before.references,
            "subjects": before.subjects,
            "sha256": result.sha256_before,
        },
        "after": {
            "references": result.state.references,
            "subjects": result.state.subjects,
            "sha256": result.sha256_after,
        },
    }
    return gallery_output.about(document, result.state)
