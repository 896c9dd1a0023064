"""``facematch train`` and ``facematch export`` on pictures of colours, with a tiny network."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest
import torch
from typer.testing import CliRunner

from facematch.choices import Architecture, Device, NetworkForm
from facematch.cli import app
from facematch.embedding import Embedder, find_model
from facematch.embedding.networks import NETWORKS, NetworkSpec
from facematch.runtime import open_engine
from facematch.training.callbacks import INTERRUPTED
from facematch.training.cleaning import find_near_duplicates
from facematch.training.validation import SCORE, TIE
from facematch.workflows.export import export_network
from facematch.workflows.train import data as training_data

from tiny_faces import TinyFaceNet  # isort: skip

if TYPE_CHECKING:
    from click.testing import Result

PEOPLE, PICTURES = 6, 4
QUICK = ("--steps", "3", "--identities", "3", "--crops", "2", "--threads", "1", "--quiet")


@pytest.fixture(autouse=True)
def _tiny(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(
        NETWORKS, Architecture.COMPACT_2, NetworkSpec(TinyFaceNet, 112, 8, "for tests")
    )
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def people(tmp_path: Path) -> Path:
    """A folder per person; each has a colour, so there is something to learn."""
    rng = np.random.default_rng(0)
    for person in range(PEOPLE):
        folder = tmp_path / "people" / f"Person {person}"
        folder.mkdir(parents=True)
        colour = rng.integers(0, 256, 3)
        for picture in range(PICTURES):
            noise = rng.integers(-20, 20, (112, 112, 3))
            pixels = np.clip(colour + noise, 0, 255).astype(np.uint8)
            cv2.imwrite(str(folder / f"{picture}.png"), pixels)
    return tmp_path / "people"


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def document(result: Result) -> dict[str, Any]:
    assert result.exit_code == 0, result.output
    loaded: dict[str, Any] = json.loads(result.stdout)
    assert loaded["schema_version"] == 1
    return loaded


def refused(result: Result, code: int, *words: str) -> None:
    assert result.exit_code == code, result.output
    assert result.stdout == ""
    assert len(result.stderr.strip().splitlines()) == 1, result.stderr
    for word in words:
        assert word in result.stderr


def test_a_bundle_comes_out_and_makes_templates(people: Path, tmp_path: Path) -> None:
    found = document(run("train", people, "-o", "mine.fm", "--hold-out", "0.4", *QUICK, "--json"))
    assert (found["reason"], found["step"], found["steps"]) == ("finished", 3, 3)
    assert set(found["after"]) == {SCORE, TIE, "val_tar_1e-3"}
    assert found["before"] == {}
    assert found["improved"] is None
    bundle = find_model(str(tmp_path / "mine.fm"))
    assert bundle.identity.fingerprint == found["model_fingerprint"]
    assert bundle.identity.name == "mine"
    card = bundle.card
    assert card["training_data"]["identities"] == 4
    assert card["training_data"]["held_out"] == 2 * PICTURES
    assert tomllib.loads(card["recipe"])["identities"] == 3
    run_dir = tmp_path / "mine.fm.run"
    assert {"checkpoint.pt", "log.jsonl", "curve.png", "best.pt", "plan.json"} <= {
        path.name for path in run_dir.iterdir()
    }


def test_the_same_command_goes_on_and_another_is_refused(people: Path, tmp_path: Path) -> None:
    command = ("train", people, "-o", "mine.fm", *QUICK)
    assert document(run(*command, "--json"))["step"] == 3
    before = (tmp_path / "mine.fm" / "model.safetensors").read_bytes()
    assert document(run(*command, "--max-minutes", "5", "--json"))["step"] == 3
    assert (tmp_path / "mine.fm" / "model.safetensors").read_bytes() == before
    refused(
        run(*command, "--loss", "triplet", "--learning-rate", "0.1"),
        9,
        "another loss, learning_rate",
        "mine.fm.run",
    )


def test_a_start_is_told_whether_it_was_improved(people: Path) -> None:
    document(run("train", people, "-o", "start.fm", *QUICK, "--json"))
    found = document(
        run(
            *("train", people, "-o", "next.fm", "--init", "./start.fm", "--distill", "./start.fm"),
            *("--hold-out", "0.4", "--freeze", "conv", "--loss-weight", "0.1", *QUICK, "--json"),
        )
    )
    assert SCORE in found["before"]
    assert found["improved"] is (found["after"][SCORE] > found["before"][SCORE])
    card = find_model("./next.fm").card
    assert card["start"]["model"] == "start"
    start = find_model("./start.fm").trainable_network()
    trained = find_model("./next.fm").trainable_network()
    assert torch.equal(start.conv.weight, trained.conv.weight)
    assert not torch.equal(start.head.weight, trained.head.weight)


def test_cleaning_leaves_out_and_says_so(
    people: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # To a network that has learned nothing all pictures are near each other.
    strict = partial(find_near_duplicates, distance=1e-6)
    monkeypatch.setattr(training_data, "find_near_duplicates", strict)
    document(run("train", people, "-o", "start.fm", *QUICK, "--json"))
    rng = np.random.default_rng(1)
    for path in people.rglob("*.png"):  # of one person they would all be near-duplicates
        picture = np.kron(rng.integers(0, 256, (7, 7, 3)), np.ones((16, 16, 1)))
        cv2.imwrite(str(path), picture.astype(np.uint8))
    twin = people / "Person 0" / "0.png"
    (people / "Person 0" / "9.png").write_bytes(twin.read_bytes())
    found = document(
        run(
            *("train", people, "-o", "clean.fm", "--init", "./start.fm", "--clean", *QUICK),
            "--json",
        )
    )
    assert found["reason"] == "finished"
    report = (tmp_path / "clean.fm.run" / "left-out.csv").read_text()
    assert "near-duplicate" in report
    assert "9.png" in report
    refused(run("train", people, "-o", "x.fm", "--clean", *QUICK), 2, "--init")


@pytest.mark.parametrize(
    "loss",
    ["quadruplet", "triplet", "contrastive", "margin-sample-mining", "two-anchors", "softmax"],
)
def test_each_loss_trains(people: Path, loss: str) -> None:
    assert (
        document(run("train", people, "-o", "a.fm", "--loss", loss, *QUICK, "--json"))["step"] == 3
    )


def test_dry_run_prints_a_recipe_that_can_be_run(people: Path, tmp_path: Path) -> None:
    dry = run("train", people, "--identities", "4", "--crops", "2", "--epochs", "2", "--dry-run")
    assert dry.exit_code == 0, dry.output
    recipe = tomllib.loads(dry.stdout)
    assert (recipe["data"], recipe["identities"]) == ([str(people)], 4)
    assert f"{PEOPLE * PICTURES} pictures of {PEOPLE} people" in dry.stderr
    assert "6 updates of 8 pictures" in dry.stderr
    assert not (tmp_path / "trained.fm").exists()
    file = tmp_path / "train.toml"
    file.write_text(dry.stdout)
    again = document(run("train", "--config", file, "--dry-run", "--json", "--quiet"))
    assert (again["crops"], again["steps"]) == (PEOPLE * PICTURES, 6)


def test_a_time_without_steps_plans_the_schedule(people: Path, tmp_path: Path) -> None:
    found = document(
        run(
            *("train", people, "-o", "t.fm", "--max-minutes", "0.02", "--identities", "3"),
            *("--crops", "2", "--threads", "1", "--quiet", "--json"),
        )
    )
    assert found["steps"] >= 1
    assert json.loads((tmp_path / "t.fm.run" / "plan.json").read_text())["steps"] == found["steps"]


def test_ctrl_c_keeps_what_was_learned(
    people: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import facematch.training.trainer as module

    def interrupted(self: module.Trainer, until: int | None = None) -> str:
        self.ask_to_stop(INTERRUPTED)
        return original(self, until)

    original = module.Trainer.run
    monkeypatch.setattr(module.Trainer, "run", interrupted)
    found = run("train", people, "-o", "c.fm", *QUICK)
    assert found.exit_code == 130
    assert "interrupted after 1 of 3 updates" in found.stdout
    assert "the same command goes on" in found.stdout
    assert (tmp_path / "c.fm" / "card.json").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("nowhere", "--steps", "1"), 9, ("nowhere",)),
        (("people",), 2, ("--steps, --epochs or --max-minutes",)),
        (("--steps", "1"), 2, ("data: expected at least one",)),
        (("people", "--steps", "1", "--identities", "50"), 9, ("50 identities",)),
        (("people", "--steps", "1", "--init", "no-such"), 5, ("no-such",)),
        (("people", "--steps", "1", "--config", "no.toml"), 2, ("no.toml",)),
        (("people", "--steps", "1", "--soft", "--loss", "softmax"), 2, ("takes no soft",)),
        (("people", "--steps", "1", "-o", "people"), 8, ("people", "not a model bundle")),
        (("people", "--steps", "1", "-o", "no/where.fm"), 8, ("no/where.fm",)),
        (("people", "--steps", "1", "--device", "cuda"), 7, ("--device cuda",)),
        (("people", "--steps", "1", "--freeze", "nose", "--identities", "2"), 9, ("nose",)),
        (("people", "--steps", "1", "--hold-out", "0.99"), 9, ("hold_out",)),
    ],
)
def test_errors_are_one_line(
    people: Path, arguments: tuple[str, ...], code: int, words: tuple[str, ...]
) -> None:
    refused(run("train", *arguments, "--quiet"), code, *words)


def test_export_agrees_with_the_bundle(people: Path, tmp_path: Path) -> None:
    document(run("train", people, "-o", "mine.fm", *QUICK, "--json"))
    for arguments, name in (
        (("--format", "onnx"), "mine.onnx"),
        (("--format", "openvino"), "mine.xml"),
        (("--format", "onnx", "--crops", people), "mine.onnx"),
    ):
        found = document(run("export", "./mine.fm", *arguments, "--quiet", "--json"))
        assert Path(found["path"]).name == name
        assert (tmp_path / name).stat().st_size > 0
        assert found["least_cosine"] > 0.9999
        assert found["threshold"] is None
    assert found["faces"] == PEOPLE * PICTURES


def test_int8_is_compared_by_its_decisions(people: Path, tmp_path: Path) -> None:
    document(run("train", people, "-o", "mine.fm", *QUICK, "--json"))
    bundle = find_model("./mine.fm")
    paths = sorted(people.rglob("*.png"))
    crops = np.stack([cv2.cvtColor(cv2.imread(str(p)), cv2.COLOR_BGR2RGB) for p in paths])
    names = [path.parent.name for path in paths]
    templates = Embedder(bundle, open_engine(Device.CPU)).embed(crops)
    threshold = 0.01
    found = export_network(
        bundle,
        tmp_path / "small.xml",
        NetworkForm.INT8,
        crops_rgb=crops,
        people=names,
        threshold=threshold,
    )
    assert found.pairs == len(paths) * (len(paths) - 1) // 2
    right = sum(
        (1 - float(templates[i] @ templates[j]) <= threshold) == (names[i] == names[j])
        for i in range(len(paths))
        for j in range(i + 1, len(paths))
    )
    assert found.accuracy is not None
    assert found.accuracy[0] == pytest.approx(right / found.pairs, abs=2 / found.pairs)
    assert 0 <= found.changed_decisions <= found.pairs
    assert (tmp_path / "small.bin").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("no-such",), 5, ("no-such",)),
        (("--format", "int8"), 9, ("--crops",)),
        (("--format", "onnx", "-o", "x.xml"), 2, (".onnx",)),
        (("--crops", "empty"), 9, ("empty", "facematch align")),
        (("--crops", "large"), 9, ("large", "64x64")),
    ],
)
def test_export_refuses(
    tmp_path: Path, arguments: tuple[str, ...], code: int, words: tuple[str, ...]
) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "large").mkdir()
    picture: npt.NDArray[np.uint8] = np.zeros((64, 64, 3), np.uint8)
    cv2.imwrite(str(tmp_path / "large" / "a.png"), picture)
    refused(run("export", *arguments, "--quiet"), code, *words)


def test_figures_are_shown_as_they_come() -> None:
    from facematch.cli.train_view import TrainView

    class Run:
        step = 3

    view = TrainView(10, quiet=True)
    figures: Mapping[str, float] = {"loss": 1.0, "crops": 8}
    view.on_start(Run())
    view.on_step(Run(), figures)
    view.on_report(Run(), {"loss": 1.0})
    view.on_end(Run(), "finished")
