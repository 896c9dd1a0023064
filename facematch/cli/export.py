"""``facematch export``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from facematch.choices import DEFAULT_MODEL, NetworkForm
from facematch.cli import options, output

if TYPE_CHECKING:
    from facematch.workflows.export import ExportResult


def export(
    model: Annotated[
        str, typer.Argument(help="Model name, or the folder of a bundle.")
    ] = DEFAULT_MODEL,
    out: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            help="File to write [default: the model's name with .onnx or .xml].",
            metavar="FILE",
        ),
    ] = None,
    form: Annotated[
        NetworkForm, typer.Option("--format", help="Form of the network.")
    ] = NetworkForm.ONNX,
    crops: Annotated[
        Path | None,
        typer.Option(
            "--crops",
            help="Folder of aligned faces (`facematch align`) to compare on; int8 needs it.",
            metavar="DIR",
        ),
    ] = None,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Write a model's network for other programs, and show that it decides the same."""
    from facematch.workflows import export as workflow

    result = workflow.export_model(model, out, form, crops)
    if result.threshold is None:
        options.note("the model has no calibration: only templates were compared", quiet)
    if json:
        output.print_json(_json(result))
    else:
        _print(result)


def _json(result: ExportResult) -> dict[str, Any]:
    return output.versioned(
        {
            "path": str(result.path),
            "format": result.form.value,
            "faces": result.faces,
            "least_cosine": result.least_cosine,
            "threshold": result.threshold,
            "pairs": result.pairs,
            "changed_decisions": result.changed_decisions,
            "accuracy": None if result.accuracy is None else list(result.accuracy),
        }
    )


def _print(result: ExportResult) -> None:
    print(f"wrote {result.path} ({result.form})")
    print(
        f"  on {result.faces} faces the templates agree with the bundle's to a cosine of "
        f"{result.least_cosine:.6f} or more"
    )
    if result.threshold is not None:
        print(
            f"  {result.changed_decisions} of {result.pairs} comparisons are decided otherwise "
            f"at the threshold {result.threshold:.4f}"
        )
    if result.accuracy is not None:
        before, after = result.accuracy
        print(f"  accuracy on these faces {before:.4f} as a bundle, {after:.4f} exported")
    print("  it takes uint8 pixels (n, size, size, 3), RGB, and gives embeddings to normalise")
