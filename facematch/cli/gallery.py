"""``facematch gallery``: look into a gallery and change who is in it."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from facematch.cli import (
    gallery_audit,
    gallery_encryption,
    gallery_erase,
    gallery_exchange,
    gallery_output,
    gallery_people,
    gallery_reembed,
    gallery_versions,
    options,
    output,
    unlocking,
)
from facematch.cli.foreign import escaped, shortened
from facematch.errors import GalleryError

if TYPE_CHECKING:
    from facematch.workflows.gallery import ListResult, ShowResult, VerifyGalleryResult

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
    passphrase_file: unlocking.PassphraseFile = None,
    key_file: unlocking.KeyFile = None,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Who is in the gallery, with how many references."""
    from facematch.workflows import gallery as workflow

    result = workflow.list_subjects(gallery, keys=unlocking.keys_of(passphrase_file, key_file))
    if json:
        output.print_json([asdict(subject) for subject in result.subjects])
    else:
        _print_list(result)
    gallery_output.note_state(result.state, quiet)


@app.command()
def show(
    subject: Subject,
    gallery: options.GalleryOption = options.DEFAULT_GALLERY,
    passphrase_file: unlocking.PassphraseFile = None,
    key_file: unlocking.KeyFile = None,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """The references of a subject: where they come from and how good they are."""
    from facematch.workflows import gallery as workflow

    result = workflow.show_subject(
        gallery, subject, keys=unlocking.keys_of(passphrase_file, key_file)
    )
    if json:
        output.print_json(_show_json(result))
    else:
        _print_show(result)
    gallery_output.note_state(result.state, quiet)


@app.command()
def rename(
    old: Annotated[str, typer.Argument(help="Name of the subject.")],
    new: Annotated[str, typer.Argument(help="The name it gets.")],
    gallery: options.GalleryOption = options.DEFAULT_GALLERY,
    passphrase_file: unlocking.PassphraseFile = None,
    key_file: unlocking.KeyFile = None,
    wait: options.Wait = 0,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Give a subject another name."""
    from facematch.workflows import gallery as workflow

    result = workflow.rename_subject(
        gallery, old, new, wait_s=wait, keys=unlocking.keys_of(passphrase_file, key_file)
    )
    if json:
        document = {"old": result.old, "new": result.new, "references": result.references}
        output.print_json(gallery_output.about(document, result.state))
    else:
        print(f"{escaped(result.old)} is now {escaped(result.new)}")
    gallery_output.note_state(result.state, quiet)


@app.command()
def merge(
    sources: Annotated[list[str], typer.Argument(help="Subjects that are the same person.")],
    into: Annotated[str, typer.Option("--into", help="The subject that they become.")],
    gallery: options.GalleryOption = options.DEFAULT_GALLERY,
    passphrase_file: unlocking.PassphraseFile = None,
    key_file: unlocking.KeyFile = None,
    wait: options.Wait = 0,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Give the references of some subjects to another one."""
    from facematch.workflows import gallery as workflow

    result = workflow.merge_subjects(
        gallery, sources, into, wait_s=wait, keys=unlocking.keys_of(passphrase_file, key_file)
    )
    if json:
        document = {
            "sources": list(result.sources),
            "into": result.into,
            "moved": result.moved,
            "references": result.references,
        }
        output.print_json(gallery_output.about(document, result.state))
    else:
        names = ", ".join(map(escaped, result.sources))
        count = gallery_output.references(result.references)
        print(f"{names}: now {escaped(result.into)}, with {count}")
    gallery_output.note_state(result.state, quiet)


@app.command()
def verify(
    gallery: options.GalleryOption = options.DEFAULT_GALLERY,
    passphrase_file: unlocking.PassphraseFile = None,
    key_file: unlocking.KeyFile = None,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Check every byte and every number of the gallery. Exit code 4 if any is wrong."""
    from facematch.workflows import gallery as workflow

    result = workflow.verify_gallery(gallery, keys=unlocking.keys_of(passphrase_file, key_file))
    if json:
        output.print_json(_verify_json(result))
    else:
        _print_verify(result)
    gallery_output.note_state(result.state, quiet)
    if not result.report.sound:
        raise typer.Exit(GalleryError.exit_code)


def _print_list(result: ListResult) -> None:
    # The name comes last: it needs no padding then, whatever its characters.
    print("references  subject")
    for subject in result.subjects:
        name = shortened(escaped(subject.subject), TERMINAL_CELLS - 12)
        print(f"{subject.references:>10}  {name}")


def _show_json(result: ShowResult) -> dict[str, Any]:
    document = {
        "subject": result.subject,
        "references": [gallery_output.reference_json(stored) for stored in result.references],
    }
    return gallery_output.about(document, result.state)


def _print_show(result: ShowResult) -> None:
    print(f"{escaped(result.subject)}: {gallery_output.references(len(result.references))}")
    for stored in result.references:
        reference, quality = stored.reference, stored.reference.quality
        box = ", ".join(f"{float(v):.0f}" for v in reference.box_xyxy)
        print(f"  row {stored.row}: {escaped(reference.source_path)}")
        print(f"      SHA-256 {reference.source_sha256}")
        print(
            f"      enrolled {gallery_output.iso(reference.enrolled_at)}, box ({box}), "
            f"{'crop kept' if reference.crop_rgb is not None else 'no crop'}"
        )
        print(
            f"      face {quality.face_px:.0f} px, sharpness {quality.sharpness:.0f}, "
            f"brightness {quality.brightness:.0f}, yaw {quality.yaw_deg:.0f}°, "
            f"score {quality.score:.3f}"
        )
        for warning in quality.warnings:
            print(f"      quality: {escaped(warning)}")


def _verify_json(result: VerifyGalleryResult) -> dict[str, Any]:
    report = result.report
    document = {
        "sound": report.sound,
        "problems": list(report.problems),
        "crops": report.crops,
        "bytes_checked": report.bytes_checked,
    }
    return gallery_output.about(document, result.state)


def _print_verify(result: VerifyGalleryResult) -> None:
    report = result.report
    found = "sound" if report.sound else f"{len(report.problems)} problems"
    print(f"{report.path}: {found}, {report.bytes_checked} bytes checked")
    for problem in report.problems:
        print(f"  {escaped(problem)}")


app.command()(gallery_people.move)
app.command()(gallery_people.split)
app.command()(gallery_people.distinct)
app.command()(gallery_erase.remove)
app.command("export")(gallery_exchange.export)
app.command("import")(gallery_exchange.import_)
app.command()(gallery_versions.snapshots)
app.command()(gallery_versions.rollback)
app.command()(gallery_versions.repair)
app.command()(gallery_audit.audit)
app.command()(gallery_reembed.reembed)
app.command()(gallery_encryption.encrypt)
app.command()(gallery_encryption.decrypt)
app.command()(gallery_encryption.rekey)
