"""The fast search against the full one: the same face, and so the same template."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from facematch.choices import Device, FaceChoice, Search
from facematch.errors import NoFaceError
from facematch.imaging.decode import load_photograph
from facematch.imaging.paths import find_photographs
from facematch.pipeline import AnalyzedPhotograph, Analyzer, open_detector
from facematch.types import Photograph

pytestmark = [pytest.mark.photos, pytest.mark.slow]

PHOTOGRAPHS = 40
LARGEST_DISTANCE = 0.02


def chosen(analyzer: Analyzer, photograph: Photograph) -> AnalyzedPhotograph | None:
    try:
        return analyzer.analyze_photograph(photograph)
    except NoFaceError:
        return None


@pytest.mark.parametrize("choice", [FaceChoice.CENTER, FaceChoice.LARGEST])
def test_both_searches_choose_the_same_face(
    wild: Path, analyzer: Analyzer, choice: FaceChoice
) -> None:
    """All 602 photographs gave the same when this was measured; here a sample of them."""
    detector, _ = open_detector(Device.CPU)
    full, fast = (
        Analyzer(detector, analyzer._network, choice=choice, search=search)
        for search in (Search.FULL, Search.FAST)
    )
    paths = np.random.default_rng(choice == FaceChoice.CENTER).permutation(
        np.array(find_photographs([wild]), dtype=object)
    )
    distances, ended = [], 0
    for path in paths[:PHOTOGRAPHS]:
        photograph = load_photograph(path)
        a, b = chosen(full, photograph), chosen(fast, photograph)
        assert (a is None) == (b is None), path
        if a is not None and b is not None:
            templates = analyzer.embed([a.faces[0], b.faces[0]])
            distances.append(1.0 - float(templates[0] @ templates[1]))
            ended += not b.complete
    same = np.mean(np.array(distances) <= LARGEST_DISTANCE)
    print(
        f"\n{choice} of {len(distances)} photographs: {same:.1%} within {LARGEST_DISTANCE}, "
        f"at most {max(distances):.1e}; {ended} searches ended early"
    )
    assert same >= 0.995
    assert ended >= len(distances) / 2
