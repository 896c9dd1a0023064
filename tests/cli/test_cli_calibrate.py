"""``facematch calibrate``: its rules, its forms of input, and what it says."""

from __future__ import annotations

import json
import math
import shutil
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from fakes import BLUE, GREEN, ORANGE, RED, photograph
from typer.testing import CliRunner

from facematch.calibration import folders, load_calibration
from facematch.cli import app
from facematch.cli.output import effective, percent, percent_limits
from facematch.errors import CalibrationFormatError
from facematch.metrics import Limits

if TYPE_CHECKING:
    from click.testing import Result

pytestmark = pytest.mark.usefixtures("fake_pipeline")


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["calibrate", *(str(a) for a in arguments)])


def calibrated(*arguments: object) -> dict[str, Any]:
    result = run(*arguments, "--json")
    assert result.exit_code == 0, result.output
    loaded: dict[str, Any] = json.loads(result.stdout)
    return loaded


def refused(result: Result, code: int, *words: str) -> None:
    assert result.exit_code == code, result.output
    assert result.stdout == ""
    (line,) = result.stderr.splitlines()
    assert line.startswith("facematch: ")
    for word in words:
        assert word in line


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACEMATCH_CACHE_DIR", str(tmp_path / "cache"))


@pytest.fixture
def scores(tmp_path: Path) -> Path:
    """Forty people, five genuine comparisons each, and all impostor comparisons among them."""
    generator = np.random.default_rng(0)
    rows = ["distance,same,subject_a,subject_b,group,camera"]
    for a in range(40):
        for b in [a] * 5 + list(range(a)):
            same = a == b
            d = (0.4 if same else 1.0) + generator.normal(0, 0.1) + (0.3 if same and a > 29 else 0)
            rows.append(f"{d:.6f},{same:d},p{a},p{b},{'old' if a > 29 else 'young'},{a % 2}")
    path = tmp_path / "scores.csv"
    path.write_text("\n".join(rows) + "\n")
    return path


def test_distances_need_no_model(scores: Path, tmp_path: Path) -> None:
    found = calibrated(scores, "--model", "there-is-none", "--target-fmr", 0.01)
    assert found["model"] is found["model_fingerprint"] is found["metric"] is None
    assert found["scores"] == "distances"
    assert (found["n_genuine"], found["n_impostor"], found["n_subjects"]) == (200, 780, 40)
    assert found["fmr"] <= 0.01
    assert found["interval_method"] == "shared-subjects"
    assert found["effective_genuine"] < 100  # five comparisons of one person tell little more
    for rate in ("fmr", "fnmr"):
        low, high = found[f"{rate}_interval"]
        assert low <= found[rate] <= high
    low, high = found["threshold_interval"]
    assert low <= found["threshold"] <= high
    assert found["held_out"]["folds"] == 5
    assert found["held_out"]["fnmr"]["comparisons"] == 200
    assert found["probability"]["held_out"] is True
    assert sum(b["comparisons"] for b in found["probability"]["bins"]) > 200
    stored = json.loads((tmp_path / "calibration.json").read_text())
    assert stored["scores"] == "distances"
    again = calibrated(scores, "--target-fmr", 0.01, "--seed", 0)
    assert {**again, "pairs": None} == {**found, "pairs": None}
    a = photograph(tmp_path / "a.png", [RED])
    refused_by_verify = CliRunner().invoke(app, ["verify", str(a), str(a)])
    assert refused_by_verify.exit_code == 6
    assert "distances made elsewhere" in refused_by_verify.stderr


def test_similarities_are_the_same_with_the_sign_turned(scores: Path, tmp_path: Path) -> None:
    header, *rows = scores.read_text().splitlines()
    turned = [f"{-float(row.split(',')[0])},{row.partition(',')[2]}" for row in rows]
    path = tmp_path / "similar.csv"
    path.write_text("\n".join([header.replace("distance", "similarity"), *turned]))
    one, other = calibrated(scores, "--eer"), calibrated(path, "--eer")
    assert other["threshold"] == pytest.approx(one["threshold"])
    assert other["similarity_threshold"] == -other["threshold"]
    assert one["similarity_threshold"] is None
    assert (other["fmr"], other["fnmr"]) == (one["fmr"], one["fnmr"])
    assert "accept a similarity of at least" in run(path).stdout


