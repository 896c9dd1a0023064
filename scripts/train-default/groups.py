"""False matches within groups of people, for the model card.

Of each group (gender, ethnicity and age band, as UTKFace's file names state them) a bounded
sample is drawn, and all its crops are compared with one another at the bundle's own threshold.
UTKFace has no identities: two photographs of one person count as a false match, and what its
annotators saw need not be what the people would say of themselves.
"""

from __future__ import annotations

import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from facematch.metrics import Units, accepts, distance, estimate_fmr
from facematch.training.data.crops import BORDER_PX
from facematch.training.data.source import decode_crop
from facematch.types import Float32Array, Metric, UInt8Array

GENDERS = ("male", "female")
ETHNICITIES = ("White", "Black", "Asian", "Indian", "other")
AGE_BANDS = ((0, 17), (18, 39), (40, 59), (60, 120))
MOST_CROPS, FEWEST_CROPS = 250, 50
SAME_PHOTOGRAPH = 0.05
"""Nearer than this, cosine distance, two crops are of one photograph and say nothing."""

PROTOCOL = (
    "UTKFace crops, all pairs within a group at the bundled threshold; at most {most} crops a "
    "group drawn with seed {seed}, groups of fewer than {fewest} left out. UTKFace's pictures are "
    "cut so tight that the upper part of a crop is often its edge repeated. That makes crops "
    "alike: the rates are far above LFW's at this threshold. The "
    "crops were among those distilled from, without identities: these are errors between "
    "different photographs, mostly of different people, and no errors of the other kind. Pairs "
    "nearer than {same} are one photograph twice and left out. Intervals: 95 %, widened for pairs "
    "that share a crop. Groups as annotated in UTKFace"
)


@dataclass(frozen=True, slots=True, order=True)
class Group:
    """What the people of a group share.

    Attributes:
        gender: row of ``GENDERS``.
        ethnicity: row of ``ETHNICITIES``.
        ages: row of ``AGE_BANDS``.
    """

    gender: int
    ethnicity: int
    ages: int

    def __str__(self) -> str:
        low, high = AGE_BANDS[self.ages]
        ages = f"{low}+" if self.ages == len(AGE_BANDS) - 1 else f"{low}-{high}"
        return f"{GENDERS[self.gender]}, {ETHNICITIES[self.ethnicity]}, {ages}"


def group_of(name: str) -> Group | None:
    """The group that a file name ``age_gender_ethnicity_*`` states; None if it states none."""
    parts = name.rpartition("/")[2].split("_")
    if len(parts) != 4 or not all(part.isdecimal() for part in parts[:3]):
        return None
    age, gender, ethnicity = (int(part) for part in parts[:3])
    ages = next((i for i, (low, high) in enumerate(AGE_BANDS) if low <= age <= high), None)
    if ages is None or gender >= len(GENDERS) or ethnicity >= len(ETHNICITIES):
        return None
    return Group(gender, ethnicity, ages)


def sampled(
    names: Sequence[str], seed: int, most: int = MOST_CROPS, fewest: int = FEWEST_CROPS
) -> dict[Group, list[str]]:
    """A sample of each group that is large enough, in the order of the groups.

    Args:
        names: of all crops.
        seed: of the draw.
        most: crops of a group.
        fewest: of a group that is not left out.
    """
    members: dict[Group, list[str]] = {}
    for name in sorted(names):
        if (group := group_of(name)) is not None:
            members.setdefault(group, []).append(name)
    rng = np.random.default_rng(seed)
    return {
        group: [found[i] for i in np.sort(rng.permutation(len(found))[:most])]
        for group, found in sorted(members.items())
        if len(found) >= fewest
    }


def read_sample(archive: zipfile.ZipFile, names: Sequence[str]) -> UInt8Array:
    """The aligned middles of crops; uint8 (n, 112, 112, 3), RGB."""
    crops = np.stack([decode_crop(archive.read(name)) for name in names])
    inside = slice(BORDER_PX, -BORDER_PX)
    return np.ascontiguousarray(crops[:, inside, inside])


def false_matches(templates: Float32Array, threshold: float) -> dict[str, Any]:
    """The false match rate among crops of one group, as JSON types.

    Args:
        templates: float32 (n, d), of unit norm, at least two of different photographs.
        threshold: the largest cosine distance that is accepted.
    """
    first, second = np.triu_indices(len(templates), 1)
    apart = distance(templates[first], templates[second], Metric.COSINE).astype(np.float64)
    kept = ~accepts(apart, SAME_PHOTOGRAPH)
    units = Units(len(templates), first[kept], second[kept])
    found = estimate_fmr(apart[kept], units, threshold)
    return {
        "crops": len(templates),
        "comparisons": found.comparisons,
        "false_matches": found.errors,
        "fmr": float(f"{found.rate:.4g}"),
        "fmr_interval": [float(f"{v:.4g}") for v in (found.interval.low, found.interval.high)],
        "same_photograph": int((~kept).sum()),
    }


def table(
    templates_of: Mapping[Group, Float32Array], threshold: float, seed: int
) -> dict[str, Any]:
    """The card's ``error_rates_by_group``.

    Args:
        templates_of: the sample of each group.
        threshold: of the bundle.
        seed: that the samples were drawn with.
    """
    protocol = PROTOCOL.format(
        most=MOST_CROPS, seed=seed, fewest=FEWEST_CROPS, same=SAME_PHOTOGRAPH
    )
    groups = [
        {"group": str(group), **false_matches(templates, threshold)}
        for group, templates in templates_of.items()
    ]
    return {"protocol": protocol, "threshold": round(threshold, 4), "groups": groups}
