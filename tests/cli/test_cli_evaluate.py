"""``facematch evaluate``: pairs, searches, and systems compared."""

from __future__ import annotations

import hashlib
import itertools
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from fakes import BLUE, GREEN, ORANGE, RED, photograph
from typer.testing import CliRunner

from facematch.calibration import folders
from facematch.cli import app

if TYPE_CHECKING:
    from click.testing import Result

pytestmark = pytest.mark.usefixtures("fake_pipeline")

Colour = tuple[int, int, int]

KEYS = {
    *("accuracy", "accuracy_std", "auc", "eer", "threshold", "tar_at_fmr", "n_genuine"),
    *("n_impostor", "failures_to_acquire", "model_fingerprint", "schema_version", "protocol"),
    *("precision", "recall", "f1", "d_prime", "average_precision", "far", "frr", "seed"),
    *("fmr_interval", "fnmr_interval", "pairs_sha256", "facematch_version"),
}
RATES = ["0.1", "0.01", "0.001", "0.0001", "0.00001"]


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["evaluate", *(str(a) for a in arguments)])


def evaluated(*arguments: object) -> dict[str, Any]:
    result = run(*arguments, "--json")
    assert result.exit_code == 0, result.output
    loaded: dict[str, Any] = json.loads(result.stdout)
    return loaded


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACEMATCH_CACHE_DIR", str(tmp_path / "cache"))


def scores(path: Path, *, gap: float = 0.6, kind: str = "distance", folds: bool = False) -> Path:
    """Thirty people, five genuine comparisons each, and all impostor comparisons among them."""
    generator = np.random.default_rng(0)
    rows = [f"{kind},same,subject_a,subject_b{',fold' if folds else ''}"]
    for a in range(30):
        for b in [a] * 5 + list(range(a)):
            d = (1 - gap if a == b else 1.0) + generator.normal(0, 0.2)
            d = -d if kind == "similarity" else d
            rows.append(f"{d:.6f},{a == b:d},p{a},p{b}{f',{len(rows) % 10}' if folds else ''}")
    path.write_text("\n".join(rows) + "\n")
    return path


def test_scores_need_no_model(tmp_path: Path) -> None:
    found = evaluated(scores(tmp_path / "s.csv"), "--model", "there-is-none")
    assert found.keys() >= KEYS
    folds = found["held_out"]["by_fold"]
    assert (found["protocol"], len(folds)) == ("subject-folds", 10)
    assert (found["n_genuine"], found["n_impostor"]) == (150, 435)
    assert found["model_fingerprint"] is None
    assert list(found["tar_at_fmr"]) == RATES
    assert [found["tar_at_fmr"][rate] is None for rate in RATES] == [False, False, True, True, True]
    assert found["accuracy"] == pytest.approx(np.mean([f["accuracy"] for f in folds]))
    assert found["accuracy_std"] == pytest.approx(np.std([f["accuracy"] for f in folds], ddof=1))
    for name in ("accuracy", "accuracy_std", "accuracy_standard_error"):
        assert found[name] == found["held_out"][name]
    for name in ("auc", "eer", "fmr", "fnmr"):
        low, high = found[f"{name}_interval"]
        assert low <= found[name] <= high


def rows_of(path: Path) -> tuple[Any, Any]:
    """Distances, and whether genuine."""
    rows = np.loadtxt(path, delimiter=",", skiprows=1, usecols=(0, 1))
    return rows[:, 0], rows[:, 1] == 1


def test_rates_beside_a_threshold_are_of_all_pairs_at_it(tmp_path: Path) -> None:
    path = scores(tmp_path / "s.csv")
    found = evaluated(path)
    distances, same = rows_of(path)
    accepted = distances <= found["threshold"]
    right = int((accepted & same).sum())
    assert found["fmr"] == (accepted & ~same).sum() / 435
    assert found["fnmr"] == (~accepted & same).sum() / 150
    assert found["recall"] == right / 150
    assert found["precision"] == right / accepted.sum()
    assert found["f1"] == pytest.approx(2 * right / (accepted.sum() + 150))
    assert found["accuracy_at_threshold"] == (accepted == same).mean()
    assert sum(found["decisions"].values()) == 585
    for pair in found["worst"]:
        assert (pair["distance"] <= found["threshold"]) is not pair["same"]
    # What is held out is of other pairs and thresholds, and is in a place of its own.
    held = found["held_out"]
    assert held["fmr"]["comparisons"] < 435
    assert held["fmr"]["errors"] == sum(one["false_matches"] for one in held["by_fold"])
    text = run(path).stdout
    before, after = text.split("\nthreshold ")
    assert "held out: folds of people" in before
    assert f"{held['fmr']['errors']} / {held['fmr']['comparisons']}" in before
    assert "best on all pairs" in after
    assert f"{found['decisions']['false_matches']} / 435" in after