@pytest.mark.parametrize(
    ("arguments", "rule"),
    [
        ([], "fmr<=0.001"),
        (["--far", 0.02], "fmr<=0.02"),
        (["--target-fnmr", 0.05], "fnmr<=0.05"),
        (["--eer"], "eer"),
        (["--max-accuracy"], "max-accuracy"),
        (["--cost", "10:1:0.01"], "cost=10:1:0.01"),
        (["--target-fpir", 0.1, "--gallery-size", 50], "fpir<=0.1@50"),
    ],
)
def test_rules(scores: Path, arguments: list[object], rule: str) -> None:
    found = calibrated(scores, *arguments)
    assert found["rule"] == rule
    if rule.startswith("fmr"):
        assert found["fmr"] <= found["target_fmr"]


def test_the_fmr_behind_an_fpir(scores: Path) -> None:
    arguments = ("--target-fpir", 0.1, "--gallery-size", 50)
    found = calibrated(scores, *arguments)
    assert found["target_fmr"] == pytest.approx(1 - 0.9 ** (1 / 50))
    assert found["gallery_size"] == 50
    assert found["fpir"] == pytest.approx(1 - (1 - found["fmr"]) ** 50)
    assert found["fpir"] <= 0.1
    low, high = found["fpir_interval"]
    assert low <= found["fpir"] <= high
    assert found["unresolved"] is True
    assert found["pairs_needed"]["impostor"] == 1426
    text = run(scores, *arguments).stdout
    assert "an FPIR of 10 % among 50 references takes an FMR of 0.21" in text
    assert "at least 1,426 impostor pairs (3 / target) that share no people" in text
    expected = calibrated(scores, "--eer", "--gallery-size", 50)
    assert expected["fpir"] == pytest.approx(1 - (1 - expected["fmr"]) ** 50)
    assert calibrated(scores)["fpir"] is None


def test_groups_that_differ_are_warned_of(scores: Path) -> None:
    (table,) = calibrated(scores, "--target-fmr", 0.01)["groups"]
    assert table["column"] == "group"
    assert [group["value"] for group in table["groups"]] == ["young", "old"]
    young, old = table["groups"]
    assert old["fnmr"]["rate"] > young["fnmr"]["rate"]
    assert [(d["rate"], d["worse"], d["better"]) for d in table["disjoint"]] == [
        ("FNMR", "old", "young")
    ]
    text = run(scores, "--group", "GROUP", "--group", "camera").stdout
    assert "WARNING: FNMR is higher for old than for young" in text
    assert "information only" in text
    assert "camera" in text
    refused(run(scores, "--group", "shoe"), 2, "'shoe'", "group, camera")


def test_the_calibration_keeps_held_out_rates_and_groups(scores: Path, tmp_path: Path) -> None:
    found = calibrated(scores, "--target-fmr", 0.01)
    path = tmp_path / "calibration.json"
    loaded = load_calibration(path)
    assert loaded.held_out is not None
    assert loaded.held_out.fnmr.rate == found["held_out"]["fnmr"]["rate"]
    assert loaded.held_out.fmr.comparisons == found["held_out"]["fmr"]["comparisons"]
    assert [(g.column, g.value) for g in loaded.groups] == [("group", "young"), ("group", "old")]
    rates = [None if g.fnmr is None else g.fnmr.rate for g in loaded.groups]
    assert rates == [group["fnmr"]["rate"] for group in found["groups"][0]["groups"]]
    # A file that was written before they were kept.
    document = json.loads(path.read_text())
    older = {k: v for k, v in document.items() if k not in ("held_out", "groups")}
    path.write_text(json.dumps(older))
    assert load_calibration(path) == replace(loaded, held_out=None, groups=())
    for broken in (
        {"held_out": {**document["held_out"], "folds": 1}},
        {"held_out": {**document["held_out"], "fmr": {"rate": 2}}},
        {"groups": {}},
        {"groups": [{"column": "a"}]},
        {"groups": [{**document["groups"][0], "value": "\x1b[31m"}]},
    ):
        path.write_text(json.dumps({**document, **broken}))
        with pytest.raises(CalibrationFormatError, match="not a facematch calibration"):
            load_calibration(path)


