"""``facematch embed``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from facematch.choices import DEFAULT_MODEL, Device, FaceChoice
from facematch.cli import options, output
from facematch.cli.progress import Progress


def embed(
    paths: options.Photographs,
    out: Annotated[
        Path, typer.Option("--output", "-o", help="HDF5 file to write.", metavar="FILE")
    ],
    face: options.Face = FaceChoice.CENTER,
    strict: options.Strict = False,
    model: options.Model = DEFAULT_MODEL,
    device: options.DeviceOption = Device.AUTO,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Write templates to a file, for use elsewhere or for `gallery import`."""
    from facematch.gallery import require_templates_place
    from facematch.imaging.paths import find_photographs
    from facematch.pipeline import open_analyzer
    from facematch.workflows import embed as workflow

    options.require_folder_of(out)
    require_templates_place(out)
    found = find_photographs(options.given_paths(paths))
    analyzer, _, engine = open_analyzer(model, device, choice=face, strict=strict)
    options.note(f"device: {engine.device}", quiet)
    with Progress("embedding", quiet) as progress:
        result = workflow.embed(found, analyzer, out, progress=progress)
    if json:
        output.print_json(
            output.versioned(
                {
                    "path": result.path,
                    "templates": result.templates,
                    "photographs": result.photographs,
                    "failed": output.failures_json(result.failed),
                    "model": result.model_name,
                    "model_fingerprint": result.model_fingerprint,
                }
            )
        )
    else:
        print(f"{result.path}: {result.templates} templates of {result.photographs} photographs")
        output.print_failures(result.failed, "photographs gave no template")