def test_held_out_accuracy_is_that_of_the_list(tmp_path: Path) -> None:
    """All pairs of 30 people, 4 of 5 genuine within folds, are 3 of 4 impostor in all."""
    path = scores(tmp_path / "s.csv")
    found = evaluated(path)
    held = found["held_out"]
    assert held["genuine_share"] == 150 / 585
    for one in held["by_fold"]:
        genuine = one["true_matches"] + one["false_non_matches"]
        impostor = one["false_matches"] + one["true_non_matches"]
        assert genuine / (genuine + impostor) > 0.7
        assert one["accuracy"] == pytest.approx(
            150 / 585 * one["true_matches"] / genuine
            + 435 / 585 * one["true_non_matches"] / impostor
        )
    made = CliRunner().invoke(
        app, ["calibrate", str(path), "--max-accuracy", "--folds", "10", "--json"]
    )
    calibrated = json.loads(made.stdout)
    assert calibrated["held_out"] == held
    assert calibrated["accuracy_std"] == found["accuracy_std"]
    assert calibrated["tar_at_fmr"] == found["tar_at_fmr"]
    # The same rule on all pairs: the same rates beside the same threshold.
    for name in ("threshold", "fmr", "fmr_interval", "fnmr", "fnmr_interval"):
        assert calibrated[name] == found[name]
    assert calibrated["accuracy"] == found["accuracy_at_threshold"]
    # A comparison of systems states the figure of the evaluation.
    run(path, "-o", tmp_path / "r.json")
    system = evaluated("--compare", tmp_path / "r.json", tmp_path / "r.json")["systems"][0]
    assert system["figures"]["accuracy"] == pytest.approx(found["accuracy"], abs=1e-12)
    baseline = evaluated(path, "--baseline", tmp_path / "r.json")["baseline"]["systems"][1]
    assert baseline["figures"]["accuracy"] == pytest.approx(found["accuracy"], abs=1e-12)


def test_systems_judged_by_other_folds_are_compared_on_the_pairs_of_both(tmp_path: Path) -> None:
    path = scores(tmp_path / "s.csv")
    stated = {}
    for seed, folds in itertools.product((1, 2), (3, 10)):
        out = tmp_path / f"{seed}-{folds}.json"
        run(path, "--seed", seed, "--folds", folds, "-o", out)
        stated[out] = json.loads(out.read_text())["accuracy"]
    files = [tmp_path / "1-3.json", tmp_path / "2-3.json"]
    for system, file in zip(evaluated("--compare", *files)["systems"], files, strict=True):
        assert system["figures"]["accuracy"] == pytest.approx(stated[file], abs=0.05)
        assert system["figures"]["accuracy"] != stated[file]
    # Hardly anybody is in one fold of ten with the same people twice: no impostor pair is left.
    files = [tmp_path / "1-10.json", tmp_path / "2-10.json"]
    for system in evaluated("--compare", *files)["systems"]:
        assert list(system["figures"]) == ["auc", "eer", "tar@0.1", "tar@0.01"]


def test_results_of_the_earlier_version_are_refused(results: tuple[Path, Path]) -> None:
    good, bad = results
    document = json.loads(good.read_text())
    assert document["schema_version"] == 2
    good.write_text(json.dumps({**document, "schema_version": 1}))
    refused = run("--compare", good, bad)
    assert refused.exit_code == 3
    (line,) = refused.stderr.splitlines()
    assert "of schema version 1" in line
    assert "evaluate the pairs again" in line


@pytest.mark.parametrize("command", ["evaluate", "calibrate"])
def test_scores_of_the_wrong_sign_are_noticed(tmp_path: Path, command: str) -> None:
    """Distances under the name of similarities, and the other way round."""
    for kind, other in (("distance", "similarity"), ("similarity", "distance")):
        path = scores(tmp_path / "s.csv", kind=kind)
        right = CliRunner().invoke(app, [command, str(path), "--json"])
        assert (right.stderr, json.loads(right.stdout)["reversed"]) == ("", False)
        path.write_text(path.read_text().replace(kind, other, 1))
        wrong = CliRunner().invoke(app, [command, str(path), "--json", "--quiet"])
        assert wrong.exit_code == 0
        (line,) = wrong.stderr.splitlines()
        assert line.startswith("WARNING: AUC 0.0")
        assert f"name the column `{kind}`" in line
        found = json.loads(wrong.stdout)
        assert found["reversed"] is True
        if command == "evaluate":
            assert found["d_prime"] < -2
        text = CliRunner().invoke(app, [command, str(path), "--report", str(tmp_path / "r.html")])
        assert line in text.stderr
        assert "genuine pairs are farther apart" in (tmp_path / "r.html").read_text()


