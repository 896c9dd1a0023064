"""``--report`` and ``--plots`` of evaluate and calibrate."""

from __future__ import annotations

import html
import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from fakes import BLUE, GREEN, ORANGE, RED, photograph
from self_contained import requests_of
from typer.testing import CliRunner

from facematch.cli import app

if TYPE_CHECKING:
    from click.testing import Result

pytestmark = pytest.mark.usefixtures("fake_pipeline")

HOSTILE = "<img src=x onerror=alert(1)>\u202e"


def run(*arguments: object) -> Result:
    result = CliRunner().invoke(app, [str(a) for a in arguments])
    assert result.exit_code == 0, result.output
    return result


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACEMATCH_CACHE_DIR", str(tmp_path / "cache"))


def scores(path: Path, kind: str = "distance", shift: float = 0.0) -> Path:
    """Twelve people in two groups, with some errors."""
    generator = np.random.default_rng(0)
    rows = [f"{kind},same,subject_a,subject_b,group"]
    for a in range(12):
        for b in [a] * 4 + list(range(a)):
            d = (0.5 + shift if a == b else 1.0) + generator.normal(0, 0.2)
            d = -d if kind == "similarity" else d
            rows.append(f"{d:.6f},{a == b:d},p{a},p{b},{'<b>old' if a % 2 else 'young'}")
    path.write_text("\n".join(rows) + "\n")
    return path


def people(folder: Path) -> Path:
    """Three people, one of whom looks like two others; and a picture of nobody."""
    for name, colours in (("red", (RED, ORANGE)), (HOSTILE, (GREEN, RED)), ("blue", (BLUE, BLUE))):
        for index, colour in enumerate(colours):
            shade = tuple(max(0, c - 10 * index) for c in colour)
            photograph(folder / name / f"{index}.png", [shade])  # type: ignore[list-item]
    photograph(folder / "blue" / "9.png", [])
    return folder


def checked(path: Path) -> str:
    page = path.read_text(encoding="utf-8")
    assert requests_of(page) == []
    return page


def command_in(page: str) -> str:
    (found,) = re.findall(r"<pre><code>(.*?)</code></pre>", page, re.DOTALL)
    return html.unescape(found)


def test_scores(tmp_path: Path) -> None:
    said = run("evaluate", scores(tmp_path / "s.csv"), "--report", "r.html", "--plots", "plots")
    assert said.stdout.endswith("wrote r.html and plots\n")
    page = checked(tmp_path / "r.html")
    names = [f"{name}.{kind}" for name in ("det", "reliability", "roc", "scores") for kind in
             ("png", "svg")]  # fmt: skip
    assert sorted(path.name for path in (tmp_path / "plots").iterdir()) == names
    assert "How often do the distances of another system decide rightly" in page
    for heading in ("Results", "Curves", "Held out", "Groups", "Worst errors", "Counts"):
        assert f"<h2>{heading}</h2>" in page
    assert "&lt;b&gt;old" in page
    assert "<svg" in page
    assert "data:image" not in page  # there are no photographs
    (digest,) = re.findall(r"<dt>SHA-256 of the pairs</dt><dd>([0-9a-f]{64})</dd>", page)
    assert "<dt>seed</dt><dd>0</dd>" in page
    assert digest in run("evaluate", "s.csv", "--json").stdout


def test_the_command_of_a_page_makes_it_again(tmp_path: Path) -> None:
    scores(tmp_path / "my pairs.csv")
    run("evaluate", "my pairs.csv", "--report", "a b.html", "--group", "group", "--folds", 3)
    first = checked(tmp_path / "a b.html")
    command = command_in(first)
    options = "--folds 3 --group group --report 'a b.html'"
    assert command == f"facematch evaluate {options} 'my pairs.csv'"
    (tmp_path / "a b.html").unlink()
    run(*shlex.split(command)[1:])
    again = checked(tmp_path / "a b.html")
    times = r"<dt>made</dt><dd>[^<]*</dd>"
    assert re.sub(times, "", again) == re.sub(times, "", first)


def test_similarities_are_shown_as_they_were(tmp_path: Path) -> None:
    scores(tmp_path / "s.csv", "similarity")
    run("evaluate", "s.csv", "--threshold", -0.75, "--report", "r.html")
    page = checked(tmp_path / "r.html")
    assert "<dt>threshold</dt><dd>-0.7500, --threshold</dd>" in page
    run("calibrate", "s.csv", "--eer", "--report", "c.html", "-o", "c.json")
    assert "Accept a similarity of at least -" in checked(tmp_path / "c.html")


def test_faces_of_the_worst_errors(tmp_path: Path) -> None:
    folder = people(tmp_path / "people")
    run("evaluate", folder, "--threshold", 0.1, "--report", "r.html")
    page = checked(tmp_path / "r.html")
    assert "data:image/jpeg;base64," in page
    assert "&lt;img src=x onerror=alert(1)&gt;\\u202e" in page
    assert "<h2>Failures to acquire</h2>" in page
    assert "9.png" in page
    run("evaluate", folder, "--threshold", 0.1, "--report", "n.html", "--no-photos", "--json")
    without = checked(tmp_path / "n.html")
    assert "data:image" not in without
    assert "<h2>Worst errors</h2>" in without


