"""What the pages of all commands have in common."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

from facematch import __version__
from facematch.cli import output
from facematch.cli.foreign import escaped, named

if TYPE_CHECKING:
    from facematch.calibration import GroupTable, Remarks, WrongPair
    from facematch.metrics import Interval, Limits, RateEstimate, Reliability
    from facematch.pipeline import Failure
    from facematch.reports import Fact, Facts, Notice, Section, Table

LISTED_FAILURES = 500
SHOWN_PAIRS = 12
_LIBRARIES = ("numpy", "openvino", "opencv-python-headless")


def provenance(facts: Sequence[Fact], seed: int, created_at: str) -> Facts:
    """What it takes to get the same numbers again, beside the command."""
    from facematch.reports import Fact, Facts

    libraries = ", ".join(
        f"{name} {found}" for name in _LIBRARIES if (found := _version(name)) is not None
    )
    return Facts(
        (
            *facts,
            Fact("seed", str(seed)),
            Fact("facematch", __version__),
            Fact("Python", f"{platform.python_version()}, {libraries}"),
            Fact("machine", f"{platform.system()} {platform.machine()}"),
            Fact("made", created_at),
        )
    )


def people_facts(n_subjects: int | None, inferred: bool) -> list[Fact]:
    """How many people the pairs show, if that is known."""
    from facematch.reports import Fact

    if n_subjects is None:
        return []
    how = " (those that genuine pairs link)" if inferred else ""
    return [Fact("people", f"{n_subjects:,}{how}")]


def photographs_facts(sha256: str | None) -> list[Fact]:
    """The digest over the photographs, if there were some."""
    from facematch.reports import Fact

    return [] if sha256 is None else [Fact("SHA-256 of the photographs", sha256)]


def streamed_facts(streamed: bool) -> list[Fact]:
    """What is different where pairs are too many to be held."""
    from facematch.reports import Fact

    if not streamed:
        return []
    return [
        Fact(
            "all pairs",
            "counted, not held: for intervals, groups of people are left out instead of people "
            "drawn anew; folds and probabilities go by distances to 1/131,072 of their range",
        )
    ]


def remark_facts(remarks: Remarks) -> list[Fact]:
    """What was odd about the list of pairs."""
    from facematch.reports import Fact

    counts = (
        ("pairs listed more than once", remarks.duplicates),
        ("pairs of a picture with itself", remarks.self_pairs),
    )
    return [Fact(name, f"{count:,}") for name, count in counts if count]


def failures(failed: Sequence[Failure], what: str) -> Section | None:
    """The list of failures to acquire; None if there is none."""
    from facematch.reports import Paragraph, Section, Texts

    if not failed:
        return None
    rest = len(failed) - LISTED_FAILURES
    listed = [escaped(one.reason) for one in failed[:LISTED_FAILURES]]
    if rest > 0:
        listed.append(f"… and {rest:,} more (--json lists all)")
    return Section(
        "Failures to acquire",
        (Paragraph(f"{len(failed):,} {what}."), Texts(tuple(listed))),
    )


def rates_table(rows: Sequence[tuple[str, RateEstimate | None]], caption: str) -> Table:
    """Rates with their counts and intervals."""
    from facematch.reports import Table

    return Table(
        ("", "rate", "errors", "of", "95 % interval"),
        tuple((name, *estimate_cells(estimate)) for name, estimate in rows if estimate is not None),
        caption,
    )


def estimate_cells(estimate: RateEstimate) -> tuple[str, str, str, str]:
    """Rate, errors, trials and interval."""
    return (
        output.percent(estimate.rate),
        f"{estimate.errors:,}",
        f"{estimate.comparisons:,}",
        limits(estimate.interval),
    )


def limits(interval: Interval | Limits | None) -> str:
    """An interval of shares."""
    if interval is None:
        return "not known"
    return output.percent_limits(interval)


def groups_section(tables: Sequence[GroupTable], threshold: str, turned: bool) -> Section | None:
    """One threshold, several groups; None without groups.

    Args:
        tables: one a column.
        threshold: as shown elsewhere on the page.
        turned: whether thresholds are of similarities with their sign turned.
    """
    from facematch.reports import Block, Notice, Paragraph, Section, Table

    if not tables:
        return None
    blocks: list[Block] = [
        Paragraph(f"All at the one threshold {threshold}. Small groups have wide intervals.")
    ]
    for table in tables:
        rows: list[tuple[str, ...]] = []
        for group in table.groups:
            cells = [named(group.value)]
            for estimate in (group.fmr, group.fnmr):
                if estimate is None:
                    cells += ["none", ""]
                else:
                    cells += [
                        f"{output.percent(estimate.rate)} of {estimate.comparisons:,}",
                        limits(estimate.interval),
                    ]
            equal = group.equal_threshold
            rows.append((*cells, "" if equal is None else f"{-equal if turned else equal:.4f}"))
        blocks.append(
            Table(
                (
                    *(escaped(table.column), "FMR", "95 % interval", "FNMR", "95 % interval"),
                    "threshold of equal rates (information only)",
                ),
                tuple(rows),
            )
        )
        if any(lost.failures + lost.lost_genuine + lost.lost_impostor for lost in table.failures):
            counts = tuple(
                (
                    named(lost.value),
                    f"{lost.failures:,} of {lost.photographs:,}" if lost.photographs else "",
                    f"{lost.lost_genuine:,}",
                    f"{lost.lost_impostor:,}",
                )
                for lost in table.failures
            )
            columns = (escaped(table.column), "photographs", "genuine pairs", "impostor pairs")
            blocks.append(Table(columns, counts, "Lost to failures to acquire."))
        blocks += [
            Notice(
                f"{found.rate} is higher for {named(found.worse)} than for "
                f"{named(found.better)}: the intervals do not overlap."
            )
            for found in table.disparities
        ]
    return Section("Groups", tuple(blocks))


def mistakes(
    worst: Sequence[WrongPair],
    faces: Mapping[str, bytes],
    turned: bool,
    fnmr: RateEstimate,
    fmr: RateEstimate,
) -> Section | None:
    """The worst errors, with faces where there are some; None without errors.

    Args:
        worst: genuine pairs first, each class from the worst on.
        faces: pictures by path.
        turned: whether distances are similarities with their sign turned.
        fnmr: with the count of all rejected genuine pairs.
        fmr: with the count of all accepted impostor pairs.
    """
    from facematch.reports import Block, Paragraph, Photo, PhotoPair, PhotoPairs, Section, Table

    if not worst:
        return None
    blocks: list[Block] = [
        Paragraph(
            f"In all, {fnmr.errors:,} genuine pairs rejected and {fmr.errors:,} impostor pairs "
            "accepted. A pair that looks like no error may be a wrong label."
        )
    ]
    measure = "similarity" if turned else "distance"
    for same, title in (
        (True, "Rejected, though one person: the furthest apart"),
        (False, "Accepted, though two people: the nearest to each other"),
    ):
        shown = [pair for pair in worst if pair.same is same][:SHOWN_PAIRS]
        if shown and faces:
            blocks.append(
                PhotoPairs(
                    title,
                    tuple(
                        PhotoPair(
                            Photo(faces.get(pair.a or ""), escaped(pair.a or "")),
                            Photo(faces.get(pair.b or ""), escaped(pair.b or "")),
                            f"{measure} {_turned(pair.distance, turned):.4f}{_line(pair)}",
                        )
                        for pair in shown
                    ),
                )
            )
        elif shown:
            columns = (title, measure) if shown[0].a is None else (title, "and", measure)
            blocks.append(
                Table(
                    columns,
                    tuple(
                        (
                            *(
                                ("a pair of the list",)
                                if pair.a is None
                                else (escaped(pair.a), escaped(pair.b))
                            ),
                            f"{_turned(pair.distance, turned):.4f}{_line(pair)}",
                        )
                        for pair in shown
                    ),
                )
            )
    return Section("Worst errors", tuple(blocks))


def reliability_facts(reliability: Reliability) -> tuple[Fact, ...]:
    """How good stated probabilities are, in two figures."""
    from facematch.reports import Fact

    return (
        Fact("Brier score", f"{reliability.brier:.4f}"),
        Fact("expected calibration error", f"{reliability.ece:.4f}"),
    )


def reversed_notice(auc: float) -> tuple[Notice, ...]:
    """That nearer pairs are the impostor pairs."""
    from facematch.reports import Notice

    return (
        Notice(
            f"AUC {auc:.4f}: genuine pairs are farther apart than impostor pairs. Either the "
            "scores have the opposite sign (similarities go under the name similarity, distances "
            "under distance), or the labels are wrong."
        ),
    )


def _line(pair: WrongPair) -> str:
    return f", line {pair.line}" if pair.line else ""


def _turned(distance: float, turned: bool) -> float:
    return -distance if turned else distance


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
