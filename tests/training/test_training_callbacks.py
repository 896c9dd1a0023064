"""Budgets, alarms, the best network, interruption, pictures and logs."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Mapping
from pathlib import Path

import pytest
import torch
from tiny_training import CONFIG, Objective, trainer_in
from torch import Tensor, nn

from facematch.errors import CollapseError, TrainingError
from facematch.training.callbacks import (
    INTERRUPTED,
    OUT_OF_TIME,
    Callback,
    CollapseAlarm,
    KeepBest,
    LearningCurve,
    TensorBoardLog,
    TimeBudget,
    interruptible,
    read_best,
)
from facematch.training.loading import Batch
from facematch.training.log import LOG, trim_log
from facematch.training.trainer import FINISHED, LEFT_OFF


class Watching(Callback):
    """Writes down what it is told."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def on_start(self, run: object) -> None:
        self.told.append("start")

    def on_step(self, run: object, figures: Mapping[str, float]) -> None:
        assert figures["crops"] == 4
        self.told.append("step")

    def on_report(self, run: object, line: Mapping[str, float]) -> None:
        self.told.append(f"report {line['step']:.0f}")

    def on_end(self, run: object, reason: str) -> None:
        self.told.append(reason)


def test_callbacks_are_told_in_order(tmp_path: Path) -> None:
    watching = Watching()
    trainer = trainer_in(tmp_path, Objective(), steps=2, sizes=((0, 14),), callbacks=[watching])
    assert trainer.run(1) == LEFT_OFF
    assert trainer.run() == FINISHED
    assert watching.told == [
        *("start", "step", "report 1", LEFT_OFF),
        *("start", "step", "report 2", FINISHED),
    ]


def test_a_time_budget_leaves_off_with_a_checkpoint(tmp_path: Path) -> None:
    trainer = trainer_in(tmp_path, Objective(), callbacks=[TimeBudget(0.0)])
    assert trainer.run() == OUT_OF_TIME
    assert trainer.step == 1
    again = trainer_in(tmp_path, Objective())
    assert again.run() == FINISHED
    straight = trainer_in(tmp_path / "straight", Objective())
    straight.run()
    for name, value in straight.averaged_state().items():
        torch.testing.assert_close(again.averaged_state()[name], value, rtol=0, atol=0)


def test_ctrl_c_saves_and_ends(tmp_path: Path) -> None:
    class Interrupting(Objective):
        def __call__(self, network: nn.Module, batch: Batch) -> tuple[Tensor, Mapping[str, float]]:
            if len(self.seen) == 2:
                os.kill(os.getpid(), signal.SIGINT)
            return super().__call__(network, batch)

    before = signal.getsignal(signal.SIGINT)
    trainer = trainer_in(tmp_path, Interrupting(), checkpoint_every_s=3600.0)
    with interruptible(trainer):
        assert trainer.run() == INTERRUPTED
    assert signal.getsignal(signal.SIGINT) is before
    assert trainer.step == 3
    resumed = trainer_in(tmp_path, Objective(), checkpoint_every_s=3600.0)
    assert resumed.resume()
    assert resumed.step == 3


class Sticking(Objective):
    """Reports what a collapsed network would."""

    def __init__(self, **figures: float) -> None:
        super().__init__()
        self._figures = figures

    def __call__(self, network: nn.Module, batch: Batch) -> tuple[Tensor, Mapping[str, float]]:
        loss, _ = super().__call__(network, batch)
        return loss, self._figures


@pytest.mark.parametrize(
    ("figures", "sign"),
    [
        ({"distance_variance": 1e-9}, "all distances are equal"),
        ({"distance_variance": 0.1, "metric_loss": 0.601}, "the loss sticks at 0.6"),
    ],
)
def test_a_collapse_stops_with_advice(tmp_path: Path, figures: dict[str, float], sign: str) -> None:
    alarm = CollapseAlarm(0.6, window=3)
    trainer = trainer_in(tmp_path, Sticking(**figures), callbacks=[alarm])
    with pytest.raises(CollapseError, match=sign) as caught:
        trainer.run()
    assert caught.value.exit_code == TrainingError.exit_code
    assert "--mining semi-hard" in str(caught.value)
    assert str(tmp_path) in str(caught.value)
    assert trainer.step == 3


