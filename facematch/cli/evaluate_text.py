"""What ``facematch evaluate`` says to a person, in lines of at most 80 columns."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from facematch.cli import output
from facematch.cli.calibrate_text import COUNTED, FEW_PEOPLE, groups, spread
from facematch.cli.foreign import escaped, shortened
from facematch.cli.text_plot import Tick, curve_text, roc_text, terminal_is_plain

if TYPE_CHECKING:
    from facematch.metrics import Limits, RateEstimate
    from facematch.workflows.evaluate import (
        IdentificationResult,
        SystemComparison,
        VerificationResult,
    )

SHOWN_WORST = 3
HEAD = f"  {'':8}{'rate':>10}   {'errors / pairs':>21}   95 % interval"

PROTOCOLS = {
    "listed-folds": "folds of the list, each judged at the best threshold of the others",
    "subject-folds": "folds of people, each judged at the best threshold of the others",
    "comparison-folds": "folds of comparisons, as no people are named",
    "fixed-threshold": "a threshold given beforehand",
    "same-pairs": "chosen and judged on the same pairs: too few people for folds; optimistic",
}


def verification(result: VerificationResult) -> str:
    """The report on pairs, without the list of failures."""
    curve = result.curve
    roc = roc_text(
        curve.fmr,
        1 - curve.fnmr,
        n_impostor=curve.n_impostor,
        mark=(result.fmr.rate, 1 - result.fnmr.rate),
        plain=terminal_is_plain(),
    )
    parts = [
        list(_accuracy(result)),
        list(_at_threshold(result)),
        list(_all_thresholds(result)),
        list(_tar(result)),
        list(_probability(result)),
        [line for table in result.groups for line in groups(table)],
        [roc],
    ]
    return "\n\n".join("\n".join(part) for part in parts if part)


def _accuracy(result: VerificationResult) -> Iterator[str]:
    judged = result.held_out
    yield f"accuracy {output.percent(result.accuracy)}{'' if judged is None else spread(judged)}"
    protocol = PROTOCOLS[result.protocol.value]
    if judged is None:
        yield f"  {protocol}"
        return
    yield f"  held out: {protocol}"
    if judged.share is not None:
        yield f"    stated for {output.percent(judged.share)} genuine pairs, as there are in all"
    yield HEAD
    yield f"  {'FMR':8}{_row(judged.fmr)}  impostor"
    yield f"  {'FNMR':8}{_row(judged.fnmr)}  genuine"


def _at_threshold(result: VerificationResult) -> Iterator[str]:
    """Of all pairs."""
    kind = f"{result.metric} distance" if result.metric else f"{result.measured.kind}"
    similar = result.measured.kind == "similarities"
    shown = -result.threshold if similar else result.threshold
    origin = result.threshold_origin or "best on all pairs"
    yield f"threshold {shown:.4f} ({kind}; {shortened(escaped(origin), 40)})"
    yield "  all pairs, decided by it:"
    yield HEAD
    yield f"  {'FMR':8}{_row(result.fmr)}  impostor"
    yield f"  {'FNMR':8}{_row(result.fnmr)}  genuine"
    if result.measured.kind == "photographs" or sum(_lost(result)) > 0:
        yield f"  {'FAR':8}{output.percent(result.far):>10}   failures to acquire counted in"
        yield f"  {'FRR':8}{output.percent(result.frr):>10}   failures to acquire counted in"
    counts = result.counts
    precision = "none" if counts.precision is None else output.percent(counts.precision)
    yield (
        f"  accuracy {output.percent(counts.accuracy)}, precision {precision}, "
        f"recall {output.percent(counts.recall)}, F1 {counts.f1:.4f}"
    )


def _all_thresholds(result: VerificationResult) -> Iterator[str]:
    measured = result.measured
    people = "" if result.n_subjects is None else f" of {result.n_subjects:,} people"
    yield (
        f"{result.curve.n_genuine:,} genuine and {result.curve.n_impostor:,} impostor pairs{people}"
    )
    prime = "not known" if result.d_prime is None else f"{result.d_prime:.2f}"
    yield (
        f"  AUC {result.auc:.4f}{_range(result.auc_interval)}, d-prime {prime}, "
        f"average precision {result.average_precision:.4f}"
    )
    yield f"  EER {output.percent(result.eer)}{_share_range(result.eer_interval)}"
    if measured.kind == "photographs":
        yield (
            f"  failures to acquire: {len(result.failures)} of {result.photographs:,} "
            f"photographs; lost {measured.lost_genuine:,} genuine,"
        )
        yield f"    {measured.lost_impostor:,} impostor pairs"
    elif sum(_lost(result)) > 0:
        yield (
            f"  failures to acquire: {measured.lost_genuine:,} genuine, "
            f"{measured.lost_impostor:,} impostor pairs not compared"
        )
    if result.fmr.rough or result.fnmr.rough:
        yield FEW_PEOPLE
    if result.streamed:
        yield from COUNTED
        yield "    no outcomes are kept for --compare"
    if measured.remarks.duplicates:
        yield f"  note: {measured.remarks.duplicates:,} pairs are listed more than once"


def _lost(result: VerificationResult) -> tuple[int, int]:
    """Genuine and impostor pairs that could not be compared."""
    return result.measured.lost_genuine, result.measured.lost_impostor


def _tar(result: VerificationResult) -> Iterator[str]:
    yield f"  {'at FMR':>10}{'TAR':>10}   95 % interval"
    for point in result.tar_at_fmr:
        at = f"  {output.percent(point.fmr):>10}"
        if point.tar is None:
            yield f"{at}{'-':>10}   unresolved: takes {point.impostors_needed:,} impostor pairs"
        else:
            limits = "" if point.interval is None else output.percent_limits(point.interval)
            yield f"{at}{output.percent(point.tar):>10}   {limits}".rstrip()


def _probability(result: VerificationResult) -> Iterator[str]:
    stated = result.probability
    if stated is None:
        return
    made = "held out" if stated.held_out else "of these very pairs: too few people"
    where = made if stated.origin is None else _short(stated.origin)
    yield f"  probability: {stated.method}, prior {output.percent(stated.prior)} ({where})"
    yield f"  Brier score {stated.reliability.brier:.4f}, ECE {stated.reliability.ece:.4f}"


def identification(result: IdentificationResult) -> str:
    """The report on a search, without the list of failures."""
    parts = [
        list(_asked(result)),
        list(_closed(result)),
        list(_open(result)),
        [FEW_PEOPLE] if result.intervals_rough else [],
        list(_retrieval(result)),
        list(_wrong(result)),
        [_cmc(result)] if len(result.cmc) > 1 else [],
    ]
    return "\n\n".join("\n".join(part) for part in parts if part)


def _asked(result: IdentificationResult) -> Iterator[str]:
    yield (
        f"{result.n_mated:,} probes of enrolled people and {result.n_nonmated:,} of strangers, "
        "searched in"
    )
    yield (
        f"  {result.references:,} references of {result.subjects:,} people "
        f"({result.metric} distance)"
    )
    if result.failures:
        yield (
            f"  failures to acquire: {result.lost_mated:,} probes of enrolled people, "
            f"{result.lost_nonmated:,} of strangers"
        )
        if result.lost_unknown:
            yield f"    and {result.lost_unknown:,} of which it is not known whom they show"
    if result.duplicates:
        yield f"  note: {result.duplicates:,} probes are listed more than once, and counted so"
    if result.enrolled_probes:
        yield (f"  left out: {len(result.enrolled_probes):,} probes whose very picture is enrolled")


def _closed(result: IdentificationResult) -> Iterator[str]:
    if not result.rank:
        yield "no probe is of an enrolled person: no ranks, no misses"
        return
    yield f"  {'closed set':16}{'rate':>10}   {'missed / probes':>21}   95 % interval"
    for k, missed in zip((1, 5, 10), result.rank, strict=True):
        limits = missed.interval
        counted = f"{missed.errors:,} / {missed.comparisons:,}"
        yield (
            f"  {f'rank {k}':16}{output.percent(1 - missed.rate):>10}   {counted:>21}   "
            f"{output.percent(1 - limits.high)} to {output.percent(1 - limits.low)}"
        )
    if result.lost_mated:
        places = zip((1, 5, 10), result.with_failures.rank, strict=True)
        cells = ", ".join(f"rank {k} {output.percent(share)}" for k, share in places)
        yield f"  with failures: {cells}"


def _open(result: IdentificationResult) -> Iterator[str]:
    if not result.fnir_at_fpir:
        yield "open set: not measured, it takes probes of enrolled people and of strangers"
        return
    yield f"  {'open set':16}{'FNIR':>10}   {'missed / probes':>21}   95 % interval"
    for point in result.fnir_at_fpir:
        name = f"FPIR {output.percent(point.fpir)}"
        if point.fnir is None:
            yield (
                f"  {name:16}{'-':>10}   unresolved: takes {point.nonmated_needed:,} probes "
                "of strangers"
            )
        else:
            yield f"  {name:16}{_row(point.fnir)}"
            yield (
                f"  {'':16}  at threshold {point.threshold:.4f}, which names "
                f"{point.false_positives:,} of {result.n_nonmated:,} strangers"
            )
    lost = result.lost_mated + result.lost_nonmated
    points = zip(result.fnir_at_fpir, result.with_failures.fnir_at_fpir, strict=True)
    known = [(point.fpir, fnir) for point, fnir in points if fnir is not None]
    if lost and known:
        cells = ", ".join(
            f"{output.percent(fnir)} at FPIR {output.percent(fpir)}" for fpir, fnir in known
        )
        yield f"  with failures, in both rates: FNIR {cells}"
    if result.fixed is not None:
        yield f"  at threshold {result.fixed.threshold:.4f} ({_short(result.fixed.origin)}):"
        for label, estimate in (("FPIR", result.fpir), ("FNIR", result.fnir)):
            if estimate is not None:
                yield f"  {label:16}{_row(estimate)}"
        counted = result.with_failures
        cells = ", ".join(
            f"{label} {output.percent(rate)}"
            for label, rate in (("FPIR", counted.fpir), ("FNIR", counted.fnir))
            if rate is not None
        )
        if lost and cells:
            yield f"  with failures: {cells}"


def _retrieval(result: IdentificationResult) -> Iterator[str]:
    if result.mean_average_precision is None:
        return
    counted = result.with_failures.mean_average_precision
    more = f", with failures {counted:.4f}" if result.lost_mated and counted is not None else ""
    yield f"retrieval: mean average precision {result.mean_average_precision:.4f}{more}"
    for name, values in (("recall", result.recall_at), ("precision", result.precision_at)):
        cells = ", ".join(
            f"@{k} {output.percent(value)}"
            for k, value in zip(result.ranks.depths, values, strict=True)
        )
        yield f"  {name:10}{cells}"


def _wrong(result: IdentificationResult) -> Iterator[str]:
    taken = [probe for probe in result.worst if probe.rank > 1][:SHOWN_WORST]
    if not taken:
        return
    yield "worst errors (--json lists more):"
    for probe in taken:
        yield (
            f"  {shortened(escaped(probe.path), 40)}: {_short(probe.named)} at "
            f"{probe.distance:.4f}, rank {probe.rank}"
        )


def _cmc(result: IdentificationResult) -> str:
    last = len(result.cmc)
    ticks = [Tick((k - 1) / (last - 1), str(k)) for k in sorted({1, (last + 1) // 2, last})]
    drawn = curve_text(result.cmc, ticks, plain=terminal_is_plain())
    return f"{drawn}\n{'share of probes whose subject is among the first k (CMC)':>78}"


def comparison(compared: SystemComparison) -> str:
    """Systems side by side."""
    if compared.searches:
        lines = [
            f"{compared.n_mated:,} probes of enrolled people and {compared.n_nonmated:,} of "
            "strangers; a probe without",
            "a template counts as found by nobody; differences are from the first system",
        ]
    else:
        lines = [
            f"{compared.n_mated:,} genuine and {compared.n_nonmated:,} impostor pairs; a pair "
            "that a system could not",
            "compare counts as rejected by it; differences are from the first system",
        ]
    if compared.resamples:
        what = "people" if compared.by_subject else "pairs"
        lines.append(f"(paired bootstrap over {what}, {compared.resamples:,} resamples, 95 %)")
    else:
        lines.append("(too few people for intervals)")
    width = max(14, *(len(name) + 1 for name in compared.figures))
    for one in compared.systems:
        failures = f"{one.system.failures_to_acquire:,} failures to acquire"
        if one.system.pairs_lost:
            failures += f", {one.system.pairs_lost:,} pairs lost"
        lines += ["", f"{_short(one.system.name)} ({_short(one.system.model or '-')}), {failures}"]
        for index, (name, value) in enumerate(zip(compared.figures, one.values, strict=True)):
            text = f"  {name.replace('_', ' '):{width}}{value:>9.4f}"
            if one.differences:
                change = one.differences[index]
                verdict = _verdict(name, change.difference, change.significant)
                text += (
                    f"   {change.difference:+.4f} ({change.interval.low:+.4f} to "
                    f"{change.interval.high:+.4f})  {verdict}"
                )
            lines.append(text.rstrip())
        if one.worse:
            lines.append("  significantly worse, all figures considered together:")
            lines += [f"    {name.replace('_', ' ')}" for name in one.worse]
    return "\n".join(lines)


def _verdict(name: str, difference: float, significant: bool) -> str:
    from facematch.workflows.evaluate import lower_is_better

    if not significant:
        return ""
    return "better" if (difference < 0) == lower_is_better(name) else "worse"


def _row(estimate: RateEstimate) -> str:
    pairs = f"{estimate.errors:,} / {estimate.comparisons:,}"
    limits = output.percent_limits(estimate.interval)
    return f"{output.percent(estimate.rate):>10}   {pairs:>21}   {limits}"


def _range(limits: Limits | None) -> str:
    return "" if limits is None else f" ({limits.low:.4f} to {limits.high:.4f})"


def _share_range(limits: Limits | None) -> str:
    return "" if limits is None else f" (95 %: {output.percent_limits(limits)})"


def _short(text: str) -> str:
    return shortened(escaped(text), 24)
