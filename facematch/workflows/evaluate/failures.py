"""Error rates with failures to acquire counted as rejections (ISO/IEC 19795-1)."""

from __future__ import annotations

from facematch.calibration import LabelledComparisons, StreamedComparisons
from facematch.metrics import RateEstimate, VerificationCurve

Measured = LabelledComparisons | StreamedComparisons


def far(fmr: RateEstimate, measured: Measured, curve: VerificationCurve) -> float:
    """``FMR (1 - FTA)`` with FTA the share of the impostor pairs that could not be compared."""
    return fmr.rate * (1 - _share(measured.lost_impostor, curve.n_impostor))


def frr(fnmr: RateEstimate, measured: Measured, curve: VerificationCurve) -> float:
    """``FTA + FNMR (1 - FTA)`` with FTA the share of the genuine pairs that could not be."""
    fta = _share(measured.lost_genuine, curve.n_genuine)
    return fta + fnmr.rate * (1 - fta)


def _share(lost: int, compared: int) -> float:
    return lost / (lost + compared)
