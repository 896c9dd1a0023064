"""Recipes: TOML and options, and what is refused."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from facematch.choices import Architecture, Augmenting
from facematch.errors import UsageError
from facematch.training.choices import LossName, Mining
from facematch.training.recipe import Recipe, recipe_from, recipe_toml


def test_options_come_on_top_of_the_file(tmp_path: Path) -> None:
    file = tmp_path / "train.toml"
    file.write_text(
        'data = ["a", "b"]\nloss = "triplet"\nmargin1 = 1\nidentities = 8\n'
        'network = "mobilefacenet"\nfreeze = ["stages."]\nsteps = 5\naugmentation = "strong"\n'
    )
    recipe = recipe_from({"identities": 5, "crops": None, "freeze": []}, file)
    assert recipe.data == ("a", "b")
    assert recipe.loss is LossName.TRIPLET
    assert recipe.network is Architecture.MOBILEFACENET
    assert recipe.augmentation is Augmenting.STRONG
    assert (recipe.margin1, type(recipe.margin1)) == (1.0, float)
    assert (recipe.identities, recipe.crops, recipe.freeze) == (5, 4, ("stages.",))
    assert recipe.batch_size == 20


def test_a_recipe_survives_its_own_file(tmp_path: Path) -> None:
    recipe = Recipe(
        data=("people", 'a "quoted" näme'),
        loss=LossName.CONTRASTIVE,
        mining=Mining.SEMI_HARD,
        margin1=0.25,
        minutes=10.0,
        init="compact-2",
        unlabelled=12,
        freeze=("stem.", "stages.0."),
    )
    file = tmp_path / "train.toml"
    file.write_text(recipe_toml(recipe), encoding="utf-8")
    assert recipe_from({}, file) == recipe
    assert "steps" not in tomllib.loads(recipe_toml(recipe))  # commented out where not given


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"data": []}, "data: expected at least one"),
        ({"data": ["a"], "loss": "triplett"}, "loss: expected contrastive, triplet"),
        ({"data": ["a"], "identities": 1}, "identities: expected at least 2"),
        ({"data": ["a"], "identities": "many"}, "identities: expected int"),
        ({"data": ["a"], "identities": True}, "identities: expected int"),
        ({"data": "a"}, "data: expected a list"),
        ({"data": 5}, "data: expected a list"),
        ({"data": ["a"], "steps": 5, "epochs": 1.0}, "give one of them"),
        ({"data": ["a"], "loss_weight": 0.0}, "needs a teacher"),
        ({"data": ["a"], "loss": "quadruplet-distillation"}, "needs a teacher"),
        ({"data": ["a"], "loss": "softmax", "mining": "batch-hard"}, "choose from none"),
        ({"data": ["a"], "loss": "contrastive", "margin2": 0.1}, "takes no margin2"),
        ({"data": ["a"]}, "how long to train"),
        ({"data": ["a"], "hold_out": 1.0}, "hold_out: expected in"),
        ({"data": ["a"], "minutes": 0.0}, "minutes: expected above 0"),
    ],
)
def test_what_does_not_fit_is_one_line(options: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError) as caught:
        recipe_from(options)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"identites = 3", "unknown option 'identites'; did you mean identities?"),
        (b"qqq = 3", "unknown option 'qqq'; there are data, network"),
        (b"identities = ", "not TOML"),
        (b"\xff\xfe", "not TOML"),
        (b"x = 1\n" * 200_000, "over 1 MiB"),
    ],
    ids=["near", "far", "broken", "binary", "huge"],
)
def test_a_file_that_is_no_recipe(tmp_path: Path, content: bytes, message: str) -> None:
    file = tmp_path / "train.toml"
    file.write_bytes(content)
    with pytest.raises(UsageError) as caught:
        recipe_from({"data": ["a"]}, file)
    assert str(file) in str(caught.value)
    assert message in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"none\.toml: cannot be read"):
        recipe_from({"data": ["a"]}, tmp_path / "none.toml")


@pytest.mark.parametrize(
    ("loss", "mining"),
    [(LossName.QUADRUPLET, Mining.BATCH_HARD), (LossName.ARCFACE, Mining.NONE)],
)
def test_mining_follows_the_loss(loss: LossName, mining: Mining) -> None:
    assert Recipe(data=("a",), loss=loss, steps=1).metric_options.mining is mining
