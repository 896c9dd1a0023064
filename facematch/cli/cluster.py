"""``facematch cluster``."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from facematch.choices import DEFAULT_MODEL, Device, FaceChoice
from facematch.cli import options, output
from facematch.cli.foreign import escaped
from facematch.cli.progress import Progress

if TYPE_CHECKING:
    from facematch.calibration.choice import DecisionThreshold
    from facematch.types import ModelIdentity
    from facematch.workflows.cluster import ClusterResult


def cluster(
    paths: options.Photographs,
    table: Annotated[
        Path | None,
        typer.Option(
            "--csv", help="Write subject,path for `enroll`.", metavar="FILE", readable=False
        ),
    ] = None,
    folders: Annotated[
        Path | None,
        typer.Option(
            "--folders",
            help="Copy the photographs here, one folder a person.",
            metavar="DIR",
            readable=False,
        ),
    ] = None,
    face: options.Face = FaceChoice.CENTER,
    calibration: options.Calibration = None,
    threshold: options.Threshold = None,
    metric: options.MetricOption = None,
    model: options.Model = DEFAULT_MODEL,
    device: options.DeviceOption = Device.AUTO,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Sort photographs of unknown people: who is on which? Review it, then enroll it."""
    from facematch.calibration.choice import choose_decision
    from facematch.pipeline import open_analyzer
    from facematch.workflows import cluster as workflow

    if table is not None:
        options.require_folder_of(table)
        workflow.require_list_place(table)
    found = options.photographs_of(options.given_paths(paths))
    choice = options.one_face(face, "cluster")
    analyzer, bundle, engine = open_analyzer(model, device, choice=choice, strict=False)
    decision = choose_decision(
        bundle.identity,
        bundle.calibration_path,
        threshold=threshold,
        calibration=calibration,
        metric=metric,
    )
    options.note(f"device: {engine.device}; {output.describe_decision(decision)}", quiet)
    with Progress("clustering", quiet) as progress:
        result = workflow.cluster(found.paths, analyzer, decision, progress=progress)
    result = replace(result, failed=(*found.failures, *result.failed))
    if table is not None:
        workflow.write_list(result.people, table)
    if folders is not None:
        workflow.write_folders(result.people, folders)
    if json:
        output.print_json(_json(result, decision, bundle.identity))
    else:
        _print(result)


def _json(
    result: ClusterResult, decision: DecisionThreshold, identity: ModelIdentity
) -> dict[str, Any]:
    return output.versioned(
        {
            "people": [
                {"name": person.name, "paths": list(person.paths), "spread": person.spread}
                for person in result.people
            ],
            "failed": output.failures_json(result.failed),
            **output.decision_json(decision),
            "model": identity.name,
            "model_fingerprint": identity.fingerprint,
        }
    )


def _print(result: ClusterResult) -> None:
    for person in result.people:
        print(f"{person.name}: {len(person.paths)}, at most {person.spread:.3f} apart")
        for path in person.paths:
            print(f"  {escaped(path)}")
    output.print_failures(result.failed, "photographs were not used")
