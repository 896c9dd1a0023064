"""The ROC of a calibration as a picture."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np

from facematch.calibration.files import write_atomically
from facematch.calibration.record import Calibration
from facematch.errors import OutputError
from facematch.metrics import VerificationCurve
from facematch.overwriting import head_of
from facematch.types import Float64Array

# The drawing is about this many pixels wide; more steps than that cannot be seen.
_STEPS = 1000
_SIGNED_WITHIN = 4096


def plot_roc(curve: VerificationCurve, calibration: Calibration, path: Path) -> None:
    """Draws true accept rate over FMR, the latter logarithmic, and marks the threshold.

    An FMR of zero has no place on a logarithmic axis: it is drawn at the left edge, at half a
    false match.

    Args:
        curve: the measurements behind the calibration.
        calibration: its threshold is marked, with its intervals.
        path: ends in .png or .svg.

    Raises:
        OutputError: another suffix, or the file cannot be written.
    """
    write_atomically(path, _drawing(curve, calibration, plot_format(path)))


def plot_format(path: Path) -> str:
    """``png`` or ``svg``, by the suffix.

    Raises:
        OutputError: it is another one.
    """
    file_format = path.suffix.lower().removeprefix(".")
    if file_format not in ("png", "svg"):
        raise OutputError(
            f"{path}: a plot is written as .png or .svg; choose such a name with --plot"
        )
    return file_format


def is_plot(path: Path) -> bool:
    """Whether a file is a drawing and no photograph: matplotlib signs what it draws."""
    return b"Matplotlib" in head_of(path, _SIGNED_WITHIN)


def roc_steps(curve: VerificationCurve) -> tuple[Float64Array, Float64Array]:
    """The ROC on a logarithmic grid: the highest TAR with at most each FMR.

    Returns:
        FMR from half a false match to 1, rising, and TAR there; float64 (k,) each.
    """
    fmr = np.geomspace(0.5 / curve.n_impostor, 1, _STEPS)
    point = np.searchsorted(curve.fmr, fmr, side="right") - 1
    return fmr, 1 - curve.fnmr[point]


def _drawing(curve: VerificationCurve, calibration: Calibration, file_format: str) -> bytes:
    # The object interface: pyplot would keep global state and choose a window system.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 5.6), dpi=120, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    fmr, tar = roc_steps(curve)
    left = float(fmr[0])
    axes.step(fmr, tar, where="post", color="tab:blue", linewidth=1.5)
    point_fmr, point_tar = max(calibration.fmr, left), 1 - calibration.fnmr
    low_fmr, high_fmr = (
        max(limit, left) for limit in (calibration.fmr_interval.low, calibration.fmr_interval.high)
    )
    low_tar, high_tar = 1 - calibration.fnmr_interval.high, 1 - calibration.fnmr_interval.low
    axes.errorbar(
        [point_fmr],
        [point_tar],
        xerr=[[point_fmr - low_fmr], [high_fmr - point_fmr]],
        yerr=[[max(point_tar - low_tar, 0)], [max(high_tar - point_tar, 0)]],
        fmt="o",
        color="tab:red",
        capsize=3,
        label=(
            f"threshold {calibration.threshold:.4f} "
            f"({calibration.metric or calibration.scores}, {calibration.rule})\n"
            f"FMR {calibration.fmr:.3%}, FNMR {calibration.fnmr:.3%}, 95 % intervals"
        ),
    )
    axes.set_xscale("log")
    axes.set_xlim(left, 1)
    axes.set_ylim(-0.02, 1.02)
    axes.set_xlabel("false match rate (FMR)")
    axes.set_ylabel("true accept rate (1 - FNMR)")
    axes.grid(visible=True, which="both", alpha=0.25)
    axes.legend(loc="lower right", fontsize=9)
    axes.set_title(f"AUC {calibration.auc:.4f}, EER {calibration.eer:.2%}", fontsize=11)
    figure.supxlabel(_caption(calibration), fontsize=8, parse_math=False)
    buffer = io.BytesIO()
    # Without the date, equal measurements make equal files.
    metadata = {"Date": None} if file_format == "svg" else None
    figure.savefig(buffer, format=file_format, metadata=metadata)
    return buffer.getvalue()


def _caption(calibration: Calibration) -> str:
    model = calibration.scores + " made elsewhere"
    if calibration.model_fingerprint is not None:
        fingerprint = calibration.model_fingerprint[:12]
        model = f"model {calibration.model_name}, fingerprint {fingerprint}"
    text = (
        f"{calibration.n_genuine} genuine and {calibration.n_impostor} impostor comparisons of "
        f"{calibration.pairs_name}; {calibration.failures_to_acquire} failures to acquire\n"
        f"{model}"
    )
    # The font that comes with matplotlib lacks many scripts, and a missing glyph is a warning.
    return text.encode("ascii", "backslashreplace").decode("ascii")
