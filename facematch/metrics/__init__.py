"""Statistics of comparisons in pure numpy: no files, no printing, no torch."""

from facematch.metrics.decision import accepts
from facematch.metrics.distances import distance, pairwise
from facematch.metrics.identification import fmr_for_fpir, fpir_estimate, rank_k_accuracy
from facematch.metrics.intervals import Interval, clopper_pearson
from facematch.metrics.probability import MatchProbability, fit_match_probability
from facematch.metrics.thresholds import (
    Criterion,
    ThresholdChoice,
    ThresholdRule,
    choose_threshold,
)
from facematch.metrics.verification import (
    DecisionCounts,
    VerificationCurve,
    auc,
    counts_at,
    counts_of,
    eer,
    fmr_at,
    fnmr_at,
    tar_at_fmr,
    verification_curve,
)

__all__ = [
    "Criterion",
    "DecisionCounts",
    "Interval",
    "MatchProbability",
    "ThresholdChoice",
    "ThresholdRule",
    "VerificationCurve",
    "accepts",
    "auc",
    "choose_threshold",
    "clopper_pearson",
    "counts_at",
    "counts_of",
    "distance",
    "eer",
    "fit_match_probability",
    "fmr_at",
    "fmr_for_fpir",
    "fnmr_at",
    "fpir_estimate",
    "pairwise",
    "rank_k_accuracy",
    "tar_at_fmr",
    "verification_curve",
]
