"""JSON forms, and the few ways in which text is laid out.

Every JSON document carries ``schema_version``; a key is never removed or changed in meaning
within a version. Documentation of the forms: docs/json.md.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from facematch.choices import FaceChoice
from facematch.cli.foreign import escaped, json_text

if TYPE_CHECKING:
    from facematch.calibration.choice import DecisionThreshold
    from facematch.metrics import Interval, Limits
    from facematch.pipeline import AnalyzedFace, AnalyzedPhotograph, Failure
    from facematch.types import PassedOver, Quality

SCHEMA_VERSION = 1
SHOWN_FAILURES = 20

_REVERSED = {
    "distances": (
        "the larger distances",
        "if these are similarities, name the column `similarity`; else the labels are wrong",
    ),
    "similarities": (
        "the smaller similarities",
        "if these are distances, name the column `distance`; else the labels are wrong",
    ),
    "photographs": (
        "the larger distances",
        "something is mislabelled (`same` is 1 for pictures of one person)",
    ),
}


def print_json(document: Mapping[str, Any] | Sequence[Any]) -> None:
    """One JSON document on one line of stdout, at once (a reader may be waiting)."""
    print(json_text(document), flush=True)


def versioned(document: Mapping[str, Any], version: int = SCHEMA_VERSION) -> dict[str, Any]:
    return {"schema_version": version, **document}


def key_of(target: float) -> str:
    """A rate as objects are keyed by it: 0.1, 0.01, 0.00001."""
    return f"{target:.5f}".rstrip("0")


def warn_of_reversed(scores: str, auc: float) -> None:
    """Says on stderr, in one line, that nearer pairs are the impostor pairs.

    Args:
        scores: ``distances``, ``similarities`` or ``photographs``.
        auc: well below one half.
    """
    seen, remedy = _REVERSED[scores]
    print(f"WARNING: AUC {auc:.4f}: genuine pairs have {seen}; {remedy}", file=sys.stderr)


def interval_method(streamed: bool) -> str:
    """Of the intervals of thresholds, areas and accept rates.

    People are drawn anew, or left out group by group where pairs were counted and not held;
    where errors are few, exact limits are joined to either.
    """
    return "group-jackknife" if streamed else "subject-bootstrap"


def face_json(face: AnalyzedFace) -> dict[str, Any]:
    """A chosen face: where, how certain, how good."""
    return {
        "index": face.index,
        "box_xyxy": [round(float(v), 2) for v in face.face.box_xyxy],
        "landmarks_xy": [[round(float(v), 2) for v in point] for point in face.face.landmarks_xy],
        "score": round(face.face.score, 5),
        "quality": quality_json(face.quality),
    }


def quality_json(quality: Quality) -> dict[str, Any]:
    return {
        key: list(value) if isinstance(value, tuple) else round(value, 4)
        for key, value in asdict(quality).items()
    }


def photograph_json(photograph: AnalyzedPhotograph) -> dict[str, Any]:
    return {
        "path": photograph.path,
        "sha256": photograph.sha256,
        "width": photograph.size_wh[0],
        "height": photograph.size_wh[1],
        "faces_detected": photograph.detected,
        "search_complete": photograph.complete,
        "face_choice": photograph.choice.value,
        "passed_over": passed_over_json(photograph.passed_over),
    }


def passed_over_json(passed_over: Sequence[PassedOver]) -> list[dict[str, Any]]:
    return [asdict(other) for other in passed_over]


def failures_json(failed: Sequence[Failure]) -> list[dict[str, Any]]:
    return [asdict(failure) for failure in failed]


def decision_json(decision: DecisionThreshold) -> dict[str, Any]:
    calibration = decision.calibration
    return {
        "threshold": decision.threshold,
        "metric": decision.metric.value,
        "threshold_origin": decision.origin,
        "threshold_rule": None if calibration is None else str(calibration.rule),
        "threshold_fmr": None if calibration is None else calibration.fmr,
        "threshold_fnmr": None if calibration is None else calibration.fnmr,
    }


def interval_json(interval: Interval | Limits | None) -> list[float] | None:
    return None if interval is None else [interval.low, interval.high]


def describe_decision(decision: DecisionThreshold) -> str:
    """Where the threshold comes from and what it promises, in one line."""
    text = f"threshold {decision.threshold:.4f} ({decision.metric}) from {decision.origin}"
    calibration = decision.calibration
    if calibration is None:
        return f"{text}: no error rates are known for it"
    return (
        f"{text}: FMR {percent(calibration.fmr)}, FNMR {percent(calibration.fnmr)} on "
        f"{calibration.n_impostor} impostor and {calibration.n_genuine} genuine pairs"
    )


def describe_face(photograph: AnalyzedPhotograph, face: AnalyzedFace) -> list[str]:
    """Which face was taken and why the others were not, as lines."""
    width, height = face.face.size_wh
    left, top = (float(v) for v in face.face.box_xyxy[:2])
    where = f"{width:.0f}x{height:.0f} px at ({left:.0f}, {top:.0f})"
    if photograph.detected == 1:
        only = "the only face" if photograph.complete else "the only face found"
        lines = [f"{only}, {where}"]
    else:
        rule = "every face" if photograph.choice is FaceChoice.ALL else f"{photograph.choice} face"
        found = f"{photograph.detected}{'' if photograph.complete else ' found'}"
        lines = [f"face {face.index + 1} of {found} ({rule}), {where}"]
    lines += [f"  not face {other.index + 1}: {other.reason}" for other in photograph.passed_over]
    lines += [f"  quality: {warning}" for warning in face.quality.warnings]
    return lines


def counted(number: int, what: str) -> str:
    """``3 photographs were not enrolled``, or ``1 photograph was not enrolled``.

    Args:
        number: of them.
        what: in the plural, with its noun first.
    """
    if number == 1:
        noun, *rest = what.split(" ")
        what = " ".join([noun.removesuffix("s"), *("was" if w == "were" else w for w in rest)])
    return f"{number} {what}"


def print_failures(failed: Sequence[Failure], what: str) -> None:
    """Lists failures on stderr, the first ones in full; ``what`` as in :func:`counted`."""
    if not failed:
        return
    print(f"{counted(len(failed), what)}:", file=sys.stderr)
    for failure in failed[:SHOWN_FAILURES]:
        print(f"  {escaped(failure.reason)}", file=sys.stderr)
    if len(failed) > SHOWN_FAILURES:
        rest = len(failed) - SHOWN_FAILURES
        print(f"  … and {rest} more (--json lists all)", file=sys.stderr)


# An end of an interval that is nearer to none or all than this is called that: an interval may
# be wider than it need be, and thirteen digits tell nobody anything.
_AS_GOOD_AS_ALL = 1e-6


def percent_limits(interval: Interval | Limits) -> str:
    """An interval of rates as per cent; ends next to none and all are called that."""
    low = 0.0 if interval.low < _AS_GOOD_AS_ALL else interval.low
    high = 1.0 if interval.high > 1 - _AS_GOOD_AS_ALL else interval.high
    return f"{percent(low)} to {percent(high)}"


def effective(comparisons: float) -> str:
    """How many independent comparisons would tell as much."""
    return "less than 1" if round(comparisons, 1) < 1 else f"{comparisons:,.0f}"


def percent(rate: float) -> str:
    """A rate as per cent with as many digits as it needs; 100 % is said of 1 alone."""
    if 0.99 < rate < 1:
        return f"{100 * rate:.{-math.floor(math.log10(100 * (1 - rate)))}f} %"
    return f"{100 * rate:.3g} %"
