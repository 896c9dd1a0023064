"""``facematch enroll``."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from facematch.choices import DEFAULT_MODEL, Device, FaceChoice, Search
from facematch.cli import options, output, unlocking
from facematch.cli.foreign import escaped
from facematch.cli.progress import Progress
from facematch.errors import InputError

if TYPE_CHECKING:
    from facematch.workflows.enroll import EnrolResult


def enroll(
    paths: Annotated[
        list[str],
        typer.Argument(
            help="Folders with one sub-folder per subject, CSV files (subject,path), or, with "
            "--subject, photographs of one person. - reads paths from stdin."
        ),
    ],
    gallery: options.GalleryOption = options.DEFAULT_GALLERY,
    passphrase_file: unlocking.PassphraseFile = None,
    key_file: unlocking.KeyFile = None,
    encrypt: unlocking.Encrypt = False,
    subject: Annotated[
        str | None, typer.Option("--subject", "-s", help="Whose photographs these are.")
    ] = None,
    face: options.Face = FaceChoice.CENTER,
    search: options.SearchOption = Search.FAST,
    keep_crops: Annotated[
        bool, typer.Option("--keep-crops", help="Store aligned crops, to re-embed later.")
    ] = False,
    strict: Annotated[
        bool,
        typer.Option(
            "--strict", help="Refuse faces of poor quality, and fail if any photograph failed."
        ),
    ] = False,
    model: options.Model = DEFAULT_MODEL,
    device: options.DeviceOption = Device.AUTO,
    wait: options.Wait = 0,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Add people to a gallery. Photographs that are in it already are skipped."""
    from facematch.pipeline import open_analyzer
    from facematch.workflows import enroll as workflow

    plan = workflow.plan_enrolment(options.given_paths(paths), subject)
    choice = options.one_face(face, "enroll")
    new = encrypt and not gallery.exists()
    keys = unlocking.keys_of(passphrase_file, key_file, make=new, quiet=quiet)
    analyzer, _, engine = open_analyzer(model, device, choice=choice, strict=strict, search=search)
    options.note(f"device: {engine.device}", quiet)
    with Progress("enrolling", quiet) as progress:
        result = workflow.enroll(
            plan.items,
            analyzer,
            gallery,
            unusable=plan.failures,
            keep_crops=keep_crops,
            wait_s=wait,
            keys=keys,
            encrypt=encrypt,
            progress=progress,
        )
    if json:
        output.print_json(_json(result))
    else:
        _print(result)
    if result.failed and (strict or not (result.enrolled or result.skipped)):
        raise typer.Exit(InputError.exit_code)


def _json(result: EnrolResult) -> dict[str, Any]:
    return output.versioned(
        {
            "enrolled": len(result.enrolled),
            "skipped": len(result.skipped),
            "failed": output.failures_json(result.failed),
            "gallery": result.gallery,
            "references": result.references,
            "subjects": result.subjects,
            "model": result.model_name,
            "model_fingerprint": result.model_fingerprint,
            "enrolled_faces": [
                {
                    "subject": face.subject,
                    "path": face.path,
                    "face_index": face.face_index,
                    "faces_detected": face.detected,
                    "quality": output.quality_json(face.quality),
                    "passed_over": output.passed_over_json(face.passed_over),
                }
                for face in result.enrolled
            ],
            "skipped_photographs": [asdict(skipped) for skipped in result.skipped],
        }
    )


def _print(result: EnrolResult) -> None:
    print(
        f"enrolled {len(result.enrolled)}, skipped {len(result.skipped)} (already enrolled), "
        f"failed {len(result.failed)}"
    )
    print(
        f"{escaped(result.gallery)}: {output.counted(result.references, 'references')} of "
        f"{output.counted(result.subjects, 'subjects')}, model {result.model_name}"
    )
    several = [face for face in result.enrolled if face.detected > 1]
    for face in several[: output.SHOWN_FAILURES]:
        print(
            f"  {escaped(face.path)}: took face {face.face_index + 1} of {face.detected}; "
            f"{'; '.join(f'not face {o.index + 1}: {o.reason}' for o in face.passed_over)}"
        )
    poor = [face for face in result.enrolled if face.quality.warnings]
    for face in poor[: output.SHOWN_FAILURES]:
        print(f"  {escaped(face.path)}: {'; '.join(face.quality.warnings)}")
    hidden = max(0, len(several) - output.SHOWN_FAILURES) + max(
        0, len(poor) - output.SHOWN_FAILURES
    )
    if hidden:
        print(f"  … and {hidden} more notes (--json lists all)")
    output.print_failures(result.failed, "photographs were not enrolled")
