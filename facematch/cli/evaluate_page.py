"""The page of ``facematch evaluate`` on pairs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from facematch.cli import output
from facematch.cli.calibrate_text import spread
from facematch.cli.comparison_page import comparison_section
from facematch.cli.evaluate_text import PROTOCOLS
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
    from facematch.reports import Block, Fact, Facts, Figures, Notice, Page, Section, Table
    from facematch.workflows.evaluate import SystemComparison, TarAtFmr, VerificationResult


def verification(
    result: VerificationResult,
    command: str,
    faces: Mapping[str, bytes],
    compared: SystemComparison | None = None,
) -> Page:
    """The page on pairs.

    Args:
        result: of the evaluation.
        command: that made it.
        faces: pictures for the worst errors, by path; may be empty.
        compared: with a baseline, if there is one.
    """
    from facematch.reports import Code, Page, Section

    measured = result.measured
    sections = (
        Section("Results", (*_reversed(result), _figures(result), _tar(result))),
        Section(f"All pairs at the threshold {_threshold(result)}", _at_threshold(result)),
        _folds(result),
        Section("Curves", (_plots(result),)),
        _probability(result),
        groups_section(result.groups, _threshold(result), _turned(result)),
        None if compared is None else comparison_section(compared),
        mistakes(result.worst, faces, _turned(result), result.fnmr, result.fmr),
        Section("Counts", (_counts(result),)),
        failures(result.failures, f"of {result.photographs:,} photographs gave no template"),
        Section("To make this again", (Code(command), _provenance(result))),
    )
    return Page(
        title=f"How well are people told apart? {escaped(measured.name)}",
        question=_question(result),
        answer=_answer(result),
        sections=tuple(section for section in sections if section is not None),
    )


def _turned(result: VerificationResult) -> bool:
    return result.measured.kind == "similarities"


def _system(result: VerificationResult) -> str:
    if result.identity is None:
        return f"the {result.measured.kind} of another system"
    return f"the model {escaped(result.identity.name)}"


def _threshold(result: VerificationResult) -> str:
    return f"{-result.threshold if _turned(result) else result.threshold:.4f}"


def _question(result: VerificationResult) -> str:
    curve = result.curve
    people = "" if result.n_subjects is None else f" of {result.n_subjects:,} people"
    measure = "" if result.metric is None else f" by {result.metric} distance"
    verb = "does" if result.identity is not None else "do"
    return (
        f"How often {verb} {_system(result)} decide rightly whether two pictures show one "
        f"person{measure}? Measured on {curve.n_genuine:,} genuine and {curve.n_impostor:,} "
        f"impostor pairs{people}. Accuracy is by {PROTOCOLS[result.protocol.value]}."
    )


def _answer(result: VerificationResult) -> str:
    sentence = f"{output.percent(result.accuracy)} of the pairs are decided rightly"
    if result.held_out is not None and result.held_out.accuracy_se is not None:
        error = 100 * result.held_out.accuracy_se
        sentence += f" where they are held out (± {error:.2f} standard error over folds)"
    sentence += (
        f". At the threshold {_threshold(result)} ({_origin(result)}), "
        f"{output.percent(result.fmr.rate)} of impostor pairs are falsely matched (95 %: "
        f"{limits(result.fmr.interval)}), {output.percent(result.fnmr.rate)} of genuine pairs "
        f"falsely rejected (95 %: {limits(result.fnmr.interval)})."
    )
    known = [point for point in result.tar_at_fmr if point.tar is not None]
    if known and known[-1].tar is not None:
        strictest = known[-1]
        sentence += (
            f" With at most {output.percent(strictest.fmr)} false matches, "
            f"{output.percent(known[-1].tar)} of genuine pairs are still accepted"
            f"{'' if strictest.interval is None else f' (95 %: {limits(strictest.interval)})'}."
        )
    if len(result.failures) > 0:
        sentence += (
            f" {len(result.failures):,} of {result.photographs:,} photographs gave no template: "
            f"with those counted as rejections, {output.percent(result.frr)} of genuine pairs "
            "are rejected (FRR)."
        )
    elif lost := result.measured.lost_genuine + result.measured.lost_impostor:
        sentence += (
            f" {lost:,} pairs could not be compared: with those counted as rejections, "
            f"{output.percent(result.frr)} of genuine pairs are rejected (FRR)."
        )
    return sentence


def _reversed(result: VerificationResult) -> tuple[Notice, ...]:
    return reversed_notice(result.auc) if result.is_reversed else ()


def _figures(result: VerificationResult) -> Facts:
    from facematch.reports import Fact, Facts

    how = "at the threshold" if result.held_out is None else "held out"
    return Facts(
        (
            Fact(f"accuracy, {how}", output.percent(result.accuracy)),
            Fact("EER", output.percent(result.eer)),
            Fact("AUC", f"{result.auc:.4f}"),
            Fact("average precision", f"{result.average_precision:.4f}"),
            Fact("d-prime", "not known" if result.d_prime is None else f"{result.d_prime:.2f}"),
        ),
        large=True,
    )


def _at_threshold(result: VerificationResult) -> tuple[Block, ...]:
    from facematch.reports import Fact, Facts

    counts = result.counts
    precision = "none" if counts.precision is None else output.percent(counts.precision)
    facts = (
        Fact("accuracy", output.percent(counts.accuracy)),
        Fact("precision", precision),
        Fact("recall", output.percent(counts.recall)),
        Fact("F1", f"{counts.f1:.4f}"),
    )
    table = rates_table(
        (("FMR (false matches)", result.fmr), ("FNMR (false non-matches)", result.fnmr)),
        f"The threshold is {_origin(result)}; "
        + (
            "no subjects are named, and comparisons are taken as independent."
            if result.n_subjects is None
            else "intervals respect that comparisons share people."
        ),
    )
    return Facts(facts), table


def _tar(result: VerificationResult) -> Table:
    from facematch.reports import Table

    def row(point: TarAtFmr) -> tuple[str, str, str]:
        at = output.percent(point.fmr)
        if point.tar is None:
            return at, "unresolved", f"takes {point.impostors_needed:,} impostor pairs"
        return at, output.percent(point.tar), limits(point.interval)

    return Table(
        ("at an FMR of at most", "TAR", "95 % interval"),
        tuple(row(point) for point in result.tar_at_fmr),
        "True accept rates; unresolved where the impostor pairs cannot show the target "
        "(rule of three).",
    )


def _folds(result: VerificationResult) -> Section | None:
    from facematch.reports import Paragraph, Section, Table

    judged = result.held_out
    if judged is None:
        return None
    sign = -1 if _turned(result) else 1
    stated = ""
    if judged.share is not None:
        stated = f", stated for {output.percent(judged.share)} genuine pairs, as there are in all"
    accuracies = (one.accuracy(judged.share) for one in judged.by_fold)
    return Section(
        "Held out",
        (
            Paragraph(
                f"Accuracy {output.percent(judged.accuracy)}{spread(judged)}{stated}. Each fold is "
                "judged at the best threshold of the others."
            ),
            rates_table(
                (("FMR, held out", judged.fmr), ("FNMR, held out", judged.fnmr)),
                "Of pairs within folds, at the thresholds below.",
            ),
            Table(
                ("fold", "accuracy", "threshold"),
                tuple(
                    (
                        str(one.fold + 1),
                        "a class is missing" if accuracy is None else output.percent(accuracy),
                        f"{sign * one.threshold:.4f}",
                    )
                    for one, accuracy in zip(judged.by_fold, accuracies, strict=True)
                ),
            ),
        ),
    )


def _plots(result: VerificationResult) -> Figures:
    from facematch.reports import (
        Figures,
        MarkedRate,
        Trace,
        det_plot,
        reliability_plot,
        roc_plot,
        scores_plot,
    )

    marked = tuple(
        MarkedRate(point.fmr, point.tar, point.interval.low, point.interval.high)
        for point in result.tar_at_fmr
        if point.tar is not None and point.interval is not None
    )
    stated = result.probability
    trace = Trace("", result.curve, result.fmr.rate, result.fnmr.rate, marked)
    turned = _turned(result)
    name = "similarity" if turned else f"{result.metric or ''} distance".strip()
    return Figures(
        (
            roc_plot([trace]),
            det_plot([trace]),
            scores_plot(result.curve, result.threshold, name, similarities=turned),
            *([] if stated is None else [reliability_plot(stated.reliability)]),
        )
    )


def _probability(result: VerificationResult) -> Section | None:
    from facematch.reports import Fact, Facts, Section

    stated = result.probability
    if stated is None:
        return None
    made = "on these pairs, judged on those held out" if stated.held_out else "on these very pairs"
    facts = (
        Fact("curve", f"{stated.method}, {escaped(stated.origin) if stated.origin else made}"),
        Fact("prior", output.percent(stated.prior)),
        *reliability_facts(stated.reliability),
    )
    return Section("Probabilities", (Facts(facts),))


def _counts(result: VerificationResult) -> Facts:
    from facematch.reports import Fact, Facts

    curve, counts, measured = result.curve, result.counts, result.measured
    facts = [
        Fact("genuine pairs", f"{curve.n_genuine:,}"),
        Fact("impostor pairs", f"{curve.n_impostor:,}"),
        Fact("true matches", f"{counts.true_matches:,}"),
        Fact("false non-matches", f"{counts.false_non_matches:,}"),
        Fact("false matches", f"{counts.false_matches:,}"),
        Fact("true non-matches", f"{counts.true_non_matches:,}"),
    ]
    facts += people_facts(result.n_subjects, result.subjects_inferred)
    if measured.kind == "photographs":
        facts += [
            Fact("photographs", f"{result.photographs:,}"),
            Fact("failures to acquire", f"{len(result.failures):,}"),
        ]
    if measured.kind == "photographs" or measured.lost_genuine or measured.lost_impostor:
        facts += [
            Fact("genuine pairs lost to failures to acquire", f"{measured.lost_genuine:,}"),
            Fact("impostor pairs lost to failures to acquire", f"{measured.lost_impostor:,}"),
            Fact("FAR, with them", output.percent(result.far)),
            Fact("FRR, with them", output.percent(result.frr)),
        ]
    facts += streamed_facts(result.streamed)
    return Facts((*facts, *remark_facts(measured.remarks)))


def _provenance(result: VerificationResult) -> Facts:
    from facematch.reports import Fact

    facts = [
        Fact("pairs", escaped(result.measured.name)),
        Fact("SHA-256 of the pairs", result.measured.sha256),
        *photographs_facts(result.measured.photographs_sha256),
        Fact("threshold", f"{_threshold(result)}, {_origin(result)}"),
    ]
    facts += model_facts(result)
    return provenance(facts, result.seed, result.created_at)


def model_facts(result: VerificationResult) -> list[Fact]:
    """Name and fingerprint of the model; nothing of scores made elsewhere."""
    from facematch.reports import Fact

    if result.identity is None:
        return []
    return [
        Fact("model", escaped(result.identity.name)),
        Fact("fingerprint of the model", escaped(result.identity.fingerprint)),
    ]


def _origin(result: VerificationResult) -> str:
    if result.threshold_origin is None:
        return "best on all pairs"
    return escaped(result.threshold_origin)
