"""Options, memory, and what a batch costs: losses and mining put together."""

from __future__ import annotations

import io
import math
import subprocess
import sys
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from tuple_oracles import distance_of, embeddings_of, unit

from facematch.training.choices import (
    LOSSES,
    LossName,
    Mining,
    TeacherUse,
    TrainingDistance,
    TupleKind,
    minings_for,
)
from facematch.training.losses import QuadrupletLoss, TripletLoss
from facematch.training.memory import CrossBatchMemory
from facematch.training.metric_learning import MetricLearning
from facematch.training.metric_options import MetricLearningOptions
from facematch.training.mining import mine_quadruplets, mine_triplets, pool_of

SIZE, TEACHER, IDENTITIES = 5, 7, 4
FITTING = [(loss, mining) for loss in LossName for mining in minings_for(loss)]


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def learning(**options: Any) -> MetricLearning:
    return MetricLearning(
        MetricLearningOptions(**options),
        embedding_size=SIZE,
        identities=IDENTITIES,
        teacher_size=TEACHER,
    )


def teacher_for(loss: LossName, embeddings: Tensor) -> Tensor | None:
    needed = LOSSES[loss].teacher is TeacherUse.NEEDED
    return embeddings_of(99, len(embeddings), TEACHER) if needed else None


LABELS = torch.tensor([0, 0, 0, 1, 1, -1, 2, 2, 3])


@pytest.mark.parametrize(("loss", "mining"), FITTING)
def test_every_fitting_combination(loss: LossName, mining: Mining) -> None:
    embeddings = embeddings_of(1, len(LABELS), SIZE).requires_grad_()
    learner = learning(loss=loss, mining=mining)
    cost, figures = learner(embeddings, LABELS, seeded(), teacher_for(loss, embeddings))
    assert cost.shape == ()
    assert cost.dtype == torch.float32
    assert cost.isfinite()
    assert figures["mined"] > 0
    assert 0 <= figures["active"] <= 1
    assert all(type(value) is float for value in figures.values())
    cost.backward()
    assert embeddings.grad is not None
    assert embeddings.grad.isfinite().all()
    assert not embeddings.grad[5].any()  # the crop without an identity
    if cost.item() > 0:
        assert embeddings.grad.any()
    again, _ = learner(embeddings, LABELS, seeded(), teacher_for(loss, embeddings))
    assert again.item() == cost.item()


@pytest.mark.parametrize("distance", list(TrainingDistance))
def test_figures(distance: TrainingDistance) -> None:
    embeddings = embeddings_of(1, len(LABELS), SIZE)
    _, figures = learning(distance=distance)(embeddings, LABELS, seeded())
    points, labels = unit(embeddings), LABELS.tolist()
    pairs = [(i, j) for i in range(9) for j in range(i)]
    of = {(i, j): distance_of(points[i], points[j], distance) for i, j in pairs}
    known = [(i, j) for i, j in pairs if labels[i] >= 0 and labels[j] >= 0]
    genuine = [of[i, j] for i, j in known if labels[i] == labels[j]]
    impostor = [of[i, j] for i, j in known if labels[i] != labels[j]]
    mean = sum(of.values()) / len(of)
    variance = sum((d - mean) ** 2 for d in of.values()) / len(of)
    assert figures["genuine_distance"] == pytest.approx(sum(genuine) / len(genuine), abs=1e-5)
    assert figures["impostor_distance"] == pytest.approx(sum(impostor) / len(impostor), abs=1e-5)
    assert figures["distance_variance"] == pytest.approx(variance, abs=1e-5)
    assert figures["mined"] == 7  # anchors with a positive


def test_figures_that_cannot_be_said_are_left_out() -> None:
    embeddings = embeddings_of(1, 3).requires_grad_()
    cost, figures = learning()(embeddings, torch.tensor([0, 1, -1]), seeded())
    cost.backward()
    assert cost.item() == 0
    assert embeddings.grad is not None
    assert set(figures) == {"mined", "active", "impostor_distance", "distance_variance"}
    assert figures["mined"] == figures["active"] == 0
    _, figures = learning()(embeddings[:1], torch.tensor([0]), seeded())
    assert set(figures) == {"mined", "active"}