def test_failures_to_acquire_by_group(tmp_path: Path) -> None:
    for name, colour in (("r", RED), ("g", GREEN), ("b", BLUE)):
        for number in (1, 2):
            photograph(tmp_path / f"{name}{number}.png", [colour], sizes=[40 + 9 * number])
    photograph(tmp_path / "r3.png", [])
    rows = ["r1,r2,1,old", "r1,r3,1,old", "g1,g2,1,young", "b1,b2,1,young"]
    rows += ["r1,g1,0,old", "r3,b1,0,old", "g1,b1,0,young", "r3,r2,1,lost"]
    lines = ["{}.png,{}.png,{},{}".format(*row.split(",")) for row in rows]
    path = tmp_path / "pairs.csv"
    path.write_text("\n".join(["a,b,same,group", *lines]))
    expected = [("old", 5, 1, 1, 1), ("young", 4, 0, 0, 0), ("lost", 2, 1, 1, 0)]
    keys = ("value", "photographs", "failures", "lost_genuine", "lost_impostor")
    rows_expected = [dict(zip(keys, row, strict=True)) for row in expected]
    (table,) = calibrated(path)["groups"]
    assert table["failures_to_acquire"] == rows_expected
    assert [group["value"] for group in table["groups"]] == ["old", "young"]
    evaluated = CliRunner().invoke(app, ["evaluate", str(path), "--json"])
    assert json.loads(evaluated.stdout)["groups"][0]["failures_to_acquire"] == rows_expected
    said = run(path, "--report", "r.html").stdout
    assert "failures to acquire: 1 of 5 photographs" in said
    assert "Lost to failures to acquire." in (tmp_path / "r.html").read_text()


def test_a_folder_of_subjects(tmp_path: Path) -> None:
    for name, colour in (("Ann", RED), ("Bob", GREEN), ("Cy", BLUE), ("Di", ORANGE)):
        for number in (1, 2):
            photograph(
                tmp_path / "people" / name / f"{number}.png", [colour], sizes=[50 + 9 * number]
            )
    photograph(tmp_path / "people" / "Ann" / "nobody.png", [])
    found = calibrated(tmp_path / "people", "--impostors", "all", "--target-fmr", 0.2)
    assert (found["n_genuine"], found["n_impostor"]) == (4, 24)
    assert found["failures_to_acquire"] == 1
    assert found["pairs_lost"] == {"genuine": 2, "impostor": 6}
    assert found["frr"] == pytest.approx(2 / 6 + 4 / 6 * found["fnmr"])
    assert found["far"] == pytest.approx(found["fmr"] * 24 / 30)
    assert [Path(f["path"]).name for f in found["failed"]] == ["nobody.png"]
    assert [row["metric"] for row in found["measures"]] == [
        *("cosine", "euclidean", "squared-euclidean", "manhattan", "pearson"),
    ]
    assert found["measures"][0]["threshold"] == found["threshold"]
    result = run(tmp_path / "people", "--impostors", 10)
    assert "FTA: 2 genuine" in result.stdout
    assert "squared-euclidean" in result.stdout
    assert "nobody.png" in result.stderr
    assert max(map(len, result.stdout.splitlines())) <= 80
    refused(run(tmp_path / "people", "--impostors", "0"), 2, "--impostors")
    shutil.copy(tmp_path / "people/Ann/1.png", tmp_path / "people/Ann/copy.png")
    everything = (tmp_path / "people", "--impostors", "all", "-q")
    refused(run(*everything), 3, "1.png", "copy.png", "--allow-self-pairs")
    assert run(*everything, "--allow-self-pairs").exit_code == 0


def test_all_pairs_of_a_large_folder_are_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, colours in (("Ann", [RED, ORANGE]), ("Bob", [GREEN, BLUE]), ("Cyril", [BLUE, BLUE])):
        for number, colour in enumerate(colours, start=len(name)):
            photograph(tmp_path / "people" / name / f"{number}.png", [colour], sizes=[50 + number])
    photograph(tmp_path / "people" / "Ann" / "nobody.png", [])
    arguments = (tmp_path / "people", "--impostors", "all", "--target-fmr", 0.2, "-o", "c.json")
    held = calibrated(*arguments)
    assert (held["pairs_streamed"], held["threshold_interval_method"]) == (
        False,
        "subject-bootstrap",
    )
    monkeypatch.setattr(folders, "MOST_PAIRS", 5)
    counted = calibrated(*arguments)
    assert (counted["pairs_streamed"], counted["threshold_interval_method"]) == (
        True,
        "group-jackknife",
    )
    for key in ("n_genuine", "n_impostor", "pairs_lost", "fmr", "fnmr", "far", "frr", "failed"):
        assert counted[key] == held[key], key
    assert counted["threshold"] == pytest.approx(held["threshold"], abs=1e-6)
    assert counted.keys() == held.keys()
    assert load_calibration(Path("c.json")).threshold == counted["threshold"]
    result = run(*arguments, "--report", "r.html")
    assert "pairs are counted, not held: for intervals, groups" in result.stdout
    assert max(map(len, result.stdout.splitlines())) <= 80
    page = Path("r.html").read_text()
    assert "counted, not held" in page
    # The faces of the rejected pair of Bob's: green and blue.
    assert page.count("data:image/jpeg") >= 2
    refused(run(*arguments, "--group", "age"), 2, "no column 'age'")

    def interrupted(done: int, total: int) -> None:
        raise KeyboardInterrupt

    Path("c.json").unlink()
    monkeypatch.setattr("facematch.cli.progress.Progress.then", lambda self, what: interrupted)
    refused(run(*arguments, "-q"), 130, "interrupted")
    assert not Path("c.json").exists()


