"""Every loss on pairs, triplets, quadruplets and classes against a loop over its tuples."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from tuple_oracles import DISTANCES, columns_of, distance_of, embeddings_of, unit

from facematch.training.choices import LossName, TrainingDistance
from facematch.training.losses import (
    ClassificationLoss,
    ContrastiveLoss,
    Margins,
    MarginSampleMiningLoss,
    Outcome,
    QuadrupletDistillationLoss,
    QuadrupletLoss,
    TripletLoss,
    TwoAnchorLoss,
    adaptive_margins,
)
from facematch.training.mining import Pairs, Quadruplets, Triplets, pair_statistics, pool_of
from facematch.training.pair_distances import tuple_distances, unit_vectors

CROPS = 8
Row = tuple[int, int, int, int]
Distance = Callable[[int, int], float]  # of two crops, by number


def softplus(x: float) -> float:
    return math.log1p(math.exp(x))


def relu(x: float) -> float:
    return max(0.0, x)


@dataclass(frozen=True)
class Case:
    """One loss: as it is called, and as sums over rows of four numbers.

    Attributes:
        evaluate: (embeddings, rows, distance, soft, teacher) -> what the loss says.
        terms: (row, student's distance, teacher's distance) -> what the hinges are applied to.
        terms_at_zero: the same of a collapsed network.
    """

    evaluate: Callable[[Tensor, list[Row], TrainingDistance, bool, Tensor], Outcome]
    terms: Callable[[Row, Distance, Distance], Sequence[float]]
    terms_at_zero: tuple[float, ...] | None


def quadruplets(rows: list[Row]) -> Quadruplets:
    return Quadruplets(*columns_of(list(rows), 4))


def triplets(rows: list[Row]) -> Triplets:
    return Triplets(*columns_of([row[:3] for row in rows], 3))


def triplet_terms(row: Row, d: Distance, t: Distance) -> Sequence[float]:
    a, p, n, _ = row
    return [d(a, p) - d(a, n) + 0.3]


def quadruplet_terms(row: Row, d: Distance, t: Distance) -> Sequence[float]:
    a, p, n1, n2 = row
    return [d(a, p) - d(a, n1) + 0.4, d(a, p) - d(n2, n1) + 0.2]


def limited_terms(row: Row, d: Distance, t: Distance) -> Sequence[float]:
    a, p, n1, n2 = row
    terms = []
    for margin, x, y in ((0.4, a, n1), (0.2, n2, n1)):
        wanted = min(margin, t(x, y) - t(a, p))
        terms.append(d(a, p) - d(x, y) + wanted if wanted > 0 else -math.inf)
    return terms


def distilled_terms(row: Row, d: Distance, t: Distance) -> Sequence[float]:
    a, p, n1, n2 = row
    terms = []
    for margin, x, y in ((0.4, a, n1), (0.2, n2, n1)):
        seen, gap = t(x, y) - t(a, p), d(x, y) - d(a, p)
        terms.append(min(abs(seen), margin) - math.copysign(1, seen) * gap if seen else 0.0)
    return terms


def two_anchor_terms(row: Row, d: Distance, t: Distance) -> Sequence[float]:
    a1, a2, n1, n2 = row
    return [
        d(a1, a2) - d(a1, n1) + 0.4,
        d(a1, a2) - d(n1, n2) + 0.2,
        d(a2, a1) - d(a2, n2) + 0.4,
        d(a2, a1) - d(n2, n1) + 0.2,
    ]


CASES = {
    "triplet": Case(
        lambda x, rows, d, soft, t: TripletLoss(0.3, d, soft).evaluate(x, triplets(rows)),
        triplet_terms,
        (0.3,),
    ),
    "quadruplet": Case(
        lambda x, rows, d, soft, t: QuadrupletLoss(0.4, 0.2, d, soft).evaluate(
            x, quadruplets(rows)
        ),
        quadruplet_terms,
        (0.4, 0.2),
    ),
    "quadruplet with a teacher": Case(
        lambda x, rows, d, soft, t: QuadrupletLoss(0.4, 0.2, d, soft).evaluate(
            x, quadruplets(rows), t
        ),
        limited_terms,
        None,
    ),
    "quadruplet distillation": Case(
        lambda x, rows, d, soft, t: QuadrupletDistillationLoss(0.4, 0.2, d, soft).evaluate(
            x, quadruplets(rows), t
        ),
        distilled_terms,
        None,
    ),
    "two anchors": Case(
        lambda x, rows, d, soft, t: TwoAnchorLoss(0.4, 0.2, d, soft).evaluate(x, quadruplets(rows)),
        two_anchor_terms,
        (0.4, 0.2, 0.4, 0.2),
    ),
}
case = pytest.mark.parametrize("name", CASES)


def rows_from(seed: int, count: int) -> list[Row]:
    """Any four different crops: losses do not look at labels."""
    rng = np.random.default_rng(seed)
    drawn = [rng.permutation(CROPS)[:4].tolist() for _ in range(count)]
    return [(a, b, c, d) for a, b, c, d in drawn]


def distances_among(embeddings: Tensor, distance: TrainingDistance) -> Distance:
    points = unit(embeddings)
    return lambda i, j: distance_of(points[i], points[j], distance)


@case
@settings(max_examples=25)
@given(
    seed=st.integers(0, 10_000),
    count=st.integers(1, 14),
    distance=st.sampled_from(DISTANCES),
    soft=st.booleans(),
)
def test_losses(name: str, seed: int, count: int, distance: TrainingDistance, soft: bool) -> None:
    embeddings, teacher = embeddings_of(seed, CROPS), embeddings_of(seed + 1, CROPS, 7)
    rows = rows_from(seed, count)
    found = CASES[name].evaluate(embeddings, rows, distance, soft, teacher)
    student, taught = (distances_among(x, distance) for x in (embeddings, teacher))
    terms = [CASES[name].terms(row, student, taught) for row in rows]
    hinge = softplus if soft else relu
    wanted = sum(hinge(x) for row in terms for x in row) / count
    assert found.loss.item() == pytest.approx(wanted, abs=1e-5)
    share = sum(any(x > 0 for x in row) for row in terms) / count
    assert found.active.item() == pytest.approx(share)


def slow_contrastive(rows: list[tuple[int, int, bool]], d: Distance, margin: float) -> float:
    genuine = [d(i, j) ** 2 / 2 for i, j, same in rows if same]
    impostor = [relu(margin - d(i, j)) ** 2 / 2 for i, j, same in rows if not same]
    return sum(sum(part) / len(part) for part in (genuine, impostor) if part)


def slow_margin_sample(
    rows: list[tuple[int, int, bool]], d: Distance, margin: float, soft: bool
) -> float:
    genuine = [d(i, j) for i, j, same in rows if same]
    impostor = [d(i, j) for i, j, same in rows if not same]
    if not genuine or not impostor:
        return 0.0
    return (softplus if soft else relu)(max(genuine) - min(impostor) + margin)


@settings(max_examples=60)
@given(
    seed=st.integers(0, 10_000),
    count=st.integers(0, 20),
    distance=st.sampled_from(DISTANCES),
    soft=st.booleans(),
)
def test_losses_on_pairs(seed: int, count: int, distance: TrainingDistance, soft: bool) -> None:
    embeddings = embeddings_of(seed, CROPS)
    same = np.random.default_rng(seed).random(count) < 0.4
    rows = [(a, b, bool(s)) for (a, b, *_), s in zip(rows_from(seed, count), same, strict=True)]
    first, second = columns_of([row[:2] for row in rows], 2)
    pairs = Pairs(first, second, torch.tensor(same))
    d = distances_among(embeddings, distance)
    contrastive = ContrastiveLoss(0.9, distance).evaluate(embeddings, pairs)
    assert contrastive.loss.item() == pytest.approx(slow_contrastive(rows, d, 0.9), abs=1e-5)
    active = [s or d(i, j) < 0.9 for i, j, s in rows]
    assert contrastive.active.item() == pytest.approx(sum(active) / max(1, count))
    found = MarginSampleMiningLoss(0.3, distance, soft)(embeddings, pairs)
    wanted = slow_margin_sample(rows, d, 0.3, soft)
    assert found.item() == pytest.approx(wanted, abs=1e-5)


def slow_classification(
    head: ClassificationLoss, embeddings: Tensor, labels: list[int]
) -> tuple[float, float]:
    losses, wrong = [], []
    weights = head.weight.detach()
    for x, y in zip(embeddings, labels, strict=True):
        if y < 0:
            continue
        if head.form is LossName.SOFTMAX:
            assert head.bias is not None
            plain = [float(x.double() @ w.double()) for w in weights]
            plain = [v + float(b) for v, b in zip(plain, head.bias.detach(), strict=True)]
            logits = list(plain)
        else:
            (point,) = unit(x[None])
            plain = [sum(a * b for a, b in zip(point, w, strict=True)) for w in unit(weights)]
            logits = [head.scale * c for c in plain]
            angle = math.acos(min(1.0, max(-1.0, plain[y])))
            if head.form is LossName.COSFACE:
                logits[y] = head.scale * (plain[y] - head.margin)
            elif angle + head.margin <= math.pi:
                logits[y] = head.scale * math.cos(angle + head.margin)
            else:
                logits[y] = head.scale * (plain[y] - head.margin * math.sin(head.margin))
        highest = max(logits)
        losses.append(highest + math.log(sum(math.exp(v - highest) for v in logits)) - logits[y])
        wrong.append(max(range(len(plain)), key=plain.__getitem__) != y)
    count = max(1, len(losses))
    return sum(losses) / count, sum(wrong) / count


@pytest.mark.parametrize("form", [LossName.SOFTMAX, LossName.COSFACE, LossName.ARCFACE])
@pytest.mark.parametrize("labels", [[0, 3, 1, -1, 2, 3], [-1] * 6])
def test_classification(form: LossName, labels: list[int]) -> None:
    torch.manual_seed(0)
    head = ClassificationLoss(form, 4, 5)
    if head.bias is not None:
        torch.nn.init.normal_(head.bias)
    embeddings = embeddings_of(1, 6)
    embeddings[4] = -head.weight[2].detach()  # the angle is pi, and more than that with a margin
    embeddings.requires_grad_()
    found = head.evaluate(embeddings, torch.tensor(labels))
    loss, wrong = slow_classification(head, embeddings.detach(), labels)
    assert found.loss.item() == pytest.approx(loss, rel=1e-4, abs=1e-5)
    assert found.active.item() == pytest.approx(wrong)
    found.loss.backward()
    for gradient in (embeddings.grad, head.weight.grad):
        assert gradient is not None
        assert gradient.isfinite().all()
        assert bool(gradient.any()) == (max(labels) >= 0)


@pytest.mark.parametrize(
    ("form", "margin"),
    [
        (LossName.SOFTMAX, 0.1),
        (LossName.COSFACE, -0.1),
        (LossName.ARCFACE, 1.1),
        (LossName.ARCFACE, float("nan")),
    ],
)
def test_margins_of_classification(form: LossName, margin: float) -> None:
    with pytest.raises(ValueError, match="margin of"):
        ClassificationLoss(form, 4, 5, margin)


def test_a_form_that_classifies_nothing() -> None:
    with pytest.raises(ValueError, match="choose from softmax, cosface, arcface"):
        ClassificationLoss(LossName.TRIPLET, 4, 5)


def all_losses(
    embeddings: Tensor, rows: list[Row], distance: TrainingDistance, soft: bool, teacher: Tensor
) -> dict[str, Tensor]:
    """Every loss on one list of tuples; of pairs, the first two and the last two of a row."""
    first, second = columns_of([r[:2] for r in rows] + [r[2:] for r in rows], 2)
    pairs = Pairs(first, second, torch.arange(2 * len(rows)) < len(rows))
    found = {
        name: c.evaluate(embeddings, rows, distance, soft, teacher).loss
        for name, c in CASES.items()
    }
    found["contrastive"] = ContrastiveLoss(1.0, distance)(embeddings, pairs)
    found["margin sample mining"] = MarginSampleMiningLoss(0.3, distance, soft)(embeddings, pairs)
    return found


EDGES = {
    "nothing mined": (embeddings_of(0, CROPS), []),
    "one point": (torch.ones(CROPS, 5), rows_from(0, 3)),
    "one point, many tuples": (embeddings_of(0, 1).expand(CROPS, 5).clone(), rows_from(0, 20)),
    "no length": (torch.zeros(CROPS, 5), rows_from(0, 3)),
    "no length, many tuples": (torch.zeros(CROPS, 5), rows_from(0, 20)),
    "nearly one point": (1 + 1e-7 * embeddings_of(0, CROPS), rows_from(0, 20)),
    "tiny": (1e-20 * embeddings_of(0, CROPS), rows_from(0, 20)),
    "huge": (1e15 * embeddings_of(0, CROPS), rows_from(0, 3)),
}


@pytest.mark.parametrize("edge", EDGES)
@pytest.mark.parametrize("soft", [False, True])
@pytest.mark.parametrize("distance", DISTANCES)
def test_loss_and_gradient_stay_finite(edge: str, distance: TrainingDistance, soft: bool) -> None:
    values, rows = EDGES[edge]
    for name in all_losses(values, rows, distance, soft, embeddings_of(1, CROPS)):
        embeddings = values.clone().requires_grad_()
        loss = all_losses(embeddings, rows, distance, soft, embeddings_of(1, CROPS))[name]
        loss.backward()
        assert loss.isfinite(), name
        assert embeddings.grad is not None
        assert embeddings.grad.isfinite().all(), name
        if not rows:
            assert loss.item() == 0, name
            assert not embeddings.grad.any(), name
        if edge.startswith("no length"):  # there is no direction to turn to
            assert not embeddings.grad.any(), name


@pytest.mark.parametrize("name", [n for n, c in CASES.items() if c.terms_at_zero is not None])
@pytest.mark.parametrize("soft", [False, True])
@pytest.mark.parametrize("distance", DISTANCES)
def test_what_a_collapsed_network_costs(name: str, distance: TrainingDistance, soft: bool) -> None:
    wanted = CASES[name].terms_at_zero
    assert wanted is not None
    found = CASES[name].evaluate(
        torch.ones(CROPS, 5), rows_from(0, 5), distance, soft, torch.ones(CROPS, 5)
    )
    assert found.loss.item() == pytest.approx(sum(map(softplus if soft else relu, wanted)))
    assert found.active.item() == 1


@case
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
@pytest.mark.parametrize("autocast", [False, True])
@pytest.mark.parametrize("count", [2, 20])
def test_any_precision_gives_float32(
    name: str, dtype: torch.dtype, autocast: bool, count: int
) -> None:
    embeddings, rows = embeddings_of(2, CROPS).to(dtype).requires_grad_(), rows_from(2, count)
    teacher, distance = embeddings_of(3, CROPS), TrainingDistance.SQUARED_EUCLIDEAN
    with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
        found = CASES[name].evaluate(embeddings, rows, distance, False, teacher)
    student, taught = (distances_among(x.detach(), distance) for x in (embeddings, teacher))
    terms = [CASES[name].terms(row, student, taught) for row in rows]
    assert found.loss.dtype == torch.float32
    wanted = sum(relu(x) for row in terms for x in row) / count
    assert found.loss.item() == pytest.approx(wanted, abs=1e-5)
    found.loss.backward()
    assert embeddings.grad is not None
    assert embeddings.grad.dtype == dtype


@pytest.mark.parametrize("distance", DISTANCES)
def test_picking_from_all_products_is_the_same(distance: TrainingDistance) -> None:
    """Many pairs take another way than few; values and gradients must agree."""
    base = torch.cat([embeddings_of(0, 6), torch.zeros(1, 5), embeddings_of(0, 1) + 1e-3])
    first, second = (x.flatten() for x in torch.meshgrid(*[torch.arange(8)] * 2, indexing="ij"))
    outcomes = []
    for slices in ([slice(0, 64)], [slice(i, i + 8) for i in range(0, 64, 8)]):
        embeddings = base.clone().requires_grad_()
        rows = unit_vectors(embeddings)
        found = torch.cat(
            [tuple_distances(rows, distance, (first[s], second[s]))[0] for s in slices]
        )
        (found * torch.linspace(-1, 1, 64)).sum().backward()
        outcomes.append((found.detach(), embeddings.grad))
    torch.testing.assert_close(outcomes[0], outcomes[1], atol=2e-6, rtol=2e-3)


def test_gradients_are_slopes() -> None:
    """Of each loss, in each direction, on each distance."""
    rows = rows_from(5, 3)
    teacher = embeddings_of(6, CROPS)
    for distance in DISTANCES:
        for name in all_losses(embeddings_of(5, CROPS), rows, distance, True, teacher):
            embeddings = embeddings_of(5, CROPS).requires_grad_()
            all_losses(embeddings, rows, distance, True, teacher)[name].backward()
            assert embeddings.grad is not None
            direction = embeddings_of(7, CROPS)
            ends = [
                all_losses(embeddings.detach() + h * direction, rows, distance, True, teacher)[name]
                for h in (1e-3, -1e-3)
            ]
            slope = (ends[0] - ends[1]).item() / 2e-3
            found = (embeddings.grad * direction).sum().item()
            assert found == pytest.approx(slope, abs=2e-3, rel=1e-2), (name, distance)


def test_the_teacher_gets_no_gradient() -> None:
    embeddings = embeddings_of(0, CROPS).requires_grad_()
    teacher = embeddings_of(1, CROPS).requires_grad_()
    for name in ("quadruplet with a teacher", "quadruplet distillation"):
        CASES[name].evaluate(
            embeddings, rows_from(0, 9), TrainingDistance.COSINE, False, teacher
        ).loss.backward()
    assert embeddings.grad is not None
    assert embeddings.grad.any()
    assert teacher.grad is None


def test_distillation_ends_where_the_student_has_its_teachers_order() -> None:
    teacher = embeddings_of(1, CROPS)
    loss = QuadrupletDistillationLoss(0.4, 0.2)
    assert loss(teacher * 3, quadruplets(rows_from(0, 20)), teacher).item() == pytest.approx(
        0, abs=1e-6
    )


@pytest.mark.parametrize("distance", DISTANCES)
def test_adaptive_margins(distance: TrainingDistance) -> None:
    labels = torch.arange(9) // 3
    embeddings = (embeddings_of(0, 3)[labels] + 0.3 * embeddings_of(1, 9)).requires_grad_()
    d = distances_among(embeddings.detach(), distance)
    pairs = [(i, j) for i in range(9) for j in range(i)]
    genuine = [d(i, j) for i, j in pairs if labels[i] == labels[j]]
    impostor = [d(i, j) for i, j in pairs if labels[i] != labels[j]]
    wanted = sum(impostor) / len(impostor) - sum(genuine) / len(genuine)
    assert wanted > 0
    margins = adaptive_margins(pair_statistics(pool_of(embeddings, labels), distance))
    assert margins.margin1.item() == pytest.approx(wanted, abs=1e-5)
    assert margins.margin2.item() == pytest.approx(wanted / 2, abs=1e-5)
    assert not margins.margin1.requires_grad
    # A fresh network may have genuine pairs farther apart than impostors.
    turned = pair_statistics(pool_of(embeddings, torch.arange(9) % 3), distance)
    assert adaptive_margins(turned).margin1.item() == 0


@settings(max_examples=25)
@given(st.integers(0, 10_000), st.floats(0, 2), st.sampled_from(["triplet", "two", "four"]))
def test_averages_over_what_falls_short(seed: int, margin: float, which: str) -> None:
    embeddings, rows = embeddings_of(seed, CROPS), rows_from(seed, 9)
    distance = TrainingDistance.SQUARED_EUCLIDEAN
    margins = Margins(torch.tensor(margin), torch.tensor(margin / 2))
    d = distances_among(embeddings, distance)
    if which == "triplet":
        found = TripletLoss().evaluate(embeddings, triplets(rows), margins, active_only=True)
        terms = [[d(a, p) - d(a, n) + margin] for a, p, n, _ in rows]
    elif which == "two":
        found = QuadrupletLoss().evaluate(
            embeddings, quadruplets(rows), margins=margins, active_only=True
        )
        terms = [
            [d(a, p) - d(a, n1) + margin, d(a, p) - d(n1, n2) + margin / 2] for a, p, n1, n2 in rows
        ]
    else:
        found = TwoAnchorLoss().evaluate(embeddings, quadruplets(rows), margins, active_only=True)
        terms = [
            [
                d(a, p) - d(a, n1) + margin,
                d(a, p) - d(n1, n2) + margin / 2,
                d(a, p) - d(p, n2) + margin,
                d(a, p) - d(n1, n2) + margin / 2,
            ]
            for a, p, n1, n2 in rows
        ]
    columns = [[x for x in column if x > 0] for column in zip(*terms, strict=True)]
    wanted = sum(sum(c) / len(c) for c in columns if c)
    assert found.loss.item() == pytest.approx(wanted, abs=1e-5)


@settings(max_examples=25)
@given(st.integers(0, 10_000), st.sampled_from(DISTANCES))
def test_numbering_of_crops_and_tuples_does_not_matter(
    seed: int, distance: TrainingDistance
) -> None:
    embeddings, teacher = embeddings_of(seed, CROPS), embeddings_of(seed, CROPS, 3)
    rows = rows_from(seed, 12)
    order = torch.randperm(CROPS, generator=torch.Generator().manual_seed(seed))
    place = order.argsort().tolist()
    moved = [(place[a], place[b], place[c], place[d]) for a, b, c, d in reversed(rows)]
    straight = all_losses(embeddings, rows, distance, False, teacher)
    shuffled = all_losses(embeddings[order], moved, distance, False, teacher[order])
    for name, loss in straight.items():
        assert shuffled[name].item() == pytest.approx(loss.item(), abs=1e-5), name


@pytest.mark.parametrize("loss", [ContrastiveLoss, TripletLoss, MarginSampleMiningLoss])
@pytest.mark.parametrize("margin", [-0.1, float("nan")])
def test_negative_margins(loss: Callable[[float], object], margin: float) -> None:
    with pytest.raises(ValueError, match="must not be negative"):
        loss(margin)
