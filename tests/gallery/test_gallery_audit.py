"""What an audit finds, in people who are directions in a plane."""

from __future__ import annotations

import json
import math
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from gallery_fakes import reference_of, templates_of
from typer.testing import CliRunner

from facematch.cli import app
from facematch.gallery import Gallery, GalleryWriter
from facematch.gallery import audit as audit_module
from facematch.gallery.audit import NEAR_DUPLICATE, audit
from facematch.metrics.distances import distance
from facematch.types import Metric, ModelIdentity

PLANE = ModelIdentity("plane-1", "0" * 64, 2)
THRESHOLD = 1 - math.cos(math.radians(20.5))  # 20 degrees are one person

# Name and direction in degrees of each reference, by row.
PEOPLE = [
    ("Ada", 0.0),
    ("Ada", 10.0),
    ("Ada", 92.0),  # row 2 is Bob's
    ("Bob", 90.0),
    ("Bob", 105.0),
    ("Cy", 180.0),
    ("Cy", 180.1),  # nearly the same picture
    ("Dee", 195.0),  # looks like Cy
    ("<script>alert(1)", 300.0),
]


def make(path: Path, *, crops: bool = False, warned: int = 0) -> Path:
    angles = np.radians([angle for _, angle in PEOPLE])
    templates = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    references = [reference_of(name, 3 * row, crop=crops) for row, (name, _) in enumerate(PEOPLE)]
    blurred = replace(references[warned].quality, warnings=("blurred", "<b>dark</b>"))
    references[warned] = replace(references[warned], quality=blurred)
    with GalleryWriter.open(path, PLANE) as writer:
        writer.add(references, templates)
        writer.commit()
    return path


def test_each_kind_is_found_and_ranked(tmp_path: Path) -> None:
    with Gallery.open(make(tmp_path / "g.h5", warned=4)) as gallery:
        report = audit(gallery, THRESHOLD, Metric.COSINE)
    (outlier,) = report.outliers
    assert (outlier.row, outlier.subject, outlier.other) == (2, "Ada", "Bob")
    assert outlier.own_distance > THRESHOLD > outlier.other_distance
    assert [(p.a, p.b, p.row_a, p.row_b) for p in report.look_alikes] == [
        ("Ada", "Bob", 2, 3),
        ("Cy", "Dee", 6, 7),
    ]
    # Two degrees apart, under two names: before the pair that is nearer under one name.
    twice = [(d.row_a, d.row_b) for d in report.near_duplicates]
    assert twice[0] == (2, 3)
    assert (5, 6) in twice
    assert [(p.row, p.warnings) for p in report.poor] == [(4, ("blurred", "<b>dark</b>"))]
    assert report.single == ("<script>alert(1)", "Dee")
    assert report.compared == 81


@pytest.mark.parametrize("metric", [Metric.COSINE, Metric.EUCLIDEAN, Metric.MANHATTAN])
def test_blocks_and_metrics_agree_with_the_obvious_loop(
    tmp_path: Path, metric: Metric, monkeypatch: pytest.MonkeyPatch
) -> None:
    identity = ModelIdentity("four-1", "1" * 64, 4)
    templates = templates_of(40, 5, d=4)
    names = [f"s{number % 7}" for number in range(40)]
    with GalleryWriter.open(tmp_path / "g.h5", identity) as writer:
        writer.add([reference_of(name, i) for i, name in enumerate(names)], templates)
        writer.mark_distinct("s0", "s1")
        writer.commit()
    threshold = {Metric.COSINE: 0.05, Metric.EUCLIDEAN: 0.3, Metric.MANHATTAN: 0.6}[metric]
    monkeypatch.setattr(audit_module, "_BLOCK_VALUES", 3 * 40)
    with Gallery.open(tmp_path / "g.h5") as gallery:
        report = audit(gallery, threshold, metric)

    def far(i: int, j: int, metric: Metric = metric) -> float:
        return float(distance(templates[i : i + 1], templates[j : j + 1], metric)[0])

    alike, outliers, twice = set(), set(), set()
    for i in range(40):
        own = min(far(i, j) for j in range(40) if j != i and names[j] == names[i])
        outliers |= {i} if own > threshold else set()
        for j in range(i + 1, 40):
            if names[i] != names[j] and far(i, j) <= threshold:
                alike.add(tuple(sorted((names[i], names[j]))))
            if far(i, j, Metric.COSINE) <= NEAR_DUPLICATE:
                twice.add((i, j))
    assert {(p.a, p.b) for p in report.look_alikes} == alike - {("s0", "s1")}
    assert len(alike) > 2
    assert {o.row for o in report.outliers} == outliers
    assert {(d.row_a, d.row_b) for d in report.near_duplicates} == twice


def run(*arguments: object) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, ["gallery", "audit", *map(str, arguments)])
    return result.exit_code, result.stdout, result.stderr


def test_the_command_and_its_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    make(tmp_path / "faces.h5", crops=True)
    before = (tmp_path / "faces.h5").read_bytes()
    code, out, err = run("--threshold", THRESHOLD, "--html", "audit.html")
    assert code == 0
    assert out.startswith("Likely mislabelled: 1 (look at them; ")
    assert "  row 2 of Ada: 0.861 from the nearest of its own, 0.001 from Bob\n" in out
    assert "One reference only: 2" in out
    assert "no error rates are known" in err
    page = (tmp_path / "audit.html").read_text("utf-8")
    assert (tmp_path / "audit.html").stat().st_mode & 0o777 == 0o600
    assert "<script" not in page
    assert "&lt;script&gt;alert(1)" in page
    assert "<b>" not in page
    assert "&lt;b&gt;dark&lt;/b&gt;" in page
    assert page.count("data:image/png;base64,") >= 5
    assert "default-src 'none'" in page
    assert re.search(r'(src|href)="(?!data:)', page) is None
    found = json.loads(run("--threshold", THRESHOLD, "--json", "-q")[1])
    assert {"outliers", "look_alikes", "near_duplicates", "poor", "single"} <= found.keys()
    assert found["outliers"][0]["row"] == 2
    assert (found["schema_version"], found["threshold"]) == (1, THRESHOLD)
    assert (tmp_path / "faces.h5").read_bytes() == before
    assert run("--threshold", "0.1", "--html", "no/audit.html")[0] == 8
    assert run("--threshold", THRESHOLD, "--html", "audit.html")[0] == 0
    code, out, err = run("--threshold", THRESHOLD, "--html", "faces.h5")
    assert (code, out) == (8, "")
    assert "not an audit" in err
    assert (tmp_path / "faces.h5").read_bytes() == before


@pytest.mark.parametrize("people", [[], ["Ada"]])
def test_next_to_nobody(tmp_path: Path, people: list[str]) -> None:
    with GalleryWriter.open(tmp_path / "g.h5", PLANE) as writer:
        one = np.array([[1, 0]] * len(people), np.float32).reshape(-1, 2)
        writer.add([reference_of(name) for name in people], one)
        writer.commit()
    with Gallery.open(tmp_path / "g.h5") as gallery:
        report = audit(gallery, 0.5, Metric.COSINE)
    assert (report.outliers, report.look_alikes, report.near_duplicates) == ((), (), ())
    assert list(report.single) == people