def test_a_second_run_takes_the_templates_from_the_cache(tmp_path: Path) -> None:
    for name, colour in (("Ann", RED), ("Bob", GREEN)):
        for number in (1, 2):
            photograph(
                tmp_path / "people" / name / f"{number}.png", [colour], sizes=[50 + 9 * number]
            )
    people = tmp_path / "people"
    first, second = run(people), run(people)
    assert "device: fake" in first.stderr
    assert "device" not in second.stderr
    assert second.stdout == first.stdout
    assert "device: fake" in run(people, "--no-cache").stderr


def test_remarks_are_made(tmp_path: Path) -> None:
    for name, colour in (("r", RED), ("g", GREEN)):
        for number in (1, 2, 3):
            photograph(tmp_path / f"{name}{number}.png", [colour], sizes=[40 + 9 * number])
    rows = ["r1,r2,1", "r2,r3,1", "r2,r1,1", "r1,r3,0", "r1,g1,0"]
    lines = ["{}.png,{}.png,{}".format(*row.split(",")) for row in rows]
    path = tmp_path / "pairs.csv"
    path.write_text("\n".join(["a,b,same", *lines]))
    assert calibrated(path)["remarks"] == {
        "duplicates": 1,
        "self_pairs": 0,
        "contradictions": 1,
        "contradiction_line": 5,
    }
    text = run(path).stdout
    assert "1 pairs are listed more than once" in text
    assert "the first is in line 5" in text
    assert "subjects follow from the genuine pairs" in text


@pytest.mark.parametrize(
    ("rate", "text"),
    [
        (0, "0 %"),
        (1e-6, "0.0001 %"),
        (0.12345, "12.3 %"),
        (0.99, "99 %"),
        (0.9951, "99.5 %"),
        (0.99951, "99.95 %"),
        (0.9999996, "99.99996 %"),
        (math.nextafter(1, 0), "99.99999999999999 %"),
        (1, "100 %"),
    ],
)
def test_only_all_is_called_100_per_cent(rate: float, text: str) -> None:
    assert percent(rate) == text


def test_ends_of_an_interval_next_to_none_and_all() -> None:
    assert percent_limits(Limits(8.9e-8, math.nextafter(1, 0))) == "0 % to 100 %"
    assert percent_limits(Limits(0.0000268, 0.99998)) == "0.00268 % to 99.998 %"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--target-fpir", 0.1], ["--gallery-size"]),
        (["--cost", "1:2"], ["FALSE_ACCEPT"]),
        (["--cost", "0:0:0.5"], ["costs"]),
        (["--cost", "1:1:0.5", "--eer"], ["give one of"]),
        (["--target-fpir", 2, "--gallery-size", 3], ["FPIR"]),
        (["--prior", 1], ["prior"]),
        (["--folds", 1], ["folds"]),
        (["--seed", -1], ["seed"]),
        (["--impostors", "many"], ["--impostors", "many"]),
        (["--face", "all"], ["--face all"]),
    ],
)
def test_usage(scores: Path, arguments: list[object], words: list[str]) -> None:
    refused(run(scores, *arguments), 2, *words)


def test_the_report_fits_80_columns(scores: Path) -> None:
    for arguments in ([], ["--target-fpir", 0.1, "--gallery-size", 5_000_000]):
        text = run(scores, *arguments, "--group", "group").stdout
        assert max(map(len, text.splitlines())) <= 80
        assert "UNRESOLVED" in text
        assert "on new people (5 folds" in text
        assert "true accept rate" in text


