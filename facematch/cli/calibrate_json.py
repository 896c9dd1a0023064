"""The JSON of ``facematch calibrate``."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from facematch.cli import output

if TYPE_CHECKING:
    from facematch.calibration import GroupTable
    from facematch.metrics import HeldOut, ProbabilityFit, RateEstimate, VerificationCurve
    from facematch.workflows.calibrate import CalibrateResult


SCHEMA_VERSION = 2


def document(result: CalibrateResult, out: Path, plot: Path) -> dict[str, Any]:
    """The whole result; what is not known is null."""
    made, gallery, judged = result.calibration, result.gallery, result.fitted.held_out
    return output.versioned(
        {
            "threshold": made.threshold,
            "threshold_interval": output.interval_json(made.threshold_interval),
            "threshold_interval_method": output.interval_method(result.streamed),
            "pairs_streamed": result.streamed,
            "similarity_threshold": -made.threshold if made.scores == "similarities" else None,
            "scores": made.scores.value,
            "metric": None if made.metric is None else made.metric.value,
            "rule": str(made.rule),
            "target_fmr": made.rule.target_fmr,
            "fmr": made.fmr,
            "fmr_interval": output.interval_json(made.fmr_interval),
            "fnmr": made.fnmr,
            "fnmr_interval": output.interval_json(made.fnmr_interval),
            "interval_method": made.interval_method.value,
            "effective_impostor": result.fitted.fmr.effective,
            "effective_genuine": result.fitted.fnmr.effective,
            "far": made.far,
            "frr": made.frr,
            "unresolved": not made.resolved,
            "pairs_needed": {
                "genuine": result.choice.genuine_needed,
                "impostor": result.choice.impostors_needed,
            },
            "people_needed": {
                kind: next((one.people for one in result.unresolved if one.kind == kind), None)
                for kind in ("genuine", "impostor")
            },
            "intervals_rough": result.intervals_rough,
            "gallery_size": None if gallery is None else gallery.size,
            "fpir": None if gallery is None else gallery.fpir,
            "fpir_interval": None if gallery is None else output.interval_json(gallery.interval),
            "n_genuine": made.n_genuine,
            "n_impostor": made.n_impostor,
            "n_subjects": made.n_subjects,
            "subjects_inferred": result.subjects_inferred,
            "photographs": result.photographs,
            "failures_to_acquire": made.failures_to_acquire,
            "pairs_lost": {"genuine": made.lost_genuine, "impostor": made.lost_impostor},
            "failed": output.failures_json(result.failures),
            "remarks": asdict(result.remarks),
            "auc": made.auc,
            "eer": made.eer,
            "accuracy": made.accuracy,
            "accuracy_std": None if judged is None else judged.accuracy_std,
            "tar_at_fmr": tar_at_fmr(result.curve),
            "reversed": result.fitted.is_reversed,
            "held_out": held_out(judged),
            "probability": _probability(result.fitted.probability),
            "measures": [asdict(row) for row in result.measures],
            "worst": [asdict(pair) for pair in result.worst],
            "groups": [group_table(table) for table in result.groups],
            "pairs": made.pairs_name,
            "pairs_sha256": made.pairs_sha256,
            "photographs_sha256": made.photographs_sha256,
            "seed": made.seed,
            "model": made.model_name,
            "model_fingerprint": made.model_fingerprint,
            "facematch_version": made.facematch_version,
            "calibration": str(out),
            "plot": str(plot),
        },
        SCHEMA_VERSION,
    )


def _estimate(estimate: RateEstimate | None) -> dict[str, Any] | None:
    if estimate is None:
        return None
    return {
        "rate": estimate.rate,
        "interval": output.interval_json(estimate.interval),
        "errors": estimate.errors,
        "comparisons": estimate.comparisons,
    }


def tar_at_fmr(curve: VerificationCurve) -> dict[str, float | None]:
    """True accept rates of all pairs; null where the impostor pairs cannot show the target."""
    from facematch.metrics import tar_at_targets

    return {output.key_of(target): tar for target, tar in tar_at_targets(curve).items()}


def held_out(judged: HeldOut | None) -> dict[str, Any] | None:
    """What the rule gives on people, or folds of the list, that it was not chosen on."""
    if judged is None:
        return None
    return {
        "folds": judged.folds,
        "accuracy": judged.accuracy,
        "accuracy_std": judged.accuracy_std,
        "accuracy_standard_error": judged.accuracy_se,
        "genuine_share": judged.share,
        "fmr": _estimate(judged.fmr),
        "fnmr": _estimate(judged.fnmr),
        "thresholds": output.interval_json(judged.thresholds),
        "by_fold": [
            {
                "fold": one.fold,
                "threshold": one.threshold,
                "accuracy": one.accuracy(judged.share),
                **asdict(one.counts),
            }
            for one in judged.by_fold
        ],
    }


def _probability(fit: ProbabilityFit | None) -> dict[str, Any] | None:
    if fit is None:
        return None
    return {
        "method": fit.curve.method,
        "prior": fit.curve.prior,
        "held_out": fit.held_out,
        "log_loss_bits": fit.log_loss,
        "brier": fit.reliability.brier,
        "ece": fit.reliability.ece,
        "bins": [asdict(one) for one in fit.reliability.bins],
    }


def group_table(table: GroupTable) -> dict[str, Any]:
    """The rates of each value of a column."""
    return {
        "column": table.column,
        "groups": [
            {
                "value": group.value,
                "fmr": _estimate(group.fmr),
                "fnmr": _estimate(group.fnmr),
                "equal_threshold": group.equal_threshold,
            }
            for group in table.groups
        ],
        "failures_to_acquire": [asdict(lost) for lost in table.failures],
        "disjoint": [asdict(found) for found in table.disparities],
    }