def test_a_few_pairs_the_wrong_way_round_are_no_wrong_sign(tmp_path: Path) -> None:
    (tmp_path / "s.csv").write_text("distance,same\n0.9,1\n0.8,1\n0.2,0\n0.1,0\n")
    found = run(tmp_path / "s.csv", "--json")
    assert json.loads(found.stdout)["auc"] == 0
    assert "WARNING" not in found.stderr


def test_no_error_leaves_the_intervals_open(tmp_path: Path) -> None:
    rows = ["distance,same", *["0.1,1"] * 60, *["0.9,0"] * 400]
    (tmp_path / "s.csv").write_text("\n".join(rows))
    found = evaluated(tmp_path / "s.csv")
    assert (found["auc"], found["eer"], found["tar_at_fmr"]["0.01"]) == (1, 0, 1)
    nothing_in_60 = 1 - 0.025 ** (1 / 60)
    assert found["eer_interval"] == [0, pytest.approx(nothing_in_60)]
    assert found["auc_interval"] == [pytest.approx(1 - nothing_in_60), 1]
    assert found["tar_at_fmr_interval"]["0.01"] == [pytest.approx(1 - nothing_in_60), 1]
    made = CliRunner().invoke(app, ["calibrate", "s.csv", "--target-fmr", "0.01", "--json"])
    low, high = json.loads(made.stdout)["threshold_interval"]
    assert (low, high) == (pytest.approx(0.5), 0.9)


def test_folds_of_the_list_are_kept(tmp_path: Path) -> None:
    found = evaluated(scores(tmp_path / "s.csv", folds=True))
    assert found["protocol"] == "listed-folds"
    assert sum(found["decisions"].values()) == 585


def test_all_pairs_of_a_large_folder_are_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "people"
    for name, colours in (("Ann", [RED, ORANGE]), ("Bob", [GREEN, BLUE]), ("Cyril", [BLUE, BLUE])):
        for number, colour in enumerate(colours, start=len(name)):
            photograph(folder / name / f"{number}.png", [colour], sizes=[50 + number])
    photograph(folder / "Ann" / "nobody.png", [])
    held = evaluated(folder, "--impostors", "all", "-o", tmp_path / "held.json")
    monkeypatch.setattr(folders, "MOST_PAIRS", 3)
    counted = evaluated(folder, "--impostors", "all", "-o", tmp_path / "counted.json")
    assert (held["pairs_streamed"], counted["pairs_streamed"]) == (False, True)
    assert counted["curve_interval_method"] == "group-jackknife"
    assert counted.keys() == held.keys()
    for key in ("accuracy", "decisions", "tar_at_fmr", "n_impostor", "protocol", "failed"):
        assert counted[key] == held[key], key
    assert json.loads((tmp_path / "counted.json").read_text())["comparisons"] is None
    result = run(folder, "--impostors", "all", "--report", tmp_path / "r.html")
    assert "pairs are counted, not held" in result.stdout
    assert "no outcomes are kept for --compare" in result.stdout
    assert max(map(len, result.stdout.splitlines())) <= 80
    assert "counted, not held" in (tmp_path / "r.html").read_text()
    for arguments, word in (
        (("--compare", tmp_path / "held.json", tmp_path / "counted.json"), "counted and not kept"),
        ((folder, "--impostors", "all", "--baseline", tmp_path / "held.json"), "--baseline"),
    ):
        result = run(*arguments)
        assert result.exit_code != 0
        assert word in result.stderr


def test_similarities_are_distances_with_the_sign_turned(tmp_path: Path) -> None:
    one = evaluated(scores(tmp_path / "d.csv"), "--threshold", 0.7)
    other = evaluated(scores(tmp_path / "s.csv", kind="similarity"), "--threshold", -0.7)
    for name in ("accuracy", "auc", "eer", "fmr", "fnmr", "protocol"):
        assert one[name] == other[name]
    assert one["protocol"] == "fixed-threshold"
    assert one["accuracy_std"] is None