def test_the_prior_of_a_probability_can_be_changed(tmp_path: Path) -> None:
    for name, colour in (("Ann", RED), ("Bob", GREEN), ("Cy", BLUE)):
        for number in (1, 2):
            photograph(
                tmp_path / "people" / name / f"{number}.png", [colour], sizes=[50 + 9 * number]
            )
    calibrated(tmp_path / "people", "--prior", 0.25, "-q")
    pair = [str(tmp_path / "people" / "Ann" / f"{n}.png") for n in (1, 2)]

    def verified(*arguments: str) -> tuple[float, float]:
        result = CliRunner().invoke(app, ["verify", *pair, "--json", *arguments])
        found = json.loads(result.stdout)
        return found["prior"], found["probability"]

    prior, stated = verified()
    assert prior == 0.25
    even, at_even = verified("--prior", "0.5")
    assert even == 0.5
    assert at_even / (1 - at_even) == pytest.approx(3 * stated / (1 - stated))
    text = CliRunner().invoke(app, ["verify", *pair, "--prior", "0.01"]).stdout
    assert "if 1 % of such pairs are" in text
    assert CliRunner().invoke(app, ["verify", *pair, "--prior", "1"]).exit_code == 2


def few_people(path: Path, people: int, each: int) -> Path:
    """All pairs of the photographs of a few people, without an error."""
    generator = np.random.default_rng(people)
    subject = np.repeat(np.arange(people), each)
    apart = 1 + 0.1 * generator.normal(size=(people, people))
    lines = ["distance,same,subject_a,subject_b"]
    for i, j in zip(*np.triu_indices(len(subject), 1), strict=True):
        a, b = int(subject[i]), int(subject[j])
        distance = (0.2 if a == b else apart[a, b]) + 0.02 * generator.random()
        lines.append(f"{distance:.6f},{int(a == b)},s{a},s{b}")
    path.write_text("\n".join(lines))
    return path


def test_few_people_with_many_photographs_prove_little(tmp_path: Path) -> None:
    path = few_people(tmp_path / "few.csv", 4, 12)
    found = calibrated(path, "--target-fmr", 0.02)
    assert found["fmr"] <= 0.02
    assert found["n_impostor"] == 864
    assert found["fmr_interval"][1] > 0.15
    assert found["unresolved"] is True
    assert found["intervals_rough"] is True
    assert found["pairs_needed"]["impostor"] == 150
    worth = found["effective_impostor"]
    assert found["people_needed"] == {
        "genuine": None,
        "impostor": math.ceil(4 * 150 / worth),
    }
    text = run(path, "--target-fmr", 0.02).stdout
    assert "these 864 share people and tell as much as" in text
    assert f"up to about {found['people_needed']['impostor']} people like these would do" in text
    assert "the intervals are rough" in text
    assert max(map(len, text.splitlines())) <= 80


def test_two_people_are_never_enough(tmp_path: Path) -> None:
    path = few_people(tmp_path / "two.csv", 2, 30)
    found = calibrated(path, "--target-fmr", 0.01)
    assert (found["n_impostor"], found["effective_impostor"]) == (900, 1)
    assert found["fmr_interval"][1] > 0.97
    assert found["unresolved"] is True
    # Nor is a probability surer than one pair of either class allows.
    curve = json.loads((tmp_path / "calibration.json").read_text())["match_probability"]
    assert curve["highest"] <= math.log(2) + 1e-12


def test_many_people_are_not_called_few(tmp_path: Path) -> None:
    path = few_people(tmp_path / "many.csv", 40, 2)
    found = calibrated(path, "--target-fmr", 0.05)
    assert found["intervals_rough"] is False
    assert found["unresolved"] is False
    assert found["people_needed"] == {"genuine": None, "impostor": None}
    text = run(path, "--target-fmr", 0.05).stdout
    assert "rough" not in text
    assert "UNRESOLVED" not in text