@pytest.mark.parametrize("soft", [False, True])
@pytest.mark.parametrize("loss", [name for name in LossName if name not in ("cosface", "arcface")])
def test_where_a_collapsed_network_sticks(loss: LossName, soft: bool) -> None:
    choice = LOSSES[loss]
    mining = Mining.NONE if choice.kind is TupleKind.ROWS else Mining.BATCH_HARD
    learner = learning(loss=loss, mining=mining, soft=soft and choice.soft)
    if choice.teacher is TeacherUse.NEEDED:
        assert learner.collapsed_loss is None
        return
    if loss is LossName.SOFTMAX:
        torch.nn.init.zeros_(next(learner.parameters()))
    cost, figures = learner(torch.ones(9, SIZE), LABELS, seeded())
    assert cost.item() == pytest.approx(learner.collapsed_loss)
    assert figures["distance_variance"] == pytest.approx(0, abs=1e-12)


def test_collapsed_losses_by_hand() -> None:
    assert learning(margin1=0.5, margin2=0.3).collapsed_loss == 0.8
    assert learning(loss="triplet", margin1=0.5).collapsed_loss == 0.5
    assert learning(loss="softmax", mining="none").collapsed_loss == math.log(IDENTITIES)
    assert learning(loss="arcface", mining="none").collapsed_loss is None
    assert learning(mining="adaptive").collapsed_loss == 0
    cost, _ = learning(mining="adaptive", soft=True)(torch.ones(9, SIZE), LABELS, seeded())
    assert cost.item() == 0


