"""``facematch calibrate``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from facematch.choices import DEFAULT_MODEL, Device, FaceChoice, Metric
from facematch.cli import options, output
from facematch.cli.progress import Progress
from facematch.errors import UsageError

if TYPE_CHECKING:
    from facematch.metrics import Interval, ThresholdRule
    from facematch.workflows.calibrate import CalibrateResult

DEFAULT_TARGET_FMR = 0.001


def calibrate(
    pairs: Annotated[
        Path, typer.Argument(help="CSV with the columns a,b,same, or an LFW pairs file.")
    ],
    images: Annotated[
        Path | None, typer.Option("--images", help="Folder of the photographs.", metavar="DIR")
    ] = None,
    target_fmr: Annotated[
        float | None,
        typer.Option(
            "--target-fmr", "--target-far", help="Highest false match rate [default: 0.001]."
        ),
    ] = None,
    target_fnmr: Annotated[
        float | None,
        typer.Option("--target-fnmr", "--target-frr", help="Highest false non-match rate."),
    ] = None,
    eer: Annotated[bool, typer.Option("--eer", help="Where both rates are equal.")] = False,
    max_accuracy: Annotated[
        bool, typer.Option("--max-accuracy", help="Where most pairs are decided rightly.")
    ] = False,
    metric: Annotated[Metric, typer.Option("--metric", help="Distance.")] = Metric.COSINE,
    out: Annotated[
        Path, typer.Option("--output", "-o", help="Calibration to write.", metavar="FILE")
    ] = Path("calibration.json"),
    plot: Annotated[
        Path | None,
        typer.Option(
            "--plot", help="ROC plot to write [default: beside the output].", metavar="FILE"
        ),
    ] = None,
    face: options.Face = FaceChoice.CENTER,
    strict: options.Strict = False,
    model: options.Model = DEFAULT_MODEL,
    device: options.DeviceOption = Device.AUTO,
    no_cache: options.NoCache = False,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Choose the threshold from your own labelled pairs; verify and identify then use it."""
    from facematch.calibration import load_pairs, plot_roc, save_calibration
    from facematch.pipeline import open_templates
    from facematch.workflows import calibrate as workflow

    rule = _rule(target_fmr, target_fnmr, eer, max_accuracy)
    plot = plot or out.with_suffix(".png")
    for path in (out, plot):
        options.require_folder_of(path)
    listed = load_pairs(pairs, images)
    choice = options.one_face(face, "calibrate")
    templates, _ = open_templates(
        *(model, device),
        choice=choice,
        strict=strict,
        cached=not no_cache,
        opened=lambda name: options.note(f"device: {name}", quiet),
    )
    with Progress("embedding", quiet) as progress:
        result = workflow.calibrate(listed, templates, rule, metric=metric, progress=progress)
    save_calibration(result.calibration, out)
    plot_roc(result.curve, result.calibration, plot)
    if json:
        output.print_json(_json(result, out, plot))
    else:
        _print(result, out, plot)


def _rule(
    target_fmr: float | None, target_fnmr: float | None, eer: bool, max_accuracy: bool
) -> ThresholdRule:
    """The one rule that was asked for.

    Raises:
        UsageError: more than one, or a target out of range.
    """
    from facematch.metrics import Criterion, ThresholdRule

    asked = [target_fmr is not None, target_fnmr is not None, eer, max_accuracy]
    if sum(asked) > 1:
        raise UsageError("give one of --target-fmr, --target-fnmr, --eer, --max-accuracy")
    try:
        if target_fnmr is not None:
            return ThresholdRule(Criterion.FNMR, target_fnmr)
        if eer:
            return ThresholdRule(Criterion.EER)
        if max_accuracy:
            return ThresholdRule(Criterion.ACCURACY)
        return ThresholdRule(
            Criterion.FMR, DEFAULT_TARGET_FMR if target_fmr is None else target_fmr
        )
    except ValueError as error:
        raise UsageError(str(error)) from error


def _json(result: CalibrateResult, out: Path, plot: Path) -> dict[str, Any]:
    made = result.calibration
    return output.versioned(
        {
            "threshold": made.threshold,
            "metric": made.metric.value,
            "rule": str(made.rule),
            "fmr": made.fmr,
            "fmr_interval": [made.fmr_interval.low, made.fmr_interval.high],
            "fnmr": made.fnmr,
            "fnmr_interval": [made.fnmr_interval.low, made.fnmr_interval.high],
            "unresolved": not made.resolved,
            "pairs_needed": {
                "genuine": result.choice.genuine_needed,
                "impostor": result.choice.impostors_needed,
            },
            "n_genuine": made.n_genuine,
            "n_impostor": made.n_impostor,
            "failures_to_acquire": made.failures_to_acquire,
            "pairs_lost": {"genuine": result.pairs_lost[0], "impostor": result.pairs_lost[1]},
            "failed": output.failures_json(result.failures),
            "auc": made.auc,
            "eer": made.eer,
            "accuracy": made.accuracy,
            "pairs": made.pairs_name,
            "pairs_sha256": made.pairs_sha256,
            "model": made.model_name,
            "model_fingerprint": made.model_fingerprint,
            "calibration": str(out),
            "plot": str(plot),
        }
    )


def _print(result: CalibrateResult, out: Path, plot: Path) -> None:
    made = result.calibration
    print(f"threshold {made.threshold:.4f} ({made.metric} distance, {made.rule})")
    print(_rate("FMR ", made.fmr, made.fmr_interval, made.n_impostor, "impostor"))
    print(_rate("FNMR", made.fnmr, made.fnmr_interval, made.n_genuine, "genuine"))
    print(
        f"  accuracy {output.percent(made.accuracy)}, EER {output.percent(made.eer)}, "
        f"AUC {made.auc:.4f}"
    )
    for needed, count, kind in (
        (result.choice.impostors_needed, made.n_impostor, "impostor"),
        (result.choice.genuine_needed, made.n_genuine, "genuine"),
    ):
        if count < needed:
            print(
                f"  {'UNRESOLVED' if not made.resolved else 'note'}: to show this target with "
                f"95 % confidence takes at least {needed} {kind} pairs (3 / target), not {count}"
            )
    lost = sum(result.pairs_lost)
    print(
        f"  failures to acquire: {made.failures_to_acquire} of {result.photographs} photographs"
        f" ({lost} pairs could not be compared and are in none of these rates)"
    )
    print(f"  wrote {out} and {plot}")
    output.print_failures(result.failures, "photographs gave no template")


def _rate(name: str, rate: float, interval: Interval, count: int, kind: str) -> str:
    errors = round(rate * count)
    return (
        f"  {name} {output.percent(rate):>8}  ({errors} of {count} {kind} pairs; 95 % interval "
        f"{output.percent(interval.low)} to {output.percent(interval.high)})"
    )
