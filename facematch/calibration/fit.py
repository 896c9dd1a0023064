"""From measured distances to a calibration."""

from __future__ import annotations

from datetime import datetime

from facematch.calibration.record import Calibration
from facematch.metrics import (
    ThresholdRule,
    auc,
    choose_threshold,
    clopper_pearson,
    eer,
    fit_match_probability,
    verification_curve,
)
from facematch.types import Float32Array, Float64Array, Metric, ModelIdentity


def fit_calibration(
    genuine: Float32Array | Float64Array,
    impostor: Float32Array | Float64Array,
    *,
    metric: Metric,
    rule: ThresholdRule,
    identity: ModelIdentity,
    pairs_name: str,
    pairs_sha256: str,
    failures_to_acquire: int,
    created_at: datetime,
    version: str,
) -> Calibration:
    """Chooses the threshold that the rule asks for and measures what it does.

    Args:
        genuine: (n,) finite distances between pictures of one subject.
        impostor: (m,) finite distances between pictures of two subjects.
        metric: of those distances.
        rule: what the threshold is chosen for.
        identity: the model behind the distances.
        pairs_name: file name of the list of pairs.
        pairs_sha256: hexadecimal digest of that file.
        failures_to_acquire: pictures that gave no template.
        created_at: when, with a time zone.
        version: of facematch.

    Raises:
        OneClassError: either class is empty.
        ValueError: NaN or infinity among the distances, or a field out of range.
    """
    curve = verification_curve(genuine, impostor)
    choice = choose_threshold(curve, rule)
    counts = choice.counts
    return Calibration(
        metric=metric,
        threshold=choice.threshold,
        rule=rule,
        fmr=counts.fmr,
        fmr_interval=clopper_pearson(counts.false_matches, curve.n_impostor),
        fnmr=counts.fnmr,
        fnmr_interval=clopper_pearson(counts.false_non_matches, curve.n_genuine),
        n_genuine=curve.n_genuine,
        n_impostor=curve.n_impostor,
        failures_to_acquire=failures_to_acquire,
        resolved=choice.resolved,
        auc=auc(curve),
        eer=eer(curve),
        accuracy=counts.accuracy,
        match_probability=fit_match_probability(genuine, impostor),
        pairs_name=pairs_name,
        pairs_sha256=pairs_sha256,
        model_name=identity.name,
        model_fingerprint=identity.fingerprint,
        facematch_version=version,
        created_at=created_at.isoformat(timespec="seconds"),
    )
