"""The tables and the picture, from the JSON lines alone.

    python scripts/ablation/report.py RESULTS [--docs FOLDER]

RESULTS is ``results.jsonl`` of a run. In FOLDER/ablation.md what stands between the two marks
is written anew, and the rest, which a person has written, is left as it is.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from records import CELL, RATE, SETTING, read_lines
from setting import DISTILLED, METHODS, NOTHING, SCRATCH

PAGE, PICTURE = "ablation.md", "ablation.png"
BEGIN, END = "<!-- report.py writes from here -->", "<!-- to here -->"
HEADINGS = {SCRATCH: "From random weights", DISTILLED: "From the distilled start"}
MEASURES = {
    "lfw_accuracy": "LFW accuracy",
    "lfw_tar_1e-2": "LFW TAR at FMR 1 %",
    "lfw_tar_1e-3": "LFW TAR at FMR 0.1 %",
    "holdout_tar_1e-3": "hold-out TAR at FMR 0.1 %",
    "holdout_rank_1": "hold-out rank 1",
    "holdout_map": "hold-out mAP",
}
DRAWN = ("lfw_accuracy", "holdout_map")

Line = dict[str, Any]


def write_report(results: Path, docs: Path) -> None:
    """Writes the page and the picture of what has finished so far.

    Args:
        results: the JSON lines.
        docs: folder of both.
    """
    lines = read_lines(results)
    docs.mkdir(parents=True, exist_ok=True)
    page = docs / PAGE
    text = page.read_text("utf-8") if page.exists() else f"# The ablation\n\n{BEGIN}\n{END}\n"
    before, _, rest = text.partition(BEGIN)
    after = rest.partition(END)[2]
    page.write_text(f"{before}{BEGIN}\n\n{tables(lines)}\n\n{END}{after}", "utf-8")
    draw(lines, docs / PICTURE)


def cells_of(lines: Sequence[Line], start: str, method: str) -> list[Line]:
    """The finished cells of a row, by seed."""
    found = [
        line
        for line in lines
        if (line["kind"], line.get("start"), line.get("method")) == (CELL, start, method)
    ]
    return sorted(found, key=lambda line: int(line["seed"]))


def tables(lines: Sequence[Line]) -> str:
    """The setting in words, a table for each start, and the sweep."""
    setting = next(line for line in lines if line["kind"] == SETTING)
    parts = [_described(setting), f"![The same as a picture]({PICTURE})"]
    parts += [f"### {HEADINGS[start]}\n\n{table(lines, start)}" for start in HEADINGS]
    parts += [f"### Learning rates\n\n{sweep(lines)}"]
    return "\n\n".join(parts)


def table(lines: Sequence[Line], start: str) -> str:
    """Mean ± standard deviation of every measure, in per cent; the best mean in bold."""
    rows = [(m, found) for m in (NOTHING, *METHODS) if (found := cells_of(lines, start, m.name))]
    trained = [found for method, found in rows if method is not NOTHING]
    best = {name: max((_mean(found, name) for found in trained), default=0.0) for name in MEASURES}
    text = [
        f"| learned by | seeds | rate | {' | '.join(MEASURES.values())} |",
        f"|---|---:|---:|{'---:|' * len(MEASURES)}",
    ]
    for method, found in rows:
        learned = method is not NOTHING
        rate = f"{found[0]['rate']:g}" if learned else "–"
        figures = [
            _figure(found, name, learned and _mean(found, name) == best[name]) for name in MEASURES
        ]
        text.append(f"| {method.title} | {len(found)} | {rate} | {' | '.join(figures)} |")
    return "\n".join(text)


def sweep(lines: Sequence[Line]) -> str:
    """AUC on pairsDevTrain of each short run."""
    found = {
        (line["start"], line["method"], line["rate"]): line["dev_train_auc"]
        for line in lines
        if line["kind"] == RATE
    }
    columns = sorted(
        {(start, rate) for start, _, rate in found}, key=lambda c: (c[0] != SCRATCH, c[1])
    )
    text = [
        "| learned by | " + " | ".join(f"{start}, {rate:g}" for start, rate in columns) + " |",
        f"|---|{'---:|' * len(columns)}",
    ]
    for method in METHODS:
        aucs = [found.get((start, method.name, rate)) for start, rate in columns]
        shown = ["" if value is None else f"{value:.4f}" for value in aucs]
        text.append(f"| {method.title} | {' | '.join(shown)} |")
    return "\n".join(text)


def _described(setting: Line) -> str:
    batch = setting["identities"] * setting["crops"]
    return (
        f"`CompactNet` with depths {tuple(setting['depths'])} and widths "
        f"{tuple(setting['widths'])} at {setting['size']} px. Every cell sees "
        f"{setting['steps'] * batch:,} samples: {setting['steps']} updates of "
        f"{setting['identities']} people × {setting['crops']} crops, of "
        f"{setting['train_crops']:,} crops of {setting['train_identities']:,} people; with one "
        f"seed all methods see the same crops in the same order, augmented alike "
        f"(`{setting['augmentation']}`). The distilled start has seen "
        f"{setting['start_steps'] * batch:,} samples of {setting['start_crops']:,} crops with "
        f"the maps and embeddings of {setting['teacher']} "
        f"(`{setting['teacher_fingerprint'][:12]}`). LFW is View 1: {setting['dev_test_pairs']:,} "
        f"pairs of pairsDevTest ({setting['dev_test_pairs_lost']} more lost, without a face "
        f"found) at the most accurate threshold of the {setting['dev_train_pairs']:,} of "
        f"pairsDevTrain. Hold-out: {setting['holdout_crops']:,} crops of people never trained "
        f"on; of each the first {setting['enrolled']} are enrolled, the others searched. All in "
        f"per cent, mean ± standard deviation over seeds; in bold the best mean "
        f"of a column among the trained."
    )


def _mean(found: Sequence[Line], name: str) -> float:
    return statistics.fmean(line[name] for line in found)


def _figure(found: Sequence[Line], name: str, bold: bool) -> str:
    values = [100 * line[name] for line in found]
    text = f"{statistics.fmean(values):.1f}"
    if len(values) > 1:
        text += f" ± {statistics.stdev(values):.1f}"
    return f"**{text}**" if bold else text


def draw(lines: Sequence[Line], picture: Path) -> None:
    """A point for every cell, a bar for the mean of its row; the start as a dashed line."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 6), layout="constrained")
    grid = figure.subplots(len(HEADINGS), len(DRAWN), sharey=True, squeeze=False)
    names = [method.title for method in METHODS]
    for axes_row, (start, heading) in zip(grid, HEADINGS.items(), strict=True):
        for axes, measure in zip(axes_row, DRAWN, strict=True):
            for place, method in enumerate(METHODS):
                values = [100 * line[measure] for line in cells_of(lines, start, method.name)]
                ours = "quadruplet" in method.name
                colour = "tab:red" if ours else "tab:blue"
                if values:
                    axes.plot([statistics.fmean(values)], [place], "|", color=colour, markersize=18)
                axes.plot(values, [place] * len(values), "o", color=colour, alpha=0.5)
            as_it_is = [line[measure] for line in cells_of(lines, start, NOTHING.name)]
            if as_it_is:
                axes.axvline(100 * statistics.fmean(as_it_is), color="grey", linestyle="--")
            axes.set_title(f"{heading}: {MEASURES[measure]}, %", fontsize=10)
            axes.set_yticks(range(len(names)), names)
            axes.set_ylim(len(names) - 0.5, -0.5)
            axes.grid(alpha=0.3)
    figure.savefig(picture, dpi=110)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("results", type=Path)
    parser.add_argument("--docs", type=Path, default=Path(__file__).resolve().parents[2] / "docs")
    options = parser.parse_args()
    write_report(options.results, options.docs)


if __name__ == "__main__":
    main()
