"""Crops that are not of whom their label says."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from facematch.training.cleaning.centres import Centres, robust_centres
from facematch.training.cleaning.embedded import check_rows, nearest, unit_rows
from facematch.training.cleaning.findings import Finding, FindingKind
from facematch.types import Float32Array, Int64Array

# Of the median absolute deviation, to the standard deviation of normal numbers.
_TO_DEVIATION = 1.4826
_FEWEST = 3


def find_mislabels(
    embeddings: Float32Array,
    labels: Int64Array,
    names: Sequence[str],
    *,
    deviations: float = 2.5,
) -> tuple[Finding, ...]:
    """Crops that are far from their identity and nearer to another one.

    Far means: more than ``deviations`` robust standard deviations beyond the median distance
    of their identity's crops to its centre. The deviation is pooled over all identities,
    because that of five crops says little. Identities of one or two crops are not judged:
    nothing tells which of the two is wrong.

    Args:
        embeddings: (n, d), of a network that knows the people apart fairly well.
        labels: int64 (n,); negative: nobody, never reported.
        names: of the crops.
        deviations: how far is far; 2.5 after Leys et al., J. Exp. Soc. Psychol. 49, 2013.

    Returns:
        Findings by rising crop; ``other`` is the crop nearest to the other identity's centre.
    """
    check_rows(embeddings, labels, names)
    if not deviations >= 0:
        raise ValueError(f"deviations must be at least 0, got {deviations}")
    unit = unit_rows(embeddings)
    centres = robust_centres(unit, labels)
    own = np.full(len(unit), np.nan)  # distance to the crop's own centre
    usual = np.full(len(unit), np.nan)  # the median of that over the identity
    row_of = np.full(len(unit), -1)
    for row, members in enumerate(centres.members):
        if len(members) >= _FEWEST:
            own[members] = 1 - unit[members] @ centres.points[row]
            usual[members] = np.median(own[members])
            row_of[members] = row
    judged = np.flatnonzero(row_of >= 0)
    if len(judged) == 0 or len(centres.labels) < 2:
        return ()
    excess = own - usual
    deviation = _TO_DEVIATION * float(np.median(np.abs(excess[judged])))
    suspects = judged[excess[judged] > deviations * deviation]
    findings = []
    distance, other = nearest(unit[suspects], centres.points)
    for crop, near, rival in zip(suspects, distance, other, strict=True):
        # The nearest centre of all is the crop's own exactly if no other is nearer.
        if rival != row_of[crop]:
            example = names[_most_central(unit, centres, int(rival))]
            findings.append(
                Finding(
                    FindingKind.MISLABEL,
                    int(crop),
                    names[crop],
                    int(labels[crop]),
                    example,
                    float(near),
                    f"{own[crop]:.2f} from its identity's centre, where half of the crops are "
                    f"within {usual[crop]:.2f}, and {near:.2f} from that of {example}",
                )
            )
    return tuple(findings)


def _most_central(unit: Float32Array, centres: Centres, row: int) -> int:
    members = centres.members[row]
    return int(members[np.argmax(unit[members] @ centres.points[row])])
