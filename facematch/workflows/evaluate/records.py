"""What an evaluation finds."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from facematch.calibration import (
    GroupTable,
    LabelledComparisons,
    StreamedComparisons,
    WrongPair,
)
from facematch.metrics import (
    DecisionCounts,
    EffectiveCounts,
    HeldOut,
    IsotonicProbability,
    Limits,
    MatchProbability,
    OpenSetCurve,
    ProbeRanks,
    RateEstimate,
    Reliability,
    SearchOutcomes,
    VerificationCurve,
    seems_reversed,
)
from facematch.pipeline import Failure
from facematch.types import BoolArray, Float64Array, Int64Array, Metric, ModelIdentity

FPIR_TARGETS = (0.1, 0.01, 0.001)
RANKS = (1, 5, 10)


class Protocol(StrEnum):
    """How the decisions behind accuracy were come by."""

    LISTED_FOLDS = "listed-folds"
    SUBJECT_FOLDS = "subject-folds"
    COMPARISON_FOLDS = "comparison-folds"
    FIXED = "fixed-threshold"
    SAME_PAIRS = "same-pairs"


@dataclass(frozen=True, slots=True)
class FixedThreshold:
    """A threshold that was there before the pairs were looked at.

    Attributes:
        threshold: accept iff ``distance <= threshold``.
        origin: for a person: the file, or the option.
        probability: that comes with the threshold; None if there is none.
    """

    threshold: float
    origin: str
    probability: MatchProbability | IsotonicProbability | None = None


@dataclass(frozen=True, slots=True)
class StatedProbability:
    """Probabilities of one person, and whether they are kept.

    Attributes:
        method: ``logistic`` or ``isotonic``.
        origin: for a person: where the curve comes from; None if these pairs made it.
        held_out: whether it is judged on people that it was not made on.
        prior: that it states.
        reliability: on these pairs.
    """

    method: str
    origin: str | None
    held_out: bool
    prior: float
    reliability: Reliability


@dataclass(frozen=True, slots=True)
class TarAtFmr:
    """The true accept rate at a target FMR.

    Attributes:
        fmr: the target.
        tar: at the loosest threshold with at most that FMR; None if the impostor comparisons
            are too few to show the target.
        interval: 95 %, by resampling subjects; where they or the errors are few it also
            holds the exact interval. Where pairs are not held, groups of subjects are left
            out instead of resampled. None without a rate.
        impostors_needed: comparisons that would do (rule of three).
    """

    fmr: float
    tar: float | None
    interval: Limits | None
    impostors_needed: int


@dataclass(frozen=True, slots=True, eq=False)
class ListedOutcomes:
    """What became of every comparison of the list, for a later comparison of systems.

    Attributes:
        pairs_sha256: of the list.
        same: bool (n,).
        distances: float64 (n,); infinity where a photograph gave no template, for that is
            how a system treats the pair: it rejects it.
        accepted: bool (n,), as decided by the protocol.
        fold: int64 (n,), in which the protocol decided it, from 0; -1 if it did not.
        at_list_share: whether accuracy is stated at the share of genuine pairs of the whole
            list, and not at that of each fold.
        subject_a: int64 (n,), numbered by first appearance; None if nothing is known of them.
        subject_b: the same.
    """

    pairs_sha256: str
    same: BoolArray
    distances: Float64Array
    accepted: BoolArray
    fold: Int64Array
    at_list_share: bool
    subject_a: Int64Array | None
    subject_b: Int64Array | None


@dataclass(frozen=True, slots=True, eq=False)
class ListedProbes:
    """What became of every probe of a list, for a later comparison of systems.

    In an order that follows from subjects and contents, so that it is the same for all
    systems. A probe without a template is found by nobody, for that is what it comes to.

    Attributes:
        probes_sha256: of the list.
        searched: bool (p,); False where the very picture is enrolled, which is left out.
        subject: int64 (p,), numbered by first appearance.
        outcomes: of the p probes.
    """

    probes_sha256: str
    searched: BoolArray
    subject: Int64Array
    outcomes: SearchOutcomes


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class VerificationResult:
    """One-to-one comparison, measured.

    Attributes:
        measured: the comparisons; counted where they are too many to be held.
        identity: of the model; None for scores made elsewhere.
        metric: of the distances; None for scores made elsewhere.
        curve: all operating points, for ROC and DET.
        protocol: how the decisions behind accuracy were come by.
        held_out: what thresholds chosen on the other folds give; None without folds.
        threshold: of best accuracy on all pairs, or the fixed one.
        threshold_origin: for a person; None unless it was fixed.
        counts: decisions of all pairs at that threshold.
        fmr: of those decisions.
        fnmr: of those decisions.
        far: FMR with failures to acquire counted as rejections.
        frr: FNMR with them.
        auc: area under the ROC.
        auc_interval: 95 %, by resampling subjects; where they or the errors are few it also
            holds the exact interval. Where pairs are not held, groups of subjects are left
            out instead of resampled.
        eer: equal error rate.
        eer_interval: the same.
        tar_at_fmr: one for each of ``FMR_TARGETS``.
        d_prime: below zero if genuine pairs are the farther; None if neither class spreads.
        average_precision: of genuine comparisons by distance.
        failures: photographs without a template.
        photographs: distinct photographs in the list.
        reused: of those, how many came from the cache.
        n_subjects: people in the comparisons; None if not known.
        subjects_inferred: whether nobody named them.
        groups: error rates at the threshold by each column asked for.
        probability: None if none falls with distance.
        worst: wrong decisions at the threshold, the furthest from it first, a few of each
            class.
        listed: of every pair of the list; None where pairs were counted and not held.
        seed: of folds and resampling.
        version: of facematch.
        created_at: ISO 8601 with offset.
    """

    measured: LabelledComparisons | StreamedComparisons
    identity: ModelIdentity | None
    metric: Metric | None
    curve: VerificationCurve
    protocol: Protocol
    held_out: HeldOut | None
    threshold: float
    threshold_origin: str | None
    counts: DecisionCounts
    fmr: RateEstimate
    fnmr: RateEstimate
    far: float
    frr: float
    auc: float
    auc_interval: Limits
    eer: float
    eer_interval: Limits
    tar_at_fmr: tuple[TarAtFmr, ...]
    d_prime: float | None
    average_precision: float
    failures: tuple[Failure, ...]
    photographs: int
    reused: int
    n_subjects: int | None
    subjects_inferred: bool
    groups: tuple[GroupTable, ...]
    probability: StatedProbability | None
    worst: tuple[WrongPair, ...]
    listed: ListedOutcomes | None
    seed: int
    version: str
    created_at: str

    @property
    def streamed(self) -> bool:
        """Whether pairs were counted and not held: people are then left out, not resampled."""
        return self.listed is None

    @property
    def accuracy(self) -> float:
        """Held out, mean over the folds; of all pairs at the threshold without folds."""
        return self.counts.accuracy if self.held_out is None else self.held_out.accuracy

    @property
    def is_reversed(self) -> bool:
        """Whether genuine pairs are farther apart than impostor pairs, beyond chance."""
        return seems_reversed(self.curve, EffectiveCounts(self.fnmr.effective, self.fmr.effective))


@dataclass(frozen=True, slots=True)
class FnirAtFpir:
    """The misses of an open-set search at a target FPIR.

    Attributes:
        fpir: the target.
        threshold: the loosest with at most that FPIR on these probes.
        false_positives: non-mated probes for which somebody is named at that threshold.
        fnir: with its interval; None if the non-mated probes are too few to show the target.
        nonmated_needed: probes that would do (rule of three).
    """

    fpir: float
    threshold: float
    false_positives: int
    fnir: RateEstimate | None
    nonmated_needed: int


@dataclass(frozen=True, slots=True)
class FiguresWithFailures:
    """What a search comes to when failures to acquire are counted.

    Attributes:
        rank: for each of ``RANKS``, the share of mated probes whose subject is among the first
            so many; empty if no probe is mated.
        mean_average_precision: None if no probe is mated.
        fnir_at_fpir: for each of ``FPIR_TARGETS``, at the loosest threshold with at most that
            FPIR of all non-mated probes; None if they are too few to show the target, or if no
            probe is mated.
        fnir: at the threshold that was given; None without one, or if no probe is mated.
        fpir: the same of non-mated probes.
    """

    rank: tuple[float, ...]
    mean_average_precision: float | None
    fnir_at_fpir: tuple[float | None, ...]
    fnir: float | None
    fpir: float | None


@dataclass(frozen=True, slots=True)
class WrongProbe:
    """A probe that the search gets wrong.

    Attributes:
        path: of the photograph.
        subject: whose face it is.
        named: the subject of the nearest reference of somebody else.
        reference: path of that reference's photograph, as enrolled.
        rank: of the own subject; 0 if it is not enrolled.
        own_distance: to the nearest reference of the own subject; None if it is not enrolled.
        distance: to the named reference.
    """

    path: str
    subject: str
    named: str
    reference: str
    rank: int
    own_distance: float | None
    distance: float


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class IdentificationResult:
    """One-to-many search, measured.

    Attributes:
        gallery: path of the gallery.
        gallery_sha256: hexadecimal digest of its bytes; None if nobody asked for it.
        references: in it.
        subjects: with references in it.
        probes_sha256: over the probes' subjects and contents.
        identity: of the model.
        metric: of the distances.
        ranks: of every probe with a template; for histograms.
        cmc: float64 (subjects,), the CMC; empty if no probe is mated.
        rank: for each of ``RANKS``, how often the subject is not among the first so many;
            empty if no probe is mated.
        open_set: all operating points; None if a kind of probe is missing.
        fnir_at_fpir: one for each of ``FPIR_TARGETS``; empty if a kind of probe is missing.
        fixed: a threshold that was given; None if there was none.
        fnir: at that threshold; None without one, or if no probe is mated.
        fpir: the same, of non-mated probes.
        mean_average_precision: None if no probe is mated.
        recall_at: mean share of the subject's references among the nearest ``ranks.depths``.
        precision_at: mean share of those that are of the subject.
        with_failures: the figures with failures to acquire counted in.
        duplicates: probes that are there more than once, of one subject and content; they are
            counted so.
        failures: probes without a template, and what could not be used as a probe.
        lost_mated: mated probes among them.
        lost_nonmated: non-mated probes among them.
        lost_unknown: paths among them of which it is not known whose face they show.
        enrolled_probes: probes left out because the same picture is in the gallery.
        worst: mated probes that another subject is nearer to, and non-mated probes that are
            nearest to somebody.
        listed: of every probe.
        seed: of a comparison with a baseline; nothing else is drawn.
        version: of facematch.
        created_at: ISO 8601 with offset.
    """

    gallery: str
    gallery_sha256: str | None
    references: int
    subjects: int
    probes_sha256: str
    identity: ModelIdentity
    metric: Metric
    ranks: ProbeRanks
    cmc: Float64Array
    rank: tuple[RateEstimate, ...]
    open_set: OpenSetCurve | None
    fnir_at_fpir: tuple[FnirAtFpir, ...]
    fixed: FixedThreshold | None
    fnir: RateEstimate | None
    fpir: RateEstimate | None
    mean_average_precision: float | None
    recall_at: tuple[float, ...]
    precision_at: tuple[float, ...]
    with_failures: FiguresWithFailures
    duplicates: int
    failures: tuple[Failure, ...]
    lost_mated: int
    lost_nonmated: int
    lost_unknown: int
    enrolled_probes: tuple[str, ...]
    worst: tuple[WrongProbe, ...]
    listed: ListedProbes
    seed: int
    version: str
    created_at: str

    @property
    def n_mated(self) -> int:
        """Mated probes with a template."""
        return int(self.ranks.mated.sum())

    @property
    def n_nonmated(self) -> int:
        """Non-mated probes with a template."""
        return int((~self.ranks.mated).sum())

    @property
    def intervals_rough(self) -> bool:
        """Whether few people stand behind the intervals of an error rate."""
        open_set = (point.fnir for point in self.fnir_at_fpir)
        rates = (*self.rank, *open_set, self.fnir, self.fpir)
        return any(rate is not None and rate.rough for rate in rates)
