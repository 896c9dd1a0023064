"""``facematch detect`` and ``facematch align``."""

from __future__ import annotations

from contextlib import closing
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from facematch.choices import Device, FaceChoice
from facematch.cli import options, output
from facematch.cli.foreign import escaped
from facematch.cli.progress import Progress
from facematch.errors import InputError

if TYPE_CHECKING:
    from facematch.pipeline import Failure
    from facematch.workflows.detect import DetectResult


def detect(
    paths: options.Photographs,
    draw: Annotated[
        Path | None,
        typer.Option("--draw", help="Write annotated copies here.", metavar="DIR", readable=False),
    ] = None,
    min_face: options.MinFace = 20,
    device: options.DeviceOption = Device.AUTO,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Find faces: boxes, landmarks and scores."""
    from facematch.imaging.draw import Annotation
    from facematch.imaging.mtcnn import DetectorSettings
    from facematch.pipeline import Failure, open_detector, photographs_at_once
    from facematch.workflows import detect as workflow
    from facematch.workflows.annotate import AnnotatedCopies

    found = options.photographs_of(options.given_paths(paths))
    detector, engine = open_detector(device, DetectorSettings(min_face_size=min_face))
    copies = None if draw is None else AnnotatedCopies(draw, found.paths)
    options.note(f"device: {engine.device}", quiet)
    failed: list[Failure] = []
    detected = workflow.detect(found.paths, detector, side_by_side=photographs_at_once())
    with closing(detected), Progress("detecting", quiet, streaming=True) as progress:
        for done, result in enumerate(chain(detected, found.failures), start=1):
            if isinstance(result, Failure):
                failed.append(result)
                if json:
                    output.print_json(
                        output.versioned({"path": result.path, "error": result.reason})
                    )
            else:
                if copies is not None:
                    copies.write(
                        Path(result.path),
                        [
                            Annotation(f.box_xyxy, f.landmarks_xy, f"{f.score:.3f}", None)
                            for f in result.faces
                        ],
                    )
                if json:
                    output.print_json(_json(result))
                else:
                    _print(result)
            progress(done, len(found.paths))
    output.print_failures(failed, "photographs could not be read")
    if len(failed) == len(found.paths) + len(found.failures):
        raise typer.Exit(InputError.exit_code)


def _json(result: DetectResult) -> dict[str, Any]:
    width, height = result.size_wh
    return output.versioned(
        {
            "path": result.path,
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
    width, height = result.size_wh
    print(f"{escaped(result.path)}: {width}x{height}, {len(result.faces)} face(s)")
    for number, face in enumerate(result.faces, start=1):
        box = ", ".join(f"{float(v):.0f}" for v in face.box_xyxy)
        print(f"  face {number}: box ({box}), score {face.score:.4f}")


def align(
    source: Annotated[
        Path, typer.Argument(help="A photograph, or a folder of them.", readable=False)
    ],
    destination: Annotated[
        Path, typer.Argument(help="Folder for the 112x112 crops (PNG).", readable=False)
    ],
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
    from facematch.pipeline import Failure, open_detector, photographs_at_once
    from facematch.workflows import detect as workflow

    found = options.photographs_of([source])
    detector, engine = open_detector(device, DetectorSettings(min_face_size=min_face))
    options.note(f"device: {engine.device}", quiet)
    failed = list(found.failures)
    written: list[workflow.AlignedCrop] = []
    with Progress("aligning", quiet) as progress:
        outcomes = workflow.align(
            source,
            found.paths,
            destination,
            detector,
            face,
            border=border,
            side_by_side=photographs_at_once(),
        )
        for outcome in outcomes:
            if isinstance(outcome, Failure):
                failed.append(outcome)
            else:
                written.append(outcome)
            done = len(failed) - len(found.failures) + len({crop.source for crop in written})
            progress(done, len(found.paths))
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
        print(
            f"wrote {output.counted(len(written), 'crops')} to {escaped(destination)}, "
            f"failed {len(failed)}"
        )
        output.print_failures(failed, "photographs gave no crop")
    if not written:
        raise typer.Exit(InputError.exit_code)
