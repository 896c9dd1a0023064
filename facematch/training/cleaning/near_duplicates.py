"""The same picture again: recompressed, resized, or under another name."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from facematch.training.cleaning.embedded import BLOCK, check_rows, nearest, unit_rows
from facematch.training.cleaning.findings import Finding, FindingKind
from facematch.types import BoolArray, Float32Array, Int64Array


def find_near_duplicates(
    embeddings: Float32Array,
    labels: Int64Array,
    names: Sequence[str],
    *,
    distance: float = 0.02,
) -> tuple[Finding, ...]:
    """Crops within a small distance of one that is kept.

    Crops are gone through in their order, those with an identity before those without; each
    is kept unless one that was kept before it is as near. So of a cluster the first stays, and
    a chain of small steps is not taken for one picture. Memory is bounded: there are never
    more findings than crops, nor more than one block of distances at a time.

    Args:
        embeddings: (n, d).
        labels: int64 (n,); negative: nobody.
        names: of the crops.
        distance: the largest cosine distance of duplicates, in [0, 2].

    Returns:
        Findings by rising crop; ``other`` is the nearest kept crop, of the same identity or
        not.
    """
    check_rows(embeddings, labels, names)
    if not 0 <= distance <= 2:
        raise ValueError(f"distance must be in [0, 2], got {distance}")
    unit = unit_rows(embeddings)
    order = np.argsort(labels < 0, kind="stable")
    findings = []
    kept: list[Int64Array] = []  # by block
    for start in range(0, len(order), BLOCK):
        block = order[start : start + BLOCK]
        near = np.full(len(block), np.inf, np.float32)
        original = np.zeros(len(block), np.int64)
        for earlier in kept:
            found, index = nearest(unit[block], unit[earlier])
            nearer = found < near
            near[nearer], original[nearer] = found[nearer], earlier[index[nearer]]
        stays = _first_of_each(unit[block], near, original, block, distance)
        kept.append(block[stays])
        findings += [
            _finding(names, labels, int(block[row]), int(original[row]), float(near[row]))
            for row in np.flatnonzero(~stays)
        ]
    return tuple(sorted(findings, key=lambda finding: finding.crop))


def _first_of_each(
    unit: Float32Array,
    near: Float32Array,
    original: Int64Array,
    block: Int64Array,
    distance: float,
) -> BoolArray:
    """Which crops of one block stay. Fills in the nearest kept one of those that do not.

    Args:
        unit: (b, d), of the block.
        near: (b,), distance to the nearest kept crop of earlier blocks; changed in place.
        original: (b,), which crop that is; changed in place.
        block: (b,), the crops.
        distance: as above.
    """
    distances = 1 - unit @ unit.T
    close = np.tril(distances <= distance, -1)
    stays = near > distance
    # Only rows with something close before them in the block need a look, in order.
    for row in np.flatnonzero(close.any(1)):
        candidates = np.flatnonzero(close[row] & stays)
        if len(candidates):
            best = candidates[np.argmin(distances[row, candidates])]
            if distances[row, best] < near[row]:
                near[row], original[row] = distances[row, best], block[best]
            stays[row] = False
    return stays


def _finding(
    names: Sequence[str], labels: Int64Array, crop: int, original: int, distance: float
) -> Finding:
    same = labels[crop] >= 0 and labels[crop] == labels[original]
    whose = "of the same identity" if same else "of another identity, one label may be wrong"
    if labels[crop] < 0 or labels[original] < 0:
        whose = "at least one without an identity"
    return Finding(
        FindingKind.NEAR_DUPLICATE,
        crop,
        names[crop],
        int(labels[crop]),
        names[original],
        max(distance, 0.0),
        f"the same picture as {names[original]} ({whose}; distance {max(distance, 0.0):.4f})",
    )
