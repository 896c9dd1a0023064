"""The page of ``facematch evaluate --compare``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from facematch.cli.foreign import escaped
from facematch.cli.report_parts import provenance

if TYPE_CHECKING:
    from facematch.reports import Block, Facts, Page, Section
    from facematch.workflows.evaluate import StoredSystem, SystemComparison


def comparison(compared: SystemComparison, command: str) -> Page:
    """Systems side by side, without one of them in the foreground."""
    from facematch.reports import Code, Page, Section

    worse = [one for one in compared.systems if one.worse]
    first = escaped(compared.systems[0].system.name)
    if not compared.resamples:
        answer = "There are too few people to tell differences from chance."
    elif worse:
        named = "; ".join(
            f"{escaped(one.system.name)} ({', '.join(one.worse).replace('_', ' ')})"
            for one in worse
        )
        answer = f"Significantly worse than {first}, all figures taken together: {named}."
    else:
        answer = f"No system is significantly worse than {first}."
    trials = (
        f"{compared.n_mated:,} probes of enrolled people and {compared.n_nonmated:,} of strangers"
        if compared.searches
        else f"{compared.n_mated:,} genuine and {compared.n_nonmated:,} impostor pairs"
    )
    return Page(
        title="Systems side by side",
        question=f"How do {len(compared.systems)} systems differ on the same {trials}?",
        answer=answer,
        sections=(
            comparison_section(compared),
            *_overlaid(compared),
            Section("To make this again", (Code(command), _systems(compared))),
        ),
    )


def comparison_section(compared: SystemComparison) -> Section:
    """Figures of all systems and their differences from the first."""
    from facematch.reports import Paragraph, Section, Table

    what = "people" if compared.by_subject else "pairs"
    blocks: list[Block] = [
        Paragraph(
            (
                "A probe without a template counts as found by nobody. "
                if compared.searches
                else "A pair that a system could not compare counts as rejected by it. "
            )
            + (
                f"Differences are from the first system, with 95 % intervals of "
                f"{compared.resamples:,} paired resamples of {what}."
                if compared.resamples
                else "There are too few people for intervals."
            )
        ),
        Table(
            ("", *(escaped(one.system.name) for one in compared.systems)),
            tuple(
                (name.replace("_", " "), *(f"{one.values[index]:.4f}" for one in compared.systems))
                for index, name in enumerate(compared.figures)
            ),
        ),
    ]
    for one in compared.systems:
        if one.differences:
            rows = tuple(
                (
                    name.replace("_", " "),
                    f"{change.difference:+.4f}",
                    f"{change.interval.low:+.4f} to {change.interval.high:+.4f}",
                    "significantly worse" if name in one.worse else "",
                )
                for name, change in zip(compared.figures, one.differences, strict=True)
            )
            caption = f"{escaped(one.system.name)} less {escaped(compared.systems[0].system.name)}"
            blocks.append(Table(("", "difference", "95 % interval", ""), rows, caption))
    return Section("Systems side by side", tuple(blocks))


def _overlaid(compared: SystemComparison) -> tuple[Section, ...]:
    from facematch.metrics import OpenSetCurve, WeightedCurve
    from facematch.reports import (
        Figures,
        SearchTrace,
        Section,
        Trace,
        det_plot,
        open_set_plot,
        roc_plot,
    )

    traces, searches = [], []
    for one in compared.systems:
        # The fonts of plot files lack many scripts, and a missing glyph is a warning.
        label = one.system.name.encode("ascii", "backslashreplace").decode()[:40]
        if isinstance(one.curve, WeightedCurve):
            traces.append(Trace(label, one.curve))
        elif isinstance(one.curve, OpenSetCurve):
            searches.append(SearchTrace(label, one.curve))
    if traces:
        return (Section("Curves", (Figures((roc_plot(traces), det_plot(traces))),)),)
    return (Section("Curves", (Figures((open_set_plot(searches),)),)),) if searches else ()


def _digest(system: StoredSystem) -> str:
    from facematch.workflows.evaluate import ListedProbes

    listed = system.listed
    if isinstance(listed, ListedProbes):
        return f"probes {escaped(listed.probes_sha256)}"
    return f"pairs {escaped(listed.pairs_sha256)}"


def _lost(system: StoredSystem) -> str:
    return f", {system.pairs_lost:,} pairs lost" if system.pairs_lost else ""


def _systems(compared: SystemComparison) -> Facts:
    from facematch.reports import Fact

    facts = []
    for one in compared.systems:
        system = one.system
        model = "another system" if system.model is None else escaped(system.model)
        fingerprint = escaped(system.model_fingerprint or "none")
        facts.append(
            Fact(
                escaped(system.path),
                f"{model}, fingerprint {fingerprint}, {system.failures_to_acquire:,} failures to "
                f"acquire{_lost(system)}, SHA-256 of the {_digest(system)}",
            )
        )
    return provenance(facts, compared.seed, compared.created_at)