def test_a_calibration_is_judged_as_it_is(tmp_path: Path) -> None:
    path = scores(tmp_path / "s.csv")
    CliRunner().invoke(app, ["calibrate", str(path), "--eer", "-o", str(tmp_path / "c.json")])
    found = evaluated(path, "--calibration", tmp_path / "c.json")
    assert found["threshold"] == json.loads((tmp_path / "c.json").read_text())["threshold"]
    other = scores(tmp_path / "t.csv", kind="similarity")
    assert run(other, "--calibration", tmp_path / "c.json").exit_code == 2


def test_the_text_fits_the_terminal(tmp_path: Path) -> None:
    text = run(scores(tmp_path / "s.csv")).stdout
    assert max(map(len, text.splitlines())) <= 80
    assert "folds of people" in text
    assert "unresolved: takes 3,000 impostor pairs" in text


def test_few_people_with_many_photographs_prove_little(tmp_path: Path) -> None:
    generator = np.random.default_rng(1)
    apart = 1 + 0.1 * generator.normal(size=(4, 4))
    rows = ["distance,same,subject_a,subject_b"]
    for i, j in itertools.combinations(range(48), 2):
        a, b = i // 12, j // 12
        distance = (0.2 if a == b else apart[a, b]) + 0.02 * generator.random()
        rows.append(f"{distance:.6f},{a == b:d},s{a},s{b}")
    path = tmp_path / "few.csv"
    path.write_text("\n".join(rows) + "\n")
    found = evaluated(path, "--threshold", 0.4)
    assert (found["fmr"], found["n_impostor"]) == (0, 864)
    assert found["fmr_interval"][1] > 0.15
    assert found["intervals_rough"] is True
    text = run(path, "--threshold", 0.4).stdout
    assert "the intervals are rough" in text
    assert max(map(len, text.splitlines())) <= 80
    many = scores(tmp_path / "many.csv")
    assert evaluated(many)["intervals_rough"] is False
    assert "rough" not in run(many).stdout


@pytest.fixture
def results(tmp_path: Path) -> tuple[Path, Path]:
    """A system and a much worse one on the same pairs."""
    files = []
    for name, gap in (("good", 0.8), ("bad", 0.3)):
        files.append(tmp_path / f"{name}.json")
        made = run(scores(tmp_path / f"{name}.csv", gap=gap), "-o", files[-1])
        assert made.exit_code == 0
    return files[0], files[1]


def test_systems_side_by_side(results: tuple[Path, Path]) -> None:
    found = evaluated("--compare", *results)
    good, bad = found["systems"]
    assert (good["name"], bad["name"]) == ("good", "bad")
    assert found["resampled"] == "subjects"
    assert good["differences"] == {}
    assert {"accuracy", "auc", "eer"} <= set(bad["significantly_worse"])
    low, high = bad["differences"]["auc"]["interval"]
    assert low <= bad["differences"]["auc"]["difference"] <= high < 0
    turned = evaluated("--compare", *reversed(results))["systems"][1]
    assert turned["significantly_worse"] == []
    assert turned["differences"]["auc"]["difference"] > 0
    text = run("--compare", *results).stdout
    assert max(map(len, text.splitlines())) <= 80
    assert "worse" in text


def test_only_a_significant_regression_fails(tmp_path: Path, results: tuple[Path, Path]) -> None:
    good, bad = results
    worse = run(tmp_path / "bad.csv", "--baseline", good)
    assert worse.exit_code == 10
    assert worse.stderr.startswith("facematch: significantly worse than")
    assert "accuracy" in worse.stdout
    assert run(tmp_path / "good.csv", "--baseline", bad).exit_code == 0
    assert run(tmp_path / "good.csv", "--baseline", good).exit_code == 0


def test_other_pairs_are_refused(tmp_path: Path, results: tuple[Path, Path]) -> None:
    lines = (tmp_path / "good.csv").read_text().splitlines()
    (tmp_path / "fewer.csv").write_text("\n".join(lines[:-1]))
    assert run(tmp_path / "fewer.csv", "-o", tmp_path / "fewer.json").exit_code == 0
    refused = run("--compare", results[0], tmp_path / "fewer.json")
    assert refused.exit_code == 2
    assert "not of the same pairs" in refused.stderr


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda d: [], id="no object"),
        pytest.param(lambda d: {k: v for k, v in d.items() if k != "comparisons"}, id="without"),
        pytest.param(lambda d: {**d, "comparisons": {**d["comparisons"], "n": 10**12}}, id="n"),
        pytest.param(lambda d: {**d, "comparisons": {**d["comparisons"], "n": 3}}, id="lengths"),
        pytest.param(
            lambda d: {**d, "comparisons": {**d["comparisons"], "distances": "AAAA"}}, id="zlib"
        ),
        pytest.param(
            lambda d: {**d, "comparisons": {**d["comparisons"], "fold": None}}, id="no folds"
        ),
        pytest.param(
            lambda d: {**d, "comparisons": {**d["comparisons"], "at_list_share": 1}}, id="share"
        ),
    ],
)
def test_results_that_are_none(tmp_path: Path, results: tuple[Path, Path], change: Any) -> None:
    path = tmp_path / "broken.json"
    path.write_text(json.dumps(change(json.loads(results[0].read_text()))))
    refused = run("--compare", results[0], path)
    assert refused.exit_code == 3
    assert "not the result of an evaluation" in refused.stderr