def test_calibrate(tmp_path: Path) -> None:
    folder = people(tmp_path / "people")
    run("calibrate", folder, "--max-accuracy", "--gallery-size", 100, "--report", "r.html",
        "--plots", "plots")  # fmt: skip
    page = checked(tmp_path / "r.html")
    assert "Which threshold?" in page
    assert "data:image/jpeg;base64," in page
    assert "In a search of 100 references" in page
    for heading in ("Threshold", "Curves", "Every distance", "Worst errors", "Counts"):
        assert f"<h2>{heading}</h2>" in page
    assert (tmp_path / "plots" / "roc.svg").exists()


def test_a_search(tmp_path: Path) -> None:
    enrolled, probes = tmp_path / "enrol", tmp_path / "probes"
    for name, colour in (("red", RED), ("green", GREEN), (HOSTILE[:-1], BLUE)):
        photograph(enrolled / name / "1.png", [colour])
        shade = tuple(max(0, c - 10) for c in colour)
        photograph(probes / name / "2.png", [shade])  # type: ignore[list-item]
    photograph(probes / "red" / "green.png", [GREEN, RED], [60, 30])
    photograph(probes / "orange" / "1.png", [ORANGE])
    photograph(probes / "green" / "3.png", [])
    run("enroll", enrolled, "--gallery", "faces.h5")
    run("evaluate", "-g", "faces.h5", "--probes", probes, "--report", "r.html", "--plots", "p")
    page = checked(tmp_path / "r.html")
    assert "<h2>Strangers (open set)</h2>" in page
    assert "takes 30 probes of strangers" in page
    assert "Strangers who are nearest to somebody" in page
    assert page.count("data:image/jpeg;base64,") >= 2
    assert sorted(path.stem for path in (tmp_path / "p").glob("*.svg")) == [
        *("cmc", "open-set", "scores")
    ]
    run("evaluate", "-g", "faces.h5", "--probes", probes, "--report", "n.html", "--no-photos")
    assert "data:image" not in checked(tmp_path / "n.html")


def test_systems_side_by_side(tmp_path: Path) -> None:
    for name, shift in (("good", 0.0), ("bad", 0.4)):
        run("evaluate", scores(tmp_path / f"{name}.csv", shift=shift), "-o", f"{name}.json")
    run("evaluate", "--compare", "good.json", "bad.json", "--report", "r.html", "--plots", "p")
    page = checked(tmp_path / "r.html")
    assert "Significantly worse than good" in page
    assert "significantly worse</td>" in page
    assert command_in(page).endswith("--compare --report r.html --plots p good.json bad.json")
    result = CliRunner().invoke(
        app, ["evaluate", "bad.csv", "--baseline", "good.json", "--report", "b.html"]
    )
    assert result.exit_code == 10  # and the page is there to say why
    assert "<h2>Systems side by side</h2>" in checked(tmp_path / "b.html")


def test_places_are_looked_for_before_the_work(tmp_path: Path) -> None:
    scores(tmp_path / "s.csv")
    (tmp_path / "file").touch()
    for option, value in (("--report", "no/r.html"), ("--plots", "no/p"), ("--plots", "file")):
        for command in ("evaluate", "calibrate"):
            result = CliRunner().invoke(app, [command, "s.csv", option, value])
            assert result.exit_code == 8
            assert not (tmp_path / "calibration.json").exists()


def test_only_its_own_files_are_replaced(tmp_path: Path) -> None:
    made = scores(tmp_path / "s.csv").read_bytes()
    (tmp_path / "p").mkdir()
    (tmp_path / "p" / "roc.png").write_bytes(b"a photograph")
    for options in (
        ["-o", "s.csv"],
        ["--report", "s.csv"],
        ["--plots", "p"],
        ["-o", "x", "--report", "x"],
    ):
        assert CliRunner().invoke(app, ["evaluate", "s.csv", *options]).exit_code == 8
    assert (tmp_path / "s.csv").read_bytes() == made
    assert (tmp_path / "p" / "roc.png").read_bytes() == b"a photograph"
    (tmp_path / "p" / "roc.png").unlink()
    for _ in range(2):
        run("evaluate", "s.csv", "-o", "r.json", "--report", "r.html", "--plots", "p")


def test_what_is_said_of_people_depends_on_whether_any_are_known(tmp_path: Path) -> None:
    named = scores(tmp_path / "named.csv")
    lines = named.read_text().splitlines()
    Path("nameless.csv").write_text("".join(f"{','.join(x.split(',')[:2])}\n" for x in lines))
    pair = [x for x in lines[1:] if x.split(",")[2:4] in (["p0", "p0"], ["p1", "p0"], ["p1", "p1"])]
    Path("two.csv").write_text("\n".join([lines[0], *pair]) + "\n")
    for verb in ("calibrate", "evaluate"):
        kept = ("--report", "r.html", "-o", f"{verb}.json")
        run(verb, named, *kept)
        assert "respect that comparisons share people" in Path("r.html").read_text()
        run(verb, "nameless.csv", *kept)
        page = Path("r.html").read_text()
        assert "comparisons are taken as independent" in page
        for word in ("share people", "other people", "held-out people", "new people"):
            assert word not in page
    run("calibrate", "two.csv", "--report", "r.html", "-o", "calibrate.json")
    page = Path("r.html").read_text()
    assert "On new people: not known" in page
    assert "the rule applied to some" not in page
