"""Figures as Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import assert_never

from gallery_torture.faults import FaultFigures
from gallery_torture.flips import FlipFigures
from gallery_torture.kills import KillFigures
from gallery_torture.readers import ReaderFigures


def section(figures: KillFigures | FaultFigures | FlipFigures | ReaderFigures) -> str:
    """One part of the report."""
    match figures:
        case KillFigures():
            return _kills(figures)
        case FaultFigures():
            return _faults(figures)
        case FlipFigures():
            return _flips(figures)
        case ReaderFigures():
            return _readers(figures)
        case _:
            assert_never(figures)


def document(parts: Sequence[str], command: str, machine: str, elapsed_s: float) -> str:
    """The whole report."""
    head = (
        "# What a gallery survives\n\n"
        f"Written by `{command}` in {elapsed_s:.0f} s on {machine}. After each kill, fault and\n"
        "power cut the gallery opened, `gallery verify` found nothing, and every committed "
        "reference\n"
        "was there bit for bit; the next writer left no stray file. One broken promise ends the\n"
        "script with exit code 1 and no report. A commit rewrites the file, so there is no\n"
        "compaction to kill.\n"
    )
    return "\n".join([head, *parts])


def _kills(figures: KillFigures) -> str:
    kinds = ", ".join(f"{name} {n}" for name, n in sorted(figures.in_flight.items()))
    heading, searched = "kill -9 at random instants", ""
    if figures.encrypted:
        heading = "kill -9 over an encrypted gallery"
        searched = (
            "After each kill every file, half written ones too, was searched for the templates "
            "and paths of all\nreferences: nothing was there in plain.\n"
        )
    return (
        f"## {heading}\n\n"
        f"{figures.kills} kills of a writer that never rests; {figures.acknowledged} operations "
        "were acknowledged before, and none was lost.\n"
        f"Under way when the kill came: {kinds}.\n"
        f"The gallery was then the old one {figures.kept_old} times, the new one "
        f"{figures.kept_new} times; {figures.leftovers} kills left a temporary file, which the "
        "next writer removed.\n"
        f"{figures.snapshots} snapshots were verified meanwhile, and every file was searched "
        f"for {figures.erased} references that had been removed: none of their bytes was found.\n"
        f"{searched}"
    )


def _faults(figures: FaultFigures) -> str:
    calls = ", ".join(f"{name} {n}" for name, n in figures.by_name.items())
    return (
        "## Full disk, failing disk, power cut\n\n"
        f"At every write, sync, rename and the like (calls: {calls}):\n"
        f"{figures.errors} failures (ENOSPC from then on, ENOSPC once, EIO once) ended in one "
        f"line and an exit code, {figures.absorbed} did not matter;\n"
        f"{figures.deaths} ends of the process before a call or in the middle of a write, and "
        f"{figures.power_cuts} states of the disk made up from what had not been synced by then "
        "(names without data, data without names).\n"
    )


def _flips(figures: FlipFigures) -> str:
    places = ", ".join(f"{name} {n}" for name, n in figures.by_first_word.most_common(6))
    return (
        "## Flipped bits\n\n"
        f"{figures.flips} single bits at random offsets of {figures.bytes} bytes: "
        f"{figures.found} found ({100 * figures.found / figures.flips:.1f} %), "
        f"{figures.at_open} of them at open and {figures.by_verify} by `verify` ({places}).\n"
        f"Of the latter, reading everything refused what was damaged in {figures.in_use} cases; "
        f"in {figures.harmless} all that is read in use was as written. None was served.\n"
    )


def _readers(figures: ReaderFigures) -> str:
    return (
        "## Readers beside a writer\n\n"
        f"{figures.readers} readers during {figures.commits} commits: {figures.opened} openings "
        f"of {figures.versions} versions, each of them one that was committed and none older "
        f"than the last; {figures.searches} identifications, all of them right.\n"
    )
