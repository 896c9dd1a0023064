"""The loop: exact resumption, schedules, checkpoints that are whole, errors that arrive."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from tiny_training import (
    BATCH,
    CONFIG,
    COUNT,
    IMAGES,
    KilledError,
    Objective,
    loader_threads,
    tiny_network,
    trainer_in,
)
from torch import Tensor, nn

from facematch.errors import OutputError, TrainingError
from facematch.training.augmentation import Augmentation
from facematch.training.config import TrainingConfig
from facematch.training.loading import Batch, BatchLoader, to_network_input
from facematch.training.sampling import ShuffledBatches
from facematch.training.trainer import Trainer


def checkpoint(run_dir: Path) -> dict[str, Any]:
    state: dict[str, Any] = torch.load(run_dir / "checkpoint.pt", weights_only=True)
    return state


def same(a: object, b: object) -> bool:
    """Bitwise equality of nested checkpoints."""
    if isinstance(a, Tensor) and isinstance(b, Tensor):
        return a.dtype == b.dtype and torch.equal(a, b)
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(same, a, b))
    return type(a) is type(b) and a == b


@pytest.mark.parametrize("bfloat16", [False, True])
def test_an_interrupted_run_ends_with_the_same_bits(tmp_path: Path, bfloat16: bool) -> None:
    straight = Objective()
    trainer_in(tmp_path / "straight", straight, bfloat16=bfloat16).run()

    first, second = Objective(stop_at=3), Objective()
    with pytest.raises(KilledError):
        trainer_in(tmp_path / "resumed", first, bfloat16=bfloat16).run()
    assert checkpoint(tmp_path / "resumed")["step"] == 3
    resumed = trainer_in(tmp_path / "resumed", second, bfloat16=bfloat16)
    resumed.run()

    assert resumed.step == 6
    assert first.seen + second.seen == straight.seen
    assert same(checkpoint(tmp_path / "straight"), checkpoint(tmp_path / "resumed"))
    logs = [
        [json.loads(line) for line in (tmp_path / name / "log.jsonl").read_text().splitlines()]
        for name in ("straight", "resumed")
    ]
    for a, b in zip(*logs, strict=True):
        assert {**a, "crops_per_s": 0} == {**b, "crops_per_s": 0}


@pytest.mark.parametrize("stops", [(3,), (1, 5), (2, 2, 100)])
def test_a_run_that_left_off_goes_on_with_the_same_bits(
    tmp_path: Path, stops: tuple[int, ...]
) -> None:
    trainer_in(tmp_path / "straight", Objective()).run()
    for until in stops:
        trainer = trainer_in(tmp_path / "in parts", Objective())
        trainer.run(until)
        assert trainer.step == min(until, 6)
    trainer_in(tmp_path / "in parts", Objective()).run()
    assert same(checkpoint(tmp_path / "straight"), checkpoint(tmp_path / "in parts"))


def test_training_changes_the_network_and_lowers_the_loss(tmp_path: Path) -> None:
    trainer = trainer_in(
        tmp_path, Objective(), steps=200, sizes=((0, 14),), learning_rate=0.05, weight_decay=0.0
    )
    trainer.run()
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == list(range(1, 201))
    losses = [line["loss"] for line in lines]
    assert np.mean(losses[-10:]) < 0.8 * np.mean(losses[:10])
    assert all(line["figure"] == 1.0 and line["gradient_norm"] > 0 for line in lines)
    trained = trainer.network.state_dict()
    assert not any(torch.equal(v, trained[k]) for k, v in tiny_network().named_parameters())


def test_a_finished_run_does_nothing_more(tmp_path: Path) -> None:
    trainer_in(tmp_path, Objective()).run()
    before = (tmp_path / "checkpoint.pt").read_bytes()
    again = Objective()
    trainer_in(tmp_path, again).run()
    assert again.seen == []
    assert (tmp_path / "checkpoint.pt").read_bytes() == before


def test_nothing_to_resume(tmp_path: Path) -> None:
    trainer = trainer_in(tmp_path / "new" / "run", Objective())
    assert (tmp_path / "new" / "run").is_dir()
    assert trainer.resume() is False


@pytest.mark.parametrize(
    "change",
    [
        {"steps": 7},
        {"seed": 2},
        {"sizes": ((0, 14),)},
        {"learning_rate": 1e-3},
        {"bfloat16": False},
    ],
    ids=lambda change: next(iter(change)),
)
def test_another_configuration_is_refused(tmp_path: Path, change: dict[str, object]) -> None:
    trainer_in(tmp_path, Objective()).run()
    with pytest.raises(TrainingError, match="another configuration") as caught:
        trainer_in(tmp_path, Objective(), **change).run()
    assert str(tmp_path / "checkpoint.pt") in str(caught.value)
    assert caught.value.exit_code == 9


@pytest.mark.parametrize("content", [b"", b"junk", b"PK\x03\x04junk"])
def test_a_damaged_checkpoint_is_one_line(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "checkpoint.pt").write_bytes(content)
    with pytest.raises(TrainingError, match="not a readable checkpoint") as caught:
        trainer_in(tmp_path, Objective()).run()
    assert "\n" not in str(caught.value)


def test_a_checkpoint_holds_no_pickled_objects(tmp_path: Path) -> None:
    trainer_in(tmp_path, Objective()).run()
    state = checkpoint(tmp_path)  # weights_only refuses anything but tensors and plain types
    assert state["step"] == 6
    assert state["config"]["sizes"] == [[0, 14], [4, 28]]


def test_a_failed_save_keeps_the_old_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(KilledError):
        trainer_in(tmp_path, Objective(stop_at=2)).run()
    before = (tmp_path / "checkpoint.pt").read_bytes()

    def half_written(state: object, file: IO[bytes]) -> None:
        file.write(b"half")
        raise OSError(28, "No space left on device")

    trainer = trainer_in(tmp_path, Objective())
    with monkeypatch.context() as patch:
        patch.setattr(torch, "save", half_written)
        with pytest.raises(OutputError, match="No space") as caught:
            trainer.run()
        assert str(tmp_path / "checkpoint.pt") in str(caught.value)
    assert (tmp_path / "checkpoint.pt").read_bytes() == before
    last = Objective()
    trainer_in(tmp_path, last).run()
    assert len(last.seen) == 4
    assert [p.name for p in sorted(tmp_path.iterdir())] == ["checkpoint.pt", "log.jsonl"]


def test_checkpoints_come_by_the_clock_and_at_the_end(tmp_path: Path) -> None:
    trainer = trainer_in(tmp_path, Objective(), checkpoint_every_s=3600.0)
    trainer.run()
    (line,) = (tmp_path / "log.jsonl").read_text().splitlines()
    assert json.loads(line)["step"] == 6
    assert checkpoint(tmp_path)["step"] == 6


def test_a_loss_that_is_not_finite_stops_the_run(tmp_path: Path) -> None:
    class Diverging(Objective):
        def __call__(self, network: nn.Module, batch: Batch) -> tuple[Tensor, Mapping[str, float]]:
            loss, figures = super().__call__(network, batch)
            return loss * (float("nan") if len(self.seen) == 3 else 1), figures

    with pytest.raises(TrainingError, match="nan at step 2"):
        trainer_in(tmp_path, Diverging()).run()
    assert checkpoint(tmp_path)["step"] == 2
    assert loader_threads() == []


def slow_rate(config: TrainingConfig, step: int) -> float:
    if step < config.warmup_steps:
        return config.learning_rate * (step + 1) / config.warmup_steps
    done = (step - config.warmup_steps) / (config.steps - config.warmup_steps)
    return config.learning_rate * (1 + float(np.cos(np.pi * done))) / 2


def test_rates_rise_then_fall_along_a_cosine(tmp_path: Path) -> None:
    config = TrainingConfig(steps=1000, warmup_steps=100, learning_rate=2e-3)
    rates = [config.rate_at(step) for step in range(1001)]
    np.testing.assert_allclose(rates, [slow_rate(config, step) for step in range(1001)])
    assert rates[99] == rates[100] == 2e-3
    assert (np.diff(rates[:100]) > 0).all()
    assert (np.diff(rates[100:]) < 0).all()
    assert rates[1000] == pytest.approx(0, abs=1e-12)
    trainer_in(tmp_path, Objective()).run()
    logged = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [line["rate"] for line in logged] == pytest.approx(
        [slow_rate(CONFIG, step) for step in range(6)], rel=1e-5
    )
    assert [line["size"] for line in logged] == [14, 14, 14, 14, 28, 28]


@pytest.mark.parametrize(
    ("steps", "warmup"), [(5, 5), (5, 9), (1, 0), (3, 0)], ids=lambda value: str(value)
)
def test_rates_of_short_runs_are_in_range(steps: int, warmup: int) -> None:
    config = TrainingConfig(steps=steps, warmup_steps=warmup, learning_rate=1.0)
    assert all(0 <= config.rate_at(step) <= 1 for step in range(steps + 1))


@pytest.mark.parametrize(
    ("step", "size"), [(0, 56), (9, 56), (10, 84), (19, 84), (20, 112), (10_000, 112)]
)
def test_sizes_follow_the_schedule(step: int, size: int) -> None:
    assert TrainingConfig(steps=30, sizes=((0, 56), (10, 84), (20, 112))).size_at(step) == size


def test_the_average_follows_its_recurrence(tmp_path: Path) -> None:
    weights: list[Tensor] = []

    class Watching(Objective):
        def __call__(self, network: nn.Module, batch: Batch) -> tuple[Tensor, Mapping[str, float]]:
            weights.append(trainer.network.state_dict()["head.weight"].clone())
            return super().__call__(network, batch)

    trainer = trainer_in(tmp_path, Watching())
    trainer.run()
    weights.append(trainer.network.state_dict()["head.weight"].clone())
    average = weights[0]
    for step, current in enumerate(weights[1:]):
        decay = min(0.9, (1 + step) / (10 + step))
        average = decay * average + (1 - decay) * current
    torch.testing.assert_close(trainer.averaged_state()["head.weight"], average)


def test_validation_sees_the_average_and_leaves_the_network_alone(tmp_path: Path) -> None:
    seen: list[bool] = []

    def validate(network: nn.Module, size: int) -> Mapping[str, float]:
        seen.append(same(dict(network.state_dict()), dict(trainer.averaged_state())))
        assert not network.training
        for parameter in network.parameters():
            parameter.zero_()  # whatever it does
        return {"val": float(size)}

    trainer = trainer_in(tmp_path / "watched", Objective(), validate=validate)
    trainer.run()
    trainer_in(tmp_path / "plain", Objective()).run()
    assert seen == [True] * 6
    assert same(checkpoint(tmp_path / "watched"), checkpoint(tmp_path / "plain"))
    lines = (tmp_path / "watched" / "log.jsonl").read_text().splitlines()
    assert [json.loads(line)["val"] for line in lines] == [14, 14, 14, 14, 28, 28]


def test_weight_decay_spares_vectors(tmp_path: Path) -> None:
    trainer_in(tmp_path, Objective(), weight_decay=0.05).run()
    groups = checkpoint(tmp_path)["optimizer"]["param_groups"]
    assert [(group["weight_decay"], len(group["params"])) for group in groups] == [
        (0.05, 2),  # convolution and linear weights
        (0.0, 3),  # the norm's two, the linear bias
    ]


class FailingSampler:
    """Fails at one step."""

    def indices(self, step: int) -> npt.NDArray[np.int64]:
        if step == 2:
            raise OSError(5, "Input/output error")
        return np.arange(BATCH)


def test_an_error_in_the_loader_thread_reaches_the_caller(tmp_path: Path) -> None:
    loader = BatchLoader(IMAGES, FailingSampler(), Augmentation(), CONFIG)
    objective = Objective()
    with pytest.raises(OSError, match="Input/output error"):
        Trainer(tiny_network(), loader, objective, CONFIG, tmp_path).run()
    assert len(objective.seen) == 2
    assert loader_threads() == []


def test_a_consumer_that_stops_ends_the_thread() -> None:
    loader = BatchLoader(IMAGES, ShuffledBatches(COUNT, BATCH, 1), Augmentation(), CONFIG)
    stream = loader.stream(0, 1000)
    next(stream)
    assert loader_threads() == ["batch-loader"]
    stream.close()  # type: ignore[attr-defined]
    assert loader_threads() == []


def test_the_stream_is_the_batches_in_order() -> None:
    loader = BatchLoader(IMAGES, ShuffledBatches(COUNT, BATCH, 1), Augmentation(), CONFIG)
    for first, last in ((0, 6), (4, 6), (1, 3), (6, 6)):
        streamed = list(loader.stream(first, last))
        assert len(streamed) == last - first
        for step, (images, indices) in enumerate(streamed, start=first):
            wanted_images, wanted_indices = loader.load(step)
            np.testing.assert_array_equal(images, wanted_images)
            np.testing.assert_array_equal(indices, wanted_indices)


def test_network_input() -> None:
    images = torch.from_numpy(IMAGES[:2])
    found = to_network_input(images)
    assert found.shape == (2, 3, 128, 128)
    assert found.is_contiguous(memory_format=torch.channels_last)
    wanted = (IMAGES[:2].astype(np.float64) / 127.5 - 1).transpose(0, 3, 1, 2)
    np.testing.assert_allclose(found.numpy(), wanted, atol=1e-6)
