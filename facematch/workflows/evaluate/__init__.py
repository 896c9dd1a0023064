"""Evaluate: what the decisions of a system are worth, one to one and one to many."""

from facematch.workflows.evaluate.comparison import (
    ComparedSystem,
    SystemComparison,
    compare_systems,
)
from facematch.workflows.evaluate.figures import lower_is_better
from facematch.workflows.evaluate.identification import Probe, evaluate_gallery
from facematch.workflows.evaluate.records import (
    FPIR_TARGETS,
    RANKS,
    FiguresWithFailures,
    FixedThreshold,
    FnirAtFpir,
    IdentificationResult,
    ListedOutcomes,
    ListedProbes,
    Protocol,
    StatedProbability,
    TarAtFmr,
    VerificationResult,
    WrongProbe,
)
from facematch.workflows.evaluate.store import (
    PAIRS_SCHEMA_VERSION,
    StoredSystem,
    comparisons_document,
    is_result,
    load_system,
    searches_document,
    system_of,
)
from facematch.workflows.evaluate.verification import DEFAULT_FOLDS, evaluate_pairs

__all__ = [
    "DEFAULT_FOLDS",
    "FPIR_TARGETS",
    "PAIRS_SCHEMA_VERSION",
    "RANKS",
    "ComparedSystem",
    "FiguresWithFailures",
    "FixedThreshold",
    "FnirAtFpir",
    "IdentificationResult",
    "ListedOutcomes",
    "ListedProbes",
    "Probe",
    "Protocol",
    "StatedProbability",
    "StoredSystem",
    "SystemComparison",
    "TarAtFmr",
    "VerificationResult",
    "WrongProbe",
    "comparisons_document",
    "compare_systems",
    "evaluate_gallery",
    "evaluate_pairs",
    "is_result",
    "load_system",
    "lower_is_better",
    "searches_document",
    "system_of",
]