@pytest.fixture
def people(tmp_path: Path) -> tuple[Path, Path]:
    """A gallery of red, green and blue; probes of them, of a stranger, and of nobody."""
    for name, colour in (("red", RED), ("green", GREEN), ("blue", BLUE)):
        photograph(tmp_path / "enrol" / name / "1.png", [colour])
        shade = tuple(max(0, c - 10) for c in colour)
        photograph(tmp_path / "probes" / name / "2.png", [shade])  # type: ignore[list-item]
    photograph(tmp_path / "probes" / "orange" / "1.png", [ORANGE])
    photograph(tmp_path / "probes" / "green" / "3.png", [])
    gallery = tmp_path / "faces.h5"
    made = CliRunner().invoke(app, ["enroll", str(tmp_path / "enrol"), "--gallery", str(gallery)])
    assert made.exit_code == 0, made.output
    return gallery, tmp_path / "probes"


def test_a_search(people: tuple[Path, Path], tmp_path: Path) -> None:
    gallery, probes = people
    found = evaluated("--gallery", gallery, "--probes", probes, "--threshold", 0.05)
    assert found["rank"] == {"1": 1.0, "5": 1.0, "10": 1.0}
    assert found["rank_with_failures"]["1"] == 0.75
    assert found["map_with_failures"] == 0.75
    assert found["fnir_with_failures"] == 0.25
    assert found["fpir_with_failures"] == found["fpir"]["rate"]
    assert found["remarks"] == {"duplicates": 0}
    assert found["gallery_sha256"] == hashlib.sha256(gallery.read_bytes()).hexdigest()
    assert list(found["fnir_at_fpir"]) == ["0.1", "0.01", "0.001"]
    assert set(found["fnir_at_fpir"].values()) == {None}  # one stranger shows nothing
    assert (found["map"], found["n_mated"], found["n_nonmated"]) == (1.0, 3, 1)
    assert found["failures_to_acquire"] == 1
    assert found["model_fingerprint"] == "f" * 64
    assert (found["fnir"]["rate"], found["fpir"]["trials"]) == (0, 1)
    text = run(
        *("--gallery", gallery, "--probes", probes, "--threshold", 0.05, "--report", "r.html")
    ).stdout
    assert max(map(len, text.splitlines())) <= 80
    assert "with failures: rank 1 75 %, rank 5 75 %, rank 10 75 %" in text
    assert "mean average precision 1.0000, with failures 0.7500" in text
    assert "FNIR 25 %" in text
    page = (tmp_path / "r.html").read_text()
    assert found["gallery_sha256"] in page
    assert "with failures" in page
    assert "unresolved: takes 30 probes of strangers" in text
    listed = tmp_path / "probes.csv"
    listed.write_text("subject,path\nred,probes/red/2.png\norange,probes/orange/1.png\n")
    assert evaluated("--gallery", gallery, "--probes", listed)["n_mated"] == 1


def test_a_search_for_few_people_says_so(people: tuple[Path, Path]) -> None:
    gallery, probes = people
    search = ("--gallery", gallery, "--probes", probes)
    assert evaluated(*search)["intervals_rough"] is False
    # One probe a person is independent of the others; of two, one tells less.
    photograph(probes / "red" / "3.png", [RED], sizes=[97])
    found = evaluated(*search)
    assert found["n_mated"] == 4
    assert found["intervals_rough"] is True
    assert found["rank_interval"]["1"][0] < 0.4
    assert "the intervals are rough" in run(*search).stdout


def searched(tmp_path: Path, name: str, probes: list[tuple[Colour, Colour]]) -> Path:
    """A gallery of what people look like at first, searched for what they look like later.

    The probes are files of the same names and contents for every system; what differs is the
    gallery, as if another network had made it.
    """
    gallery = tmp_path / f"{name}.h5"
    for index, (enrolled, later) in enumerate(probes):
        photograph(tmp_path / name / f"p{index:02}" / "1.png", [enrolled])
        if not (tmp_path / "later" / f"p{index:02}").exists():
            photograph(tmp_path / "later" / f"p{index:02}" / "2.png", [later], sizes=[70 + index])
    made = CliRunner().invoke(app, ["enroll", str(tmp_path / name), "--gallery", str(gallery)])
    assert made.exit_code == 0, made.output
    return gallery


