"""``facematch evaluate``."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from facematch.choices import DEFAULT_MODEL, Device, FaceChoice, Metric, Search
from facematch.cli import (
    evaluate_json,
    evaluate_page,
    evaluate_text,
    options,
    output,
    report_files,
    reproduce,
    search_page,
    unlocking,
)
from facematch.cli.evaluate_compare import compare as compare_results
from facematch.cli.evaluate_compare import require_alone, require_no_regression
from facematch.cli.evaluate_outputs import (
    Outputs,
    require_place,
    say_written,
    with_faces,
    write,
)
from facematch.cli.progress import Progress
from facematch.errors import UsageError

if TYPE_CHECKING:
    from facematch.calibration import LabelledComparisons
    from facematch.gallery.keys import Keys
    from facematch.workflows.evaluate import (
        FixedThreshold,
        IdentificationResult,
        StoredSystem,
        SystemComparison,
        VerificationResult,
    )


def evaluate(
    context: typer.Context,
    pairs: Annotated[
        list[Path] | None,
        typer.Argument(
            help="CSV with the columns a,b,same, or distance,same, or similarity,same (an empty "
            "cell: could not be compared); an LFW pairs file; or a folder with one sub-folder per "
            "subject. With --compare, results that -o wrote.",
            metavar="[PAIRS | RESULT...]",
            show_default=False,
            readable=False,
        ),
    ] = None,
    images: options.Images = None,
    gallery: Annotated[
        Path | None,
        typer.Option(
            "--gallery",
            "-g",
            help="Search this gallery for --probes.",
            metavar="FILE",
            readable=False,
        ),
    ] = None,
    probes: Annotated[
        Path | None,
        typer.Option(
            "--probes",
            help="Folder with one sub-folder per subject, or CSV with the columns subject,path; "
            "subjects who are not in the gallery are the strangers.",
            metavar="DIR|CSV",
            readable=False,
        ),
    ] = None,
    passphrase_file: unlocking.PassphraseFile = None,
    key_file: unlocking.KeyFile = None,
    compare: Annotated[
        bool,
        typer.Option("--compare", help="Put two or more results side by side, the first as base."),
    ] = False,
    baseline: Annotated[
        Path | None,
        typer.Option(
            "--baseline",
            help="Exit with 10 if significantly worse than this earlier result.",
            metavar="FILE",
            readable=False,
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            help="Result to write, for --compare and --baseline.",
            metavar="FILE",
            readable=False,
        ),
    ] = None,
    threshold: Annotated[
        float | None,
        typer.Option("--threshold", help="Judge this threshold instead of choosing one."),
    ] = None,
    calibration: Annotated[
        Path | None,
        typer.Option(
            "--calibration",
            help="Judge the threshold of this calibration.",
            metavar="FILE",
            readable=False,
        ),
    ] = None,
    metric: Annotated[
        Metric | None, typer.Option("--metric", help="Distance [default: cosine].")
    ] = None,
    folds: Annotated[
        int,
        typer.Option(
            "--folds", help="Parts that people are dealt into, if the list has none.", min=2
        ),
    ] = 10,
    seed: options.Seed = 0,
    impostors: options.Impostors = "100000",
    allow_self_pairs: options.AllowSelfPairs = False,
    group: options.Groups = None,
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
    """How good is it? Error rates of pairs, of searches in a gallery, and of systems compared."""
    listed = pairs or []
    if seed < 0:
        raise UsageError(f"--seed must be at least 0, got {seed}")
    if out is not None:
        require_place(out)
    report_files.require_report_places(report, plots, out)
    outputs = Outputs(out, report, plots, not no_photos, json, reproduce.command_line(context))
    if compare:
        require_alone(listed, gallery, probes, baseline)
        compare_results(listed, seed, outputs)
        return
    run = _Run(
        metric=metric,
        threshold=threshold,
        calibration=calibration,
        seed=seed,
        allow_self_pairs=allow_self_pairs,
        face=options.one_face(face, "evaluate"),
        strict=strict,
        search=search,
        model=model,
        device=device,
        no_cache=no_cache,
        quiet=quiet,
    )
    if gallery is not None or probes is not None:
        if listed or gallery is None or probes is None:
            raise UsageError("a search takes --gallery and --probes together, without PAIRS")
        keys = unlocking.keys_of(passphrase_file, key_file)
        run.search(gallery, probes, baseline, outputs, keys)
        return
    if len(listed) != 1:
        raise UsageError(
            "give one list of PAIRS, or --gallery and --probes, or --compare with results"
        )
    drawn = options.impostor_count(impostors)
    run.pairs(listed[0], images, drawn, folds, group, baseline, outputs)


class _Run:
    """What pairs and searches have in common."""

    def __init__(
        self,
        *,
        metric: Metric | None,
        threshold: float | None,
        calibration: Path | None,
        seed: int,
        allow_self_pairs: bool,
        face: FaceChoice,
        strict: bool,
        search: Search,
        model: str,
        device: Device,
        no_cache: bool,
        quiet: bool,
    ) -> None:
        if threshold is not None and calibration is not None:
            raise UsageError("give --threshold or --calibration, not both")
        if threshold is not None and not math.isfinite(threshold):
            raise UsageError(f"--threshold must be a finite number, got {threshold}")
        self._metric = metric
        self._threshold = threshold
        self._calibration = calibration
        self._seed = seed
        self._allow_self_pairs = allow_self_pairs
        self._face, self._strict, self._search = face, strict, search
        self._model, self._device, self._no_cache = model, device, no_cache
        self._quiet = quiet

    def pairs(
        self,
        path: Path,
        images: Path | None,
        impostors: int | None,
        folds: int,
        groups: Sequence[str] | None,
        baseline: Path | None,
        outputs: Outputs,
    ) -> None:
        from facematch.calibration import AllPairs, LabelledComparisons, load_pairs
        from facematch.workflows import evaluate as workflow

        listed = load_pairs(
            *(path, images),
            impostors=impostors,
            seed=self._seed,
            self_pairs_allowed=self._allow_self_pairs,
        )
        if baseline is not None and isinstance(listed, AllPairs):
            raise UsageError(
                f"{path}: its pairs are too many to be held, so --baseline has nothing to go by; "
                "draw some with --impostors N"
            )
        before = None if baseline is None else workflow.load_system(baseline)
        templates = None
        metric = self._metric or Metric.COSINE
        if isinstance(listed, LabelledComparisons):
            fixed = self._fixed_for_scores(listed)
        else:
            templates, fixed, metric = self._opened()
        with Progress("embedding", self._quiet) as progress:
            result = workflow.evaluate_pairs(
                *(listed, templates),
                metric=metric,
                fixed=fixed,
                folds=folds,
                groups=groups,
                seed=self._seed,
                progress=progress,
                comparing=progress.then("comparing"),
            )
        document = evaluate_json.verification(result)
        comparison = self._compared(before, result, document, outputs)
        if outputs.out is not None:
            kept = {**document, "comparisons": workflow.comparisons_document(result.listed)}
            write(outputs.out, kept)
        written = report_files.write(
            lambda: evaluate_page.verification(
                result,
                outputs.command,
                report_files.faces(templates, result.worst, wanted=with_faces(outputs)),
                comparison,
            ),
            *(outputs.report, outputs.plots),
        )
        if outputs.json:
            output.print_json(document)
        else:
            print(evaluate_text.verification(result))
            if comparison is not None:
                print("\n" + evaluate_text.comparison(comparison))
            say_written(outputs, written)
            output.print_failures(result.failures, "photographs gave no template")
        if result.is_reversed:
            output.warn_of_reversed(result.measured.kind, result.auc)
        if comparison is not None:
            require_no_regression(comparison, baseline)

    def search(
        self, gallery: Path, probes: Path, baseline: Path | None, outputs: Outputs, keys: Keys
    ) -> None:
        from facematch.gallery import Gallery
        from facematch.workflows import evaluate as workflow
        from facematch.workflows.enroll import plan_enrolment

        plan = plan_enrolment([probes], None)
        planned = [workflow.Probe(item.subject, item.path) for item in plan.items]
        before = None if baseline is None else workflow.load_system(baseline)
        templates, fixed, metric = self._opened()
        with (
            Gallery.open(gallery, templates.identity, keys=keys, hashed=True) as opened,
            Progress("embedding", self._quiet) as progress,
        ):
            result = workflow.evaluate_gallery(
                *(opened, planned, templates),
                unusable=plan.failures,
                metric=metric,
                fixed=fixed,
                enrolled_allowed=self._allow_self_pairs,
                seed=self._seed,
                progress=progress,
            )
        document = evaluate_json.identification(result)
        comparison = self._compared(before, result, document, outputs)
        if outputs.out is not None:
            write(outputs.out, {**document, "searches": workflow.searches_document(result.listed)})
        written = report_files.write(
            lambda: search_page.identification(
                result,
                outputs.command,
                report_files.faces_of(
                    *(templates, search_page.shown_paths(result)), wanted=with_faces(outputs)
                ),
                comparison,
            ),
            *(outputs.report, outputs.plots),
        )
        if outputs.json:
            output.print_json(document)
        else:
            print(evaluate_text.identification(result))
            if comparison is not None:
                print("\n" + evaluate_text.comparison(comparison))
            say_written(outputs, written)
            output.print_failures(result.failures, "probes gave no template")
        if comparison is not None:
            require_no_regression(comparison, baseline)

    def _compared(
        self,
        before: StoredSystem | None,
        result: VerificationResult | IdentificationResult,
        document: dict[str, Any],
        outputs: Outputs,
    ) -> SystemComparison | None:
        """What changed since the baseline, if there is one; noted in the document."""
        from facematch.workflows import evaluate as workflow

        if before is None:
            return None
        now = workflow.system_of(result, str(outputs.out or "this evaluation"))
        comparison = workflow.compare_systems((before, now), seed=self._seed)
        document["baseline"] = evaluate_json.comparison(comparison)
        return comparison

    def _opened(self) -> tuple[Any, FixedThreshold | None, Metric]:
        """Templates of the model, the threshold to judge, and the distance."""
        from facematch.calibration.choice import choose_decision
        from facematch.pipeline import open_templates
        from facematch.workflows.evaluate import FixedThreshold

        templates, bundle = open_templates(
            *(self._model, self._device),
            choice=self._face,
            strict=self._strict,
            search=self._search,
            cached=not self._no_cache,
            opened=lambda name: options.note(f"device: {name}", self._quiet),
        )
        if self._threshold is None and self._calibration is None:
            return templates, None, self._metric or Metric.COSINE
        decision = choose_decision(
            bundle.identity,
            bundle.calibration_path,
            threshold=self._threshold,
            calibration=self._calibration,
            metric=self._metric,
        )
        probability = None
        if decision.calibration is not None:
            probability = decision.calibration.match_probability
        fixed = FixedThreshold(decision.threshold, decision.origin, probability)
        return templates, fixed, decision.metric

    def _fixed_for_scores(self, listed: LabelledComparisons) -> FixedThreshold | None:
        """The threshold to judge scores by, in the sign that they are kept in."""
        from facematch.calibration import ScoreKind, load_calibration
        from facematch.workflows.evaluate import FixedThreshold

        if self._threshold is not None:
            turned = listed.kind is ScoreKind.SIMILARITIES
            return FixedThreshold(-self._threshold if turned else self._threshold, "--threshold")
        if self._calibration is None:
            return None
        loaded = load_calibration(self._calibration)
        if loaded.scores is not listed.kind:
            raise UsageError(
                f"{self._calibration} is of {loaded.scores}, and {listed.name} holds {listed.kind}"
            )
        return FixedThreshold(*(loaded.threshold, str(self._calibration), loaded.match_probability))
