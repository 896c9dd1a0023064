"""The page of ``facematch evaluate --gallery``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from facematch.cli import output
from facematch.cli.comparison_page import comparison_section
from facematch.cli.foreign import escaped
from facematch.cli.report_parts import (
    SHOWN_PAIRS,
    estimate_cells,
    failures,
    limits,
    provenance,
    rates_table,
)

if TYPE_CHECKING:
    from facematch.reports import Block, Facts, Page, Section, Table
    from facematch.workflows.evaluate import IdentificationResult, SystemComparison, WrongProbe

_RANKS = (1, 5, 10)
_WITH_FAILURES = "With failures: a probe without a template counts as found by nobody."


def identification(
    result: IdentificationResult,
    command: str,
    faces: Mapping[str, bytes],
    compared: SystemComparison | None = None,
) -> Page:
    """The page on searches.

    Args:
        result: of the evaluation.
        command: that made it.
        faces: pictures of probes and references, by path; may be empty.
        compared: with a baseline, if there is one.
    """
    from facematch.reports import Code, Page, Section

    sections = (
        _closed(result),
        _open(result),
        _curves(result),
        _retrieval(result),
        None if compared is None else comparison_section(compared),
        _mistakes(result, faces),
        Section("Counts", (_counts(result),)),
        failures(result.failures, "probes gave no template"),
        Section("To make this again", (Code(command), _provenance(result))),
    )
    return Page(
        title=f"Who is found? {escaped(result.gallery)}",
        question=(
            f"How often does a search by the model {escaped(result.identity.name)} find the right "
            f"person? {result.n_mated:,} probes of enrolled people and {result.n_nonmated:,} of "
            f"strangers, searched in {result.references:,} references of {result.subjects:,} "
            f"people by {result.metric} distance."
        ),
        answer=_answer(result),
        sections=tuple(section for section in sections if section is not None),
    )


def _answer(result: IdentificationResult) -> str:
    parts = []
    if result.rank:
        first = result.rank[0]
        parts.append(
            f"The right person comes first for {output.percent(1 - first.rate)} of the probes of "
            f"enrolled people (95 %: {output.percent(1 - first.interval.high)} to "
            f"{output.percent(1 - first.interval.low)})."
        )
    known = [point for point in result.fnir_at_fpir if point.fnir is not None]
    if known and known[-1].fnir is not None:
        strictest = known[-1]
        parts.append(
            f"With at most {output.percent(strictest.fpir)} of strangers named as somebody, "
            f"{output.percent(known[-1].fnir.rate)} of enrolled people are missed (95 %: "
            f"{limits(known[-1].fnir.interval)})."
        )
    elif result.fnir_at_fpir:
        needed = min(point.nonmated_needed for point in result.fnir_at_fpir)
        parts.append(
            f"There are too few strangers to say how often one is named: it takes at least "
            f"{needed:,} probes of them."
        )
    if not parts:
        parts.append("No probe is of an enrolled person: there is nothing to find.")
    if result.failures:
        parts.append(f"{len(result.failures):,} probes gave no template.")
    if result.failures and result.with_failures.rank:
        parts.append(
            f"With those counted as misses, {output.percent(result.with_failures.rank[0])} come "
            "first."
        )
    return " ".join(parts)


def _closed(result: IdentificationResult) -> Section | None:
    from facematch.reports import Section, Table

    if not result.rank:
        return None
    rows = []
    counted = result.with_failures.rank
    for k, missed, share in zip(_RANKS, result.rank, counted, strict=True):
        found = missed.comparisons - missed.errors
        rows.append(
            (
                f"rank {k}",
                output.percent(1 - missed.rate),
                f"{found:,} of {missed.comparisons:,}",
                f"{output.percent(1 - missed.interval.high)} to "
                f"{output.percent(1 - missed.interval.low)}",
                output.percent(share),
            )
        )
    columns = ("subject among the first", "rate", "probes", "95 % interval", "with failures")
    table = Table(columns, tuple(rows), _WITH_FAILURES)
    return Section("Enrolled people (closed set)", (table,))


def _open(result: IdentificationResult) -> Section | None:
    from facematch.reports import Fact, Facts, Section, Table

    blocks: list[Block] = []
    rows = []
    counted = result.with_failures.fnir_at_fpir if result.fnir_at_fpir else ()
    for point, rate in zip(result.fnir_at_fpir, counted, strict=True):
        at = output.percent(point.fpir)
        with_failures = "" if rate is None else output.percent(rate)
        if point.fnir is None:
            needed = f"takes {point.nonmated_needed:,} probes of strangers"
            rows.append((at, "unresolved", "", "", needed, "", with_failures))
        else:
            threshold = f"{point.threshold:.4f}"
            rows.append((at, *estimate_cells(point.fnir), threshold, with_failures))
    if rows:
        blocks.append(
            Table(
                (
                    *("at an FPIR of at most", "FNIR", "missed", "of", "95 % interval"),
                    *("threshold", "with failures"),
                ),
                tuple(rows),
                "Enrolled people missed; unresolved where strangers are too few (rule of three). "
                "With failures: a probe without a template counts as found by nobody, in FPIR as "
                "in FNIR.",
            )
        )
    if result.fixed is not None:
        at = f"At threshold {result.fixed.threshold:.4f} ({escaped(result.fixed.origin)})"
        names = ("FPIR (strangers named)", "FNIR (enrolled people missed)")
        blocks.append(
            rates_table(tuple(zip(names, (result.fpir, result.fnir), strict=True)), f"{at}:")
        )
        carried = result.with_failures
        facts = tuple(
            Fact(f"{name}, with failures", output.percent(rate))
            for name, rate in (("FPIR", carried.fpir), ("FNIR", carried.fnir))
            if rate is not None
        )
        if facts:
            blocks.append(Facts(facts))
    return Section("Strangers (open set)", tuple(blocks)) if blocks else None


def _curves(result: IdentificationResult) -> Section | None:
    from facematch.metrics import verification_curve
    from facematch.reports import (
        Figures,
        Plot,
        SearchTrace,
        Section,
        cmc_plot,
        open_set_plot,
        scores_plot,
    )

    plots: list[Plot] = []
    if len(result.cmc) > 1:
        plots.append(cmc_plot(result.cmc))
    if result.open_set is not None:
        ranks = result.ranks
        plots += [
            open_set_plot([SearchTrace("", result.open_set)]),
            scores_plot(
                verification_curve(
                    ranks.own_distance[ranks.mated], ranks.nearest_distance[~ranks.mated]
                ),
                None if result.fixed is None else result.fixed.threshold,
                f"{result.metric} distance",
                classes=("enrolled people to themselves", "strangers to the nearest"),
            ),
        ]
    return Section("Curves", (Figures(tuple(plots)),)) if plots else None


def _retrieval(result: IdentificationResult) -> Section | None:
    from facematch.reports import Paragraph, Section, Table

    if result.mean_average_precision is None:
        return None
    rows = zip(result.ranks.depths, result.recall_at, result.precision_at, strict=True)
    return Section(
        "Retrieval",
        (
            Paragraph(
                f"Mean average precision {result.mean_average_precision:.4f}; with failures "
                f"{result.with_failures.mean_average_precision or 0:.4f}."
            ),
            Table(
                ("references looked at", "recall", "precision"),
                tuple(
                    (str(depth), output.percent(recall), output.percent(precision))
                    for depth, recall, precision in rows
                ),
            ),
        ),
    )


def _mistakes(result: IdentificationResult, faces: Mapping[str, bytes]) -> Section | None:
    from facematch.reports import Paragraph, Photo, PhotoPair, PhotoPairs, Section

    blocks: list[Block] = []
    titles = ("Enrolled people who do not come first", "Strangers who are nearest to somebody")
    for title, shown in zip(titles, _shown(result), strict=True):
        if shown and faces:
            pairs = tuple(
                PhotoPair(
                    Photo(faces.get(probe.path), escaped(probe.path)),
                    Photo(faces.get(probe.reference), escaped(probe.reference)),
                    _caption(probe),
                )
                for probe in shown
            )
            blocks.append(PhotoPairs(title, pairs))
        elif shown:
            blocks.append(_mistakes_table(title, shown))
    if faces:
        blocks.insert(0, Paragraph("Faces of references are cut anew, by this command's --face."))
    return Section("Worst errors", tuple(blocks)) if blocks else None


def shown_paths(result: IdentificationResult) -> list[str]:
    """The photographs of the worst errors: probes, and references as they were enrolled."""
    return [
        path
        for probes in _shown(result)
        for probe in probes
        for path in (probe.path, probe.reference)
    ]


def _shown(result: IdentificationResult) -> tuple[list[WrongProbe], list[WrongProbe]]:
    mated = [probe for probe in result.worst if probe.rank > 0]
    strangers = [probe for probe in result.worst if probe.rank == 0]
    return mated[:SHOWN_PAIRS], strangers[:SHOWN_PAIRS]


def _caption(probe: WrongProbe) -> str:
    text = f"{escaped(probe.subject)}; nearest is {escaped(probe.named)} at {probe.distance:.4f}"
    if probe.own_distance is not None:
        text += f", own at {probe.own_distance:.4f}, rank {probe.rank}"
    return text


def _mistakes_table(title: str, shown: list[WrongProbe]) -> Table:
    from facematch.reports import Table

    return Table(
        (title, "subject", "nearest", "distance", "rank"),
        tuple(
            (
                escaped(probe.path),
                escaped(probe.subject),
                escaped(probe.named),
                f"{probe.distance:.4f}",
                str(probe.rank or "none"),
            )
            for probe in shown
        ),
    )


def _counts(result: IdentificationResult) -> Facts:
    from facematch.reports import Fact, Facts

    return Facts(
        (
            Fact("probes of enrolled people", f"{result.n_mated:,}"),
            Fact("probes of strangers", f"{result.n_nonmated:,}"),
            Fact("references", f"{result.references:,}"),
            Fact("people enrolled", f"{result.subjects:,}"),
            Fact("probes of enrolled people that gave no template", f"{result.lost_mated:,}"),
            Fact("probes of strangers that gave no template", f"{result.lost_nonmated:,}"),
            Fact("paths of which it is not known whom they show", f"{result.lost_unknown:,}"),
            Fact("probes listed more than once", f"{result.duplicates:,}"),
            Fact("probes left out, their picture is enrolled", f"{len(result.enrolled_probes):,}"),
        )
    )


def _provenance(result: IdentificationResult) -> Facts:
    from facematch.reports import Fact

    return provenance(
        (
            Fact("gallery", escaped(result.gallery)),
            Fact("SHA-256 of the gallery", result.gallery_sha256 or "not known"),
            Fact("SHA-256 of the probes", result.probes_sha256),
            Fact("model", escaped(result.identity.name)),
            Fact("fingerprint of the model", escaped(result.identity.fingerprint)),
        ),
        result.seed,
        result.created_at,
    )