@pytest.fixture
def searches(tmp_path: Path) -> tuple[Path, Path]:
    """Twelve people found by one system and mistaken for each other by another; strangers."""
    colours = [(20 * i + 10, 250 - 20 * i, (97 * i) % 251) for i in range(12)]
    good = searched(tmp_path, "right", [(c, c) for c in colours])
    bad = searched(tmp_path, "wrong", [(c, c) for c in [*colours[6:], *colours[:6]]])
    for index in range(30):
        photograph(tmp_path / "later" / f"s{index:02}" / "1.png", [(200, 8 * index, 3)])
    photograph(tmp_path / "later" / "p00" / "9.png", [])
    (tmp_path / "later" / "stray.png").write_bytes(b"no photograph")
    for gallery in (good, bad):
        found = evaluated(
            *("--gallery", gallery, "--probes", tmp_path / "later"),
            *("-o", tmp_path / f"{gallery.stem}.json"),
        )
        assert found["failures_to_acquire"] == 2
        assert found["probes_lost"] == {"mated": 1, "nonmated": 0, "unknown": 1}
        assert "searches" not in found
    return tmp_path / "right.json", tmp_path / "wrong.json"


def test_searches_side_by_side(searches: tuple[Path, Path], tmp_path: Path) -> None:
    found = evaluated("--compare", *searches)
    assert (found["n_mated"], found["n_nonmated"], found["resampled"]) == (13, 30, "subjects")
    good, bad = found["systems"]
    rank, precision, fnir = (f"{name}_with_failures" for name in ("rank-1", "map", "fnir@0.1"))
    assert list(good["figures"]) == [rank, precision, fnir]
    # The probe without a face is found by no system.
    assert good["figures"][rank] == pytest.approx(12 / 13)
    assert good["figures"][precision] == pytest.approx(12 / 13)
    assert bad["figures"][rank] == 0
    assert {rank, precision, fnir} == set(bad["significantly_worse"])
    low, high = bad["differences"][fnir]["interval"]
    assert 0 < low <= bad["differences"][fnir]["difference"] <= high
    # The same numbers as each result has under the same names.
    for system, path in zip((good, bad), searches, strict=True):
        alone = json.loads(path.read_text())
        assert system["figures"][rank] == alone["rank_with_failures"]["1"]
        assert system["figures"][precision] == alone["map_with_failures"]
        assert system["figures"][fnir] == alone["fnir_at_fpir_with_failures"]["0.1"]
    text = run("--compare", *reversed(searches), "--report", "r.html").stdout
    assert max(map(len, text.splitlines())) <= 80
    assert "probes of enrolled people" in text
    assert "better" in text
    assert "  rank-1 with failures " in text
    page = (tmp_path / "r.html").read_text()
    assert "probes of enrolled people" in page
    assert "SHA-256 of the probes" in page


def test_a_search_against_a_baseline(searches: tuple[Path, Path], tmp_path: Path) -> None:
    good, bad = (
        ("--gallery", tmp_path / f"{n}.h5", "--probes", "later") for n in ("right", "wrong")
    )
    worse = run(*bad, "--baseline", searches[0], "--report", "r.html")
    assert worse.exit_code == 10
    assert "rank-1" in worse.stderr
    assert "<h2>Systems side by side</h2>" in (tmp_path / "r.html").read_text()
    assert run(*good, "--baseline", searches[1]).exit_code == 0
    assert evaluated(*good, "--baseline", searches[0])["baseline"]["n_mated"] == 13


def test_other_searches_are_refused(
    searches: tuple[Path, Path], results: tuple[Path, Path], tmp_path: Path
) -> None:
    mixed = run("--compare", searches[0], results[0])
    assert mixed.exit_code == 2
    assert "of one kind" in mixed.stderr
    search = ("--gallery", "right.h5", "--probes", "later")
    (tmp_path / "later" / "p00" / "9.png").unlink()
    fewer = run(*search, "--baseline", searches[0])
    assert fewer.exit_code == 2
    assert "not of the same probes" in fewer.stderr
    document = json.loads(searches[0].read_text())
    for change in ({"n": 3}, {"subject": None}, {"searched": "AAAA"}, {"probes_sha256": 1}):
        broken = {**document, "searches": {**document["searches"], **change}}
        (tmp_path / "broken.json").write_text(json.dumps(broken))
        refused = run("--compare", searches[0], tmp_path / "broken.json")
        assert refused.exit_code == 3
        assert "not the result of an evaluation" in refused.stderr


