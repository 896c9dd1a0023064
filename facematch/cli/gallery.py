"""``facematch gallery``: look into a gallery and change who is in it."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from facematch.choices import ExportFormat
from facematch.cli import asking, options, output
from facematch.cli.foreign import escaped, finite, shortened
from facematch.errors import GalleryError, UsageError

if TYPE_CHECKING:
    from facematch.types import ModelIdentity
    from facematch.workflows.gallery import (
        GalleryState,
        ImportResult,
        ListResult,
        Removal,
        RemoveResult,
        ShowResult,
        StoredReference,
        VerifyGalleryResult,
    )

TERMINAL_CELLS = 80

app = typer.Typer(
    help="List, change, check, export and import galleries.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

Subject = Annotated[str, typer.Argument(help="Name of the subject.")]


@app.command("list")
def list_(
    gallery: options.GalleryOption = options.DEFAULT_GALLERY,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Who is in the gallery, with how many references."""
    from facematch.workflows import gallery as workflow

    result = workflow.list_subjects(gallery)
    if json:
        output.print_json([asdict(subject) for subject in result.subjects])
    else:
        _print_list(result)
    _note_state(result.state, quiet)


@app.command()
def show(
    subject: Subject,
    gallery: options.GalleryOption = options.DEFAULT_GALLERY,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """The references of a subject: where they come from and how good they are."""
    from facematch.workflows import gallery as workflow

    result = workflow.show_subject(gallery, subject)
    if json:
        output.print_json(_show_json(result))
    else:
        _print_show(result)
    _note_state(result.state, quiet)


@app.command()
def rename(
    old: Annotated[str, typer.Argument(help="Name of the subject.")],
    new: Annotated[str, typer.Argument(help="The name it gets.")],
    gallery: options.GalleryOption = options.DEFAULT_GALLERY,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Give a subject another name."""
    from facematch.workflows import gallery as workflow

    result = workflow.rename_subject(gallery, old, new)
    if json:
        document = {"old": result.old, "new": result.new, "references": result.references}
        output.print_json(output.versioned({**document, **_gallery_json(result.state)}))
    else:
        print(f"{escaped(result.old)} is now {escaped(result.new)}")
    _note_state(result.state, quiet)


@app.command()
def merge(
    sources: Annotated[list[str], typer.Argument(help="Subjects that are the same person.")],
    into: Annotated[str, typer.Option("--into", help="The subject that they become.")],
    gallery: options.GalleryOption = options.DEFAULT_GALLERY,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Give the references of some subjects to another one."""
    from facematch.workflows import gallery as workflow

    result = workflow.merge_subjects(gallery, sources, into)
    if json:
        document = {
            "sources": list(result.sources),
            "into": result.into,
            "moved": result.moved,
            "references": result.references,
        }
        output.print_json(output.versioned({**document, **_gallery_json(result.state)}))
    else:
        names = ", ".join(map(escaped, result.sources))
        print(f"{names}: now {escaped(result.into)}, with {_references(result.references)}")
    _note_state(result.state, quiet)


@app.command()
def remove(
    subject: Subject,
    reference: Annotated[
        int | None,
        typer.Option(
            "--reference", help="Only the reference in this row of `gallery show`.", min=0
        ),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    gallery: options.GalleryOption = options.DEFAULT_GALLERY,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Remove a subject, or one reference, so that no byte of it stays in the file."""
    from facematch.workflows import gallery as workflow

    if not yes and not asking.can_ask():
        raise UsageError("remove asks for confirmation on a terminal; add --yes to do without")
    result = workflow.remove_subject(
        gallery, subject, row=reference, confirm=lambda removal: yes or _agrees(removal)
    )
    if json:
        output.print_json(_remove_json(result))
    else:
        print(f"removed {_what(result.removed)}")
    _note_state(result.state, quiet)
    options.note("backups, snapshots and exports made before still hold it", quiet)


@app.command()
def verify(
    gallery: options.GalleryOption = options.DEFAULT_GALLERY,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Check every byte and every number of the gallery. Exit code 4 if any is wrong."""
    from facematch.workflows import gallery as workflow

    result = workflow.verify_gallery(gallery)
    if json:
        output.print_json(_verify_json(result))
    else:
        _print_verify(result)
    _note_state(result.state, quiet)
    if not result.report.sound:
        raise typer.Exit(GalleryError.exit_code)


@app.command()
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
    from facematch.workflows import gallery as workflow

    if form is None:
        form = ExportFormat.CSV if out.suffix.lower() == ".csv" else ExportFormat.H5
    result = workflow.export(gallery, out, as_csv=form is ExportFormat.CSV)
    if json:
        document = {"files": list(result.files), "format": form, "templates": result.references}
        output.print_json(output.versioned({**document, **_gallery_json(result.state)}))
    else:
        print(f"wrote {result.references} templates to {' and '.join(result.files)}")
    _note_state(result.state, quiet)


@app.command("import")
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
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Add templates from a file. Faces that are in the gallery already are skipped."""
    from facematch.workflows import gallery as workflow

    result = workflow.import_file(gallery, file, subject=subject, model=model)
    if json:
        output.print_json(_import_json(result))
    else:
        _print_import(result)
    _note_state(result.state, quiet)
    if result.failed and not (result.imported or result.skipped):
        raise typer.Exit(GalleryError.exit_code)


def _note_state(state: GalleryState, quiet: bool) -> None:
    subjects = "1 subject" if state.subjects == 1 else f"{state.subjects} subjects"
    options.note(
        f"{state.path}: {_references(state.references)} of {subjects}, "
        f"model {escaped(state.model.name)} ({state.model.fingerprint[:12]})",
        quiet,
    )


def _references(count: int) -> str:
    return "1 reference" if count == 1 else f"{count} references"


def _gallery_json(state: GalleryState) -> dict[str, Any]:
    """What every document about a gallery ends with: the gallery as it is now."""
    return {
        "gallery": {
            "path": state.path,
            "references": state.references,
            "subjects": state.subjects,
            "updated_at": _iso(state.updated_at),
        },
        **_model_json(state.model),
    }


def _model_json(model: ModelIdentity) -> dict[str, Any]:
    return {"model": model.name, "model_fingerprint": model.fingerprint}


def _iso(seconds: float) -> str | None:
    """UTC; None for a number that is no time, as a file from elsewhere may hold."""
    try:
        return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
    except (OverflowError, ValueError, OSError):
        return None


def _print_list(result: ListResult) -> None:
    # The name comes last: it needs no padding then, whatever its characters.
    print("references  subject")
    for subject in result.subjects:
        name = shortened(escaped(subject.subject), TERMINAL_CELLS - 12)
        print(f"{subject.references:>10}  {name}")


def _show_json(result: ShowResult) -> dict[str, Any]:
    document = {
        "subject": result.subject,
        "references": [_reference_json(stored) for stored in result.references],
    }
    return output.versioned({**document, **_gallery_json(result.state)})


def _reference_json(stored: StoredReference) -> dict[str, Any]:
    reference = stored.reference
    document: dict[str, Any] = finite(
        {
            "row": stored.row,
            "path": reference.source_path,
            "sha256": reference.source_sha256,
            "box_xyxy": [round(float(v), 2) for v in reference.box_xyxy],
            "enrolled_at": _iso(reference.enrolled_at),
            "quality": output.quality_json(reference.quality),
            "crop_kept": reference.crop_rgb is not None,
        }
    )
    return document


def _print_show(result: ShowResult) -> None:
    print(f"{escaped(result.subject)}: {_references(len(result.references))}")
    for stored in result.references:
        reference, quality = stored.reference, stored.reference.quality
        box = ", ".join(f"{float(v):.0f}" for v in reference.box_xyxy)
        print(f"  row {stored.row}: {escaped(reference.source_path)}")
        print(f"      SHA-256 {reference.source_sha256}")
        print(
            f"      enrolled {_iso(reference.enrolled_at)}, box ({box}), "
            f"{'crop kept' if reference.crop_rgb is not None else 'no crop'}"
        )
        print(
            f"      face {quality.face_px:.0f} px, sharpness {quality.sharpness:.0f}, "
            f"brightness {quality.brightness:.0f}, yaw {quality.yaw_deg:.0f}°, "
            f"score {quality.score:.3f}"
        )
        for warning in quality.warnings:
            print(f"      quality: {escaped(warning)}")


def _what(removal: Removal) -> str:
    name = escaped(removal.subject)
    if removal.whole_subject:
        return f"{name} with {_references(len(removal.references))}"
    return f"row {removal.references[0].row} of {name}"


def _agrees(removal: Removal) -> bool:
    return asking.agrees(f"Remove {_what(removal)} from {removal.state.path} for good?")


def _remove_json(result: RemoveResult) -> dict[str, Any]:
    before = result.removed.state
    document = {
        "subject": result.removed.subject,
        "subject_removed": result.removed.whole_subject,
        "removed": [_reference_json(stored) for stored in result.removed.references],
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
    return output.versioned({**document, **_gallery_json(result.state)})


def _verify_json(result: VerifyGalleryResult) -> dict[str, Any]:
    report = result.report
    document = {
        "sound": report.sound,
        "problems": list(report.problems),
        "crops": report.crops,
        "bytes_checked": report.bytes_checked,
    }
    return output.versioned({**document, **_gallery_json(result.state)})


def _print_verify(result: VerifyGalleryResult) -> None:
    report = result.report
    found = "sound" if report.sound else f"{len(report.problems)} problems"
    print(f"{report.path}: {found}, {report.bytes_checked} bytes checked")
    for problem in report.problems:
        print(f"  {escaped(problem)}")


def _import_json(result: ImportResult) -> dict[str, Any]:
    document = {
        "imported": result.imported,
        "skipped": [asdict(left) for left in result.skipped],
        "failed": [asdict(left) for left in result.failed],
        "source": result.source,
    }
    return output.versioned({**document, **_gallery_json(result.state)})


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
