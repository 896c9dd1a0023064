"""People of a test set who are in the training data under another name, or none."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from facematch.training.cleaning.centres import robust_centres
from facematch.training.cleaning.embedded import check_rows, nearest, unit_rows
from facematch.training.cleaning.findings import Finding, FindingKind
from facematch.types import Float32Array, Int64Array


def exclude_like(
    embeddings: Float32Array,
    labels: Int64Array,
    names: Sequence[str],
    test_embeddings: Float32Array,
    test_names: Sequence[str],
    *,
    threshold: float,
) -> tuple[Finding, ...]:
    """All crops of identities of which one crop, or the centre, is like a test template.

    A crop without an identity goes alone. With thousands of templates and of crops, a
    threshold that is right for single comparisons excludes many who merely look alike: choose
    it for a false match rate of about one in the number of comparisons. Who is left out by
    mistake costs a little data; who stays in by mistake makes the test too easy.

    Args:
        embeddings: (n, d).
        labels: int64 (n,); negative: nobody.
        names: of the crops.
        test_embeddings: (m, d), of the same network.
        test_names: of the templates.
        threshold: the largest cosine distance of the same person, in [0, 2].

    Returns:
        Findings by rising crop. ``other`` and ``distance`` are of the closest likeness of the
        identity, not of each crop.
    """
    check_rows(embeddings, labels, names)
    if len(test_embeddings) != len(test_names):
        raise ValueError(f"{len(test_embeddings)} templates and {len(test_names)} names")
    if not 0 <= threshold <= 2:
        raise ValueError(f"threshold must be in [0, 2], got {threshold}")
    unit, tests = unit_rows(embeddings), unit_rows(test_embeddings, "test embeddings")
    distance, template = nearest(unit, tests)
    findings = [
        _finding(names, labels, int(crop), test_names[template[crop]], float(distance[crop]), "it")
        for crop in np.flatnonzero((labels < 0) & (distance <= threshold))
    ]
    centres = robust_centres(unit, labels)
    from_centre, of_centre = nearest(centres.points, tests)
    for row, members in enumerate(centres.members):
        closest = int(members[np.argmin(distance[members])])
        what, found, index = (
            f"its identity's {names[closest]}",
            distance[closest],
            template[closest],
        )
        if from_centre[row] < found:
            what, found, index = "its identity's centre", from_centre[row], of_centre[row]
        if found <= threshold:
            findings += [
                _finding(names, labels, int(crop), test_names[index], float(found), what)
                for crop in members
            ]
    return tuple(sorted(findings, key=lambda finding: finding.crop))


def _finding(
    names: Sequence[str], labels: Int64Array, crop: int, test_name: str, distance: float, what: str
) -> Finding:
    return Finding(
        FindingKind.TEST_LOOK_ALIKE,
        crop,
        names[crop],
        int(labels[crop]),
        test_name,
        max(distance, 0.0),
        f"{what} is like {test_name} of the test set (distance {max(distance, 0.0):.4f})",
    )
