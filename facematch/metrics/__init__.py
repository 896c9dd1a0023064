"""Statistics of comparisons in pure numpy: no files, no printing, no torch."""

from facematch.metrics.clustering import RateEstimate, estimate_fmr, estimate_fnmr
from facematch.metrics.decision import accepts
from facematch.metrics.distances import distance, pairwise
from facematch.metrics.identification import fmr_for_fpir, fpir_estimate, rank_k_accuracy
from facematch.metrics.intervals import (
    Interval,
    Limits,
    clopper_pearson,
    percentile_limits,
)
from facematch.metrics.probability import MatchProbability, fit_match_probability
from facematch.metrics.resampling import Sweep, Units, WeightedCurve, bootstrap, draws
from facematch.metrics.rules import Criterion, DecisionCost, ThresholdRule
from facematch.metrics.thresholds import ThresholdChoice, choose_threshold, threshold_for
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
    "DecisionCost",
    "DecisionCounts",
    "Interval",
    "Limits",
    "MatchProbability",
    "RateEstimate",
    "Sweep",
    "ThresholdChoice",
    "ThresholdRule",
    "Units",
    "VerificationCurve",
    "WeightedCurve",
    "accepts",
    "auc",
    "bootstrap",
    "choose_threshold",
    "clopper_pearson",
    "counts_at",
    "counts_of",
    "distance",
    "draws",
    "eer",
    "estimate_fmr",
    "estimate_fnmr",
    "fit_match_probability",
    "fmr_at",
    "fmr_for_fpir",
    "fnmr_at",
    "fpir_estimate",
    "pairwise",
    "percentile_limits",
    "rank_k_accuracy",
    "tar_at_fmr",
    "threshold_for",
    "verification_curve",
]
