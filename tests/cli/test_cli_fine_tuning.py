"""``facematch train --init MODEL --val FOLDER`` says at its end whether it was worth it."""

from __future__ import annotations

import json
import shutil
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pytest
import torch
from fakes import BLUE, GREEN, RED, FakeDetector, photograph
from typer.testing import CliRunner

from facematch.choices import Architecture
from facematch.cli import app
from facematch.cli.train_text import sentence, warning
from facematch.embedding import find_model
from facematch.embedding.networks import NETWORKS, NetworkSpec
from facematch.metrics import PairedDifference
from facematch.metrics.intervals import Limits
from facematch.pipeline import TrainingCropCutter
from facematch.workflows.train import Verdict, plan_training, read_recipe
from facematch.workflows.train import data as training_data

from tiny_faces import OneSidedFaceNet, crops_of_colours  # isort: skip

if TYPE_CHECKING:
    from click.testing import Result

PEOPLE = 6
BATCHES = ("--identities", "4", "--crops", "2", "--threads", "1", "--quiet")
STILL = ("--steps", "1", "--learning-rate", "1e-12")
LEARNING = (
    *("--steps", "40", "--learning-rate", "0.02", "--loss", "softmax"),
    *("--augmentation", "none"),  # colours are all there is to learn
)


@pytest.fixture(autouse=True)
def _tiny(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(
        NETWORKS, Architecture.COMPACT_2, NetworkSpec(OneSidedFaceNet, 112, 8, "for tests")
    )
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def folders(tmp_path: Path) -> None:
    """``people`` to learn from, ``aside`` with other photographs of them, and ``start.fm``."""
    crops_of_colours(tmp_path / "people", PEOPLE, 3)
    crops_of_colours(tmp_path / "aside", PEOPLE, 3, seed=1)
    assert run("train", "people", "-o", "start.fm", *STILL, *BATCHES).exit_code == 0


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def fine_tuned(*options: str, out: str = "mine.fm", val: str = "aside") -> Result:
    start = ("--init", "./start.fm", "--val", val)
    return run("train", "people", "-o", out, *start, *BATCHES, *options)


def refused(result: Result, code: int, *words: str) -> None:
    assert result.exit_code == code, result.output
    assert len(result.stderr.strip().splitlines()) == 1, result.stderr
    for word in words:
        assert word in result.stderr


def test_a_network_that_learned_is_better(folders: None) -> None:
    found = fine_tuned(*LEARNING, "--require-better")
    assert found.exit_code == 0, found.output
    line = next(line for line in found.stdout.splitlines() if "BETTER" in line)
    assert line.startswith("BETTER than start on the validation photographs")
    assert "(18 of 18 genuine pairs), that of start 0 % (0)" in line
    assert line.endswith("; use mine.fm")
    assert "6 of these 6 people were learned from" in found.stdout
    stated = find_model("./mine.fm").card["better_than_the_start"]
    assert stated["accepted_after"] > stated["accepted_before"]


def test_a_network_that_learned_nothing_is_not(folders: None) -> None:
    found = fine_tuned(*STILL)
    assert found.exit_code == 0, found.output
    line = found.stdout.splitlines()[-2]
    assert line.startswith("NOT BETTER than start on the validation photographs: TAR at FMR 1 % is")
    assert line.endswith("; keep using start")
    assert Path("mine.fm", "card.json").exists()  # whoever wants it has it


def test_json_has_the_figures_of_the_sentence(folders: None) -> None:
    document: dict[str, Any] = json.loads(fine_tuned(*STILL, "--json").stdout)
    assert document["improved"] is False
    verdict = document["verdict"]
    assert verdict["accepted_before"] == verdict["accepted_after"]
    assert (verdict["genuine"], verdict["impostor"]) == (18, 135)
    assert (verdict["fmr"], verdict["people"], verdict["learned_from"]) == (0.01, 6, 6)
    assert verdict["difference"] == 0
    assert verdict["interval"] == [0, 0]
    assert verdict["significant"] is False


def test_require_better_is_an_exit_code_after_all_was_written(folders: None) -> None:
    found = fine_tuned(*STILL, "--require-better")
    refused(found, 10, "mine.fm: not better than start", "keep using start")
    assert "NOT BETTER" in found.stdout
    assert Path("mine.fm", "card.json").exists()
    for lacking in (("--init", "./start.fm"), ("--val", "aside")):
        answer = run(
            "train", "people", "-o", "x.fm", *STILL, *BATCHES, *lacking, "--require-better"
        )
        refused(answer, 2, "--init MODEL and --val PATH or --hold-out SHARE")


def verdict(before: int, after: int, low: float, high: float) -> Verdict:
    difference = PairedDifference((after - before) / 200, Limits(low, high), 0.95)
    return Verdict(200, 9000, before, after, difference, 50, 48)


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (
            verdict(160, 180, 0.02, 0.15),
            "BETTER than compact-2 on the validation photographs: TAR at FMR 1 % is 90 % (180 of "
            "200 genuine pairs), that of compact-2 80 % (160), 95 % interval of the difference "
            "+2.0 to +15.0 points; use mine.fm",
        ),
        (
            verdict(160, 163, -0.01, 0.04),
            "BETTER than compact-2 on the validation photographs, but luck may explain it: TAR at "
            "FMR 1 % is 81.5 % (163 of 200 genuine pairs), that of compact-2 80 % (160), 95 % "
            "interval of the difference -1.0 to +4.0 points; compare mine.fm and compact-2 on "
            "more photographs",
        ),
        (
            verdict(160, 150, -0.09, 0.01),
            "NOT BETTER than compact-2 on the validation photographs: TAR at FMR 1 % is 75 % (150 "
            "of 200 genuine pairs), that of compact-2 80 % (160), 95 % interval of the difference "
            "-9.0 to +1.0 points; keep using compact-2",
        ),
        (
            Verdict(4, 9, 2, 2, None),
            "NOT BETTER than compact-2 on the validation photographs: TAR at FMR 1 % (none of 9 "
            "impostor pairs) is 50 % (2 of 4 genuine pairs), that of compact-2 50 % (2), too "
            "few people for an interval; keep using compact-2",
        ),
    ],
)
def test_the_sentence(found: Verdict, said: str) -> None:
    assert sentence(found, "compact-2", "mine.fm") == said
    assert ("48 of these 50 people" in warning(found)) is (found.people == 50)


