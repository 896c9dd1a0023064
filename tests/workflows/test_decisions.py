"""Verify, identify and calibrate on pictures whose distances are known."""

from __future__ import annotations

from pathlib import Path

import pytest
from fakes import BLUE, GREEN, ORANGE, RED, photograph

from facematch.calibration import load_pairs
from facematch.calibration.choice import DecisionThreshold, choose_decision
from facematch.errors import (
    CalibrationModelMismatchError,
    CalibrationNotFoundError,
    EmptyGalleryError,
    OneClassError,
    PairsFormatError,
    UsageError,
)
from facematch.gallery import Gallery, GalleryWriter
from facematch.metrics import Criterion, ThresholdRule
from facematch.pipeline import Analyzer, Failure, TemplateSource
from facematch.types import Metric, ModelIdentity
from facematch.workflows.calibrate import calibrate
from facematch.workflows.enroll import EnrolmentItem, enroll
from facematch.workflows.identify import identify, promised
from facematch.workflows.verify import verify

HALF = DecisionThreshold(0.5, Metric.COSINE, "--threshold", None)
ZERO_FALSE_MATCHES = ThresholdRule(Criterion.FMR, 0.1)


@pytest.mark.parametrize(("other", "match"), [(RED, True), (ORANGE, True), (GREEN, False)])
def test_verify_decides_by_the_distance(
    tmp_path: Path, analyzer: Analyzer, other: tuple[int, int, int], match: bool
) -> None:
    a = photograph(tmp_path / "a.png", [RED])
    b = photograph(tmp_path / "b.png", [other], sizes=[70])
    result = verify(a, b, analyzer, HALF)
    assert result.match is match
    assert result.margin == pytest.approx(0.5 - result.distance)
    assert result.comparisons == 1
    assert result.probability is None
    assert result.a.photograph.path == str(a)


def test_verify_with_all_faces_reports_the_closest_pair(
    tmp_path: Path, all_faces: Analyzer
) -> None:
    a = photograph(tmp_path / "a.png", [BLUE, RED])
    b = photograph(tmp_path / "b.png", [GREEN, RED], sizes=[60, 50])
    result = verify(a, b, all_faces, HALF)
    assert result.comparisons == 4
    assert result.distance == pytest.approx(0, abs=1e-4)
    assert (result.a.face.index, result.b.face.index) == (1, 1)


@pytest.fixture
def gallery(tmp_path: Path, analyzer: Analyzer) -> Path:
    items = [
        EnrolmentItem(name, photograph(tmp_path / f"{name}.png", [colour]))
        for name, colour in (("Ann", RED), ("Bob", GREEN))
    ]
    enroll(items, analyzer, tmp_path / "faces.h5")
    return tmp_path / "faces.h5"


def test_identify_ranks_subjects_and_knows_strangers(
    tmp_path: Path, gallery: Path, all_faces: Analyzer
) -> None:
    crowd = photograph(tmp_path / "crowd.png", [BLUE, ORANGE, GREEN], sizes=[80, 70, 60])
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"")
    with Gallery.open(gallery) as opened:
        result, failure = identify([crowd, broken], all_faces, opened, HALF, top=5)
    assert isinstance(failure, Failure)
    assert not isinstance(result, Failure)
    names = [[c.subject for c in face.candidates] for face in result.faces]
    assert [face.unknown for face in result.faces] == [True, False, False]
    assert names[1:] == [["Ann", "Bob"], ["Bob", "Ann"]]
    for face in result.faces:
        distances = [candidate.distance for candidate in face.candidates]
        assert distances == sorted(distances)


def test_identify_refuses_an_empty_gallery(tmp_path: Path, analyzer: Analyzer) -> None:
    path = tmp_path / "empty.h5"
    with GalleryWriter.open(path, analyzer.identity) as writer:
        writer.commit()
    probe = photograph(tmp_path / "a.png", [RED])
    with Gallery.open(path) as opened, pytest.raises(EmptyGalleryError):
        list(identify([probe], analyzer, opened, HALF))


def embedded(analyzer: Analyzer) -> TemplateSource:
    return TemplateSource(analyzer.identity, lambda: analyzer)


