"""``facematch embed``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from facematch.choices import DEFAULT_MODEL, Device, FaceChoice, Search
from facematch.cli import options, output
from facematch.cli.foreign import escaped
from facematch.cli.progress import Progress
from facematch.errors import InputError


def embed(
    paths: options.Photographs,
    out: Annotated[
        Path,
        typer.Option("--output", "-o", help="HDF5 file to write.", metavar="FILE", readable=False),
    ],
    face: options.Face = FaceChoice.CENTER,
    search: options.SearchOption = Search.FAST,
    strict: options.Strict = False,
    model: options.Model = DEFAULT_MODEL,
    device: options.DeviceOption = Device.AUTO,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Write templates to a file, for use elsewhere or for `gallery import`."""
    from facematch.gallery import require_templates_place
    from facematch.pipeline import open_analyzer
    from facematch.workflows import embed as workflow

    options.require_folder_of(out)
    require_templates_place(out)
    found = options.photographs_of(options.given_paths(paths))
    analyzer, _, engine = open_analyzer(model, device, choice=face, strict=strict, search=search)
    options.note(f"device: {engine.device}", quiet)
    with Progress("embedding", quiet) as progress:
        result = workflow.embed(found.paths, analyzer, out, progress=progress)
    failed = (*found.failures, *result.failed)
    if json:
        output.print_json(
            output.versioned(
                {
                    "path": result.path,
                    "templates": result.templates,
                    "photographs": result.photographs,
                    "failed": output.failures_json(failed),
                    "model": result.model_name,
                    "model_fingerprint": result.model_fingerprint,
                }
            )
        )
    else:
        print(
            f"{escaped(result.path)}: {output.counted(result.templates, 'templates')} of "
            f"{output.counted(result.photographs, 'photographs')}"
        )
        output.print_failures(failed, "photographs gave no template")
    if failed and strict:
        raise typer.Exit(InputError.exit_code)
