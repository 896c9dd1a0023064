"""``facematch gallery audit``."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from facematch.cli import gallery_output, options, output, unlocking
from facematch.cli.foreign import escaped, finite

if TYPE_CHECKING:
    from facematch.calibration.choice import DecisionThreshold
    from facematch.types import ModelIdentity
    from facematch.workflows.gallery_audit import AuditResult


def audit(
    gallery: options.GalleryOption = options.DEFAULT_GALLERY,
    passphrase_file: unlocking.PassphraseFile = None,
    key_file: unlocking.KeyFile = None,
    html: Annotated[
        Path | None,
        typer.Option(
            "--html", help="Also write a page with the crops.", metavar="FILE", readable=False
        ),
    ] = None,
    calibration: options.Calibration = None,
    threshold: options.Threshold = None,
    metric: options.MetricOption = None,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Find references and subjects that look wrong: mislabelled, alike, twice, poor, alone."""
    from facematch.calibration.choice import choose_decision
    from facematch.embedding.registry import find_model
    from facematch.workflows import gallery_audit as workflow

    def decide(identity: ModelIdentity) -> DecisionThreshold:
        return choose_decision(
            identity,
            Path() if threshold is not None else find_model(identity.name).calibration_path,
            threshold=threshold,
            calibration=calibration,
            metric=metric,
        )

    if html is not None:
        from facematch.cli.gallery_audit_page import require_page_place

        options.require_folder_of(html)
        require_page_place(html)
    result = workflow.audit_gallery(
        gallery, decide, keys=unlocking.keys_of(passphrase_file, key_file)
    )
    if html is not None:
        from facematch.cli.gallery_audit_page import write_page

        write_page(html, result)
    if json:
        output.print_json(_json(result))
    else:
        _print(result)
    options.note(output.describe_decision(result.decision), quiet)
    gallery_output.note_state(result.state, quiet)


def _json(result: AuditResult) -> dict[str, Any]:
    report = asdict(result.report)
    document = {**report, **output.decision_json(result.decision)}
    found: dict[str, Any] = finite(gallery_output.about(document, result.state))
    return found


def sections(result: AuditResult) -> list[tuple[str, str, list[tuple[str, tuple[int, ...]]]]]:
    """What was found, as headings, what to do, and lines with the rows that they speak of.

    Nothing is escaped yet.
    """
    report = result.report
    return [
        (
            "Likely mislabelled",
            "look at them; then `gallery move`, `split` or `remove --reference`",
            [
                (
                    f"row {o.row} of {o.subject}: {o.own_distance:.3f} from the nearest of its own"
                    + ("" if o.other is None else f", {o.other_distance:.3f} from {o.other}"),
                    (o.row,),
                )
                for o in report.outliers
            ],
        ),
        (
            "Subjects that look alike",
            "one person: `gallery merge`; two: `gallery distinct`",
            [
                (
                    f"{p.distance:.3f}  {p.a} (row {p.row_a}) and {p.b} (row {p.row_b})",
                    (p.row_a, p.row_b),
                )
                for p in report.look_alikes
            ],
        ),
        (
            "Nearly the same picture",
            "a second copy adds nothing: `gallery remove --reference`",
            [
                (
                    f"{d.distance:.3f}  row {d.row_a} of {d.subject_a} and row {d.row_b} of "
                    f"{d.subject_b}",
                    (d.row_a, d.row_b),
                )
                for d in report.near_duplicates
            ],
        ),
        (
            "Poor quality",
            "enrol better photographs",
            [
                (f"row {p.row} of {p.subject}: {'; '.join(p.warnings)}", (p.row,))
                for p in report.poor
            ],
        ),
        (
            "One reference only",
            "enrol more photographs of them",
            [(name, ()) for name in report.single],
        ),
    ]


def _print(result: AuditResult) -> None:
    for heading, advice, lines in sections(result):
        print(f"{heading}: {len(lines)}" + (f" ({advice})" if lines else ""))
        for line in _shown([text for text, _ in lines]):
            print(f"  {line}")


def _shown(lines: Sequence[str]) -> Iterable[str]:
    yield from map(escaped, lines[: output.SHOWN_FAILURES])
    if len(lines) > output.SHOWN_FAILURES:
        rest = len(lines) - output.SHOWN_FAILURES
        yield f"… and {rest} more (--json lists all)"
