"""Two processes on the loopback device give the numbers of one, and share its checkpoints."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from shared_training import (
    BATCH,
    CASES,
    CLASSIFIED,
    EMBEDDING,
    HALF,
    IDENTITIES,
    TRAINED,
    classifying_trainer,
    cosine_margin,
    loss_and_gradients,
    shared_trainer,
    smooth_network,
    wide_head,
)
from torch import Tensor

from facematch.choices import Parallel
from facematch.errors import DeviceUnavailableError, TrainingError, UsageError
from facematch.training import parallel
from facematch.training.losses.wide_head import WideHead
from facematch.training.parallel import launched, prepare
from facematch.training.ranks import OneRank

TESTS = Path(__file__).resolve().parent
CLOSE = {"rtol": 1e-4, "atol": 1e-6}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What two processes left behind; ``alone`` is from one process, half way."""
    folder = tmp_path_factory.mktemp("shared")
    shared_trainer(folder / "alone").run(HALF)
    shared_trainer(folder / "alone, to the end").run()
    run = subprocess.run(
        [
            *(sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2"),
            *("--rdzv-backend", "c10d", "--rdzv-endpoint", "127.0.0.1:0"),  # the OS picks a port
            *("--local-addr", "127.0.0.1"),
            *(str(TESTS / "shared_training.py"), str(folder)),
        ],
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join([str(TESTS), str(TESTS.parents[1])]),
            "OMP_NUM_THREADS": "1",
            "GLOO_SOCKET_IFNAME": "lo",
        },
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert run.returncode == 0, run.stderr[-4000:]
    assert "FutureWarning" not in run.stderr
    return folder


@pytest.fixture(scope="module")
def found(folder: Path) -> list[dict[str, Any]]:
    return [torch.load(folder / f"found-{rank}.pt", weights_only=True) for rank in (0, 1)]


def checkpoint(run_dir: Path) -> dict[str, Any]:
    state: dict[str, Any] = torch.load(run_dir / "checkpoint.pt", weights_only=True)
    return state


def assert_same(a: object, b: object, **tolerance: float) -> None:
    """Nested checkpoints; equal bits without a tolerance."""
    if isinstance(a, Tensor):
        torch.testing.assert_close(a, b, **(tolerance or {"rtol": 0, "atol": 0}))
    elif isinstance(a, dict):
        assert isinstance(b, dict)
        assert a.keys() == b.keys()
        for key, value in a.items():
            assert_same(value, b[key], **tolerance)
    elif isinstance(a, list):
        assert isinstance(b, list)
        for one, other in zip(a, b, strict=True):
            assert_same(one, other, **tolerance)
    else:
        assert a == b


def test_the_ranks_know_each_other(found: list[dict[str, Any]]) -> None:
    assert [rank["count"] for rank in found] == [2, 2]
    assert [rank["agreed"] for rank in found] == [(True, False, True)] * 2


@pytest.mark.parametrize("case", [*CASES, "uneven"])
def test_loss_and_gradients_are_those_of_one_process(
    found: list[dict[str, Any]], case: str
) -> None:
    rows = BATCH - 1 if case == "uneven" else BATCH
    loss, gradients = loss_and_gradients(OneRank(), "data", slice(0, rows), rows)
    for rank in found:
        torch.testing.assert_close(rank[case][0], loss, **CLOSE)
        assert_same(gradients, rank[case][1], **CLOSE)


@pytest.mark.parametrize("case", TRAINED)
def test_two_ranks_train_like_one(folder: Path, case: str) -> None:
    alone, shared = folder / "alone, to the end", folder / case / "straight"
    assert_same(checkpoint(alone), checkpoint(shared), **CLOSE)
    best = [torch.load(run / "best.pt", weights_only=True) for run in (alone, shared)]
    assert [state["step"] for state in best] == [2, 2]  # and not the last
    assert_same(best[0]["average"], best[1]["average"], **CLOSE)
    logs = [
        [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
        for run in (alone, shared)
    ]
    assert [line["step"] for line in logs[1]] == [line["step"] for line in logs[0]]
    for name in ("gradient_norm", "val"):
        values = [torch.tensor([line[name] for line in log]) for log in logs]
        torch.testing.assert_close(*values, **CLOSE)


@pytest.mark.parametrize("case", TRAINED)
def test_two_ranks_resume_with_the_same_bits(folder: Path, case: str) -> None:
    straight, parts = checkpoint(folder / case / "straight"), checkpoint(folder / case / "in parts")
    assert straight["step"] == 4
    assert_same(straight, parts)


@pytest.mark.parametrize("case", TRAINED)
def test_checkpoints_go_from_one_process_to_two_and_back(folder: Path, case: str) -> None:
    alone = checkpoint(folder / "alone, to the end")
    assert_same(alone, checkpoint(folder / case / "from one"), **CLOSE)
    assert checkpoint(folder / case / "half")["step"] == HALF
    trainer = shared_trainer(folder / case / "half")
    trainer.run()
    assert trainer.step == 4
    assert_same(alone, checkpoint(folder / case / "half"), **CLOSE)


@pytest.mark.parametrize("case", CLASSIFIED)
def test_a_classifying_run_is_that_of_one_process(
    folder: Path, found: list[dict[str, Any]], case: str
) -> None:
    alone = folder / f"{case}, alone"
    classifying_trainer(alone, case=case).run()
    straight = folder / case / "straight"
    assert_same(checkpoint(alone), checkpoint(straight), **CLOSE)
    logs = [
        [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
        for run in (alone, straight)
    ]
    for name in ("metric_loss", "active", "gradient_norm"):
        values = [torch.tensor([line[name] for line in log]) for log in logs]
        torch.testing.assert_close(*values, **CLOSE)
    assert checkpoint(alone)["objective"]["metric.criterion.weight"].shape == (
        IDENTITIES,
        EMBEDDING,
    )
    held = [rank[f"{case}: parameters"] for rank in found]
    each = EMBEDDING + (1 if case.startswith("softmax") else 0)
    assert held == ([3 * each, 2 * each] if "split" in case else [5 * each, 5 * each])


@pytest.mark.parametrize("case", CLASSIFIED)
def test_a_classifying_run_resumes_with_the_same_bits(folder: Path, case: str) -> None:
    straight, parts = checkpoint(folder / case / "straight"), checkpoint(folder / case / "in parts")
    assert straight["step"] == 4
    assert_same(straight, parts)


class FourRanks:
    """What a head asks of a mesh before it is split."""

    def size(self) -> int:
        return 4


def test_a_process_by_itself_is_one_rank(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RANK", raising=False)
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    with launched() as ranks:
        assert ranks.index == 0
        assert ranks.count == 1
        network = smooth_network()
        for mode in Parallel:
            assert prepare(network, mode, ranks) is network


def test_what_torchrun_did_not_set_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.delenv("MASTER_ADDR", raising=False)
    monkeypatch.delenv("MASTER_PORT", raising=False)
    with pytest.raises(TrainingError, match="start them with torchrun") as caught, launched():
        pass
    assert "\n" not in str(caught.value)
    with pytest.raises(UsageError, match="cpu or cuda"), launched("mps"):
        pass


def test_more_ranks_than_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("RANK", "2"), ("WORLD_SIZE", "3"), ("LOCAL_RANK", "2")):
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    with pytest.raises(DeviceUnavailableError, match="--nproc-per-node 2"), launched("cuda"):
        pass


def test_groups_that_do_not_divide_the_ranks() -> None:
    with pytest.raises(UsageError, match="3 processes cannot share the network in groups of 2"):
        parallel._mesh(Parallel.MIXED, 3, "cpu", None)


def test_a_head_too_narrow_to_split() -> None:
    with pytest.raises(UsageError, match="a head of 5 identities cannot be split into 4"):
        wide_head().split(FourRanks())  # type: ignore[arg-type]


def test_a_head_with_margins_on_plain_scores() -> None:
    with pytest.raises(ValueError, match="need a scale"):
        WideHead(5, 7, margin=cosine_margin)


def test_a_head_is_a_linear_layer_with_cross_entropy() -> None:
    embeddings = torch.randn(4, 7, generator=torch.Generator().manual_seed(1))
    labels = torch.tensor([0, -1, 4, 2])
    plain, cosine = WideHead(5, 7), WideHead(5, 7, scale=8.0, margin=cosine_margin)
    with torch.no_grad():
        found = torch.stack([head.loss(embeddings, labels) for head in (plain, cosine)])
        losses = []
        for row, label in zip(embeddings, labels.tolist(), strict=True):
            if label < 0:
                continue
            scores = plain.weight @ row + plain.bias
            angles = 8 * torch.stack([row @ w / (row.norm() * w.norm()) for w in cosine.weight])
            angles[label] -= 8 * 0.35
            logarithms = [torch.log_softmax(x, 0)[label] for x in (scores, angles)]
            losses.append(-torch.stack(logarithms))
    torch.testing.assert_close(found, torch.stack(losses).mean(0))


def test_a_head_without_known_identities_is_a_differentiable_zero() -> None:
    embeddings = torch.ones(3, 7, requires_grad=True)
    loss = wide_head().loss(embeddings, torch.tensor([-1, -1, -1]))
    torch.autograd.backward(loss)
    assert loss.item() == 0
    assert embeddings.grad is not None
    assert embeddings.grad.abs().max() == 0