@pytest.mark.parametrize(
    "figures", [{"distance_variance": 0.1, "metric_loss": 0.4}, {"metric_loss": 0.3}, {}]
)
def test_a_sound_run_raises_no_alarm(tmp_path: Path, figures: dict[str, float]) -> None:
    trainer = trainer_in(tmp_path, Sticking(**figures), callbacks=[CollapseAlarm(0.6, window=2)])
    assert trainer.run() == FINISHED


def test_a_second_figure_decides_between_equals(tmp_path: Path) -> None:
    looks = iter([(0.5, 0.1), (0.5, 0.3), (0.5, 0.2), (0.4, 0.9), (0.5, 0.3), (0.3, 0.3)])

    def validate(network: nn.Module, size: int) -> Mapping[str, float]:
        return dict(zip(("val", "tie"), next(looks), strict=True))

    best = KeepBest("val", "tie")
    trainer_in(tmp_path, Objective(), validate=validate, callbacks=[best]).run()
    kept = read_best(tmp_path)
    assert kept is not None
    assert (kept["step"], kept["values"]) == (2, [0.5, 0.3])


def test_the_best_network_is_kept_across_starts(tmp_path: Path) -> None:
    scores = iter([0.5, 0.9, 0.7, 0.8, 0.95, 0.1])
    states: list[dict[str, Tensor]] = []

    def validate(network: nn.Module, size: int) -> Mapping[str, float]:
        states.append({name: value.clone() for name, value in network.state_dict().items()})
        return {"val": next(scores)}

    assert read_best(tmp_path) is None
    trainer_in(tmp_path, Objective(), validate=validate, callbacks=[KeepBest("val")]).run(3)
    kept = read_best(tmp_path)
    assert kept is not None
    assert all(torch.equal(kept["average"][name], value) for name, value in states[1].items())
    again = KeepBest("val")
    trainer_in(tmp_path, Objective(), validate=validate, callbacks=[again]).run()
    kept = read_best(tmp_path)
    assert kept is not None
    assert again.best == 0.95
    assert all(torch.equal(kept["average"][name], value) for name, value in states[4].items())


def test_logs_and_the_learning_curve(tmp_path: Path) -> None:
    def validate(network: nn.Module, size: int) -> Mapping[str, float]:
        return {"val_auc": 0.5}

    trainer = trainer_in(
        tmp_path, Objective(), validate=validate, callbacks=[TensorBoardLog(), LearningCurve()]
    )
    trainer.run()
    assert (tmp_path / "curve.png").read_bytes().startswith(b"\x89PNG")
    (events,) = (tmp_path / "tensorboard").iterdir()
    assert b"val_auc" in events.read_bytes()


def test_lines_after_the_checkpoint_are_trimmed(tmp_path: Path) -> None:
    trainer_in(tmp_path, Objective()).run(3)
    log = tmp_path / LOG
    with log.open("a") as file:
        file.write(json.dumps({"step": 5.0}) + '\n{"step": 6')
    trainer_in(tmp_path, Objective()).run()
    steps = [json.loads(line)["step"] for line in log.read_text().splitlines()]
    assert steps == [1, 2, 3, 4, 5, 6]
    trim_log(tmp_path / "none.jsonl", 3)
    assert not (tmp_path / "none.jsonl").exists()


def test_accumulated_batches_are_one_update(tmp_path: Path) -> None:
    objective = Objective()
    trainer = trainer_in(tmp_path, objective, steps=3, sizes=((0, 14),), accumulate=2)
    trainer.run()
    assert trainer.step == 3
    assert len(objective.seen) == 6


def test_frozen_layers_stay(tmp_path: Path) -> None:
    trainer = trainer_in(tmp_path, Objective(), frozen=("conv", "norm"))
    before = {name: value.clone() for name, value in trainer.network.state_dict().items()}
    trainer.run()
    after = trainer.network.state_dict()
    for name, value in before.items():
        assert torch.equal(value, after[name]) == name.startswith(("conv", "norm")), name
    with pytest.raises(TrainingError, match="no parameter that begins with 'nose'"):
        trainer_in(tmp_path / "other", Objective(), frozen=("nose",))


@pytest.mark.parametrize(
    "change",
    [{"steps": 0}, {"sizes": ((1, 14),)}, {"ema_decay": 1.0}, {"accumulate": 0}],
    ids=lambda change: next(iter(change)),
)
def test_configurations_out_of_range(tmp_path: Path, change: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=next(iter(change))):
        trainer_in(tmp_path, Objective(), CONFIG, **change)
