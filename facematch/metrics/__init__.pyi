from .clustering import (
    RateEstimate,
    estimate_fmr,
    estimate_fnmr,
    estimate_rate,
)
from .decision import accepts
from .distances import distance, pairwise
from .folds import Folds, HeldOut, held_out, subject_folds
from .groups import Disparity, GroupRates, disparities, group_rates
from .identification import fmr_for_fpir, fpir_estimate, rank_k_accuracy
from .intervals import (
    Interval,
    Limits,
    clopper_pearson,
    percentile_limits,
)
from .openset import (
    OpenSetCurve,
    false_positives_at,
    misses_at,
    open_set_curve,
    point_at_fpir,
)
from .paired import PairedDifference, Statistic, paired_difference, resampled
from .probability import (
    IsotonicProbability,
    MatchProbability,
    fit_isotonic,
    fit_match_probability,
    probabilities,
)
from .protocol import FoldAccuracy, fold_accuracy
from .ranking import (
    ProbeRanks,
    cumulative_match,
    mean_average_precision,
    precision_at,
    rank_probes,
    recall_at,
)
from .reliability import (
    ProbabilityFit,
    Reliability,
    ReliabilityBin,
    fit_probability,
    log_loss,
    measure_reliability,
)
from .resampling import Sweep, Units, WeightedCurve, bootstrap, draws
from .rules import Criterion, DecisionCost, ThresholdRule
from .separation import average_precision, d_prime
from .thresholds import (
    ThresholdChoice,
    choose_threshold,
    comparisons_needed,
    threshold_for,
)
from .verification import (
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
    "FoldAccuracy",
    "Folds",
    "GroupRates",
    "HeldOut",
    "Interval",
    "IsotonicProbability",
    "Limits",
    "MatchProbability",
    "OpenSetCurve",
    "PairedDifference",
    "ProbabilityFit",
    "ProbeRanks",
    "RateEstimate",
    "Reliability",
    "ReliabilityBin",
    "Statistic",
    "Sweep",
    "ThresholdChoice",
    "ThresholdRule",
    "Units",
    "VerificationCurve",
    "WeightedCurve",
    "accepts",
    "auc",
    "average_precision",
    "bootstrap",
    "choose_threshold",
    "clopper_pearson",
    "comparisons_needed",
    "counts_at",
    "counts_of",
    "cumulative_match",
    "d_prime",
    "disparities",
    "distance",
    "draws",
    "eer",
    "estimate_fmr",
    "estimate_fnmr",
    "estimate_rate",
    "false_positives_at",
    "fit_isotonic",
    "fit_match_probability",
    "fit_probability",
    "fmr_at",
    "fmr_for_fpir",
    "fnmr_at",
    "fold_accuracy",
    "fpir_estimate",
    "group_rates",
    "held_out",
    "log_loss",
    "mean_average_precision",
    "measure_reliability",
    "misses_at",
    "open_set_curve",
    "paired_difference",
    "pairwise",
    "percentile_limits",
    "point_at_fpir",
    "precision_at",
    "probabilities",
    "rank_k_accuracy",
    "rank_probes",
    "recall_at",
    "resampled",
    "subject_folds",
    "tar_at_fmr",
    "threshold_for",
    "verification_curve",
]
