"""Photographs into people, by colours that stand for faces."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from fakes import BLUE, GREEN, ORANGE, RED, FakeDetector, FakeNetwork, photograph
from typer.testing import CliRunner

import facematch.pipeline
from facematch.calibration.choice import DecisionThreshold
from facematch.choices import FaceChoice, Metric
from facematch.cli import app
from facematch.errors import NoFaceError, UsageError
from facematch.pipeline import Analyzer
from facematch.workflows import cluster as workflow
from facematch.workflows.cluster import cluster, group, write_folders
from facematch.workflows.enroll import plan_enrolment

DECISION = DecisionThreshold(0.2, Metric.COSINE, "by hand", None)


def analyzer() -> Analyzer:
    return Analyzer(FakeDetector(), FakeNetwork(), choice=FaceChoice.CENTER)


@pytest.fixture
def photographs(tmp_path: Path) -> list[Path]:
    colours = {"r1": RED, "g1": GREEN, "r2": RED, "r3": ORANGE, "b1": BLUE, "g2": GREEN}
    folder = tmp_path / "in"
    return [photograph(folder / f"{name}.png", [c]) for name, c in colours.items()]


def names(paths: tuple[str, ...]) -> list[str]:
    return [Path(path).stem for path in paths]


def test_people_are_found_the_largest_first(photographs: list[Path], tmp_path: Path) -> None:
    empty = photograph(tmp_path / "empty.png", [])
    result = cluster([*photographs, empty], analyzer(), DECISION)
    assert [(p.name, names(p.paths)) for p in result.people] == [
        ("person-001", ["r1", "r2", "r3"]),
        ("person-002", ["g1", "g2"]),
        ("person-003", ["b1"]),
    ]
    assert result.people[0].spread > 0
    assert result.people[2].spread == 0
    assert [failure.path for failure in result.failed] == [str(empty)]


def test_one_photograph_none_and_too_many(
    photographs: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert len(cluster(photographs[:1], analyzer(), DECISION).people) == 1
    with pytest.raises(NoFaceError, match="no face in 1 photographs"):
        cluster([photograph(tmp_path / "empty.png", [])], analyzer(), DECISION)
    monkeypatch.setattr(workflow, "LARGEST", 5)
    with pytest.raises(UsageError, match="up to 5 at once"):
        cluster(photographs, analyzer(), DECISION)


def test_groups_are_those_of_the_obvious_algorithm() -> None:
    rng = np.random.default_rng(0)
    points = rng.normal(size=(25, 3))
    distances = np.linalg.norm(points[:, None] - points[None], axis=2).astype(np.float32)
    groups = [{i} for i in range(25)]
    while True:
        means = {
            (a, b): np.mean([distances[i, j] for i in groups[a] for j in groups[b]])
            for a in range(len(groups))
            for b in range(a)
        }
        a, b = min(means, key=means.__getitem__)
        if means[a, b] > 1.5:
            break
        groups[b] |= groups.pop(a)
    labels = group(distances, 1.5)
    found = [set(np.flatnonzero(labels == label).tolist()) for label in range(labels.max() + 1)]
    assert sorted(map(sorted, found)) == sorted(map(sorted, groups))
    assert 2 < len(groups) < 25


def test_the_command_writes_what_enroll_takes(
    photographs: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Bundle:
        identity = FakeNetwork().identity
        calibration_path = tmp_path / "none.json"

    class Engine:
        device = "fake"

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(
        facematch.pipeline, "open_analyzer", lambda *_, **__: (analyzer(), Bundle, Engine)
    )
    arguments = ["cluster", "in", "--threshold", "0.2", "--csv", "people.csv", "-q"]
    done = CliRunner().invoke(app, [*arguments, "--folders", "out"])
    assert done.exit_code == 0, done.stderr
    assert done.stdout.startswith("person-001: 3, at most ")
    with (tmp_path / "people.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 6
    assert all(Path(row["path"]).is_absolute() for row in rows)
    from_list = plan_enrolment([tmp_path / "people.csv"], None).items
    from_folders = plan_enrolment([tmp_path / "out"], None).items
    assert sorted(i.subject for i in from_list) == sorted(i.subject for i in from_folders)
    assert {i.path.read_bytes() for i in from_folders} == {p.read_bytes() for p in photographs}
    again = CliRunner().invoke(app, [*arguments, "--folders", "out"])
    assert (again.exit_code, again.stdout) == (2, "")
    found = json.loads(CliRunner().invoke(app, [*arguments, "--json"]).stdout)
    assert [len(person["paths"]) for person in found["people"]] == [3, 2, 1]
    assert (found["failed"], found["threshold"], found["model"]) == ([], 0.2, "fake-1")
    named = (tmp_path / "people.csv").read_bytes().replace(b"person-002", b"Zora")
    for other in (named, b"subject,path,age\r\n", b'subject,path\r\n"', b"\x89PNG"):
        (tmp_path / "people.csv").write_bytes(other)
        refused = CliRunner().invoke(app, arguments)
        assert (refused.exit_code, refused.stdout) == (8, "")
        assert "not a list of people without names" in refused.stderr
        assert (tmp_path / "people.csv").read_bytes() == other


def test_photographs_of_one_name_do_not_overwrite_each_other(tmp_path: Path) -> None:
    pictures = [photograph(tmp_path / str(i) / "a.png", [RED], [60 + i]) for i in range(2)]
    result = cluster(pictures, analyzer(), DECISION)
    write_folders(result.people, tmp_path / "out")
    copied = sorted((tmp_path / "out" / "person-001").iterdir())
    assert [c.read_bytes() for c in copied] == [p.read_bytes() for p in pictures]