def test_probes_that_are_enrolled_are_left_out_and_told(people: tuple[Path, Path]) -> None:
    gallery, _ = people
    enrolled = gallery.parent / "enrol"
    refused = run("--gallery", gallery, "--probes", enrolled)
    assert refused.exit_code == 3
    found = evaluated("--gallery", gallery, "--probes", enrolled, "--allow-self-pairs")
    assert found["n_mated"] == 3


def test_photographs_with_a_failure(tmp_path: Path) -> None:
    for name, colour in (("red", RED), ("green", GREEN), ("blue", BLUE)):
        for index in range(3):
            shade = tuple(max(0, c - 10 * index) for c in colour)
            photograph(tmp_path / "people" / name / f"{index}.png", [shade])  # type: ignore[list-item]
    photograph(tmp_path / "people" / "red" / "9.png", [])
    found = evaluated(tmp_path / "people", "-o", tmp_path / "r.json")
    assert found["failures_to_acquire"] == 1
    assert found["pairs_lost"] == {"genuine": 3, "impostor": 6}
    assert found["frr"] == pytest.approx(0.25)
    same = evaluated("--compare", tmp_path / "r.json", tmp_path / "r.json")["systems"][1]
    assert same["significantly_worse"] == []
    assert same["differences"]["auc"]["difference"] == 0
    assert same["pairs_lost"] == 9


def lfw_view_2(folder: Path, folds: int, per_class: int) -> Path:
    """A list in the published form: ``10\\t300``, then per fold genuine and impostor pairs."""
    lines = [f"{folds}\t{per_class}"]
    for fold in range(folds):
        names = [f"Person_{fold}{letter}" for letter in "ABC"]
        for index, name in enumerate(names):
            colour = (70 * index + 7 * fold, 250 - 80 * index, 20 * fold)
            for number in (1, 2, 3):
                shade = tuple(max(0, c - 3 * number) for c in colour)
                photograph(folder / name / f"{name}_{number:04}.jpg", [shade])  # type: ignore[list-item]
        genuine = [f"{n}\t{i}\t{j}" for n in names for i, j in ((1, 2), (1, 3), (2, 3))]
        impostor = [
            f"{a}\t{i}\t{b}\t{j}"
            for a, b in itertools.combinations(names, 2)
            for i, j in ((1, 1), (2, 3), (3, 2))
        ]
        lines += genuine[:per_class] + impostor[:per_class]
    path = folder.parent / "pairs.txt"
    path.write_text("\n".join(lines) + "\n")
    return path


def test_the_list_of_lfw_view_2(tmp_path: Path) -> None:
    pairs = lfw_view_2(tmp_path / "lfw", folds=10, per_class=5)
    assert pairs.read_text().startswith("10\t5\nPerson_0A\t1\t2\n")
    found = evaluated(pairs, "--images", tmp_path / "lfw")
    assert found["protocol"] == "listed-folds"
    folds = found["held_out"]["by_fold"]
    assert (len(folds), found["held_out"]["genuine_share"]) == (10, None)
    assert (found["n_genuine"], found["n_impostor"], found["n_subjects"]) == (50, 50, 30)
    assert (found["failures_to_acquire"], found["photographs"]) == (0, 80)
    accuracies = [fold["accuracy"] for fold in folds]
    for fold in folds:
        assert fold["accuracy"] == (fold["true_matches"] + fold["true_non_matches"]) / 10
    assert found["accuracy"] == pytest.approx(np.mean(accuracies))
    assert found["accuracy_standard_error"] == pytest.approx(np.std(accuracies, ddof=1) / 10**0.5)
    assert sum(found["decisions"].values()) == 100
    made = CliRunner().invoke(
        app, ["calibrate", str(pairs), "--images", "lfw", "--max-accuracy", "--json"]
    )
    calibrated = json.loads(made.stdout)
    assert (calibrated["n_genuine"], calibrated["n_impostor"]) == (50, 50)
    assert calibrated["held_out"] == found["held_out"]
    assert calibrated["held_out"]["fmr"]["comparisons"] == 50
    lines = pairs.read_text().splitlines()
    pairs.write_text("\n".join(lines[:-1]))
    short = run(pairs, "--images", tmp_path / "lfw")
    assert short.exit_code == 3
    assert "announces 100 pairs" in short.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["a.csv", "b.csv"],
        ["--gallery", "faces.h5"],
        ["--probes", "x"],
        ["a.csv", "--gallery", "faces.h5", "--probes", "x"],
        ["--compare", "a.json"],
        ["--compare", "a.json", "b.json", "--baseline", "c.json"],
        ["a.csv", "--threshold", "nan"],
        ["a.csv", "--threshold", "1", "--calibration", "c.json"],
        ["a.csv", "--face", "all"],
        ["a.csv", "--seed", "-1"],
    ],
)
def test_options_that_do_not_fit(arguments: list[str]) -> None:
    assert run(*arguments).exit_code == 2


