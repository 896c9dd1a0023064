"""``facematch train``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from facematch.choices import Architecture, Augmenting, Device, Parallel
from facematch.cli import options, output, train_text
from facematch.cli.foreign import escaped
from facematch.cli.progress import Progress
from facematch.cli.train_view import TrainView
from facematch.training.choices import LossName, Mining, TrainingDistance

if TYPE_CHECKING:
    from facematch.workflows.train import TrainPlan

INTERRUPTED = 130
SHOWN_REMOVALS = 10
OUTSIDE_THE_RECIPE = (
    *("out", "run_dir", "config", "dry_run", "require_better", "device", "json", "quiet"),
)


def _option(name: str, text: str, **more: Any) -> Any:
    return typer.Option(f"--{name}", help=text, readable=False, **more)


def train(
    data: Annotated[
        list[str] | None,
        typer.Argument(
            help="Folders with a sub-folder per person, CSV lists path,identity, or zip archives "
            "of aligned crops.",
            metavar="DATA...",
        ),
    ] = None,
    out: Annotated[
        Path,
        typer.Option("--output", "-o", help="Bundle to write.", metavar="FOLDER", readable=False),
    ] = Path("trained.fm"),
    run_dir: Annotated[
        Path | None,
        _option("run-dir", "Checkpoints and logs [default: beside the bundle].", metavar="DIR"),
    ] = None,
    config: Annotated[
        Path | None, _option("config", "TOML file with any of the options.", metavar="FILE")
    ] = None,
    dry_run: Annotated[bool, _option("dry-run", "Check everything and train nothing.")] = False,
    network: Annotated[Architecture | None, _option("network", "What to train.")] = None,
    init: Annotated[str | None, _option("init", "Model to start from.", metavar="MODEL")] = None,
    loss: Annotated[LossName | None, _option("loss", "What is learned from identities.")] = None,
    mining: Annotated[Mining | None, _option("mining", "Which tuples the loss sees.")] = None,
    distance: Annotated[
        TrainingDistance | None, _option("distance", "Distance inside the loss.")
    ] = None,
    margin1: Annotated[float | None, _option("margin1", "First margin.")] = None,
    margin2: Annotated[float | None, _option("margin2", "Second margin.")] = None,
    soft: Annotated[bool | None, _option("soft/--hard", "Softplus instead of hinges.")] = None,
    loss_weight: Annotated[
        float | None, _option("loss-weight", "Of the loss; 0 for distillation alone.")
    ] = None,
    memory: Annotated[
        int | None, _option("memory", "Embeddings of earlier batches kept as negatives.")
    ] = None,
    distill: Annotated[
        str | None, _option("distill", "Model whose embeddings are imitated.", metavar="MODEL")
    ] = None,
    distill_weight: Annotated[
        float | None, _option("distill-weight", "Of the distillation.")
    ] = None,
    identities: Annotated[int | None, _option("identities", "P, people in a batch.")] = None,
    crops: Annotated[int | None, _option("crops", "K, pictures of each.")] = None,
    unlabelled: Annotated[
        int | None, _option("unlabelled", "Further pictures in a batch, for distillation.")
    ] = None,
    balance: Annotated[
        bool | None, _option("balance/--no-balance", "Draw equally from all sources.")
    ] = None,
    look_alikes: Annotated[
        bool | None, _option("look-alikes/--no-look-alikes", "Batches of people who look alike.")
    ] = None,
    augmentation: Annotated[
        Augmenting | None, _option("augmentation", "How strongly pictures are varied.")
    ] = None,
    steps: Annotated[int | None, _option("steps", "Updates in all.")] = None,
    epochs: Annotated[float | None, _option("epochs", "How often each picture is seen.")] = None,
    minutes: Annotated[
        float | None, _option("max-minutes", "Time for this run.", metavar="MINUTES")
    ] = None,
    learning_rate: Annotated[float | None, _option("learning-rate", "At its peak.")] = None,
    warmup_steps: Annotated[int | None, _option("warmup-steps", "Of the rate.")] = None,
    weight_decay: Annotated[float | None, _option("weight-decay", "Of AdamW.")] = None,
    ema_decay: Annotated[float | None, _option("ema-decay", "Of the averaged weights.")] = None,
    gradient_clip: Annotated[float | None, _option("gradient-clip", "Largest norm.")] = None,
    accumulate: Annotated[int | None, _option("accumulate", "Batches to an update.")] = None,
    freeze: Annotated[
        list[str] | None, _option("freeze", "Parameters that stay, by prefix.", metavar="PREFIX")
    ] = None,
    keep_statistics: Annotated[
        bool | None,
        _option(
            "keep-statistics/--new-statistics",
            "Batch normalisation goes by the start's running statistics [default: with --init].",
        ),
    ] = None,
    val: Annotated[
        str | None,
        _option(
            "val",
            "What the run is judged by: a folder with a sub-folder per person, or labelled pairs.",
            metavar="PATH",
        ),
    ] = None,
    images: Annotated[
        str | None, _option("images", "Folder of the pairs' photographs.", metavar="DIR")
    ] = None,
    hold_out: Annotated[
        float | None, _option("hold-out", "Share of the people kept aside for validation.")
    ] = None,
    exclude_like: Annotated[
        str | None,
        _option(
            "exclude-like", "Leave out who looks like the people of these pairs.", metavar="PAIRS"
        ),
    ] = None,
    exclude_threshold: Annotated[
        float | None, _option("exclude-threshold", "Distance at which people look alike.")
    ] = None,
    clean: Annotated[
        bool | None, _option("clean/--no-clean", "Leave out likely mislabels and doubles.")
    ] = None,
    seed: Annotated[int | None, _option("seed", "Of all randomness.")] = None,
    threads: Annotated[int | None, _option("threads", "Of the CPU.")] = None,
    bfloat16: Annotated[
        bool | None, _option("bfloat16/--float32", "Precision [default: what is fast here].")
    ] = None,
    tensorboard: Annotated[
        bool | None, _option("tensorboard/--no-tensorboard", "Write a TensorBoard log.")
    ] = None,
    checkpoint_minutes: Annotated[
        float | None, _option("checkpoint-minutes", "Between checkpoints.")
    ] = None,
    parallel: Annotated[
        Parallel | None, _option("parallel", "What processes share, under torchrun.")
    ] = None,
    split_head: Annotated[
        bool | None,
        _option(
            "split-head/--whole-head",
            "Under torchrun, leave each process a part of a classification's head.",
        ),
    ] = None,
    require_better: Annotated[
        bool, _option("require-better", "Exit 10 unless better than the start on validation.")
    ] = False,
    device: options.DeviceOption = Device.AUTO,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Train an embedding network on faces with names, by the quadruplet loss or another.

    Interrupt it at will: the same command goes on from the last checkpoint. Under torchrun
    (torchrun --nproc-per-node 2 -m facematch train ...) several processes train together.
    """
    given = {name: value for name, value in locals().items() if name not in OUTSIDE_THE_RECIPE}
    _train(given, out, run_dir, config, dry_run, require_better, device, json, quiet)


