"""Losses and mining against slow loops."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from tuple_oracles import embeddings_of, rows_of, squared_distance, unit

from facematch.training.choices import Mining
from facematch.training.losses import DistillationLoss, QuadrupletLoss, RelationalLoss
from facematch.training.losses.distillation import teacher_similarity
from facematch.training.mining import Quadruplets, batch_hard, mine_quadruplets, pool_of

DTYPES = [torch.float32, torch.float64, torch.bfloat16]


def quadruplets(*rows: tuple[int, int, int, int]) -> Quadruplets:
    columns = torch.tensor(rows, dtype=torch.int64).reshape(-1, 4).unbind(1)
    return Quadruplets(*columns)


def slow_quadruplet_loss(
    embeddings: Tensor,
    rows: list[tuple[int, int, int, int]],
    margins: tuple[float, float],
    teacher: Tensor | None = None,
) -> float:
    student = unit(embeddings)
    total = 0.0
    for a, p, n1, n2 in rows:
        genuine = squared_distance(student[a], student[p])
        for margin, (x, y) in zip(margins, ((a, n1), (n2, n1)), strict=True):
            wanted = margin
            if teacher is not None:
                seen = unit(teacher)
                gap = squared_distance(seen[x], seen[y]) - squared_distance(seen[a], seen[p])
                wanted = min(margin, gap)
                if wanted <= 0:
                    continue
            total += max(0.0, genuine - squared_distance(student[x], student[y]) + wanted)
    return total / len(rows)


@settings(deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 12), st.booleans())
def test_quadruplet_loss(seed: int, count: int, taught: bool) -> None:
    embeddings = embeddings_of(seed, 8)
    teacher = embeddings_of(seed + 1, 8, 7) if taught else None
    chosen = np.random.default_rng(seed).integers(0, 8, (count, 4))
    rows = [(int(a), int(p), int(n1), int(n2)) for a, p, n1, n2 in chosen]
    found = QuadrupletLoss(0.4, 0.2)(embeddings, quadruplets(*rows), teacher)
    wanted = slow_quadruplet_loss(embeddings, rows, (0.4, 0.2), teacher)
    assert found.item() == pytest.approx(wanted, abs=1e-5)


def test_quadruplet_loss_by_hand() -> None:
    # On a line of angles; squared distances are 2 - 2 cos.
    angles = torch.tensor([0.0, 0.5, 0.6, 1.0])
    embeddings = torch.stack([angles.cos(), angles.sin()], 1) * 3
    genuine, with_probe, without = (2 - 2 * np.cos(x) for x in (0.5, 0.6, 0.4))
    wanted = (genuine - with_probe + 0.4) + (genuine - without + 0.2)
    found = QuadrupletLoss(0.4, 0.2)(embeddings, quadruplets((0, 1, 2, 3)))
    assert found.item() == pytest.approx(wanted, abs=1e-6)


def test_quadruplets_beyond_the_margins_cost_nothing() -> None:
    embeddings = torch.eye(4)[[0, 0, 1, 2]].requires_grad_()
    loss = QuadrupletLoss()(embeddings, quadruplets((0, 1, 2, 3)))
    assert loss.item() == 0
    loss.backward()
    assert embeddings.grad is not None
    assert not embeddings.grad.any()


def test_a_wrong_label_pushes_nothing_apart() -> None:
    """The teacher sees the "negatives" nearer than the positive: both margins are gone."""
    embeddings = embeddings_of(0, 4).requires_grad_()
    angles = torch.tensor([0.0, 2.0, 0.1, 0.2])
    teacher = torch.stack([angles.cos(), angles.sin()], 1)
    loss = QuadrupletLoss()(embeddings, quadruplets((0, 1, 2, 3)), teacher)
    assert loss.item() == 0
    loss.backward()
    assert embeddings.grad is not None
    assert not embeddings.grad.any()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("taught", [False, True])
def test_nothing_mined_is_a_differentiable_zero(dtype: torch.dtype, taught: bool) -> None:
    embeddings = embeddings_of(0, 6).to(dtype).requires_grad_()
    teacher = embeddings_of(1, 6) if taught else None
    loss = QuadrupletLoss()(embeddings, quadruplets(), teacher)
    assert loss.shape == ()
    assert loss.item() == 0
    loss.backward()
    assert embeddings.grad is not None
    assert not embeddings.grad.any()


@pytest.mark.parametrize("dtype", DTYPES)
def test_losses_take_any_precision_and_give_float32(dtype: torch.dtype) -> None:
    embeddings = embeddings_of(0, 6).to(dtype)
    rounded = embeddings.float()  # the oracle sees what the loss sees
    rows = [(0, 1, 2, 3), (4, 5, 0, 2)]
    found = QuadrupletLoss()(embeddings, quadruplets(*rows))
    assert found.dtype == torch.float32
    assert found.item() == pytest.approx(slow_quadruplet_loss(rounded, rows, (0.4, 0.2)), abs=1e-5)
    distilled = DistillationLoss()(embeddings, embeddings_of(1, 6))
    assert distilled.dtype == torch.float32
    wanted = slow_distillation_loss(rounded, embeddings_of(1, 6), 5.0)
    assert distilled.item() == pytest.approx(wanted, abs=1e-5)


def test_the_gradient_is_the_losss_slope() -> None:
    rows = [(0, 1, 2, 3), (1, 0, 4, 5)]
    embeddings = embeddings_of(3, 6).requires_grad_()
    QuadrupletLoss(2.0, 1.0)(embeddings, quadruplets(*rows)).backward()
    assert embeddings.grad is not None
    for row, column in itertools.product(range(6), range(5)):
        step = torch.zeros(6, 5, dtype=torch.float64)
        step[row, column] = 1e-5
        start = embeddings.detach().double()
        high = slow_quadruplet_loss(start + step, rows, (2.0, 1.0))
        low = slow_quadruplet_loss(start - step, rows, (2.0, 1.0))
        slope = (high - low) / 2e-5
        assert embeddings.grad[row, column].item() == pytest.approx(slope, abs=1e-4)


@pytest.mark.parametrize(
    ("margin1", "margin2"),
    [(0.1, 0.2), (0.2, -0.1), (-0.1, -0.2), (float("nan"), 0.1), (0.1, float("nan"))],
)
def test_margins_out_of_order(margin1: float, margin2: float) -> None:
    with pytest.raises(ValueError, match="margin1 >= margin2 >= 0"):
        QuadrupletLoss(margin1, margin2)


@pytest.mark.parametrize(("margin1", "margin2"), [(0.0, 0.0), (0.3, 0.3), (4.0, 0.0)])
def test_margins_in_order(margin1: float, margin2: float) -> None:
    assert QuadrupletLoss(margin1, margin2).margin1 == margin1


def slow_distillation_loss(embeddings: Tensor, targets: Tensor, weight: float) -> float:
    student, teacher = unit(embeddings), unit(targets)
    count = len(student)

    def dot(a: list[float], b: list[float]) -> float:
        return sum(x * y for x, y in zip(a, b, strict=True))

    points = sum(1 - dot(s, t) for s, t in zip(student, teacher, strict=True)) / count
    relations = [
        (dot(student[i], student[j]) - dot(teacher[i], teacher[j])) ** 2
        for i, j in itertools.permutations(range(count), 2)
    ]
    return points + weight * sum(relations) / len(relations)


@settings(deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 9), st.sampled_from([0.0, 1.0, 5.0]))
def test_distillation_loss(seed: int, count: int, weight: float) -> None:
    embeddings, targets = embeddings_of(seed, count), embeddings_of(seed + 1, count)
    found = DistillationLoss(weight)(embeddings, targets)
    wanted = slow_distillation_loss(embeddings, targets, weight)
    assert found.item() == pytest.approx(wanted, abs=1e-5)


def test_a_student_that_is_its_teacher_has_no_loss() -> None:
    targets = embeddings_of(0, 6)
    assert DistillationLoss()(targets * 3, targets).item() == pytest.approx(0, abs=1e-6)
    assert teacher_similarity(targets * 3, targets).item() == pytest.approx(1)
    assert teacher_similarity(-targets, targets).item() == pytest.approx(-1)


def test_batch_hard_is_the_mining_of_that_name() -> None:
    embeddings, labels = embeddings_of(0, 9), torch.arange(9) % 3
    wanted = mine_quadruplets(Mining.BATCH_HARD, pool_of(embeddings, labels), torch.Generator())
    assert rows_of(batch_hard(embeddings, labels)) == rows_of(wanted)
    assert len(rows_of(wanted)) == 9


def test_a_collapsed_network_costs_the_sum_of_margins() -> None:
    embeddings = torch.ones(6, 4)
    found = batch_hard(embeddings, torch.tensor([0, 0, 1, 1, 2, 2]))
    assert QuadrupletLoss(0.4, 0.2)(embeddings, found).item() == pytest.approx(0.6)


def slow_relational_loss(embeddings: Tensor, targets: Tensor) -> float:
    def huber(x: float) -> float:
        return x * x / 2 if abs(x) < 1 else abs(x) - 0.5

    def cosine_at(a: list[float], apex: list[float], b: list[float]) -> float:
        u = [x - y for x, y in zip(a, apex, strict=True)]
        v = [x - y for x, y in zip(b, apex, strict=True)]
        dot = sum(x * y for x, y in zip(u, v, strict=True))
        return dot / (squared_distance(a, apex) * squared_distance(b, apex)) ** 0.5

    relations = []
    for points in (unit(embeddings), unit(targets)):
        distances = [squared_distance(a, b) ** 0.5 for a, b in itertools.combinations(points, 2)]
        mean = sum(distances) / len(distances)
        angles = [cosine_at(a, j, b) for a, j, b in itertools.permutations(points, 3)]
        relations.append(([d / mean for d in distances], angles))
    total = 0.0
    for weight, ours, theirs in zip((1.0, 2.0), *relations, strict=True):
        differences = [huber(x - y) for x, y in zip(ours, theirs, strict=True)]
        total += weight * sum(differences) / max(1, len(differences))
    return total


@settings(max_examples=25)
@given(st.integers(0, 10_000), st.integers(2, 7))
def test_relational_loss(seed: int, count: int) -> None:
    embeddings, targets = embeddings_of(seed, count), embeddings_of(seed + 1, count, 8)
    with torch.autocast("cpu", torch.bfloat16):
        found = RelationalLoss()(embeddings, targets)
    assert found.dtype == torch.float32
    assert found.item() == pytest.approx(slow_relational_loss(embeddings, targets), abs=1e-4)
    assert RelationalLoss()(targets * 3, targets).item() == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("count", [0, 1, 2, 6])
@pytest.mark.parametrize("value", [0.0, 1.0])
def test_relational_loss_of_points_without_relations(count: int, value: float) -> None:
    embeddings = torch.full((count, 4), value, requires_grad=True)
    loss = RelationalLoss()(embeddings, embeddings_of(0, count))
    loss.backward()
    assert loss.isfinite()
    assert embeddings.grad is not None
    assert embeddings.grad.isfinite().all()
