"""``facematch gallery snapshots``, ``rollback`` and ``repair``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from facematch.cli import asking, gallery_output, options, output, unlocking
from facematch.cli.foreign import escaped
from facematch.errors import GalleryError

if TYPE_CHECKING:
    from facematch.workflows.gallery_versions import KeptVersion, RepairResult, SnapshotsResult


def snapshots(
    keep: Annotated[
        int | None,
        typer.Option(
            "--keep",
            help="Keep this many older versions from now on; 0 removes all.",
            metavar="N",
            min=0,
        ),
    ] = None,
    gallery: options.GalleryOption = options.DEFAULT_GALLERY,
    passphrase_file: unlocking.PassphraseFile = None,
    key_file: unlocking.KeyFile = None,
    wait: options.Wait = 0,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """List the older versions of the gallery, and set how many commands keep."""
    from facematch.workflows import gallery_versions as workflow

    result = workflow.list_snapshots(
        gallery, keep=keep, wait_s=wait, keys=unlocking.keys_of(passphrase_file, key_file)
    )
    if json:
        output.print_json(_snapshots_json(result))
    else:
        print(f"keeps {result.keep} older versions")
        for snapshot in result.snapshots:
            print(f"  {_describe(snapshot)}")
    gallery_output.note_state(result.state, quiet)


def rollback(
    to: Annotated[
        int | None,
        typer.Option("--to", help="Number of the snapshot [default: the newest].", metavar="N"),
    ] = None,
    yes: options.Yes = False,
    gallery: options.GalleryOption = options.DEFAULT_GALLERY,
    passphrase_file: unlocking.PassphraseFile = None,
    key_file: unlocking.KeyFile = None,
    wait: options.Wait = 0,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Put an older version in the place of the gallery, which becomes a snapshot itself."""
    from facematch.workflows import gallery_versions as workflow

    asking.require_answer(yes, "rollback")
    result = workflow.roll_back(
        gallery,
        number=to,
        confirm=lambda kept: yes or _agrees(gallery, kept),
        wait_s=wait,
        keys=unlocking.keys_of(passphrase_file, key_file),
    )
    if json:
        document = {"number": result.number, "replaced": result.replaced}
        output.print_json(gallery_output.about(document, result.state))
    else:
        print(f"back to snapshot {result.number}; what was there is snapshot {result.replaced}")
    gallery_output.note_state(result.state, quiet)


def repair(
    out: Annotated[
        Path,
        typer.Option(
            "--output", "-o", help="New gallery to write.", metavar="FILE", readable=False
        ),
    ],
    gallery: options.GalleryOption = options.DEFAULT_GALLERY,
    passphrase_file: unlocking.PassphraseFile = None,
    key_file: unlocking.KeyFile = None,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Save what is sound of a damaged gallery. Exit code 4 if anything is lost."""
    from facematch.workflows import gallery_versions as workflow

    result = workflow.repair(gallery, out, keys=unlocking.keys_of(passphrase_file, key_file))
    if json:
        output.print_json(_repair_json(result))
    else:
        _print_repair(result)
    gallery_output.note_state(result.state, quiet)
    if not result.complete:
        raise typer.Exit(GalleryError.exit_code)


def _snapshots_json(result: SnapshotsResult) -> dict[str, Any]:
    document = {
        "keep": result.keep,
        "snapshots": [
            {
                "number": kept.number,
                "path": kept.path,
                "sound": kept.state is not None,
                "references": None if kept.state is None else kept.state.references,
                "subjects": None if kept.state is None else kept.state.subjects,
                "updated_at": None
                if kept.state is None
                else gallery_output.iso(kept.state.updated_at),
            }
            for kept in result.snapshots
        ],
    }
    return gallery_output.about(document, result.state)


def _describe(kept: KeptVersion) -> str:
    if kept.state is None:
        return f"{kept.number}: damaged"
    count = gallery_output.references(kept.state.references)
    return f"{kept.number}: {gallery_output.iso(kept.state.updated_at)}, {count}"


def _agrees(gallery: Path, kept: KeptVersion) -> bool:
    return asking.agrees(f"Put snapshot {_describe(kept)} in the place of {gallery}?")


def _repair_json(result: RepairResult) -> dict[str, Any]:
    document = {
        "source": result.source,
        "references": result.references,
        "saved": result.state.references,
        "losses": [
            {
                "row": loss.row,
                "subject": loss.subject,
                "parts": list(loss.parts),
                "whole_reference": loss.whole_reference,
            }
            for loss in result.losses
        ],
        "renamed": list(result.renamed),
        "crops_lost": result.crops_lost,
        "pairs_lost": result.pairs_lost,
    }
    return gallery_output.about(document, result.state)


def _print_repair(result: RepairResult) -> None:
    print(f"saved {result.state.references} of {result.references} references")
    for loss in result.losses[: output.SHOWN_FAILURES]:
        subject = "unknown subject" if loss.subject is None else escaped(loss.subject)
        parts = ", ".join(loss.parts)
        what = "lost" if loss.whole_reference else "saved without"
        print(f"  row {loss.row}, {subject}: {what} ({parts})")
    if len(result.losses) > output.SHOWN_FAILURES:
        rest = len(result.losses) - output.SHOWN_FAILURES
        print(f"  … and {rest} more (--json lists all)")
    for name in result.renamed:
        print(f"  a name is lost: its subject is now {escaped(name)}")
    if result.crops_lost:
        print(f"  {result.crops_lost} crops are lost: whose they are is not known")
    if result.pairs_lost:
        print(f"  {result.pairs_lost} pairs of people marked as different are lost")
