from .fit import (
    DEFAULT_FOLDS,
    DEFAULT_RESAMPLES,
    FitSettings,
    FittedCalibration,
    fit_calibration,
)
from .folders import DEFAULT_IMPOSTORS
from .grouping import (
    GroupFailures,
    GroupTable,
    group_columns,
    group_failures,
    group_table,
    stored_groups,
)
from .labels import Column, PairLabels, SubjectPairs
from .mistakes import WrongPair, wrong_pairs
from .outputs import require_places
from .pairs import load_pairs
from .plot import plot_roc
from .record import (
    SCHEMA_VERSION,
    Calibration,
    HeldOutRates,
    IntervalMethod,
    StoredGroup,
    StoredRate,
)
from .screening import require_distinct_pictures, require_photographs
from .sources import (
    LabelledComparisons,
    PhotographPairs,
    Remarks,
    ScoreKind,
    compare_photographs,
)
from .store import load_calibration, save_calibration

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