def _train(
    given: dict[str, Any],
    out: Path,
    run_dir: Path | None,
    config: Path | None,
    dry_run: bool,
    require_better: bool,
    device: Device,
    json: bool,
    quiet: bool,
) -> None:
    from facematch.workflows import train as workflow

    recipe = workflow.read_recipe(given, config)
    options.require_folder_of(out)
    with workflow.processes(device) as ranks, Progress("reading pictures", quiet) as progress:
        plan = workflow.plan_training(
            recipe, out, run_dir=run_dir, device=device, ranks=ranks, progress=progress
        )
        if require_better:
            train_text.require_comparison(plan)
        first = ranks.index == 0
        options.note(f"device: {plan.setting.device}", quiet or not first)
        if dry_run or (not quiet and first):
            _describe(plan, dry_run and not json)
        if dry_run:
            if json and first:
                output.print_json(_plan_json(plan))
            return
        result = workflow.run_training(plan, [TrainView(plan.steps, quiet or not first)])
    if not first:
        return
    if json:
        output.print_json(train_text.result_json(result))
    else:
        train_text.print_result(result)
    if result.reason == "interrupted":
        raise typer.Exit(INTERRUPTED)
    if require_better:
        train_text.require_better(result)


def _describe(plan: TrainPlan, with_recipe: bool) -> None:
    """What will be done, on stderr; with ``--dry-run`` the whole recipe on stdout."""
    data = plan.data
    if with_recipe:
        print(plan.toml, end="")
    lines = [
        f"{data.crops} pictures of {data.identities} people from "
        + ", ".join(f"{escaped(name)} ({count})" for name, count in data.sources),
        f"{plan.recipe.network}, {plan.recipe.loss}, {plan.steps} updates of "
        f"{plan.recipe.batch_size * plan.recipe.accumulate} pictures",
    ]
    if data.alone:
        lines.append(f"{data.alone} people have one picture alone: no genuine pair to learn from")
    if data.held_out:
        lines.append(f"{data.held_out} pictures kept aside for validation")
    if sum(data.validation_pairs):
        genuine, impostor = data.validation_pairs
        lines.append(f"validation: {genuine} genuine and {impostor} impostor pairs{_whose(plan)}")
    lines += [f"left out, {reason}: {count}" for reason, count in data.removed]
    if data.unreadable:
        lines.append(f"{len(data.unreadable)} pictures gave no face or could not be read:")
        lines += [f"  {escaped(u.reason)}" for u in data.unreadable[:SHOWN_REMOVALS]]
        if len(data.unreadable) > SHOWN_REMOVALS:
            lines.append(f"  … and {len(data.unreadable) - SHOWN_REMOVALS} more")
    for line in lines:
        options.note(line, quiet=False)


def _whose(plan: TrainPlan) -> str:
    """The people of the validation set, where they are known."""
    people = 0 if plan.validation is None else plan.validation.people
    if plan.validation is None or not people:
        return ""
    known = plan.validation.learned_from
    return f" of {people} people" + (f", {known} of them learned from" if known else "")


def _plan_json(plan: TrainPlan) -> dict[str, Any]:
    data = plan.data
    return output.versioned(
        {
            "recipe": plan.toml,
            "steps": plan.steps,
            "batch_size": plan.recipe.batch_size,
            "crops": data.crops,
            "identities": data.identities,
            "held_out": data.held_out,
            "validation_pairs": list(data.validation_pairs),
            "removed": dict(data.removed),
            "unreadable": [{"path": u.name, "reason": u.reason} for u in data.unreadable],
        }
    )
