"""``facematch gallery export`` and ``import``."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from facematch.choices import ExportFormat, FaceConflict, NameConflict
from facematch.cli import gallery_output, options, output, unlocking
from facematch.cli.foreign import escaped
from facematch.errors import GalleryError

if TYPE_CHECKING:
    from facematch.workflows.gallery_exchange import ImportResult


def export(
    out: Annotated[
        Path, typer.Option("--output", "-o", help="File to write.", metavar="FILE", readable=False)
    ],
    form: Annotated[
        ExportFormat | None,
        typer.Option(
            "--format",
            help="All can be imported again. h5 is for any size; csv, with the templates in a "
            ".npz beside it, for spreadsheets; json for other programs [default: csv or json if "
            "the file is called so, else h5].",
        ),
    ] = None,
    gallery: options.GalleryOption = options.DEFAULT_GALLERY,
    passphrase_file: unlocking.PassphraseFile = None,
    key_file: unlocking.KeyFile = None,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Write everything in the gallery to a file for other programs, never encrypted."""
    from facematch.workflows import gallery_exchange as workflow

    if form is None:
        by_name = {f".{known}": known for known in ExportFormat}
        form = by_name.get(out.suffix.lower(), ExportFormat.H5)
    result = workflow.export(gallery, out, form, keys=unlocking.keys_of(passphrase_file, key_file))
    if json:
        document = {"files": list(result.files), "format": form, "templates": result.references}
        output.print_json(gallery_output.about(document, result.state))
    else:
        print(f"wrote {result.references} templates to {escaped(' and '.join(result.files))}")
    gallery_output.note_state(result.state, quiet)
    if result.was_encrypted:
        options.note("the gallery is encrypted, what was written is not", quiet)


def import_(
    file: Annotated[
        Path,
        typer.Argument(
            help="Written by `embed` or `gallery export`; of a table, the .csv.", readable=False
        ),
    ],
    subject: Annotated[
        str | None,
        typer.Option("--subject", "-s", help="Whose templates those without a name are."),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            "--model",
            help="Model that made the templates [default: the gallery's, or the default model "
            "for a new gallery].",
            metavar="NAME",
        ),
    ] = None,
    on_conflict: Annotated[
        FaceConflict,
        typer.Option(
            "--on-conflict",
            help="When the gallery has a face of the file (the same place of the same "
            "photograph) under another name or with other data: skip keeps the gallery's, "
            "replace takes the file's, fail imports nothing. What is the same in both is skipped.",
        ),
    ] = FaceConflict.SKIP,
    same_name: Annotated[
        NameConflict,
        typer.Option(
            "--same-name",
            help="When the gallery has a subject of that name but none of its faces: join takes "
            "them for one person, rename adds a number to the file's name, fail imports nothing.",
        ),
    ] = NameConflict.JOIN,
    gallery: options.GalleryOption = options.DEFAULT_GALLERY,
    passphrase_file: unlocking.PassphraseFile = None,
    key_file: unlocking.KeyFile = None,
    encrypt: unlocking.Encrypt = False,
    wait: options.Wait = 0,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Add templates from a file, all at once. Faces that are in the gallery are not added again."""
    from facematch.workflows import gallery_exchange as workflow

    new = encrypt and not gallery.exists()
    keys = unlocking.keys_of(passphrase_file, key_file, make=new, quiet=quiet)
    result = workflow.import_file(
        gallery,
        file,
        subject=subject,
        model=model,
        faces=on_conflict,
        names=same_name,
        wait_s=wait,
        keys=keys,
        encrypt=encrypt,
    )
    if json:
        output.print_json(_import_json(result))
    else:
        _print_import(result)
    gallery_output.note_state(result.state, quiet)
    if result.failed and not (result.imported or result.skipped):
        raise typer.Exit(GalleryError.exit_code)


def _import_json(result: ImportResult) -> dict[str, Any]:
    document = {
        "imported": result.imported,
        "skipped": [asdict(left) for left in result.skipped],
        "failed": [asdict(left) for left in result.failed],
        "source": result.source,
        "replaced": result.replaced,
        "renamed": [{"name": old, "new": new} for old, new in result.renamed],
        "distinct": result.distinct,
        "pairs_left_out": result.pairs_left_out,
    }
    return gallery_output.about(document, result.state)


def _print_import(result: ImportResult) -> None:
    print(
        f"imported {result.imported}, skipped {len(result.skipped)} (already enrolled), "
        f"failed {len(result.failed)}"
    )
    if result.replaced:
        print(f"  replaced {gallery_output.references(result.replaced)} of the gallery")
    for old, new in result.renamed:
        print(f"  {escaped(old)} of the file is now {escaped(new)}")
    if result.distinct:
        print(f"  {output.counted(result.distinct, 'pairs')} noted as different people")
    if result.pairs_left_out:
        left_out = output.counted(result.pairs_left_out, "pairs")
        print(f"  {left_out} of different people left out: not all of them are here by that name")
    for left in result.failed[: output.SHOWN_FAILURES]:
        print(f"  {escaped(left.path)}: {escaped(left.reason)}")
    if len(result.failed) > output.SHOWN_FAILURES:
        rest = len(result.failed) - output.SHOWN_FAILURES
        print(f"  … and {rest} more (--json lists all)")
