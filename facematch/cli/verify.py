"""``facematch verify``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from facematch.choices import DEFAULT_MODEL, Device, FaceChoice, Search
from facematch.cli import options, output
from facematch.cli.foreign import escaped

if TYPE_CHECKING:
    from facematch.workflows.verify import VerifiedSide, VerifyResult

NON_MATCH = 1


def verify(
    a: Annotated[Path, typer.Argument(help="First photograph.", readable=False)],
    b: Annotated[Path, typer.Argument(help="Second photograph.", readable=False)],
    face: options.Face = FaceChoice.CENTER,
    search: options.SearchOption = Search.FAST,
    calibration: options.Calibration = None,
    threshold: options.Threshold = None,
    metric: options.MetricOption = None,
    prior: Annotated[
        float | None,
        typer.Option(
            "--prior",
            help="P(same person) before comparing, for the probability "
            "[default: the calibration's].",
        ),
    ] = None,
    strict: options.Strict = False,
    model: options.Model = DEFAULT_MODEL,
    device: options.DeviceOption = Device.AUTO,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Is it the same person in both photographs? Exit code 0 if so, 1 if not."""
    from facematch.calibration.choice import choose_decision
    from facematch.pipeline import open_analyzer
    from facematch.workflows import verify as workflow

    analyzer, bundle, engine = open_analyzer(
        model, device, choice=face, strict=strict, search=search
    )
    decision = choose_decision(
        bundle.identity,
        bundle.calibration_path,
        threshold=threshold,
        calibration=calibration,
        metric=metric,
    )
    options.note(f"device: {engine.device}", quiet)
    result = workflow.verify(a, b, analyzer, decision, prior)
    if json:
        output.print_json(_json(result))
    else:
        _print(result)
    if not result.match:
        raise typer.Exit(NON_MATCH)


def _json(result: VerifyResult) -> dict[str, Any]:
    return output.versioned(
        {
            "distance": result.distance,
            **output.decision_json(result.decision),
            "match": result.match,
            "margin": result.margin,
            "probability": result.probability,
            "prior": result.prior,
            "comparisons": result.comparisons,
            "model": result.model_name,
            "model_fingerprint": result.model_fingerprint,
            "a": _side_json(result.a),
            "b": _side_json(result.b),
        }
    )


def _side_json(side: VerifiedSide) -> dict[str, Any]:
    return {**output.photograph_json(side.photograph), "face": output.face_json(side.face)}


def _print(result: VerifyResult) -> None:
    print("MATCH" if result.match else "NO MATCH")
    side = "within" if result.match else "beyond"
    print(f"  distance {result.distance:.4f}, {side} the threshold by {abs(result.margin):.4f}")
    print(f"  {escaped(output.describe_decision(result.decision))}")
    if result.probability is not None and result.prior is not None:
        print(
            f"  probability of one person {output.percent(result.probability)}, "
            f"if {output.percent(result.prior)} of such pairs are"
        )
    if result.comparisons > 1:
        print(f"  the closest of {result.comparisons} pairs of faces")
    for name, part in (("a", result.a), ("b", result.b)):
        print(f"  {name}: {escaped(part.photograph.path)}")
        for line in output.describe_face(part.photograph, part.face):
            print(f"     {line}")