def test_adaptive_mining_averages_what_violates_margins_of_the_batch() -> None:
    labels = torch.arange(12) // 3
    embeddings = embeddings_of(2, 4)[labels] + embeddings_of(3, 12) * 0.3
    cost, figures = learning(mining="adaptive")(embeddings, labels, seeded())
    margin1 = figures["impostor_distance"] - figures["genuine_distance"]
    assert figures["margin1"] == pytest.approx(margin1, abs=1e-6)
    assert figures["margin2"] == pytest.approx(margin1 / 2, abs=1e-6)
    everything = mine_quadruplets(Mining.ALL, pool_of(embeddings, labels), seeded())
    loss = QuadrupletLoss(figures["margin1"], figures["margin2"])
    wanted = loss.evaluate(embeddings, everything, active_only=True)
    assert cost.item() == pytest.approx(wanted.loss.item(), abs=1e-5)
    assert cost.item() > loss(embeddings, everything).item() > 0
    assert figures["active"] == pytest.approx(wanted.active.item())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"loss": "quartet"}, "no loss 'quartet'; choose from contrastive, triplet, quadruplet,"),
        ({"mining": "hardest"}, "no mining 'hardest'; choose from none, all, random,"),
        ({"distance": "manhattan"}, "choose from euclidean, squared-euclidean, cosine"),
        ({"loss": "softmax"}, "softmax works on rows, .*batch-hard.* choose from none"),
        ({"mining": "none"}, "quadruplet works on quadruplets, .* choose from all, random, semi-"),
        ({"loss": "contrastive", "mining": "adaptive"}, "pairs, .* choose from all, .*-weighted$"),
        ({"loss": "triplet", "margin2": 0.1}, "takes no margin2"),
        ({"loss": "softmax", "mining": "none", "margin1": 0.1}, "takes no margin1"),
        (
            {"mining": "adaptive", "margin1": 0.4},
            "quadruplet with mining adaptive takes no margins",
        ),
        ({"loss": "contrastive", "soft": True}, "takes no soft"),
        ({"loss": "contrastive", "active_only": True}, "takes no active_only"),
        ({"loss": "arcface", "mining": "none", "distance": "cosine"}, "takes no distance"),
        ({"loss": "arcface", "mining": "none", "memory_size": 9}, "takes no memory_size"),
        ({"max_tuples": 0}, "max_tuples must be at least 1"),
        ({"memory_size": -1}, "at least 0"),
    ],
)
def test_options_that_do_not_fit(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        MetricLearningOptions(**options)


def test_options_from_plain_strings() -> None:
    options = MetricLearningOptions(loss="triplet", mining="all", distance="cosine")  # type: ignore[arg-type]
    assert options.loss is LossName.TRIPLET
    assert options.mining is Mining.ALL
    assert options.distance is TrainingDistance.COSINE
    learner = MetricLearning(options, embedding_size=SIZE)
    assert isinstance(learner.criterion, TripletLoss)
    assert learner.distance is TrainingDistance.COSINE


@pytest.mark.parametrize("loss", list(LossName))
def test_every_loss_has_a_line_of_help(loss: LossName) -> None:
    assert 20 < len(LOSSES[loss].summary) < 90


def test_the_options_load_without_torch() -> None:
    program = "import sys, facematch.training.metric_options; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_margins_reach_the_loss() -> None:
    learner = learning(margin1=0.7, margin2=0.1, soft=True, distance="cosine")
    assert isinstance(learner.criterion, QuadrupletLoss)
    assert (learner.criterion.margin1, learner.criterion.margin2) == (0.7, 0.1)
    assert learner.criterion.soft
    with pytest.raises(ValueError, match="margin1 >= margin2"):
        learning(margin1=0.1)


def test_teachers_are_asked_for_and_sent_away() -> None:
    embeddings, teacher = embeddings_of(0, 9), embeddings_of(1, 9, TEACHER)
    with pytest.raises(ValueError, match="quadruplet-distillation: a teacher is needed"):
        learning(loss="quadruplet-distillation")(embeddings, LABELS, seeded())
    with pytest.raises(ValueError, match="triplet: a teacher is unused"):
        learning(loss="triplet")(embeddings, LABELS, seeded(), teacher)
    alone, _ = learning()(embeddings, LABELS, seeded())
    limited, _ = learning()(embeddings, LABELS, seeded(), teacher)
    assert limited.item() < alone.item()


def test_classification_needs_identities() -> None:
    options = MetricLearningOptions(loss=LossName.SOFTMAX, mining=Mining.NONE)
    with pytest.raises(ValueError, match="at least two identities, the data has 1"):
        MetricLearning(options, embedding_size=SIZE, identities=1)
    learner = learning(loss="softmax", mining="none")
    assert sorted(learner.state_dict()) == ["criterion.bias", "criterion.weight"]
    assert list(learning().parameters()) == []


@settings(max_examples=40)
@given(
    st.integers(1, 12),
    st.integers(0, 2),
    st.lists(st.lists(st.integers(-1, 5), max_size=15), max_size=6),
)
def test_the_memory_holds_the_latest(
    size: int, warmup_steps: int, batches: list[list[int]]
) -> None:
    memory = CrossBatchMemory(size, 1, 1, warmup_steps)
    kept: list[tuple[float, int]] = []
    crop = 0
    for step, labels in enumerate(batches):
        numbers = torch.arange(crop, crop + len(labels)).float()[:, None]
        crop += len(labels)
        memory.remember(numbers, torch.tensor(labels, dtype=torch.int64), -numbers)
        if step >= warmup_steps:
            kept += [(float(n), y) for n, y in zip(numbers, labels, strict=True) if y >= 0]
        kept = kept[-size:]
        held = memory.recall()
        rows = zip(held.embeddings[:, 0].tolist(), held.labels.tolist(), strict=True)
        assert sorted(rows) == kept
        assert held.teacher.tolist() == (-held.embeddings).tolist()
        assert len(memory) == len(kept)


def test_the_memory_keeps_no_graph_and_needs_its_teacher() -> None:
    memory = CrossBatchMemory(4, 2, 3)
    embeddings = torch.ones(2, 2, dtype=torch.bfloat16, requires_grad=True)
    memory.remember(embeddings, torch.tensor([0, 1]), torch.ones(2, 3, requires_grad=True))
    held = memory.recall()
    assert not held.embeddings.requires_grad
    assert not held.teacher.requires_grad
    assert held.embeddings.dtype == torch.float32
    memory.remember(torch.zeros(4, 2), torch.arange(4), torch.zeros(4, 3))
    assert held.embeddings.all()  # a copy
    with pytest.raises(
        ValueError, match="made for teacher_size 3, the teacher's embeddings have 0"
    ):
        memory.remember(embeddings, torch.tensor([0, 1]))
    with pytest.raises(ValueError, match="size >= 1"):
        CrossBatchMemory(0, 2)


def test_memory_is_compared_with_but_gets_no_gradient() -> None:
    past, past_labels = embeddings_of(3, 6), torch.tensor([0, 1, 1, 2, -1, 5])
    now, labels = embeddings_of(4, 3).requires_grad_(), torch.tensor([0, 5, -1])
    learner = learning(memory_size=16, memory_warmup_steps=0, loss="triplet")
    learner(past, past_labels, seeded())
    cost, figures = learner(now, labels, seeded())
    # Without memory nobody in the second batch has a positive.
    assert figures["mined"] == 2
    assert "genuine_distance" not in figures
    joined = torch.cat([now, past])
    pool = pool_of(joined, torch.cat([labels, past_labels]), 3)
    wanted = TripletLoss()(joined, mine_triplets(Mining.BATCH_HARD, pool, seeded()))
    assert cost.item() == pytest.approx(wanted.item())
    (found,) = torch.autograd.grad(cost, now)
    (expected,) = torch.autograd.grad(wanted, now)
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize(
    "loss", [LossName.QUADRUPLET, LossName.QUADRUPLET_DISTILLATION, LossName.CONTRASTIVE]
)
def test_a_run_with_memory_resumes_exactly(loss: LossName) -> None:
    def batch(step: int) -> tuple[Tensor, Tensor, torch.Generator, Tensor | None]:
        embeddings = embeddings_of(step, 6)
        teacher = None if loss is LossName.CONTRASTIVE else embeddings_of(step, 6, TEACHER)
        return embeddings, torch.arange(6) // 2 + step % 2, seeded(step), teacher

    options = {"loss": loss, "mining": "random", "memory_size": 10, "memory_warmup_steps": 1}
    size = 0 if loss is LossName.CONTRASTIVE else TEACHER

    def fresh() -> MetricLearning:
        return MetricLearning(
            MetricLearningOptions(**options),  # type: ignore[arg-type]
            embedding_size=SIZE,
            teacher_size=size,
        )

    whole = fresh()
    costs = [whole(*batch(step)) for step in range(7)]
    for stop in (0, 1, 2, 5):
        first = fresh()
        for step in range(stop):
            first(*batch(step))
        file = io.BytesIO()
        torch.save(first.state_dict(), file)
        file.seek(0)
        second = fresh()
        second.load_state_dict(torch.load(file, weights_only=True))
        for step in range(stop, 7):
            cost, figures = second(*batch(step))
            assert cost.item() == costs[step][0].item()
            assert figures == costs[step][1]


def test_a_gathered_batch_is_remembered_alike_on_every_rank() -> None:
    """Two ranks that hold the same joined batch and seed stay in step."""
    ranks = [learning(mining="random", memory_size=8, memory_warmup_steps=0) for _ in range(2)]
    for step in range(3):
        joined, labels = embeddings_of(step, 12), torch.arange(12) // 3
        costs = [
            rank(joined, labels, seeded(step), embeddings_of(step, 12, TEACHER)) for rank in ranks
        ]
        assert costs[0][0].item() == costs[1][0].item()
    first, second = (rank.state_dict() for rank in ranks)
    assert first.keys() == second.keys()
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_broken_embeddings_reach_the_loss() -> None:
    """The trainer stops at a loss that is not finite: mining must not hide it."""
    embeddings = torch.full((9, SIZE), float("nan"))
    for loss, mining in FITTING:
        cost, _ = learning(loss=loss, mining=mining)(
            embeddings, LABELS, seeded(), teacher_for(loss, embeddings)
        )
        assert not cost.isfinite(), (loss, mining)
