"""Calibrations: labelled pairs in, a threshold with measured error rates out."""

from facematch.calibration.fit import (
    DEFAULT_FOLDS,
    DEFAULT_RESAMPLES,
    FitSettings,
    FittedCalibration,
    fit_calibration,
)
from facematch.calibration.folders import DEFAULT_IMPOSTORS
from facematch.calibration.grouping import (
    GroupFailures,
    GroupTable,
    group_columns,
    group_failures,
    group_table,
    stored_groups,
)
from facematch.calibration.labels import Column, PairLabels, SubjectPairs
from facematch.calibration.mistakes import WrongPair, wrong_pairs
from facematch.calibration.outputs import require_places
from facematch.calibration.pairs import load_pairs
from facematch.calibration.plot import plot_roc
from facematch.calibration.record import (
    SCHEMA_VERSION,
    Calibration,
    HeldOutRates,
    IntervalMethod,
    StoredGroup,
    StoredRate,
)
from facematch.calibration.screening import require_distinct_pictures, require_photographs
from facematch.calibration.sources import (
    LabelledComparisons,
    PhotographPairs,
    Remarks,
    ScoreKind,
    compare_photographs,
)
from facematch.calibration.store import load_calibration, save_calibration

__all__ = [
    "Calibration",
    "Column",
    "DEFAULT_FOLDS",
    "DEFAULT_IMPOSTORS",
    "DEFAULT_RESAMPLES",
    "FitSettings",
    "FittedCalibration",
    "GroupFailures",
    "GroupTable",
    "HeldOutRates",
    "IntervalMethod",
    "LabelledComparisons",
    "PairLabels",
    "PhotographPairs",
    "Remarks",
    "SCHEMA_VERSION",
    "ScoreKind",
    "StoredGroup",
    "StoredRate",
    "SubjectPairs",
    "WrongPair",
    "compare_photographs",
    "fit_calibration",
    "group_columns",
    "group_failures",
    "group_table",
    "load_calibration",
    "load_pairs",
    "plot_roc",
    "require_distinct_pictures",
    "require_photographs",
    "require_places",
    "save_calibration",
    "stored_groups",
    "wrong_pairs",
]
