"""Evaluate one-to-many search: probes whose subjects are known, against a gallery."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from facematch import __version__
from facematch.errors import EmptyGalleryError, GalleryCorruptError, NoFaceError
from facematch.gallery import Gallery
from facematch.imaging.paths import path_problem
from facematch.metrics import (
    ProbeRanks,
    RateEstimate,
    SearchOutcomes,
    Units,
    comparisons_needed,
    cumulative_match,
    estimate_rate,
    false_positives_at,
    hardest,
    mean_average_precision,
    misses_at,
    open_set_curve,
    point_at_fpir,
    precision_at,
    rank_probes,
    recall_at,
)
from facematch.pipeline import Failure, Gathered, TemplateSource
from facematch.types import BoolArray, Int64Array, Metric
from facematch.workflows.evaluate.records import (
    FPIR_TARGETS,
    RANKS,
    FixedThreshold,
    FnirAtFpir,
    IdentificationResult,
    ListedProbes,
    WrongProbe,
)
from facematch.workflows.evaluate.with_failures import figures_with_failures

SHOWN_WORST = 20


@dataclass(frozen=True, slots=True)
class Probe:
    """A photograph and whose face it shows."""

    subject: str
    path: Path


@dataclass(frozen=True, slots=True, eq=False)
class _Found:
    """What the search gave for the probes that it took: rows of the list, int64 (u,)."""

    used: Int64Array
    ranks: ProbeRanks


def evaluate_gallery(
    gallery: Gallery,
    probes: Sequence[Probe],
    templates: TemplateSource,
    *,
    unusable: Sequence[Failure] = (),
    metric: Metric = Metric.COSINE,
    fixed: FixedThreshold | None = None,
    enrolled_allowed: bool = False,
    seed: int = 0,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> IdentificationResult:
    """Searches the gallery for every probe and compares what is found with the truth.

    Args:
        gallery: open, of the model of the templates.
        probes: a subject that is not in the gallery makes a non-mated probe.
        templates: of the photographs.
        unusable: paths among the probes that cannot be used; counted as failures.
        metric: which distance.
        fixed: also measure FPIR and FNIR at this threshold.
        enrolled_allowed: keep probes whose very picture is enrolled, at distance zero.
        seed: recorded with the result.
        progress: called with photographs done and in all.

    Raises:
        EmptyGalleryError: the gallery has no templates.
        GalleryCorruptError: it holds templates that are not finite.
        InputError: a probe does not exist or is out of reach.
        NoFaceError: no probe gave a template.
    """
    if len(gallery) == 0:
        raise EmptyGalleryError(
            f"{gallery.path} holds no templates; enroll somebody with `facematch enroll` first"
        )
    references = np.array(gallery.templates)
    if not bool(np.isfinite(references).all()):
        raise GalleryCorruptError(
            f"{gallery.path} is damaged: a template is not finite; run `facematch gallery verify`"
        )
    for probe in probes:
        problem = path_problem(probe.path)
        if problem is not None:  # a slip in the list, and no failure to acquire
            raise problem
    gathered = templates.gather([probe.path for probe in probes], progress)
    people: dict[str, int] = {name: row for row, name in enumerate(gallery.subject_names)}
    person = np.array([people.setdefault(p.subject, len(people)) for p in probes], np.int64)
    owners = gallery.subject_index.astype(np.int64)
    has_references = np.zeros(len(people), np.bool_)
    has_references[owners] = True
    mated = has_references[person]
    known = frozenset() if enrolled_allowed else gallery.source_hashes()
    copies = np.array([digest in known for digest in gathered.sha256], np.bool_)
    acquired = gathered.acquired
    used = np.flatnonzero(acquired & ~copies)
    failures = (*unusable, *gathered.failures)
    if len(used) == 0:
        first = failures[0].reason if failures else "all of them are enrolled"
        raise NoFaceError(f"none of the {len(probes)} probes can be searched; first: {first}")
    subject = np.where(mated, person, -1)[used]
    ranks = rank_probes(references, owners, gathered.templates[used], subject, metric)
    keys = _keys(probes, gathered)
    units = Units(len(people), person[used], person[used])
    curve = open_set_curve(ranks)
    any_mated = bool(ranks.mated.any())
    listed = _listed(keys, person, mated, copies, _Found(used, ranks))
    rank = _ranks(ranks, units) if any_mated else ()
    fnir = None if fixed is None or not any_mated else _fnir(ranks, units, fixed.threshold)
    fpir = None if fixed is None else _fpir(ranks, units, fixed.threshold)
    lost = ~acquired & ~copies
    return IdentificationResult(
        gallery=str(gallery.path),
        gallery_sha256=gallery.sha256,
        references=len(references),
        subjects=ranks.subjects,
        probes_sha256=_digest(keys),
        identity=templates.identity,
        metric=metric,
        ranks=ranks,
        cmc=cumulative_match(ranks) if any_mated else np.zeros(0),
        rank=rank,
        open_set=curve,
        fnir_at_fpir=()
        if curve is None
        else tuple(
            _at_fpir(
                target,
                float(curve.thresholds[point]),
                int(curve.false_positives[point]),
                ranks,
                units,
            )
            for target in FPIR_TARGETS
            for point in (point_at_fpir(curve, target),)
        ),
        fixed=fixed,
        fnir=fnir,
        fpir=fpir,
        mean_average_precision=mean_average_precision(ranks) if any_mated else None,
        recall_at=tuple(recall_at(ranks).tolist()) if any_mated else (),
        precision_at=tuple(precision_at(ranks).tolist()) if any_mated else (),
        with_failures=figures_with_failures(listed, rank, fnir, fpir),
        duplicates=len(probes) - len(_distinct(probes, gathered)),
        failures=failures,
        lost_mated=int((lost & mated).sum()),
        lost_nonmated=int((lost & ~mated).sum()),
        lost_unknown=len(unusable),
        enrolled_probes=tuple(str(probes[i].path) for i in np.flatnonzero(copies).tolist()),
        worst=_worst(gallery, ranks, [probes[i] for i in used.tolist()], owners),
        listed=listed,
        seed=seed,
        version=__version__,
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def _keys(probes: Sequence[Probe], gathered: Gathered) -> list[str]:
    """What a probe is, without where it lies."""
    pairs = zip(probes, gathered.sha256, strict=True)
    return [f"{probe.subject}\0{digest}" for probe, digest in pairs]


def _distinct(probes: Sequence[Probe], gathered: Gathered) -> set[tuple[str, str]]:
    """Subjects with a photograph each, by content; by path where it could not be read."""
    pairs = zip(probes, gathered.sha256, strict=True)
    return {(probe.subject, digest or str(probe.path)) for probe, digest in pairs}


def _digest(keys: Sequence[str]) -> str:
    """Over the probes as a set: their order does not matter."""
    return hashlib.sha256("\n".join(sorted(keys)).encode("utf-8", "surrogateescape")).hexdigest()


def _listed(
    keys: Sequence[str], person: Int64Array, mated: BoolArray, copies: BoolArray, found: _Found
) -> ListedProbes:
    """All probes in the order of their keys, with what the search gave for those it took."""
    first = np.zeros(len(keys), np.bool_)
    own, nearest = np.full(len(keys), np.inf), np.full(len(keys), np.inf)
    precision = np.zeros(len(keys))
    first[found.used] = found.ranks.rank == 1
    own[found.used] = found.ranks.own_distance
    nearest[found.used] = found.ranks.nearest_distance
    precision[found.used] = found.ranks.average_precision
    order = np.array(sorted(range(len(keys)), key=keys.__getitem__), np.int64)
    _, appearance, number = np.unique(person[order], return_index=True, return_inverse=True)
    return ListedProbes(
        _digest(keys),
        ~copies[order],
        np.argsort(np.argsort(appearance))[number].astype(np.int64),
        SearchOutcomes(mated[order], first[order], own[order], nearest[order], precision[order]),
    )


def _ranks(ranks: ProbeRanks, units: Units) -> tuple[RateEstimate, ...]:
    mated = ranks.mated
    placed, who = ranks.rank[mated], units.subset(mated)
    far = hardest(ranks.own_distance[mated])
    return tuple(estimate_rate(placed > k, who, far) for k in RANKS)


def _fnir(ranks: ProbeRanks, units: Units, threshold: float) -> RateEstimate:
    far = hardest(ranks.own_distance[ranks.mated])
    return estimate_rate(misses_at(ranks, threshold), units.subset(ranks.mated), far)


def _fpir(ranks: ProbeRanks, units: Units, threshold: float) -> RateEstimate | None:
    wrong = false_positives_at(ranks, threshold)
    if len(wrong) == 0:
        return None
    near = hardest(-ranks.nearest_distance[~ranks.mated])
    return estimate_rate(wrong, units.subset(~ranks.mated), near)


def _at_fpir(
    target: float, threshold: float, false_positives: int, ranks: ProbeRanks, units: Units
) -> FnirAtFpir:
    needed = comparisons_needed(target)
    resolved = int((~ranks.mated).sum()) >= needed
    fnir = _fnir(ranks, units, threshold) if resolved else None
    return FnirAtFpir(target, threshold, false_positives, fnir, needed)


def _worst(
    gallery: Gallery, ranks: ProbeRanks, probes: Sequence[Probe], owners: Int64Array
) -> tuple[WrongProbe, ...]:
    """Mated probes by how much nearer another subject is, then non-mated ones by distance."""
    rival = np.where(ranks.mated, ranks.rival_row, ranks.nearest_row)
    misplaced: BoolArray = ranks.rank > 1
    by_rank = np.flatnonzero(misplaced)
    by_rank = by_rank[np.argsort(-ranks.rank[by_rank], kind="stable")][:SHOWN_WORST]
    strangers = np.flatnonzero(~ranks.mated)
    strangers = strangers[np.argsort(ranks.nearest_distance[strangers], kind="stable")]
    found = []
    for row in (*by_rank.tolist(), *strangers[:SHOWN_WORST].tolist()):
        reference = int(rival[row])
        own = float(ranks.own_distance[row])
        found.append(
            WrongProbe(
                path=str(probes[row].path),
                subject=probes[row].subject,
                named=gallery.subject_name(int(owners[reference])),
                reference=gallery.reference(reference).source_path,
                rank=int(ranks.rank[row]),
                own_distance=own if bool(ranks.mated[row]) else None,
                distance=float(ranks.nearest_distance[row]),
            )
        )
    return tuple(found)