def write_pairs(folder: Path) -> Path:
    for name, colour in (("r", RED), ("g", GREEN), ("b", BLUE)):
        for number in (1, 2):
            photograph(folder / f"{name}{number}.png", [colour], sizes=[55 + 5 * number])
    photograph(folder / "nobody.png", [])
    rows = ["r1,r2,1", "g1,g2,1", "b1,b2,1", "r1,g1,0", "r2,b2,0", "g1,b1,0", "r1,nobody,1"]
    lines = [
        ",".join([f"{a}.png", f"{b}.png", same]) for a, b, same in (r.split(",") for r in rows)
    ]
    path = folder / "pairs.csv"
    path.write_text("\n".join(["a,b,same", *lines]) + "\n")
    return path


def test_calibrate_measures_pairs_and_counts_failures(tmp_path: Path, analyzer: Analyzer) -> None:
    pairs = load_pairs(write_pairs(tmp_path))
    result = calibrate(pairs, embedded(analyzer), ZERO_FALSE_MATCHES)
    made = result.calibration
    assert (made.n_genuine, made.n_impostor) == (3, 3)
    assert (made.fmr, made.fnmr, made.auc) == (0.0, 0.0, 1.0)
    assert 0 < made.threshold < 1
    assert made.failures_to_acquire == 1
    assert [Path(f.path).name for f in result.failures] == ["nobody.png"]
    assert (made.lost_genuine, made.lost_impostor) == (1, 0)
    assert made.frr == 0.25
    assert made.resolved is False
    assert result.choice.impostors_needed == 30
    assert made.model_fingerprint == analyzer.identity.fingerprint


def test_calibrate_refuses_pairs_that_it_cannot_use(tmp_path: Path, analyzer: Analyzer) -> None:
    path = write_pairs(tmp_path)
    path.write_text(path.read_text() + "r1.png,missing.png,0\n")
    with pytest.raises(PairsFormatError, match=r"line 9: there is no photograph .*missing\.png"):
        calibrate(load_pairs(path), embedded(analyzer), ZERO_FALSE_MATCHES)
    path.write_text("a,b,same\nr1.png,r2.png,1\nr1.png,nobody.png,0\n")
    with pytest.raises(OneClassError, match="no impostor pair is left"):
        calibrate(load_pairs(path), embedded(analyzer), ZERO_FALSE_MATCHES)


def test_the_calibration_is_found_in_the_stated_order(tmp_path: Path, analyzer: Analyzer) -> None:
    from dataclasses import replace

    from facematch.calibration import save_calibration

    made = calibrate(
        load_pairs(write_pairs(tmp_path)), embedded(analyzer), ZERO_FALSE_MATCHES
    ).calibration
    files = {name: tmp_path / f"{name}.json" for name in ("given", "local", "bundled")}
    for number, path in enumerate(files.values(), start=1):
        save_calibration(replace(made, threshold=number / 10), path)

    def chosen(**options: object) -> float:
        return choose_decision(
            analyzer.identity,
            files["bundled"],
            local=files["local"],
            **options,  # type: ignore[arg-type]
        ).threshold

    assert chosen(threshold=0.77) == 0.77
    assert chosen(threshold=0.0) == 0.0
    assert chosen(calibration=files["given"]) == 0.1
    assert chosen() == 0.2
    files["local"].unlink()
    assert chosen() == 0.3
    files["bundled"].unlink()
    with pytest.raises(CalibrationNotFoundError, match="facematch calibrate"):
        chosen()
    with pytest.raises(UsageError, match="not both"):
        chosen(threshold=0.5, calibration=files["given"])
    with pytest.raises(UsageError, match="finite"):
        chosen(threshold=float("nan"))
    with pytest.raises(UsageError, match="manhattan"):
        chosen(calibration=files["given"], metric=Metric.MANHATTAN)
    with pytest.raises(CalibrationModelMismatchError, match="other-1"):
        choose_decision(
            ModelIdentity("other-1", "0" * 64, 3), files["bundled"], calibration=files["given"]
        )


def test_what_is_promised_grows_with_the_gallery(
    tmp_path: Path, gallery: Path, analyzer: Analyzer
) -> None:
    made = calibrate(
        load_pairs(write_pairs(tmp_path)), embedded(analyzer), ZERO_FALSE_MATCHES
    ).calibration
    with Gallery.open(gallery) as opened:
        assert promised(opened, HALF) is None
        decision = DecisionThreshold(0.5, Metric.COSINE, "file", made)
        promise = promised(opened, decision)
        assert promise is not None
        assert promise.fpir == pytest.approx(1 - (1 - made.fmr) ** 2)
        assert promise.upper == pytest.approx(1 - (1 - made.fmr_interval.high) ** 2)
        assert not promise.resolved  # no false match in one or two pairs promises nothing
