"""The table of docs/fine-tuning.md, from the results of a run.

    python scripts/finetuning/report.py RESULTS PAGE

What stands between the two marks of the page is written anew; the rest, which a person has
written, is left as it is.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"
COLUMNS = {
    "own": "own people, held-out photographs",
    "same_source": "strangers, same source",
    "other_source": "strangers, another source",
}


def write_report(records: dict[str, Any], page: Path) -> None:
    """Puts the table between the marks of the page."""
    text = page.read_text("utf-8")
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    page.write_text(f"{before}{BEGIN}\n{table(records)}\n{END}{after}", "utf-8")


def table(records: dict[str, Any]) -> str:
    """Markdown: a row a recipe, TAR at FMR 1 % before and after on each set of faces."""
    lines = [
        "| recipe | updates (best) | " + " | ".join(COLUMNS.values()) + " |",
        "|---|---|" + "---|" * len(COLUMNS),
    ]
    for name, run in records["runs"].items():
        cells = [_cell(run["measured"][where]) for where in COLUMNS]
        # The last two options are the threads, which decide no numbers.
        options = " ".join(run["options"][:-4])
        made = f"{run['updates']} ({run['best_update']})"
        lines.append(f"| {name}: `{options}` | {made} | {' | '.join(cells)} |")
    sizes = [
        f"{heading}: {found['people']:,} people, {found['genuine']:,} genuine and "
        f"{found['impostor']:,} impostor pairs"
        for where, heading in COLUMNS.items()
        for found in [next(iter(records["runs"].values()))["measured"][where]]
    ]
    minutes = ", ".join(f"{run['minutes']:g}" for run in records["runs"].values())
    lines += ["", f"{'; '.join(sizes)}. Minutes: {minutes}. {records['note']}".strip()]
    return "\n".join(lines)


def _cell(found: dict[str, Any]) -> str:
    before, after = (100 * found[f"accepted_{when}"] / found["genuine"] for when in _WHEN)
    limits = found["difference"]["interval"]
    low, high = 100 * limits["low"], 100 * limits["high"]
    return f"{before:.1f} → {after:.1f} % ({low:+.1f} to {high:+.1f})"


_WHEN = ("before", "after")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("results", type=Path)
    parser.add_argument("page", type=Path)
    options = parser.parse_args()
    write_report(json.loads(options.results.read_text("utf-8")), options.page)


if __name__ == "__main__":
    main()
