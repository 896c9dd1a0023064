"""``facematch gallery export`` and ``import``."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from facematch.choices import ExportFormat
from facematch.cli import gallery_output, options, output
from facematch.cli.foreign import escaped
from facematch.errors import GalleryError

if TYPE_CHECKING:
    from facematch.workflows.gallery_exchange import ImportResult


def export(
    out: Annotated[Path, typer.Option("--output", "-o", help="File to write.", metavar="FILE")],
    form: Annotated[
        ExportFormat | None,
        typer.Option(
            "--format",
            help="h5 can be imported again; csv is for reading, with the templates in a .npy "
            "beside it [default: csv if the file is called so, else h5].",
        ),
    ] = None,
    gallery: options.GalleryOption = options.DEFAULT_GALLERY,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Write everything in the gallery to a file for other programs."""
    from facematch.workflows import gallery_exchange as workflow

    if form is None:
        form = ExportFormat.CSV if out.suffix.lower() == ".csv" else ExportFormat.H5
    result = workflow.export(gallery, out, as_csv=form is ExportFormat.CSV)
    if json:
        document = {"files": list(result.files), "format": form, "templates": result.references}
        output.print_json(gallery_output.about(document, result.state))
    else:
        print(f"wrote {result.references} templates to {' and '.join(result.files)}")
    gallery_output.note_state(result.state, quiet)


def import_(
    file: Annotated[Path, typer.Argument(help="Written by `embed` or `gallery export`.")],
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
    gallery: options.GalleryOption = options.DEFAULT_GALLERY,
    wait: options.Wait = 0,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Add templates from a file. Faces that are in the gallery already are skipped."""
    from facematch.workflows import gallery_exchange as workflow

    result = workflow.import_file(gallery, file, subject=subject, model=model, wait_s=wait)
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
    }
    return gallery_output.about(document, result.state)


def _print_import(result: ImportResult) -> None:
    print(
        f"imported {result.imported}, skipped {len(result.skipped)} (already enrolled), "
        f"failed {len(result.failed)}"
    )
    for left in result.failed[: output.SHOWN_FAILURES]:
        print(f"  {escaped(left.path)}: {escaped(left.reason)}")
    if len(result.failed) > output.SHOWN_FAILURES:
        rest = len(result.failed) - output.SHOWN_FAILURES
        print(f"  … and {rest} more (--json lists all)")
