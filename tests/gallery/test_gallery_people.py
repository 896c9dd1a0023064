"""References that change hands, and people who are not the same however alike."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from fakes import ORANGE, RED, FakeDetector, FakeNetwork, photograph
from gallery_fakes import IDENTITY, make_gallery, reference_of, templates_of
from typer.testing import CliRunner

from facematch.calibration.choice import DecisionThreshold
from facematch.choices import FaceChoice, Metric
from facematch.cli import app
from facematch.errors import UsageError
from facematch.gallery import Gallery, GalleryWriter
from facematch.pipeline import Analyzer
from facematch.workflows.identify import IdentifyResult, identify


def run(*arguments: object) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, ["gallery", *map(str, arguments)])
    return result.exit_code, result.stdout, result.stderr


@pytest.fixture
def faces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Ada has rows 0, 2 and 4, Bob row 1, Zoë row 3."""
    monkeypatch.chdir(tmp_path)
    make_gallery(tmp_path / "faces.h5", ["Ada", "Bob", "Ada", "Zoë", "Ada"])
    return tmp_path / "faces.h5"


def owners(path: Path) -> list[str]:
    with Gallery.open(path) as gallery:
        assert gallery.verify().problems == ()
        assert gallery.templates.tobytes() == templates_of(len(gallery)).tobytes()
        return [gallery.reference(row).subject for row in range(len(gallery))]


def test_move(faces: Path) -> None:
    code, out, _ = run("move", "Ada", "-r", 0, "-r", 4, "--to", "Bob")
    assert (code, out) == (0, "2 references of Ada (1 left) now Bob's, who has 3\n")
    assert owners(faces) == ["Bob", "Bob", "Ada", "Zoë", "Bob"]
    found = json.loads(run("move", "Ada", "-r", 2, "--to", "Zoe\u0308", "--json")[1])
    assert (found["source_left"], found["to"], found["moved"], found["references"]) == (
        *(0, "Zoë"),
        *(1, 2),
    )
    assert owners(faces) == ["Bob", "Bob", "Zoë", "Zoë", "Bob"]
    assert found["gallery"]["subjects"] == 2


def test_split(faces: Path) -> None:
    code, out, _ = run("split", "Ada", "-r", 2, "--into", "Eve")
    assert (code, out) == (0, "1 reference of Ada (2 left) now Eve's, who has 1\n")
    assert owners(faces) == ["Ada", "Bob", "Eve", "Zoë", "Ada"]


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("move", "Ada", "-r", "1", "--to", "Bob"), 2, "row 1 is no reference of 'Ada'"),
        (("move", "Ada", "-r", "0", "--to", "Bbo"), 4, "did you mean 'Bob'?"),
        (("move", "Adda", "-r", "0", "--to", "Bob"), 4, "did you mean 'Ada'?"),
        (("move", "Ada", "-r", "0", "--to", "Ada"), 2, "already"),
        (("split", "Ada", "-r", "0", "--into", "Bob"), 2, "gallery move"),
        (("split", "Ada", "-r", "0", "-r", "2", "-r", "4", "--into", "E"), 2, "gallery rename"),
        (("split", "Ada", "-r", "0", "--into", "a/b"), 2, "cannot be a subject name"),
        (("distinct", "Ada"), 2, "takes two subjects"),
        (("distinct", "Ada", "Ada"), 2, "one subject"),
        (("distinct", "Ada", "Zoe"), 4, "did you mean 'Zoë'?"),
        (("distinct", "--undo"), 2, "takes two subjects"),
    ],
)
def test_what_is_refused(faces: Path, arguments: tuple[str, ...], code: int, words: str) -> None:
    before = faces.read_bytes()
    found, out, err = run(*arguments)
    assert (found, out, err.count("\n")) == (code, "", 1)
    assert words in err
    assert faces.read_bytes() == before


def test_distinct_is_kept_through_changes_and_forgotten_with_a_subject(faces: Path) -> None:
    assert run("distinct", "Zoë", "Ada", "-q") == (0, "Ada is not Zoë\n", "")
    found = json.loads(run("distinct", "Bob", "Zoë", "--json")[1])
    assert (found["changed"], found["pairs"]) == (True, [["Ada", "Zoë"], ["Bob", "Zoë"]])
    assert json.loads(run("distinct", "Bob", "Zoë", "--json")[1])["changed"] is False
    code, _, err = run("merge", "Zoë", "--into", "Ada")
    assert code == 2
    assert "'Ada' and 'Zoë' are marked as different people" in err
    run("rename", "Zoë", "Zoey")
    run("merge", "Bob", "--into", "Ada")  # whoever Bob is not, Ada is not
    assert run("distinct", "-q")[1] == "Ada is not Zoey\n"
    assert run("distinct", "Ada", "Zoey", "--undo", "-q") == (0, "", "")
    run("distinct", "Ada", "Zoey")
    run("remove", "Ada", "--yes")
    assert run("distinct", "-q") == (0, "", "")
    assert owners_of_one(faces) == ("Zoey",)


def owners_of_one(path: Path) -> tuple[str, ...]:
    with Gallery.open(path) as gallery:
        assert gallery.verify().problems == ()
        return gallery.subject_names


def test_a_merge_hands_the_marks_on(faces: Path) -> None:
    with GalleryWriter.open(faces, IDENTITY) as writer:
        writer.mark_distinct("Bob", "Zoë")
        writer.merge(["Bob"], "Ada")
        writer.commit()
        with pytest.raises(UsageError, match="different people"):
            writer.merge(["Zoë"], "Ada")
    with Gallery.open(faces) as gallery:
        assert gallery.distinct == {(0, 1)}


@pytest.mark.parametrize("top", [1, 5])
def test_identify_says_when_two_people_contest_a_face(tmp_path: Path, top: int) -> None:
    network = FakeNetwork()
    path = tmp_path / "faces.h5"
    with GalleryWriter.open(path, network.identity) as writer:
        colours = np.array([RED, ORANGE], np.float32) + 1e-3
        templates = colours / np.linalg.norm(colours, axis=1, keepdims=True)
        references = [reference_of("Ann", 1), reference_of("Twin", 2)]
        writer.add(references, templates.astype(np.float32))
        writer.commit()
    picture = photograph(tmp_path / "a.png", [RED])
    analyzer = Analyzer(FakeDetector(), network, choice=FaceChoice.ALL)
    decision = DecisionThreshold(0.2, Metric.COSINE, "by hand", None)

    def contested() -> tuple[str, ...]:
        with Gallery.open(path) as gallery:
            (result,) = identify([picture], analyzer, gallery, decision, top=top)
        assert isinstance(result, IdentifyResult)
        assert len(result.faces[0].candidates) == min(top, 2)
        return result.faces[0].contested

    assert contested() == ()
    with GalleryWriter.open(path) as writer:
        writer.mark_distinct("Ann", "Twin")
        writer.commit()
    assert contested() == ("Twin",)
    decision = DecisionThreshold(0.01, Metric.COSINE, "by hand", None)
    assert contested() == ()
