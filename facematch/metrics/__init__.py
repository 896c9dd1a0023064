"""Statistics of comparisons in pure numpy: no files, no printing, no torch."""

from facematch.metrics.clustering import (
    RateEstimate,
    estimate_fmr,
    estimate_fnmr,
    estimate_rate,
)
from facematch.metrics.decision import accepts
from facematch.metrics.distances import distance, pairwise
from facematch.metrics.folds import Folds, HeldOut, held_out, subject_folds
from facematch.metrics.groups import Disparity, GroupRates, disparities, group_rates
from facematch.metrics.identification import fmr_for_fpir, fpir_estimate, rank_k_accuracy
from facematch.metrics.intervals import (
    Interval,
    Limits,
    clopper_pearson,
    percentile_limits,
)
from facematch.metrics.probability import (
    IsotonicProbability,
    MatchProbability,
    fit_isotonic,
    fit_match_probability,
    probabilities,
)
from facematch.metrics.reliability import (
    ProbabilityFit,
    Reliability,
    ReliabilityBin,
    fit_probability,
    log_loss,
    measure_reliability,
)
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
    "Disparity",
    "Folds",
    "GroupRates",
    "HeldOut",
    "Interval",
    "IsotonicProbability",
    "Limits",
    "MatchProbability",
    "ProbabilityFit",
    "RateEstimate",
    "Reliability",
    "ReliabilityBin",
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
    "disparities",
    "distance",
    "draws",
    "eer",
    "estimate_fmr",
    "estimate_fnmr",
    "estimate_rate",
    "fit_isotonic",
    "fit_match_probability",
    "fit_probability",
    "fmr_at",
    "fmr_for_fpir",
    "fnmr_at",
    "fpir_estimate",
    "group_rates",
    "held_out",
    "log_loss",
    "measure_reliability",
    "pairwise",
    "percentile_limits",
    "probabilities",
    "rank_k_accuracy",
    "subject_folds",
    "tar_at_fmr",
    "threshold_for",
    "verification_curve",
]
