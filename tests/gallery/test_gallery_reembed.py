"""Another model for a gallery: from crops, from photographs, or not at all."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from fakes import BLUE, GREEN, RED, FakeDetector, FakeNetwork, photograph
from gallery_fakes import keys_with
from typer.testing import CliRunner

import facematch.pipeline
from facematch.choices import FaceChoice
from facematch.cli import app
from facematch.errors import UsageError
from facematch.gallery import Gallery, GalleryWriter
from facematch.pipeline import Analyzer
from facematch.types import ARCFACE_112, Alignment
from facematch.workflows.enroll import EnrolmentItem, enroll
from facematch.workflows.gallery_encryption import encrypt_gallery
from facematch.workflows.gallery_reembed import reembed
from facematch.workflows.gallery_versions import list_snapshots

OLD = FakeNetwork()


@dataclass
class Swapped(FakeNetwork):
    """Another model: its templates have the colours in another order."""

    alignment: Alignment = ARCFACE_112

    def __post_init__(self) -> None:
        super().__init__("e" * 64, "fake-2")

    def embed(self, crops_rgb: np.ndarray) -> np.ndarray:
        return super().embed(crops_rgb)[:, ::-1].copy()


def analyzer(network: FakeNetwork) -> Analyzer:
    return Analyzer(FakeDetector(), network, choice=FaceChoice.ALL)


@pytest.fixture
def faces(tmp_path: Path) -> Path:
    """Ann by a crop, Bob and Cy by photographs, Cy in one with another face."""
    path = tmp_path / "faces.h5"
    for name, colours, crop in (("Ann", [RED], True), ("Bob", [GREEN], False)):
        item = EnrolmentItem(name, photograph(tmp_path / f"{name}.png", colours))
        enroll([item], analyzer(OLD), path, keep_crops=crop)
    picture = photograph(tmp_path / "Cy.png", [RED, BLUE])
    chosen = Analyzer(FakeDetector(), OLD, choice=FaceChoice.LARGEST)
    enroll([EnrolmentItem("Cy", picture)], chosen, path)
    with GalleryWriter.open(path) as writer:
        writer.mark_distinct("Bob", "Cy")
        writer.commit()
    list_snapshots(path, keep=1)
    return path


def test_every_template_is_made_again(faces: Path) -> None:
    (faces.parent / "Ann.png").unlink()  # her crop is enough
    with Gallery.open(faces) as gallery:
        before, references = gallery.templates.copy(), [gallery.reference(i) for i in range(3)]
    result = reembed(faces, analyzer(Swapped()))
    assert (result.written, result.from_crops, result.from_sources) == (True, 1, 2)
    assert result.state.model.name == "fake-2"
    with Gallery.open(faces, Swapped().identity) as gallery:
        assert gallery.verify().problems == ()
        assert np.allclose(gallery.templates, before[:, ::-1], atol=1e-6)
        assert [repr(gallery.reference(i)) for i in range(3)] == [repr(r) for r in references]
        assert (gallery.distinct, gallery.info.snapshots) == ({(1, 2)}, 1)
    (snapshot,) = list_snapshots(faces).snapshots
    assert snapshot.state is not None
    assert snapshot.state.model.name == "fake-1"
    with pytest.raises(UsageError, match="is of model fake-2 already"):
        reembed(faces, analyzer(Swapped()))


def test_an_encrypted_gallery_stays_so(faces: Path) -> None:
    encrypt_gallery(faces, keys_with())
    result = reembed(faces, analyzer(Swapped()), keys=keys_with())
    assert (result.written, result.state.model.name) == (True, "fake-2")
    assert faces.read_bytes().startswith(b"FACECRPT")
    with Gallery.open(faces, Swapped().identity, keys=keys_with()) as gallery:
        assert gallery.verify().problems == ()


def test_what_has_no_picture_is_listed_and_nothing_changes(faces: Path, tmp_path: Path) -> None:
    before = faces.read_bytes()
    (tmp_path / "Bob.png").unlink()
    photograph(tmp_path / "Cy.png", [GREEN])
    result = reembed(faces, analyzer(Swapped()))
    assert not result.written
    assert [(m.row, m.subject, m.reason.rpartition(", ")[2]) for m in result.missing] == [
        (1, "Bob", "and the photograph is not there"),
        (2, "Cy", "and the photograph is another one now"),
    ]
    assert faces.read_bytes() == before
    assert reembed(faces, analyzer(Swapped()), drop_missing=True).written
    with Gallery.open(faces, Swapped().identity) as gallery:
        assert (gallery.subject_names, gallery.distinct) == (("Ann",), frozenset())
        assert gallery.verify().problems == ()


def test_a_crop_of_another_alignment_is_of_no_use(faces: Path, tmp_path: Path) -> None:
    (tmp_path / "Ann.png").unlink()
    result = reembed(faces, analyzer(Swapped(Alignment("box", 160))))
    assert [missing.subject for missing in result.missing] == ["Ann"]


def test_the_command(faces: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Engine:
        device = "fake"

    def open_analyzer(*_: object, **__: object) -> tuple[Analyzer, None, Engine]:
        return analyzer(Swapped()), None, Engine()

    monkeypatch.setattr(facematch.pipeline, "open_analyzer", open_analyzer)
    (tmp_path / "Bob.png").unlink()
    arguments = ["gallery", "reembed", "--model", "fake-2", "-g", str(faces)]
    refused = CliRunner().invoke(app, arguments)
    assert refused.exit_code == 4
    assert refused.stdout.startswith("nothing was changed: 1 references have no picture")
    assert "row 1 of Bob, " in refused.stdout
    done = CliRunner().invoke(app, [*arguments, "--drop-missing", "--json"])
    assert done.exit_code == 0
    found = json.loads(done.stdout)
    assert (found["written"], found["from_crops"], found["from_sources"]) == (True, 1, 1)
    assert found["missing"][0].keys() == {"row", "subject", "path", "reason"}
    assert found["model"] == "fake-2"