def test_pairs_that_another_system_could_not_compare(scores: Path, tmp_path: Path) -> None:
    complete = calibrated(scores, "--eer")
    header, *rows = scores.read_text().splitlines()
    extra = [",1,p0,p0,old,0"] * 50 + [",0,p0,p1,young,0"] * 20
    scores.write_text("\n".join([header, *rows, *extra]))
    found = calibrated(scores, "--eer", "--report", "r.html")
    assert found["pairs_lost"] == {"genuine": 50, "impostor": 20}
    for same in ("threshold", "fmr", "fnmr", "n_genuine", "n_impostor", "auc"):
        assert found[same] == complete[same], same
    assert found["frr"] == pytest.approx(0.2 + 0.8 * found["fnmr"])
    assert found["far"] == pytest.approx(found["fmr"] * 780 / 800)
    assert complete["frr"] == complete["fnmr"]
    stored = load_calibration(tmp_path / "calibration.json")
    assert (stored.lost_genuine, stored.lost_impostor) == (50, 20)
    (table,) = found["groups"]
    assert [lost["lost_genuine"] for lost in table["failures_to_acquire"]] == [0, 50]
    text = run(scores, "--eer").stdout
    assert "failures to acquire: 50 genuine, 20 impostor pairs not compared" in text
    assert "FTA + FNMR x (1 - FTA)" in text
    assert "old           failures to acquire: 50 genuine and 0 impostor pairs" in text
    assert max(map(len, text.splitlines())) <= 80
    page = (tmp_path / "r.html").read_text()
    assert "genuine pairs lost to failures to acquire" in page
    assert "FRR, with them" in page


def test_folds_of_pairs_are_no_folds_of_people(tmp_path: Path) -> None:
    path = tmp_path / "s.csv"
    path.write_text("\n".join(["distance,same", *["0.1,1", "0.9,0"] * 30]))
    text = run(path, "--target-fmr", 0.2, "--report", "r.html").stdout
    assert "on pairs held back (5 folds of pairs; no people are named):" in text
    assert "new people" not in text
    page = (tmp_path / "r.html").read_text()
    assert "FMR on pairs held back" in page
    assert "new people" not in page


def test_an_empty_group_has_a_name(scores: Path, tmp_path: Path) -> None:
    scores.write_text(scores.read_text().replace(",old,", ",,"))
    text = run(scores, "--report", "r.html").stdout
    assert "\n  (empty)  " in text
    assert "FNMR is higher for (empty) than for young:" in text
    page = (tmp_path / "r.html").read_text()
    assert ">(empty)<" in page
    assert "FNMR is higher for (empty) than for young" in page


def test_a_folder_has_another_hash_when_a_photograph_changes(tmp_path: Path) -> None:
    people = tmp_path / "people"
    for name, colour in (("Ann", RED), ("Bob", GREEN)):
        for number in (1, 2):
            photograph(people / name / f"{number}.png", [colour], sizes=[50 + 9 * number])
    first, again = calibrated(people), calibrated(people)
    for name in ("pairs_sha256", "photographs_sha256"):
        assert first[name] == again[name]
    photograph(people / "Ann" / "2.png", [RED], sizes=[71])
    changed = calibrated(people, "--report", "r.html")
    for name in ("pairs_sha256", "photographs_sha256"):
        assert changed[name] != first[name]
    assert load_calibration(tmp_path / "calibration.json").photographs_sha256 is not None
    page = (tmp_path / "r.html").read_text()
    assert changed["photographs_sha256"] in page
    assert changed["pairs_sha256"] in page


def test_copies_in_a_folder_are_found_before_the_networks_are_opened(tmp_path: Path) -> None:
    for name, colour in (("Ann", RED), ("Bob", GREEN)):
        for number in (1, 2):
            photograph(tmp_path / name / f"{number}.png", [colour], sizes=[50 + 9 * number])
    shutil.copy(tmp_path / "Ann" / "1.png", tmp_path / "Ann" / "3.png")
    found = run(tmp_path)
    refused(found, 3, "Ann/1.png", "Ann/3.png", "--allow-self-pairs")  # no line names a device


def test_distances_of_any_allowed_size_raise_no_warning(tmp_path: Path) -> None:
    path = tmp_path / "s.csv"
    path.write_text("\n".join(["distance,same", *["-1e12,1", "1e11,1", "1e12,0"] * 30]))
    assert calibrated(path, "--eer", "--report", "r.html")["fmr"] == 0
    assert max(map(len, run(path, "--eer").stdout.splitlines())) <= 80
    judged = CliRunner().invoke(app, ["evaluate", str(path), "--report", "e.html"])
    assert judged.exit_code == 0, judged.output
    path.write_text("distance,same\n1e308,1\n-1e308,0\n")
    refused(run(path), 3, "line 2", "1e308")


def test_fewer_than_one_comparison_is_not_called_none() -> None:
    found = [effective(n) for n in (0.3, 1 - 1e-12, 1, 3764.4)]
    assert found == ["less than 1", "1", "1", "3,764"]
