"""The page of ``facematch calibrate``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from facematch.cli import output
from facematch.cli.calibrate_text import spread
from facematch.cli.foreign import escaped
from facematch.cli.report_parts import (
    failures,
    groups_section,
    limits,
    mistakes,
    people_facts,
    photographs_facts,
    provenance,
    rates_table,
    reliability_facts,
    remark_facts,
    reversed_notice,
    streamed_facts,
)

if TYPE_CHECKING:
    from facematch.metrics import RateEstimate
    from facematch.reports import Block, Facts, Figures, Page, Section
    from facematch.workflows.calibrate import CalibrateResult


def page(result: CalibrateResult, out: Path, command: str, faces: Mapping[str, bytes]) -> Page:
    """The whole result.

    Args:
        result: of the calibration.
        out: where the calibration was written.
        command: that made it.
        faces: pictures for the worst errors, by path; may be empty.
    """
    from facematch.reports import Code, Page, Section

    made, fitted = result.calibration, result.fitted
    sections = (
        _threshold(result),
        Section("Curves", (_plots(result),)),
        _probability(result),
        groups_section(result.groups, _shown(result), _turned(result)),
        _measures(result),
        mistakes(result.worst, faces, _turned(result), fitted.fnmr, fitted.fmr),
        Section("Counts", (_counts(result),)),
        failures(result.failures, f"of {result.photographs:,} photographs gave no template"),
        Section("To make this again", (Code(command), _provenance(result, out))),
    )
    people = "" if made.n_subjects is None else f" of {made.n_subjects:,} people"
    return Page(
        title=f"Which threshold? {escaped(made.pairs_name)}",
        question=(
            f"Which {_measure(result)} decides that two pictures show one person, chosen for "
            f"{made.rule}? From {made.n_genuine:,} genuine and {made.n_impostor:,} impostor "
            f"pairs{people}."
        ),
        answer=_answer(result),
        sections=tuple(section for section in sections if section is not None),
    )


def _turned(result: CalibrateResult) -> bool:
    return result.calibration.scores == "similarities"


def _judged_on(result: CalibrateResult) -> str:
    """Whom the folds hold back; without names, pairs."""
    return "pairs held back" if result.calibration.n_subjects is None else "new people"


def _intervals(result: CalibrateResult) -> str:
    if result.calibration.n_subjects is None:
        return "No subjects are named: comparisons are taken as independent."
    return "Intervals respect that comparisons share people."


def _held_back(result: CalibrateResult) -> str:
    if result.fitted.held_out is None:
        return "On new people: not known, there are too few people to hold some back."
    return f"On {_judged_on(result)}: the rule applied to some, judged on others."


def _shown(result: CalibrateResult) -> str:
    threshold = result.calibration.threshold
    return f"{-threshold if _turned(result) else threshold:.4f}"


def _measure(result: CalibrateResult) -> str:
    metric = result.calibration.metric
    return "similarity" if _turned(result) else f"{metric or ''} distance".strip()


def _answer(result: CalibrateResult) -> str:
    made = result.calibration
    least = "at least" if _turned(result) else "at most"
    text = (
        f"Accept a {_measure(result)} of {least} {_shown(result)}. That falsely matches "
        f"{output.percent(made.fmr)} of impostor pairs (95 %: {limits(made.fmr_interval)}) and "
        f"falsely rejects {output.percent(made.fnmr)} of genuine pairs (95 %: "
        f"{limits(made.fnmr_interval)})."
    )
    if result.gallery is not None:
        text += (
            f" In a search of {result.gallery.size:,} references, "
            f"{output.percent(result.gallery.fpir)} of strangers would be named as somebody "
            f"(95 %: {limits(result.gallery.interval)})."
        )
    if not made.resolved:
        text += " The target is unresolved: these pairs are too few to show it."
    return text


def _threshold(result: CalibrateResult) -> Section:
    from facematch.reports import Fact, Facts, Notice, Paragraph, Section

    made, fitted, remarks = result.calibration, result.fitted, result.remarks
    figures = [
        Fact("threshold", _shown(result)),
        Fact("accuracy", output.percent(made.accuracy)),
        Fact("EER", output.percent(made.eer)),
        Fact("AUC", f"{made.auc:.4f}"),
    ]
    rows: list[tuple[str, RateEstimate | None]] = [
        ("FMR (false matches)", fitted.fmr),
        ("FNMR (false non-matches)", fitted.fnmr),
    ]
    if fitted.held_out is not None:
        rows += [
            (f"FMR on {_judged_on(result)}", fitted.held_out.fmr),
            (f"FNMR on {_judged_on(result)}", fitted.held_out.fnmr),
        ]
    blocks: list[Block] = [
        *(reversed_notice(made.auc) if fitted.is_reversed else ()),
        Facts(tuple(figures), large=True),
        rates_table(
            rows,
            f"{_intervals(result)} {_held_back(result)}",
        ),
    ]
    if fitted.held_out is not None:
        accuracy = output.percent(fitted.held_out.accuracy)
        blocks.append(Paragraph(f"Accuracy held out: {accuracy}{spread(fitted.held_out)}."))
    if made.threshold_interval is not None:
        low, high = made.threshold_interval.low, made.threshold_interval.high
        if _turned(result):
            low, high = -high, -low
        blocks.append(
            Paragraph(
                f"On other {'pairs' if made.n_subjects is None else 'people'} like these, the rule "
                f"would choose a threshold between {low:.4f} and {high:.4f} (95 %)."
            )
        )
    for found in result.unresolved:
        text = (
            f"Unresolved: to show this target with 95 % confidence takes at least "
            f"{found.needed:,} {found.kind} pairs (rule of three), not {found.pairs:,}."
        )
        if found.people is not None:
            text = (
                f"Unresolved: to show this target with 95 % confidence takes at least "
                f"{found.needed:,} {found.kind} pairs (rule of three) that share no people. These "
                f"{found.pairs:,} share people and tell as much as {found.worth:,.0f}; up to about "
                f"{found.people:,} people like these would do."
            )
        blocks.append(Notice(text))
    if result.intervals_rough:
        blocks.append(Notice("Few people stand behind these rates: the intervals are rough."))
    if remarks.contradictions:
        blocks.append(
            Notice(
                f"{remarks.contradictions:,} impostor pairs are of one person by what other pairs "
                f"say; the first is in line {remarks.contradiction_line}."
            )
        )
    return Section("Threshold", tuple(blocks))


def _plots(result: CalibrateResult) -> Figures:
    from facematch.reports import (
        Figures,
        MarkedRate,
        Trace,
        det_plot,
        reliability_plot,
        roc_plot,
        scores_plot,
    )

    made, fit = result.calibration, result.fitted.probability
    marked: tuple[MarkedRate, ...] = ()
    if made.fmr > 0:
        interval = made.fnmr_interval
        marked = (MarkedRate(made.fmr, 1 - made.fnmr, 1 - interval.high, 1 - interval.low),)
    trace = Trace("", result.curve, made.fmr, made.fnmr, marked)
    return Figures(
        (
            roc_plot([trace]),
            det_plot([trace]),
            scores_plot(
                result.curve, made.threshold, _measure(result), similarities=_turned(result)
            ),
            *([] if fit is None else [reliability_plot(fit.reliability)]),
        )
    )


def _probability(result: CalibrateResult) -> Section | None:
    from facematch.reports import Fact, Facts, Section

    fit = result.fitted.probability
    if fit is None:
        return None
    judged = f"judged on {_judged_on(result)}" if fit.held_out else "not held out: too few people"
    facts = (
        Fact("curve", f"{fit.curve.method}, {judged}"),
        Fact("prior", output.percent(fit.curve.prior)),
        *(Fact(f"log-loss, {name}", f"{loss:.4f} bits") for name, loss in fit.log_loss.items()),
        *reliability_facts(fit.reliability),
    )
    return Section("Probabilities", (Facts(facts),))


def _measures(result: CalibrateResult) -> Section | None:
    from facematch.reports import Section, Table

    if not result.measures:
        return None
    rows = tuple(
        (
            row.metric.value,
            f"{row.threshold:.4f}",
            *(output.percent(rate) for rate in (row.fmr, row.fnmr, row.accuracy, row.eer)),
            f"{row.auc:.4f}",
        )
        for row in result.measures
    )
    columns = ("distance", "threshold", "FMR", "FNMR", "accuracy", "EER", "AUC")
    table = Table(columns, rows, "The same rule on the same pairs.")
    return Section("Every distance", (table,))


def _counts(result: CalibrateResult) -> Facts:
    from facematch.reports import Fact, Facts

    made = result.calibration
    facts = [
        Fact("genuine pairs", f"{made.n_genuine:,}"),
        Fact("impostor pairs", f"{made.n_impostor:,}"),
        Fact("worth independent genuine pairs", output.effective(result.fitted.fnmr.effective)),
        Fact("worth independent impostor pairs", output.effective(result.fitted.fmr.effective)),
    ]
    facts += people_facts(made.n_subjects, result.subjects_inferred)
    if made.scores == "photographs":
        facts += [
            Fact("photographs", f"{result.photographs:,}"),
            Fact("failures to acquire", f"{made.failures_to_acquire:,}"),
        ]
    if made.scores == "photographs" or made.lost_genuine or made.lost_impostor:
        facts += [
            Fact("genuine pairs lost to failures to acquire", f"{made.lost_genuine or 0:,}"),
            Fact("impostor pairs lost to failures to acquire", f"{made.lost_impostor or 0:,}"),
        ]
        facts += [
            Fact(name, output.percent(rate))
            for name, rate in (("FAR, with them", made.far), ("FRR, with them", made.frr))
            if rate is not None
        ]
    facts += streamed_facts(result.streamed)
    return Facts((*facts, *remark_facts(result.remarks)))


def _provenance(result: CalibrateResult, out: Path) -> Facts:
    from facematch.reports import Fact

    made = result.calibration
    facts = [
        Fact("pairs", escaped(made.pairs_name)),
        Fact("SHA-256 of the pairs", made.pairs_sha256),
        *photographs_facts(made.photographs_sha256),
        Fact("calibration", escaped(out)),
    ]
    if made.model_name is not None and made.model_fingerprint is not None:
        facts += [
            Fact("model", escaped(made.model_name)),
            Fact("fingerprint of the model", escaped(made.model_fingerprint)),
        ]
    return provenance(facts, made.seed, made.created_at)
