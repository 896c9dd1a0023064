"""``facematch calibrate``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from facematch.choices import DEFAULT_MODEL, Device, FaceChoice, Metric, Search
from facematch.cli import (
    calibrate_json,
    calibrate_page,
    calibrate_text,
    options,
    output,
    report_files,
    reproduce,
)
from facematch.cli.progress import Progress
from facematch.errors import InputError, UsageError

if TYPE_CHECKING:
    from facematch.calibration import FitSettings
    from facematch.metrics import ThresholdRule

DEFAULT_TARGET_FMR = 0.001


def calibrate(
    context: typer.Context,
    pairs: Annotated[
        Path,
        typer.Argument(
            help="CSV with the columns a,b,same, or distance,same, or similarity,same (an empty "
            "cell: could not be compared); an LFW pairs file; or a folder with one sub-folder per "
            "subject.",
            readable=False,
        ),
    ],
    images: options.Images = None,
    target_fmr: Annotated[
        float | None,
        typer.Option(
            *("--target-fmr", "--target-far", "--fmr", "--far"),
            help="Highest false match rate [default: 0.001].",
        ),
    ] = None,
    target_fnmr: Annotated[
        float | None,
        typer.Option(
            *("--target-fnmr", "--target-frr", "--fnmr", "--frr"),
            help="Highest false non-match rate.",
        ),
    ] = None,
    eer: Annotated[bool, typer.Option("--eer", help="Where both rates are equal.")] = False,
    max_accuracy: Annotated[
        bool, typer.Option("--max-accuracy", help="Where most pairs are decided rightly.")
    ] = False,
    target_fpir: Annotated[
        float | None,
        typer.Option(
            "--target-fpir",
            help="Highest share of strangers found in a gallery of --gallery-size references.",
        ),
    ] = None,
    gallery_size: Annotated[
        int | None,
        typer.Option(
            "--gallery-size",
            help="References of the gallery; without --target-fpir, for the FPIR to expect.",
            min=1,
        ),
    ] = None,
    cost: Annotated[
        str | None,
        typer.Option(
            "--cost",
            help="Where decisions cost least: cost of a false accept, of a false reject, and "
            "share of genuine comparisons, as in 10:1:0.01.",
            metavar="FA:FR:PRIOR",
        ),
    ] = None,
    metric: Annotated[Metric, typer.Option("--metric", help="Distance.")] = Metric.COSINE,
    prior: Annotated[
        float,
        typer.Option(
            "--prior", help="P(same person) before comparing, which probabilities start from."
        ),
    ] = 0.5,
    group: options.Groups = None,
    folds: Annotated[
        int, typer.Option("--folds", help="Parts that people are dealt into, to hold one back.")
    ] = 5,
    seed: options.Seed = 0,
    impostors: options.Impostors = "100000",
    allow_self_pairs: options.AllowSelfPairs = False,
    out: Annotated[
        Path,
        typer.Option(
            "--output", "-o", help="Calibration to write.", metavar="FILE", readable=False
        ),
    ] = Path("calibration.json"),
    plot: Annotated[
        Path | None,
        typer.Option(
            "--plot",
            help="ROC plot to write [default: beside the output].",
            metavar="FILE",
            readable=False,
        ),
    ] = None,
    report: options.Report = None,
    plots: options.Plots = None,
    no_photos: options.NoPhotos = False,
    face: options.Face = FaceChoice.CENTER,
    search: options.SearchOption = Search.FAST,
    strict: options.Strict = False,
    model: options.Model = DEFAULT_MODEL,
    device: options.DeviceOption = Device.AUTO,
    no_cache: options.NoCache = False,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Choose the threshold from your own labelled pairs; verify and identify then use it."""
    from facematch.calibration import (
        LabelledComparisons,
        load_pairs,
        plot_roc,
        require_places,
        save_calibration,
    )
    from facematch.pipeline import open_templates
    from facematch.workflows import calibrate as workflow

    rule = _rule(target_fmr, target_fnmr, eer, max_accuracy, target_fpir, gallery_size, cost)
    settings = _settings(rule, seed, folds, prior)
    plot = plot or out.with_suffix(".png")
    for path in (out, plot):
        options.require_folder_of(path)
    require_places(out, plot)
    report_files.require_report_places(report, plots, out, plot)
    choice = options.one_face(face, "calibrate")
    listed = load_pairs(
        pairs,
        images,
        impostors=options.impostor_count(impostors),
        seed=seed,
        self_pairs_allowed=allow_self_pairs,
    )
    templates = None
    with Progress("embedding", quiet) as progress:
        if not isinstance(listed, LabelledComparisons):
            templates, _ = open_templates(
                *(model, device),
                choice=choice,
                strict=strict,
                search=search,
                cached=not no_cache,
                opened=lambda name: progress.note(f"device: {name}"),
            )
        result = workflow.calibrate(
            *(listed, templates, settings),
            metric=metric,
            groups=group,
            gallery_size=gallery_size,
            progress=progress,
            comparing=progress.then("comparing"),
        )
    save_calibration(result.calibration, out)
    plot_roc(result.curve, result.calibration, plot)
    written = report_files.write(
        lambda: calibrate_page.page(
            result,
            out,
            reproduce.command_line(context),
            report_files.faces(
                templates, result.worst, wanted=report is not None and not no_photos
            ),
        ),
        *(report, plots),
    )
    if json:
        output.print_json(calibrate_json.document(result, out, plot))
    else:
        print(calibrate_text.report(result, out, plot))
        report_files.say_written(written)
        output.print_failures(result.failures, "photographs gave no template")
    if result.fitted.is_reversed:
        output.warn_of_reversed(result.calibration.scores, result.calibration.auc)
    if result.failures and strict:
        raise typer.Exit(InputError.exit_code)


def _rule(
    target_fmr: float | None,
    target_fnmr: float | None,
    eer: bool,
    max_accuracy: bool,
    target_fpir: float | None,
    gallery_size: int | None,
    cost: str | None,
) -> ThresholdRule:
    """The one rule that was asked for.

    Raises:
        UsageError: more than one, or a number out of range.
    """
    from facematch.metrics import Criterion, DecisionCost, ThresholdRule

    targets = (target_fmr, target_fnmr, target_fpir, cost)
    if sum(target is not None for target in targets) + eer + max_accuracy > 1:
        raise UsageError(
            "give one of --target-fmr, --target-fnmr, --target-fpir, --cost, --eer, --max-accuracy"
        )
    if target_fpir is not None and gallery_size is None:
        raise UsageError("--target-fpir is about a gallery: give its size with --gallery-size N")
    try:
        if target_fnmr is not None:
            return ThresholdRule(Criterion.FNMR, target_fnmr)
        if target_fpir is not None:
            return ThresholdRule(Criterion.FPIR, target_fpir, gallery_size)
        if cost is not None:
            return ThresholdRule(Criterion.COST, cost=DecisionCost.parse(cost))
        if eer:
            return ThresholdRule(Criterion.EER)
        if max_accuracy:
            return ThresholdRule(Criterion.ACCURACY)
        return ThresholdRule(
            Criterion.FMR, DEFAULT_TARGET_FMR if target_fmr is None else target_fmr
        )
    except ValueError as error:
        raise UsageError(str(error)) from error


def _settings(rule: ThresholdRule, seed: int, folds: int, prior: float) -> FitSettings:
    """How to judge the rule.

    Raises:
        UsageError: a number is out of range.
    """
    from facematch.calibration import FitSettings

    try:
        return FitSettings(rule=rule, seed=seed, folds=folds, prior=prior)
    except ValueError as error:
        raise UsageError(str(error)) from error
