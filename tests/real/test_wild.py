"""The whole program on full photographs: enrol half of 29 people, identify the rest."""

from __future__ import annotations

from pathlib import Path

import pytest

from facematch.calibration.choice import choose_decision
from facematch.embedding import find_model
from facematch.gallery import Gallery
from facematch.imaging.paths import find_photographs
from facematch.pipeline import Analyzer, Failure
from facematch.workflows.enroll import EnrolmentItem, enroll
from facematch.workflows.identify import identify

pytestmark = [pytest.mark.photos, pytest.mark.slow]


def test_identification_of_29_people(wild: Path, analyzer: Analyzer, tmp_path: Path) -> None:
    references: list[EnrolmentItem] = []
    probes: list[Path] = []
    for person in sorted(p for p in wild.iterdir() if p.is_dir()):
        photographs = find_photographs([person])
        references += [EnrolmentItem(person.name, path) for path in photographs[::2]]
        probes += photographs[1::2]
    gallery = tmp_path / "faces.h5"
    enrolled = enroll(references, analyzer, gallery)
    bundle = find_model()
    decision = choose_decision(bundle.identity, bundle.calibration_path, local=tmp_path / "none")
    with Gallery.open(gallery, analyzer.identity) as opened:
        results = list(identify(probes, analyzer, opened, decision, top=5))
    found = [r for r in results if not isinstance(r, Failure)]
    right = sum(
        r.faces[0].candidates[0].subject == Path(r.photograph.path).parent.name for r in found
    )
    accepted = [r for r in found if not r.faces[0].unknown]
    wrong = sum(
        r.faces[0].candidates[0].subject != Path(r.photograph.path).parent.name for r in accepted
    )
    print(
        f"\n29 people: {len(enrolled.enrolled)} references, {len(enrolled.failed)} not enrolled; "
        f"{len(probes)} probes, {len(results) - len(found)} without a face; rank-1 "
        f"{right / len(found):.3f} ({right} of {len(found)}); accepted at threshold "
        f"{decision.threshold:.3f}: {len(accepted)}, of these wrong: {wrong}"
    )
    assert enrolled.subjects == 29
    assert len(found) >= 0.97 * len(probes)
    assert right / len(found) >= 0.8  # chance is 1 in 29
    assert wrong <= 0.1 * len(accepted)
