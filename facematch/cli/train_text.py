"""What ``facematch train`` says and writes at the end of a run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from facematch.cli import output
from facematch.errors import RegressionError, UsageError

if TYPE_CHECKING:
    from facematch.workflows.train import TrainPlan, TrainResult, Verdict


def print_result(result: TrainResult) -> None:
    """The end of the run, the figures, and whether to use what was written."""
    print(f"{result.reason} after {result.step} of {result.steps} updates")
    if result.step < result.steps:
        print("  the same command goes on from here")
    if result.best_step is not None:
        print(f"  best on the validation set after {result.best_step} updates")
    for name, value in result.after.items():
        before = result.before.get(name)
        was = "" if before is None else f" (the start: {before:.4f})"
        print(f"  {name.removeprefix('val_')} {value:.4f}{was}")
    if result.bundle is not None:
        print(f"  wrote {result.bundle.path}, fingerprint {result.bundle.identity.fingerprint}")
        print("  it has no threshold yet: facematch calibrate PAIRS --model", result.bundle.path)
        if result.verdict is not None:
            name = str(result.bundle.path)
            print(sentence(result.verdict, result.start or "its start", name))
            if result.verdict.learned_from:
                print(warning(result.verdict))


def sentence(found: Verdict, start: str, trained: str) -> str:
    """Whether the trained network is better than its start, by which figures, and what to use.

    Args:
        found: the comparison.
        start: name of the start.
        trained: path of the bundle.
    """
    luck = ""
    if not found.better:
        head, advice = f"NOT BETTER than {start}", f"keep using {start}"
    elif found.certain:
        head, advice = f"BETTER than {start}", f"use {trained}"
    else:
        head, luck = f"BETTER than {start}", ", but luck may explain it"
        advice = f"compare {trained} and {start} on more photographs"
    coarse = ""
    if found.impostor * found.target_fmr < 1:
        coarse = f" (none of {found.impostor} impostor pairs)"
    figures = (
        f"TAR at FMR 1 %{coarse} is {output.percent(found.after)} ({found.accepted_after} of "
        f"{found.genuine} genuine pairs), that of {start} {output.percent(found.before)} "
        f"({found.accepted_before})"
    )
    return f"{head} on the validation photographs{luck}: {figures}{_range(found)}; {advice}"


def warning(found: Verdict) -> str:
    """What the comparison does not say, where it is of people who were learned from."""
    return (
        f"  {found.learned_from} of these {found.people} people were learned from: of strangers, "
        "who may be told apart worse than before, it says nothing (docs/fine-tuning.md)"
    )


def _range(found: Verdict) -> str:
    if found.difference is None:
        return ", too few people for an interval"
    low, high = found.difference.interval.low, found.difference.interval.high
    return f", 95 % interval of the difference {100 * low:+.1f} to {100 * high:+.1f} points"


def result_json(result: TrainResult) -> dict[str, Any]:
    """The result as a document."""
    bundle = result.bundle
    return output.versioned(
        {
            "reason": result.reason,
            "step": result.step,
            "steps": result.steps,
            "best_step": result.best_step,
            "before": result.before,
            "after": result.after,
            "improved": result.improved,
            "verdict": None if result.verdict is None else _verdict_json(result.verdict),
            "bundle": None if bundle is None else str(bundle.path),
            "model_fingerprint": None if bundle is None else bundle.identity.fingerprint,
        }
    )


def _verdict_json(found: Verdict) -> dict[str, Any]:
    difference = found.difference
    return {
        "fmr": found.target_fmr,
        "before": found.before,
        "after": found.after,
        "accepted_before": found.accepted_before,
        "accepted_after": found.accepted_after,
        "genuine": found.genuine,
        "impostor": found.impostor,
        "difference": found.after - found.before,
        "interval": None if difference is None else output.interval_json(difference.interval),
        "significant": found.certain,
        "people": found.people,
        "learned_from": found.learned_from,
    }


def require_comparison(plan: TrainPlan) -> None:
    """Refuses ``--require-better`` where nothing will be compared.

    Raises:
        UsageError: there is no start, or no validation set.
    """
    if plan.start is None or plan.validation is None:
        raise UsageError(
            "--require-better compares with a start on validation photographs; give --init "
            "MODEL and --val PATH or --hold-out SHARE"
        )


def require_better(result: TrainResult) -> None:
    """Fails, after all was written, where the start is the better network or as good.

    Raises:
        RegressionError: it is.
    """
    if result.improved is False and result.bundle is not None:
        raise RegressionError(
            f"{result.bundle.path}: not better than {result.start} on the validation "
            f"photographs; keep using {result.start}"
        )
