"""``facematch identify``."""

from __future__ import annotations

from contextlib import closing
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from facematch.choices import DEFAULT_MODEL, Device, FaceChoice
from facematch.cli import options, output, unlocking
from facematch.cli.foreign import escaped
from facematch.cli.progress import Progress
from facematch.errors import InputError

if TYPE_CHECKING:
    from facematch.calibration.choice import DecisionThreshold
    from facematch.imaging.draw import Annotation
    from facematch.pipeline import Failure
    from facematch.types import ModelIdentity
    from facematch.workflows.identify import IdentifiedFace, IdentifyResult, Promise


def identify(
    paths: options.Photographs,
    gallery: options.GalleryOption = options.DEFAULT_GALLERY,
    passphrase_file: unlocking.PassphraseFile = None,
    key_file: unlocking.KeyFile = None,
    top: Annotated[int, typer.Option("--top", help="Candidates to list.", min=1)] = 5,
    face: options.Face = FaceChoice.ALL,
    calibration: options.Calibration = None,
    threshold: options.Threshold = None,
    metric: options.MetricOption = None,
    draw: Annotated[
        Path | None,
        typer.Option("--draw", help="Write annotated copies here.", metavar="DIR", readable=False),
    ] = None,
    strict: options.Strict = False,
    model: options.Model = DEFAULT_MODEL,
    device: options.DeviceOption = Device.AUTO,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Who is in these photographs? Every face is searched in the gallery."""
    from facematch.calibration.choice import choose_decision
    from facematch.gallery import Gallery
    from facematch.pipeline import Failure, open_analyzer
    from facematch.workflows import identify as workflow
    from facematch.workflows.annotate import AnnotatedCopies

    keys = unlocking.keys_of(passphrase_file, key_file)
    found = options.photographs_of(options.given_paths(paths))
    analyzer, bundle, engine = open_analyzer(model, device, choice=face, strict=strict)
    decision = choose_decision(
        bundle.identity,
        bundle.calibration_path,
        threshold=threshold,
        calibration=calibration,
        metric=metric,
    )
    copies = None if draw is None else AnnotatedCopies(draw, found.paths)
    options.note(f"device: {engine.device}", quiet)
    failed: list[Failure] = []
    with (
        Gallery.open(gallery, bundle.identity, keys=keys) as opened,
        closing(workflow.identify(found.paths, analyzer, opened, decision, top=top)) as searched,
        Progress("identifying", quiet, streaming=True) as bar,
    ):
        if len(opened) > 0:  # of an empty gallery the search says what is to be said
            options.note(_promise(workflow.promised(opened, decision), opened, decision), quiet)
        for done, result in enumerate(chain(searched, found.failures), start=1):
            if isinstance(result, Failure):
                failed.append(result)
                if json:
                    output.print_json(
                        output.versioned({"path": result.path, "error": result.reason})
                    )
            else:
                if copies is not None:
                    copies.write(Path(result.photograph.path), _annotations(result))
                if json:
                    output.print_json(_json(result, decision, bundle.identity))
                else:
                    _print(result)
            bar(done, len(found.paths))
    output.print_failures(failed, "photographs could not be searched")
    if failed and (strict or len(failed) == len(found.paths) + len(found.failures)):
        raise typer.Exit(InputError.exit_code)


def _promise(promise: Promise | None, gallery: Any, decision: DecisionThreshold) -> str:
    text = f"{len(gallery.templates)} references; {output.describe_decision(decision)}"
    if promise is None:
        return text
    about = f"about {output.percent(promise.fpir)}, at most {output.percent(promise.upper)},"
    if not promise.resolved:
        about = f"at most {output.percent(promise.upper)} (too few pairs to say less)"
    return (
        f"{text}; in a gallery of this size a stranger is taken for somebody in {about} of searches"
    )


def _json(
    result: IdentifyResult, decision: DecisionThreshold, identity: ModelIdentity
) -> dict[str, Any]:
    return output.versioned(
        {
            **output.photograph_json(result.photograph),
            "faces": [
                {
                    **output.face_json(face.face),
                    "unknown": face.unknown,
                    "contested": list(face.contested),
                    "candidates": [
                        {
                            "subject": candidate.subject,
                            "distance": candidate.distance,
                            "accepted": candidate.distance <= decision.threshold,
                        }
                        for candidate in face.candidates
                    ],
                }
                for face in result.faces
            ],
            **output.decision_json(decision),
            "model": identity.name,
            "model_fingerprint": identity.fingerprint,
        }
    )


def _annotations(result: IdentifyResult) -> list[Annotation]:
    from facematch.imaging.draw import Annotation

    return [
        Annotation(
            box_xyxy=face.face.face.box_xyxy,
            landmarks_xy=face.face.face.landmarks_xy,
            label=_name(face),
            accepted=not face.unknown,
        )
        for face in result.faces
    ]


def _name(face: IdentifiedFace) -> str:
    if face.unknown:
        return "unknown"
    return f"{escaped(face.candidates[0].subject)} {face.candidates[0].distance:.2f}"


def _print(result: IdentifyResult) -> None:
    print(f"{escaped(result.photograph.path)}: {result.photograph.detected} face(s)")
    for face in result.faces:
        width, height = face.face.face.size_wh
        left, top = (float(v) for v in face.face.face.box_xyxy[:2])
        where = f"{width:.0f}x{height:.0f} px at ({left:.0f}, {top:.0f})"
        print(f"  face {face.face.index + 1}, {where}: {_name(face)}")
        for candidate in face.candidates:
            print(f"      {candidate.distance:.4f}  {escaped(candidate.subject)}")
        for subject in face.contested:
            print(f"      or {escaped(subject)}, marked as somebody else: a person has to decide")
        for warning in face.face.quality.warnings:
            print(f"      quality: {warning}")
    for other in result.photograph.passed_over:
        print(f"  not face {other.index + 1}: {other.reason}")
