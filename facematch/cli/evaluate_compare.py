"""``facematch evaluate --compare`` and ``--baseline``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from facematch.cli import comparison_page, evaluate_json, evaluate_text, output, report_files
from facematch.cli.evaluate_outputs import Outputs, say_written, write
from facematch.errors import RegressionError, UsageError

if TYPE_CHECKING:
    from facematch.workflows.evaluate import SystemComparison


def require_alone(
    results: list[Path], gallery: Path | None, probes: Path | None, baseline: Path | None
) -> None:
    """Refuses what a comparison of results has no use for.

    Raises:
        UsageError: there is something, or fewer than two results.
    """
    if len(results) < 2 or gallery is not None or probes is not None or baseline is not None:
        raise UsageError("--compare takes two or more results, and no gallery or baseline")


def compare(results: list[Path], seed: int, outputs: Outputs) -> None:
    """Puts results side by side and says what the differences are worth."""
    from facematch.workflows import evaluate as workflow

    comparison = workflow.compare_systems([workflow.load_system(r) for r in results], seed=seed)
    version = output.SCHEMA_VERSION if comparison.searches else workflow.PAIRS_SCHEMA_VERSION
    document = output.versioned(evaluate_json.comparison(comparison), version)
    if outputs.out is not None:
        write(outputs.out, document)
    written = report_files.write(
        lambda: comparison_page.comparison(comparison, outputs.command),
        *(outputs.report, outputs.plots),
    )
    if outputs.json:
        output.print_json(document)
    else:
        print(evaluate_text.comparison(comparison))
        say_written(outputs, written)


def require_no_regression(comparison: SystemComparison, baseline: Path | None) -> None:
    """Fails where the new result is worse than the baseline beyond chance.

    Raises:
        RegressionError: a figure is significantly worse than before.
    """
    worse = comparison.systems[1].worse
    if worse:
        raise RegressionError(
            f"significantly worse than {baseline}: {', '.join(worse).replace('_', ' ')}; the "
            "differences are above"
        )
