"""The JSON of ``facematch evaluate``."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from facematch.cli import output
from facematch.cli.calibrate_json import group_table, held_out
from facematch.cli.output import key_of

if TYPE_CHECKING:
    from facematch.metrics import RateEstimate
    from facematch.workflows.evaluate import (
        IdentificationResult,
        StatedProbability,
        SystemComparison,
        VerificationResult,
    )


def verification(result: VerificationResult) -> dict[str, Any]:
    """One-to-one comparison; what is not known is null."""
    from facematch.workflows.evaluate import PAIRS_SCHEMA_VERSION

    measured, identity, judged = result.measured, result.identity, result.held_out
    return output.versioned(
        {
            "task": "verification",
            "protocol": result.protocol.value,
            "accuracy": result.accuracy,
            "accuracy_std": None if judged is None else judged.accuracy_std,
            "accuracy_standard_error": None if judged is None else judged.accuracy_se,
            "held_out": held_out(judged),
            "threshold": result.threshold,
            "threshold_origin": result.threshold_origin,
            "accuracy_at_threshold": result.counts.accuracy,
            "fmr": result.fmr.rate,
            "fmr_interval": output.interval_json(result.fmr.interval),
            "fnmr": result.fnmr.rate,
            "fnmr_interval": output.interval_json(result.fnmr.interval),
            "intervals_rough": result.fmr.rough or result.fnmr.rough,
            "far": result.far,
            "frr": result.frr,
            "precision": result.counts.precision,
            "recall": result.counts.recall,
            "f1": result.counts.f1,
            "decisions": asdict(result.counts),
            "pairs_streamed": result.streamed,
            "curve_interval_method": output.interval_method(result.streamed),
            "auc": result.auc,
            "auc_interval": output.interval_json(result.auc_interval),
            "eer": result.eer,
            "eer_interval": output.interval_json(result.eer_interval),
            "tar_at_fmr": {key_of(point.fmr): point.tar for point in result.tar_at_fmr},
            "tar_at_fmr_interval": {
                key_of(point.fmr): output.interval_json(point.interval)
                for point in result.tar_at_fmr
            },
            "impostors_needed": {
                key_of(point.fmr): point.impostors_needed for point in result.tar_at_fmr
            },
            "d_prime": result.d_prime,
            "reversed": result.is_reversed,
            "average_precision": result.average_precision,
            "n_genuine": result.curve.n_genuine,
            "n_impostor": result.curve.n_impostor,
            "n_subjects": result.n_subjects,
            "subjects_inferred": result.subjects_inferred,
            "photographs": result.photographs,
            "failures_to_acquire": len(result.failures),
            "pairs_lost": {"genuine": measured.lost_genuine, "impostor": measured.lost_impostor},
            "failed": output.failures_json(result.failures),
            "remarks": asdict(measured.remarks),
            "groups": [group_table(table) for table in result.groups],
            "probability": None if result.probability is None else _probability(result.probability),
            "worst": [asdict(pair) for pair in result.worst],
            "scores": measured.kind.value,
            "metric": None if result.metric is None else result.metric.value,
            "pairs": measured.name,
            "pairs_sha256": measured.sha256,
            "photographs_sha256": measured.photographs_sha256,
            "seed": result.seed,
            "model": None if identity is None else identity.name,
            "model_fingerprint": None if identity is None else identity.fingerprint,
            "facematch_version": result.version,
            "created_at": result.created_at,
        },
        PAIRS_SCHEMA_VERSION,
    )


def identification(result: IdentificationResult) -> dict[str, Any]:
    """One-to-many search; the keys of one-to-one comparison that have no meaning are null."""
    depths, counted = result.ranks.depths, result.with_failures
    ranks = dict(zip((1, 5, 10), result.rank, strict=False))
    return output.versioned(
        {
            "task": "identification",
            "rank": {str(k): None if k not in ranks else 1 - ranks[k].rate for k in (1, 5, 10)},
            "rank_interval": {str(k): _upside_down(ranks.get(k)) for k in (1, 5, 10)},
            "rank_with_failures": {
                str(k): counted.rank[row] if row < len(counted.rank) else None
                for row, k in enumerate((1, 5, 10))
            },
            "cmc": result.cmc.tolist(),
            "fnir_at_fpir": {
                key_of(target): next(
                    (
                        None if point.fnir is None else point.fnir.rate
                        for point in result.fnir_at_fpir
                        if point.fpir == target
                    ),
                    None,
                )
                for target in (0.1, 0.01, 0.001)
            },
            "fnir_at_fpir_with_failures": {
                key_of(target): rate
                for target, rate in zip((0.1, 0.01, 0.001), counted.fnir_at_fpir, strict=True)
            },
            "open_set": [
                {
                    "fpir": point.fpir,
                    "threshold": _finite(point.threshold),
                    "false_positives": point.false_positives,
                    "fnir": _estimate(point.fnir),
                    "nonmated_needed": point.nonmated_needed,
                }
                for point in result.fnir_at_fpir
            ],
            "open_set_curve": _curve(result),
            "map": result.mean_average_precision,
            "map_with_failures": counted.mean_average_precision,
            "recall_at": dict(zip(map(str, depths), result.recall_at, strict=False)),
            "precision_at": dict(zip(map(str, depths), result.precision_at, strict=False)),
            "n_mated": result.n_mated,
            "n_nonmated": result.n_nonmated,
            "intervals_rough": result.intervals_rough,
            "threshold": None if result.fixed is None else result.fixed.threshold,
            "threshold_origin": None if result.fixed is None else result.fixed.origin,
            "fpir": _estimate(result.fpir),
            "fnir": _estimate(result.fnir),
            "fpir_with_failures": counted.fpir,
            "fnir_with_failures": counted.fnir,
            "failures_to_acquire": len(result.failures),
            "probes_lost": {
                "mated": result.lost_mated,
                "nonmated": result.lost_nonmated,
                "unknown": result.lost_unknown,
            },
            "failed": output.failures_json(result.failures),
            "remarks": {"duplicates": result.duplicates},
            "enrolled_probes": list(result.enrolled_probes),
            "worst": [asdict(probe) for probe in result.worst],
            "gallery": result.gallery,
            "gallery_sha256": result.gallery_sha256,
            "references": result.references,
            "subjects": result.subjects,
            "probes_sha256": result.probes_sha256,
            "metric": result.metric.value,
            "seed": result.seed,
            "model": result.identity.name,
            "model_fingerprint": result.identity.fingerprint,
            "facematch_version": result.version,
            "created_at": result.created_at,
        }
    )


def comparison(compared: SystemComparison) -> dict[str, Any]:
    """Systems side by side; differences are from the first."""
    return {
        "task": "comparison",
        **(
            {"n_mated": compared.n_mated, "n_nonmated": compared.n_nonmated}
            if compared.searches
            else {"n_genuine": compared.n_mated, "n_impostor": compared.n_nonmated}
        ),
        "resampled": "subjects" if compared.by_subject else "comparisons",
        "resamples": compared.resamples,
        "seed": compared.seed,
        "created_at": compared.created_at,
        "systems": [
            {
                "name": one.system.name,
                "path": one.system.path,
                "model": one.system.model,
                "model_fingerprint": one.system.model_fingerprint,
                "failures_to_acquire": one.system.failures_to_acquire,
                "pairs_lost": one.system.pairs_lost,
                "figures": dict(zip(compared.figures, one.values, strict=True)),
                "differences": {
                    name: {
                        "difference": difference.difference,
                        "interval": output.interval_json(difference.interval),
                        "significant": difference.significant,
                    }
                    for name, difference in zip(compared.figures, one.differences, strict=False)
                },
                "significantly_worse": list(one.worse),
            }
            for one in compared.systems
        ],
    }


def _probability(stated: StatedProbability) -> dict[str, Any]:
    return {
        "method": stated.method,
        "origin": stated.origin,
        "prior": stated.prior,
        "held_out": stated.held_out,
        "brier": stated.reliability.brier,
        "ece": stated.reliability.ece,
        "bins": [asdict(one) for one in stated.reliability.bins],
    }


def _curve(result: IdentificationResult) -> dict[str, Any] | None:
    curve = result.open_set
    if curve is None:
        return None
    return {
        # The first threshold, which names nobody, is minus infinity: JSON has none.
        "threshold": [None, *curve.thresholds[1:].tolist()],
        "fpir": curve.fpir.tolist(),
        "fnir": curve.fnir.tolist(),
    }


def _finite(threshold: float) -> float | None:
    return None if threshold == float("-inf") else threshold


def _upside_down(missed: RateEstimate | None) -> list[float] | None:
    """The interval of a share from that of its complement."""
    return None if missed is None else [1 - missed.interval.high, 1 - missed.interval.low]


def _estimate(estimate: RateEstimate | None) -> dict[str, Any] | None:
    if estimate is None:
        return None
    return {
        "rate": estimate.rate,
        "interval": output.interval_json(estimate.interval),
        "errors": estimate.errors,
        "trials": estimate.comparisons,
    }
