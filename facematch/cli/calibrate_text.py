"""What ``facematch calibrate`` says to a person, in lines of at most 80 columns."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from facematch.cli import output
from facematch.cli.foreign import escaped, named, shortened
from facematch.cli.text_plot import roc_text, terminal_is_plain

if TYPE_CHECKING:
    from facematch.calibration import GroupTable
    from facematch.metrics import HeldOut, RateEstimate
    from facematch.workflows.calibrate import CalibrateResult

SHOWN_DISPARITIES = 10

FEW_PEOPLE = "  note: few people stand behind these rates: the intervals are rough"

COUNTED = (
    "  pairs are counted, not held: for intervals, groups of people are left out;",
    "    folds and probabilities go by distances to 1/131,072 of their range",
)


def report(result: CalibrateResult, out: Path, plot: Path) -> str:
    """The whole report, without the list of failures."""
    parts = [
        [*_threshold(result), *_rates(result), *_new_people(result)],
        list(_warnings(result)),
        list(_probability(result)),
        list(_measures(result)),
        [line for table in result.groups for line in groups(table)],
        [_roc(result)],
        [f"wrote {escaped(out)} and {escaped(plot)}"],
    ]
    return "\n\n".join("\n".join(part) for part in parts if part)


def _threshold(result: CalibrateResult) -> Iterator[str]:
    made = result.calibration
    distance = f"{made.metric} distance" if made.metric else f"{made.scores} made elsewhere"
    yield f"threshold {made.threshold:.4f} ({distance}, {made.rule})"
    if made.scores == "similarities":
        yield f"  accept a similarity of at least {-made.threshold:.4f}"
    if made.threshold_interval is not None:
        limits = made.threshold_interval
        who = "comparisons" if made.n_subjects is None else f"{made.n_subjects:,} subjects"
        yield f"  95 % interval {limits.low:.4f} to {limits.high:.4f}, from {who}"
    target = made.rule.target_fmr
    if made.rule.gallery_size is not None and target is not None:
        yield (
            f"  an FPIR of {output.percent(made.rule.target or 0)} among "
            f"{made.rule.gallery_size:,} references takes an FMR of {output.percent(target)}"
        )
    if result.gallery is not None:
        gallery = result.gallery
        yield (
            f"  searched in {gallery.size:,} references: FPIR {output.percent(gallery.fpir)} "
            f"({output.percent_limits(gallery.interval)})"
        )


def _rates(result: CalibrateResult) -> Iterator[str]:
    made, fitted = result.calibration, result.fitted
    lost = (made.lost_genuine or 0, made.lost_impostor or 0)
    yield ""
    yield f"  {'':8}{'rate':>10}   {'errors / pairs':>18}   95 % interval"
    for name, estimate, kind in (
        ("FMR", fitted.fmr, "impostor"),
        ("FNMR", fitted.fnmr, "genuine"),
    ):
        yield f"  {name:8}{_row(estimate)}  {kind}"
    for name, rate, formula in (
        ("FAR", made.far, "FMR x (1 - FTA)"),
        ("FRR", made.frr, "FTA + FNMR x (1 - FTA)"),
    ):
        if rate is not None and (made.scores == "photographs" or sum(lost) > 0):
            yield f"  {name:8}{output.percent(rate):>10}   {formula}"
    yield (
        f"  accuracy {output.percent(made.accuracy)}, EER {output.percent(made.eer)}, "
        f"AUC {made.auc:.4f}"
    )
    if made.scores == "photographs":
        yield (
            f"  failures to acquire: {made.failures_to_acquire} of {result.photographs:,} "
            "photographs"
        )
        if sum(lost) > 0:
            yield f"    FTA: {lost[0]:,} genuine, {lost[1]:,} impostor pairs not compared"
    elif sum(lost) > 0:
        yield f"  failures to acquire: {lost[0]:,} genuine, {lost[1]:,} impostor pairs not compared"
    if not (fitted.fmr.independent and fitted.fnmr.independent):
        yield (
            "  comparisons share people: they tell as much as "
            f"{output.effective(fitted.fmr.effective)} independent"
        )
        yield (
            f"    impostor and {output.effective(fitted.fnmr.effective)} independent genuine "
            "comparisons"
        )
        if result.intervals_rough:
            yield FEW_PEOPLE
    elif made.n_subjects is None:
        yield "  no subjects are named: comparisons are taken as independent"
    if result.streamed:
        yield from COUNTED


def _row(estimate: RateEstimate) -> str:
    pairs = f"{estimate.errors:,} / {estimate.comparisons:,}"
    limits = output.percent_limits(estimate.interval)
    return f"{output.percent(estimate.rate):>10}   {pairs:>18}   {limits}"


def _new_people(result: CalibrateResult) -> Iterator[str]:
    judged = result.fitted.held_out
    if judged is None:
        yield "  on new people: not known, there are too few people to hold some back"
        return
    if result.calibration.n_subjects is None:
        yield f"  on pairs held back ({judged.folds} folds of pairs; no people are named):"
    else:
        yield f"  on new people ({judged.folds} folds, nobody in two of them):"
    yield f"  {'FMR':8}{_row(judged.fmr)}  impostor"
    yield f"  {'FNMR':8}{_row(judged.fnmr)}  genuine"
    yield f"  accuracy {output.percent(judged.accuracy)}{spread(judged)}"


def spread(judged: HeldOut) -> str:
    """How far the folds are apart, behind an accuracy."""
    if judged.accuracy_std is None or judged.accuracy_se is None:
        return ""
    return (
        f" (mean of {len(judged.accuracies)} folds; standard deviation "
        f"{100 * judged.accuracy_std:.2f}, error {100 * judged.accuracy_se:.2f})"
    )


def _warnings(result: CalibrateResult) -> Iterator[str]:
    remarks = result.remarks
    for found in result.unresolved:
        yield "UNRESOLVED: to show this target with 95 % confidence takes"
        needed = f"  at least {found.needed:,} {found.kind} pairs (3 / target)"
        if found.people is None:
            yield f"{needed}, not {found.pairs:,}"
        else:
            yield f"{needed} that share no people;"
            yield f"  these {found.pairs:,} share people and tell as much as {found.worth:,.0f};"
            yield f"  up to about {found.people:,} people like these would do"
    if remarks.duplicates:
        yield f"note: {remarks.duplicates:,} pairs are listed more than once, and counted so"
    if remarks.self_pairs:
        yield f"note: {remarks.self_pairs:,} pairs compare a picture with itself"
    if remarks.contradictions:
        yield f"WARNING: {remarks.contradictions:,} impostor pairs are of one person by what other"
        yield f"  pairs say; the first is in line {remarks.contradiction_line}"
    if result.subjects_inferred:
        yield "note: subjects follow from the genuine pairs; name them in columns subject_a,"
        yield "  subject_b if one has photographs that no genuine pair links"


def _probability(result: CalibrateResult) -> Iterator[str]:
    fit = result.fitted.probability
    if fit is None:
        yield "no probability: it would not fall with distance"
        return
    losses = ", ".join(f"{name} {loss:.4f}" for name, loss in fit.log_loss.items())
    where = "held out" if fit.held_out else "not held out: too few people"
    yield f"probability: {fit.curve.method}, prior {output.percent(fit.curve.prior)} ({where})"
    yield f"  log-loss in bits: {losses}"
    yield f"  Brier score {fit.reliability.brier:.4f}, ECE {fit.reliability.ece:.4f}"
    filled = [one for one in fit.reliability.bins if one.comparisons]
    yield f"  {'stated':>10} {'observed':>10} {'pairs':>12}"
    for one in filled:
        yield (
            f"  {output.percent(one.stated or 0):>10} {output.percent(one.observed or 0):>10} "
            f"{one.comparisons:>12,}"
        )


def _measures(result: CalibrateResult) -> Iterator[str]:
    if not result.measures:
        return
    yield "every distance on the same pairs, by the same rule:"
    yield (f"  {'':18}{'threshold':>10}{'FMR':>10}{'FNMR':>9}{'accuracy':>10}{'EER':>9}{'AUC':>8}")
    for row in result.measures:
        yield (
            f"  {row.metric:18}{row.threshold:>10.4f}{output.percent(row.fmr):>10}"
            f"{output.percent(row.fnmr):>9}{output.percent(row.accuracy):>10}"
            f"{output.percent(row.eer):>9}{row.auc:>8.4f}"
        )


def groups(table: GroupTable) -> Iterator[str]:
    """The rates of each value of a column, and which are apart."""
    column = shortened(escaped(table.column), 14)
    yield f"{column:16}{'FMR':>9}  {'95 % interval':20}{'FNMR':>7}  95 % interval"
    for group in table.groups:
        cells = "".join(
            f"{'' if estimate is None else output.percent(estimate.rate):>{width}}  "
            f"{'' if estimate is None else output.percent_limits(estimate.interval):20}"
            for estimate, width in ((group.fmr, 9), (group.fnmr, 7))
        )
        yield f"  {shortened(named(group.value), 13):14}{cells}".rstrip()
    for lost in table.failures:
        name = shortened(named(lost.value), 13)
        if lost.photographs == 0 and lost.lost_genuine + lost.lost_impostor > 0:
            yield (
                f"  {name:14}failures to acquire: {lost.lost_genuine:,} genuine and "
                f"{lost.lost_impostor:,} impostor pairs"
            )
        elif lost.failures:
            yield (
                f"  {name:14}failures to acquire: "
                f"{lost.failures:,} of {lost.photographs:,} photographs,"
            )
            yield (
                f"  {'':14}  {lost.lost_genuine:,} genuine and {lost.lost_impostor:,} impostor "
                "pairs lost"
            )
    for found in table.disparities[:SHOWN_DISPARITIES]:
        yield (
            f"WARNING: {found.rate} is higher for {shortened(named(found.worse), 16)} than for "
            f"{shortened(named(found.better), 16)}:"
        )
        yield "  the intervals do not overlap"
    if len(table.disparities) > SHOWN_DISPARITIES:
        yield f"  … and {len(table.disparities) - SHOWN_DISPARITIES} more (--json lists all)"
    equal = [g for g in table.groups if g.equal_threshold is not None]
    if equal:
        yield "for information only, thresholds that would give all the same rate:"
        for group in equal:
            yield f"  {shortened(named(group.value), 13):14}{group.equal_threshold:>9.4f}"


def _roc(result: CalibrateResult) -> str:
    curve, made = result.curve, result.calibration
    return roc_text(
        curve.fmr,
        1 - curve.fnmr,
        n_impostor=curve.n_impostor,
        mark=(made.fmr, 1 - made.fnmr),
        plain=terminal_is_plain(),
    )