def test_pairs_that_another_system_could_not_compare(tmp_path: Path) -> None:
    path = scores(tmp_path / "s.csv", folds=True)
    whole = evaluated(path, "-o", tmp_path / "whole.json")
    lines = path.read_text().splitlines()
    lost = [i for i, line in enumerate(lines) if ",1,p1,p1," in line or ",0,p7,p3," in line]
    for i in lost:
        lines[i] = "," + lines[i].partition(",")[2]
    (tmp_path / "t.csv").write_text("\n".join(lines))
    found = evaluated(tmp_path / "t.csv", "-o", tmp_path / "t.json", "--report", "r.html")
    assert found["pairs_lost"] == {"genuine": 5, "impostor": 1}
    assert (found["n_genuine"], found["n_impostor"]) == (145, 434)
    assert found["frr"] == pytest.approx(5 / 150 + 145 / 150 * found["fnmr"])
    assert found["far"] == pytest.approx(434 / 435 * found["fmr"])
    text = run(tmp_path / "t.csv").stdout
    assert "failures to acquire: 5 genuine, 1 impostor pairs not compared" in text
    assert "FRR" in text
    page = (tmp_path / "r.html").read_text()
    assert "6 pairs could not be compared" in page
    assert "impostor pairs lost to failures to acquire" in page
    # On one list, and counted against the system that lost them.
    before, after = evaluated("--compare", tmp_path / "whole.json", tmp_path / "t.json")["systems"]
    assert (before["pairs_lost"], after["pairs_lost"]) == (0, 6)
    assert after["figures"]["auc"] < before["figures"]["auc"] == pytest.approx(whole["auc"])
    side = run("--compare", tmp_path / "whole.json", tmp_path / "t.json").stdout
    assert "0 failures to acquire, 6 pairs lost" in side


def test_probes_of_a_list(people: tuple[Path, Path], tmp_path: Path) -> None:
    gallery, _ = people
    listed = tmp_path / "probes.csv"
    rows = ["red,probes/red/2.png", "blue,probes/blue/2.png", "orange,probes/orange/1.png"]
    search = ("--gallery", gallery, "--probes", listed)
    listed.write_text("\n".join(["subject,path", *rows, rows[0], "red,./probes/red/2.png"]))
    assert evaluated(*search)["remarks"] == {"duplicates": 2}
    assert "note: 2 probes are listed more than once" in run(*search, "--report", "r.html").stdout
    assert "probes listed more than once" in (tmp_path / "r.html").read_text()
    listed.write_text("\n".join(["subject,path", *rows, "red,probes/red/gone.png"]))
    refused = run(*search)
    assert refused.exit_code == 3
    assert refused.stdout == ""
    (line,) = refused.stderr.splitlines()
    assert "probes/red/gone.png: no such file" in line


def test_strangers_without_a_template_count_as_named_by_nobody(
    searches: tuple[Path, Path], tmp_path: Path
) -> None:
    """FNIR with failures is a hand count: a miss more, and room for more strangers named."""
    for index in range(10):
        photograph(tmp_path / "later" / f"t{index:02}" / "1.png", [], sizes=[])
    found = evaluated("--gallery", "wrong.h5", "--probes", "later", "--threshold", 0.001)
    assert found["probes_lost"] == {"mated": 1, "nonmated": 10, "unknown": 1}
    assert found["fpir_with_failures"] == pytest.approx(found["fpir"]["errors"] / 40)
    misses = found["fnir"]["errors"] + 1
    assert found["fnir_with_failures"] == pytest.approx(misses / 13)
    assert found["fnir_at_fpir_with_failures"]["0.01"] is None
    # All of 40 strangers may be named four times at an FPIR of 10 %, those of 30 three times.
    curve = found["open_set_curve"]
    point = max(i for i, fpir in enumerate(curve["fpir"]) if round(fpir * 30) <= 4)
    expected = (round(curve["fnir"][point] * 12) + 1) / 13
    assert found["fnir_at_fpir_with_failures"]["0.1"] == pytest.approx(expected)
