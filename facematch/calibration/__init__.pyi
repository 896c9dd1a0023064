from .fit import (
    DEFAULT_FOLDS,
    DEFAULT_RESAMPLES,
    FitSettings,
    FittedCalibration,
    fit_all_pairs,
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
from .rounds import Rounds
from .screening import require_distinct_pictures, require_photographs
from .sources import (
    AllPairs,
    LabelledComparisons,
    PhotographPairs,
    Remarks,
    ScoreKind,
    compare_photographs,
)
from .store import load_calibration, save_calibration
from .streaming import (
    Dealt,
    StreamedComparisons,
    StreamedDecisions,
    deal_people,
    stream_photographs,
)

__all__ = [
    "AllPairs",
    "Calibration",
    "Column",
    "DEFAULT_FOLDS",
    "Dealt",
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
    "Rounds",
    "SCHEMA_VERSION",
    "ScoreKind",
    "StoredGroup",
    "StoredRate",
    "StreamedComparisons",
    "StreamedDecisions",
    "SubjectPairs",
    "WrongPair",
    "compare_photographs",
    "deal_people",
    "fit_all_pairs",
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
    "stream_photographs",
    "wrong_pairs",
]
