"""The table of a run."""

from __future__ import annotations

from collections.abc import Mapping

from fuzzing.children import Tally

_HEAD = (
    "target",
    "cases",
    "read",
    "refused",
    "child died",
    "failed",
    "cases/s",
    "worst CPU",
    "worst memory",
)


def table(tallies: Mapping[str, Tally]) -> str:
    """Markdown: one row a target, and the sum."""
    rows = [_HEAD, *(_row(name, tally) for name, tally in tallies.items() if tally.cases)]
    rows.append(_row("all", _sum(tallies)))
    widths = [max(len(row[i]) for row in rows) for i in range(len(_HEAD))]
    lines = [
        "| " + " | ".join(cell.rjust(w) if i else cell.ljust(w) for i, (cell, w) in cells) + " |"
        for row in rows
        for cells in [list(enumerate(zip(row, widths, strict=True)))]
    ]
    rule = "|" + "|".join("-" * (w + 1) + (":" if i else "-") for i, w in enumerate(widths)) + "|"
    return "\n".join([lines[0], rule, *lines[1:]])


def _row(name: str, tally: Tally) -> tuple[str, ...]:
    return (
        name,
        f"{tally.cases:,}",
        f"{tally.accepted:,}",
        f"{tally.refused:,}",
        f"{tally.died:,}",
        f"{tally.failed:,}",
        f"{tally.cases / max(tally.elapsed_s, 1e-9):,.0f}",
        f"{tally.worst_s:.2f} s",
        f"{tally.worst_bytes >> 20:,} MiB",
    )


def _sum(tallies: Mapping[str, Tally]) -> Tally:
    total = Tally()
    for tally in tallies.values():
        total.cases += tally.cases
        total.accepted += tally.accepted
        total.refused += tally.refused
        total.died += tally.died
        total.failed += tally.failed
        total.elapsed_s += tally.elapsed_s
        total.worst_s = max(total.worst_s, tally.worst_s)
        total.worst_bytes = max(total.worst_bytes, tally.worst_bytes)
    return total
