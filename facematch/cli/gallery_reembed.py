"""``facematch gallery reembed``."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from facematch.choices import Device, FaceChoice
from facematch.cli import gallery_output, options, output, unlocking
from facematch.cli.foreign import escaped
from facematch.cli.progress import Progress
from facematch.errors import GalleryError

if TYPE_CHECKING:
    from facematch.workflows.gallery_reembed import ReembedResult


def reembed(
    model: options.Model,
    drop_missing: Annotated[
        bool,
        typer.Option("--drop-missing", help="Go on without references that have no picture."),
    ] = False,
    gallery: options.GalleryOption = options.DEFAULT_GALLERY,
    passphrase_file: unlocking.PassphraseFile = None,
    key_file: unlocking.KeyFile = None,
    device: options.DeviceOption = Device.AUTO,
    wait: options.Wait = 0,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Make all templates again with another model, from kept crops or the photographs."""
    from facematch.pipeline import open_analyzer
    from facematch.workflows import gallery_reembed as workflow

    keys = unlocking.keys_of(passphrase_file, key_file)
    analyzer, _, engine = open_analyzer(model, device, choice=FaceChoice.ALL, strict=False)
    options.note(f"device: {engine.device}", quiet)
    with Progress("re-embedding", quiet) as progress:
        result = workflow.reembed(
            gallery, analyzer, drop_missing=drop_missing, wait_s=wait, keys=keys, progress=progress
        )
    if json:
        output.print_json(_json(result))
    else:
        _print(result)
    gallery_output.note_state(result.state, quiet)
    if not result.written:
        raise typer.Exit(GalleryError.exit_code)


def _json(result: ReembedResult) -> dict[str, Any]:
    document = {
        "written": result.written,
        "from_crops": result.from_crops,
        "from_sources": result.from_sources,
        "missing": [asdict(missing) for missing in result.missing],
    }
    return gallery_output.about(document, result.state)


def _print(result: ReembedResult) -> None:
    counts = f"{result.from_crops} from crops, {result.from_sources} from photographs"
    if result.written:
        print(f"re-embedded {counts}, dropped {len(result.missing)}")
    else:
        print(
            f"nothing was changed: {len(result.missing)} references have no picture ({counts} "
            "could be made again); --drop-missing goes on without them"
        )
    for missing in result.missing[: output.SHOWN_FAILURES]:
        where = f"{missing.subject}, {missing.path}"
        print(f"  row {missing.row} of {escaped(where)}: {escaped(missing.reason)}")
    if len(result.missing) > output.SHOWN_FAILURES:
        rest = len(result.missing) - output.SHOWN_FAILURES
        print(f"  … and {rest} more (--json lists all)")