def test_statistics_stay_those_of_the_start_unless_asked(folders: None) -> None:
    start = find_model("./start.fm").trainable_network().state_dict()
    for options, same in (((), True), (("--new-statistics",), False)):
        out = f"{len(options)}.fm"
        assert fine_tuned("--steps", "3", *options, out=out).exit_code == 0
        found = find_model(f"./{out}").trainable_network().state_dict()
        assert torch.equal(found["norm.running_mean"], start["norm.running_mean"]) is same
        assert not torch.equal(found["head.weight"], start["head.weight"])


def test_validation_by_an_archive_and_by_photographs(
    folders: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with zipfile.ZipFile("aside.zip", "w") as archive:
        for path in sorted(Path("aside").rglob("*.png")):
            archive.write(path, path.relative_to("aside"))
    document = json.loads(fine_tuned(*STILL, "--json", val="aside.zip").stdout)
    assert (document["verdict"]["genuine"], document["verdict"]["impostor"]) == (18, 135)

    monkeypatch.setattr(
        training_data, "open_cutter", lambda device: TrainingCropCutter(FakeDetector())
    )
    for name, colour in (("Person 0", RED), ("Stranger", GREEN), ("Other", BLUE)):
        (tmp_path / "photographs" / name).mkdir(parents=True)
        for number, size in enumerate((60, 70)):
            photograph(tmp_path / "photographs" / name / f"{number}.png", [colour], sizes=[size])
    photograph(tmp_path / "photographs" / "Other" / "nobody.png", [])
    found = fine_tuned(*STILL, "--json", out="p.fm", val="photographs")
    verdict = json.loads(found.stdout)["verdict"]
    assert (verdict["genuine"], verdict["impostor"]) == (3, 12)
    assert (verdict["people"], verdict["learned_from"]) == (3, 1)
    dry = run("train", "people", "--val", "photographs", *STILL, "--identities", "4", "--dry-run")
    assert "3 genuine and 12 impostor pairs of 3 people, 1 of them learned from" in dry.stderr
    assert "1 pictures gave no face" in dry.stderr


def test_validation_that_cannot_be_used_is_one_line(folders: None, tmp_path: Path) -> None:
    for name in ("empty", "alone/Person 0", "single/A", "single/B", "people/inside"):
        (tmp_path / name).mkdir(parents=True)
    for target in ("alone/Person 0/0.png", "single/A/0.png", "single/B/0.png"):
        shutil.copy(tmp_path / "aside" / "Person 0" / "0.png", tmp_path / target)
    shutil.copytree(tmp_path / "aside", tmp_path / "mixed")
    shutil.copy(tmp_path / "people" / "Person 1" / "2.png", tmp_path / "mixed" / "Person 1")
    (tmp_path / "not.zip").write_bytes(b"PK, but no archive")
    for val, code, words in (
        ("nowhere", 3, ("val: nowhere: no such folder or file",)),
        ("empty", 9, ("empty: no pictures there", "one sub-folder per person")),
        ("alone", 6, ("alone: validation needs two people", "one sub-folder per person")),
        ("single", 6, ("single: validation needs two people",)),
        ("people", 2, ("people and the training data people lie in each other",)),
        ("people/inside", 2, ("people/inside and the training data",)),
        (".", 2, ("lie in each other",)),
        ("mixed", 9, ("1 pictures of mixed are training pictures too", "Person 1/2.png")),
        ("not.zip", 9, ("not.zip",)),
    ):
        refused(fine_tuned(*STILL, val=val), code, *words)
    refused(fine_tuned(*STILL, "--images", "aside"), 2, "images: goes with a list of pairs")


def test_who_has_two_pictures_takes_part(folders: None, tmp_path: Path) -> None:
    for person in range(PEOPLE):
        (tmp_path / "people" / f"Person {person}" / "0.png").unlink()
    found = fine_tuned(*STILL, "--crops", "4", "--json")
    assert json.loads(found.stdout)["step"] == 1, found.output
    (tmp_path / "people" / "Person 0" / "1.png").unlink()
    dry = run("train", "people", *STILL, "--identities", "4", "--dry-run")
    assert "1 people have one picture alone" in dry.stderr


def test_a_head_is_split_under_torchrun_alone(folders: None) -> None:
    softmax = ("train", "people", "-o", "s.fm", *STILL, *BATCHES, "--loss", "softmax")
    assert run(*softmax).exit_code == 0
    refused(run(*softmax, "--split-head"), 9, "s.fm.run: holds a run with another split_head")
    other = ("-o", "t.fm", "--split-head")
    refused(run(*softmax, *other), 2, "one process holds the whole head", "torchrun")
    refused(run("train", "people", *STILL, *BATCHES, *other), 2, "quadruplet", "has no head")


def test_a_colour_is_one_whatever_the_seed(tmp_path: Path) -> None:
    first, second = (crops_of_colours(tmp_path / str(seed), 2, 1, seed) for seed in (0, 1))
    means = [
        [cv2.imread(str(root / f"Person {person}" / "0.png")).mean((0, 1)) for person in (0, 1)]
        for root in (first, second)
    ]
    np.testing.assert_allclose(means[0], means[1], atol=1)


def test_a_run_with_a_time_looks_ten_times(folders: None, tmp_path: Path) -> None:
    given = {"data": ("people",), "identities": 4, "crops": 2, "steps": 1}
    for more, every_s in (
        ({}, 180.0),
        ({"minutes": 10.0}, 60.0),
        ({"minutes": 60.0}, 180.0),
        ({"minutes": 60.0, "checkpoint_minutes": 1.0}, 60.0),
    ):
        plan = plan_training(read_recipe({**given, **more}, None), tmp_path / "x.fm")
        assert plan.setting.config(1).checkpoint_every_s == pytest.approx(every_s)
    assert fine_tuned("--steps", "2").exit_code == 0
    again = fine_tuned("--steps", "2", "--checkpoint-minutes", "1", "--max-minutes", "5", "--json")
    assert json.loads(again.stdout)["step"] == 2, again.output
