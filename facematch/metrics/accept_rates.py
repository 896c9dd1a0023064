"""At which false match rates a true accept rate is reported, and whether it can be."""

from __future__ import annotations

from facematch.metrics.thresholds import comparisons_needed
from facematch.metrics.verification import VerificationCurve, tar_at_fmr

FMR_TARGETS = (0.1, 0.01, 0.001, 0.0001, 0.00001)


def targets_shown(n_impostor: int) -> list[float]:
    """The target rates that so many impostor comparisons can show (rule of three).

    >>> targets_shown(435)
    [0.1, 0.01]
    """
    return [target for target in FMR_TARGETS if n_impostor >= comparisons_needed(target)]


def tar_at_targets(curve: VerificationCurve) -> dict[float, float | None]:
    """The true accept rate at each of ``FMR_TARGETS``; None where it cannot be shown."""
    shown = targets_shown(curve.n_impostor)
    return {t: tar_at_fmr(curve, t) if t in shown else None for t in FMR_TARGETS}
