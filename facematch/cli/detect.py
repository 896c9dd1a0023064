"""``facematch detect`` and ``facematch align``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from facematch.choices import Device, FaceChoice
from facematch.cli import options, output
from facematch.cli.progress import Progress
from facematch.errors import InputError

if TYPE_CHECKING:
    from facematch.pipeline import Failure
    from facematch.workflows.detect import DetectResult


def detect(
    paths: options.Photographs,
    draw: Annotated[
        Path | None, typer.Option("--draw", help="Write annotated copies here.", metavar="DIR")
    ] = None,
    min_face: options.MinFace = 20,
    device: options.DeviceOption = Device.AUTO,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Find faces: boxes, landmarks and scores."""
    from facematch.imaging.draw import Annotation
    from facematch.imaging.mtcnn import DetectorSettings
    from facematch.imaging.paths import find_photographs
    from facematch.pipeline import Failure, open_detector
    from facematch.workflows import detect as workflow
    from facematch.workflows.annotate import AnnotatedCopies

    found = find_photographs(options.given_paths(paths))
    detector, engine = open_detector(device, DetectorSettings(min_face_size=min_face))
    copies = None if draw is None else AnnotatedCopies(draw, found)
    options.note(f"device: {engine.device}", quiet)
    failed: list[Failure] = []
    with Progress("detecting", quiet, streaming=True) as progress:
        for done, result in enumerate(workflow.detect(found, detector), start=1):
            if isinstance(result, Failure):
                failed.append(result)
                if json:
                    output.print_json(
                        output.versioned({"path": result.path, "error": result.reason})
                    )
            else:
                if copies is not None:
                    copies.write(
                        Path(result.photograph.path),
                        [
                            Annotation(f.box_xyxy, f.landmarks_xy, f"{f.score:.3f}", None)
                            for f in result.faces
                        ],
                    )
                if json:
                    output.print_json(_json(result))
                else:
                    _print(result)
            progress(done, len(found))
    output.print_failures(failed, "photographs could not be read")
    if failed and len(failed) == len(found):
        raise typer.Exit(InputError.exit_code)


def _json(result: DetectResult) -> dict[str, Any]:
    width, height = result.photograph.size_wh
    return output.versioned(
        {
            "path": result.photograph.path,
            "width": width,
            "height": height,
            "faces": [
                {
                    "box_xyxy": [round(float(v), 2) for v in face.box_xyxy],
                    "landmarks_xy": [
                        [round(float(v), 2) for v in point] for point in face.landmarks_xy
                    ],
                    "score": round(face.score, 5),
                }
                for face in result.faces
            ],
        }
    )


def _print(result: DetectResult) -> None:
    width, height = result.photograph.size_wh
    print(f"{result.photograph.path}: {width}x{height}, {len(result.faces)} face(s)")
    for number, face in enumerate(result.faces, start=1):
        box = ", ".join(f"{float(v):.0f}" for v in face.box_xyxy)
        print(f"  face {number}: box ({box}), score {face.score:.4f}")


def align(
    source: Annotated[Path, typer.Argument(help="A photograph, or a folder of them.")],
    destination: Annotated[Path, typer.Argument(help="Folder for the 112x112 crops (PNG).")],
    face: options.Face = FaceChoice.CENTER,
    border: Annotated[
        int, typer.Option("--border", help="Extra pixels on each side.", min=0, max=112)
    ] = 0,
    min_face: options.MinFace = 20,
    device: options.DeviceOption = Device.AUTO,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Write aligned face crops, as the networks see them."""
    from facematch.imaging.mtcnn import DetectorSettings
    from facematch.imaging.paths import find_photographs
    from facematch.pipeline import Failure, open_detector
    from facematch.workflows import detect as workflow

    photographs = find_photographs([source])
    detector, engine = open_detector(device, DetectorSettings(min_face_size=min_face))
    options.note(f"device: {engine.device}", quiet)
    failed: list[Failure] = []
    written: list[workflow.AlignedCrop] = []
    with Progress("aligning", quiet) as progress:
        for outcome in workflow.align(
            source, photographs, destination, detector, face, border=border
        ):
            if isinstance(outcome, Failure):
                failed.append(outcome)
            else:
                written.append(outcome)
            progress(len(failed) + len({crop.source for crop in written}), len(photographs))
    if json:
        output.print_json(
            output.versioned(
                {
                    "written": [
                        {"source": c.source, "path": c.path, "face_index": c.face_index}
                        for c in written
                    ],
                    "failed": output.failures_json(failed),
                }
            )
        )
    else:
        print(f"wrote {len(written)} crops to {destination}, failed {len(failed)}")
        output.print_failures(failed, "photographs gave no crop")
    if failed and not written:
        raise typer.Exit(InputError.exit_code)
