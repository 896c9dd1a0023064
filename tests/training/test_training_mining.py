"""Every way of mining against loops over all tuples."""

from __future__ import annotations

import itertools
import math
from collections import Counter

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from tuple_oracles import embeddings_of, pair_rows, rows_of, squared_distance, unit

from facematch.training.choices import MINERS, Mining, TrainingDistance
from facematch.training.mining import (
    Pool,
    mine_pairs,
    mine_quadruplets,
    mine_triplets,
    pair_statistics,
    pool_of,
)
from facematch.training.mining.draws import ranks
from facematch.training.mining.selection import weighted

BY_DISTANCE = [Mining.SEMI_HARD, Mining.BATCH_HARD, Mining.EASY_POSITIVE]
DRAWN = [Mining.RANDOM, Mining.DISTANCE_WEIGHTED]
MINED = [mining for mining in Mining if mining is not Mining.NONE]

batches = st.tuples(
    st.integers(0, 10_000),
    st.lists(st.integers(-1, 4), min_size=1, max_size=14),
    st.integers(0, 14),
)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def every_triplet(labels: list[int], anchors: int) -> list[tuple[int, ...]]:
    crops = range(len(labels))
    return [
        (a, p, n)
        for a, p, n in itertools.product(range(anchors), crops, crops)
        if labels[a] == labels[p] >= 0 and a != p and 0 <= labels[n] != labels[a]
    ]


def every_quadruplet(labels: list[int], anchors: int) -> list[tuple[int, ...]]:
    return [
        (a, p, n1, n2)
        for a, p, n1 in every_triplet(labels, anchors)
        for n2 in range(len(labels))
        if labels[n2] >= 0 and labels[n2] not in (labels[a], labels[n1])
    ]


class Slow:
    """One tuple at a time, from the definitions in the package's docstring."""

    def __init__(self, embeddings: Tensor, labels: list[int], anchors: int) -> None:
        points = unit(embeddings)
        self.distances = [[squared_distance(x, y) for y in points] for x in points]
        self.labels = labels
        self.anchors = anchors

    def positives(self, mining: Mining) -> list[tuple[int, int]]:
        pairs = []
        for a in range(self.anchors):
            others = [
                p for p, label in enumerate(self.labels) if label == self.labels[a] >= 0 and p != a
            ]
            if others and mining is Mining.BATCH_HARD:
                others = [max(others, key=lambda p: self.distances[a][p])]
            elif others and mining is Mining.EASY_POSITIVE:
                others = [min(others, key=lambda p: self.distances[a][p])]
            pairs += [(a, p) for p in others]
        return pairs

    def negative(self, mining: Mining, a: int, p: int, of: int, apart: set[int]) -> int | None:
        found = [n for n, label in enumerate(self.labels) if label >= 0 and label not in apart]
        if mining is Mining.SEMI_HARD:
            found = [n for n in found if self.distances[of][n] > self.distances[a][p]]
        return min(found, key=lambda n: self.distances[of][n], default=None)

    def triplets(self, mining: Mining) -> list[tuple[int, ...]]:
        rows: list[tuple[int, ...]] = []
        for a, p in self.positives(mining):
            n = self.negative(mining, a, p, a, {self.labels[a]})
            if n is not None:
                rows.append((a, p, n))
        return rows

    def quadruplets(self, mining: Mining) -> list[tuple[int, ...]]:
        rows: list[tuple[int, ...]] = []
        for a, p, n1 in self.triplets(mining):
            n2 = self.negative(mining, a, p, n1, {self.labels[a], self.labels[n1]})
            if n2 is not None:
                rows.append((a, p, n1, n2))
        return rows


def pool_from(seed: int, labels: list[int], anchors: int) -> tuple[Tensor, Pool]:
    embeddings = embeddings_of(seed, len(labels))
    return embeddings, pool_of(embeddings, torch.tensor(labels), anchors)


@settings(max_examples=60)
@given(batches, st.sampled_from(BY_DISTANCE))
def test_mining_by_distance(batch: tuple[int, list[int], int], mining: Mining) -> None:
    seed, labels, anchors = batch[0], batch[1], min(batch[2], len(batch[1]))
    embeddings, pool = pool_from(seed, labels, anchors)
    slow = Slow(embeddings, labels, anchors)
    triplets = slow.triplets(mining)
    assert rows_of(mine_triplets(mining, pool, seeded())) == triplets
    assert rows_of(mine_quadruplets(mining, pool, seeded())) == slow.quadruplets(mining)
    assert pair_rows(mine_pairs(mining, pool, seeded())) == [
        *((a, p, True) for a, p, _ in triplets),
        *((a, n, False) for a, _, n in triplets),
    ]


@settings(max_examples=60)
@given(batches, st.sampled_from([Mining.ALL, Mining.ADAPTIVE]))
def test_mining_all(batch: tuple[int, list[int], int], mining: Mining) -> None:
    seed, labels, anchors = batch[0], batch[1], min(batch[2], len(batch[1]))
    _, pool = pool_from(seed, labels, anchors)
    wanted = every_quadruplet(labels, anchors)
    assert sorted(rows_of(mine_triplets(mining, pool, seeded()))) == every_triplet(labels, anchors)
    assert sorted(rows_of(mine_quadruplets(mining, pool, seeded()))) == wanted
    assert sorted(pair_rows(mine_pairs(mining, pool, seeded()))) == [
        (i, j, labels[i] == labels[j])
        for i, j in itertools.combinations(range(len(labels)), 2)
        if i < anchors and labels[i] >= 0 and labels[j] >= 0
    ]


@settings(max_examples=60)
@given(batches, st.sampled_from(DRAWN))
def test_mining_by_chance(batch: tuple[int, list[int], int], mining: Mining) -> None:
    """Every genuine pair that can have negatives comes once, with some that fit."""
    seed, labels, anchors = batch[0], batch[1], min(batch[2], len(batch[1]))
    _, pool = pool_from(seed, labels, anchors)
    for found, fitting in (
        (mine_triplets(mining, pool, seeded(seed)), every_triplet(labels, anchors)),
        (mine_quadruplets(mining, pool, seeded(seed)), every_quadruplet(labels, anchors)),
    ):
        rows = rows_of(found)
        assert set(rows) <= set(fitting)
        pairs = [row[:2] for row in rows]
        assert len(pairs) == len(set(pairs))
        assert set(pairs) == {row[:2] for row in fitting}


def test_random_negatives_are_drawn_evenly() -> None:
    labels = [2, 0, -1, 0, 1, 1, 1, 2, 3]
    _, pool = pool_from(0, labels, 2)  # the only anchors: 0 (of identity 2) and 1 (of 0)
    generator = seeded()
    draws = 800
    seen: Counter[tuple[int, ...]] = Counter()
    for _ in range(draws):
        seen.update(rows_of(mine_quadruplets(Mining.RANDOM, pool, generator)))
    first = Counter[int]()
    for (a, _, n1, _), count in seen.items():
        if a == 1:
            first[n1] += count
    assert set(first) == {0, 4, 5, 6, 7, 8}
    assert all(abs(count - draws / 6) < 5 * math.sqrt(draws / 6) for count in first.values())
    # After a first negative of identity 1, the second is one of three.
    second = Counter({row[3]: count for row, count in seen.items() if row[0] == 1 and row[2] == 4})
    assert set(second) == {0, 7, 8}
    third = second.total() / 3
    assert all(abs(count - third) < 5 * math.sqrt(third) for count in second.values())


def test_distance_weighting_follows_its_density() -> None:
    dimensions = 16
    lengths = torch.tensor([0.2, 0.5, 0.6, 0.9, 1.2, 1.4, 1.9])
    allowed = torch.tensor([True, False, True, True, True, True, True])
    draws = 30_000

    def weight(length: float) -> float:
        length = min(max(length, 0.5), 1.4)
        density = length ** (dimensions - 2) * (1 - length**2 / 4) ** ((dimensions - 3) / 2)
        return 1 / density

    weights = [weight(float(x)) if ok else 0.0 for x, ok in zip(lengths, allowed, strict=True)]
    column, usable = weighted(
        lengths.square().expand(draws, -1).contiguous(),
        allowed.expand(draws, -1),
        torch.zeros(draws),
        seeded(),
        dimensions,
    )
    assert usable.all()
    seen = torch.bincount(column, minlength=7).tolist()
    for count, w in zip(seen, weights, strict=True):
        expected = draws * w / sum(weights)
        assert abs(count - expected) <= 5 * math.sqrt(expected)


@settings(max_examples=40)
@given(st.integers(0, 10**12), st.integers(1, 200), st.integers(0, 1000))
def test_ranks_are_an_even_sample(total: int, maximum: int, seed: int) -> None:
    if total <= maximum:
        found = ranks(total, maximum, seeded(seed), torch.device("cpu")).tolist()
        assert found == list(range(total))
        return
    found = ranks(total, maximum, seeded(seed), torch.device("cpu")).tolist()
    assert len(found) == maximum
    for number, rank in enumerate(found):  # one of each stretch, so none comes twice
        assert number * total // maximum <= rank < (number + 1) * total // maximum


@pytest.mark.parametrize("mining", MINED)
def test_no_more_than_the_maximum(mining: Mining) -> None:
    labels = [i // 4 for i in range(24)]
    _, pool = pool_from(3, labels, 24)
    triplets = rows_of(mine_triplets(mining, pool, seeded(), 10))
    quadruplets = rows_of(mine_quadruplets(mining, pool, seeded(), 10))
    pairs = pair_rows(mine_pairs(mining, pool, seeded(), 10))
    assert 1 <= len(triplets) == len(set(triplets)) <= 10
    assert 1 <= len(quadruplets) == len(set(quadruplets)) <= 10
    assert 1 <= len(pairs) <= 10
    assert set(triplets) <= set(every_triplet(labels, 24))
    assert set(quadruplets) <= set(every_quadruplet(labels, 24))


@pytest.mark.parametrize("mining", MINED)
def test_the_seed_decides(mining: Mining) -> None:
    _, pool = pool_from(3, [i // 4 for i in range(24)], 24)
    first, again, other = (
        rows_of(mine_quadruplets(mining, pool, seeded(seed), 200)) for seed in (5, 5, 6)
    )
    assert first == again
    assert (first == other) == (mining in BY_DISTANCE)


@pytest.mark.parametrize("mining", MINED)
@pytest.mark.parametrize(
    "labels",
    [
        pytest.param([], id="no crops"),
        pytest.param([0], id="one crop"),
        pytest.param([0, 0, 0], id="one identity"),
        pytest.param([0, 1, 2, 3], id="no positives"),
        pytest.param([-1, -1, 0, 1], id="crops without identity are not of one"),
        pytest.param([0, 0, -1, -1], id="nor of another"),
    ],
)
def test_batches_with_nothing_to_mine(mining: Mining, labels: list[int]) -> None:
    embeddings = embeddings_of(0, len(labels))
    pool = pool_of(embeddings, torch.tensor(labels, dtype=torch.int64))
    assert rows_of(mine_triplets(mining, pool, seeded())) == []
    assert rows_of(mine_quadruplets(mining, pool, seeded())) == []


@pytest.mark.parametrize("mining", MINED)
@pytest.mark.parametrize("value", [1.0, 0.0, float("nan")])
def test_collapsed_and_broken_networks_are_mined(mining: Mining, value: float) -> None:
    """Nothing mined would be a loss of zero, as of a network that has learned all."""
    pool = pool_of(torch.full((9, 4), value), torch.arange(9) // 3)
    found = rows_of(mine_quadruplets(mining, pool, seeded()))
    # Equal distances are not farther: by its definition there is nothing semi-hard.
    assert bool(found) == (mining is not Mining.SEMI_HARD or math.isnan(value))
    if not math.isnan(value):
        assert set(found) <= set(every_quadruplet([i // 3 for i in range(9)], 9))


@settings(max_examples=30)
@given(st.integers(0, 10_000), st.sampled_from([*BY_DISTANCE, Mining.ALL]))
def test_the_order_of_the_batch_does_not_matter(seed: int, mining: Mining) -> None:
    labels = torch.arange(12) // 3
    embeddings = embeddings_of(seed, 12)
    order = torch.randperm(12, generator=seeded(seed))
    straight = rows_of(mine_quadruplets(mining, pool_of(embeddings, labels), seeded()))
    shuffled = mine_quadruplets(mining, pool_of(embeddings[order], labels[order]), seeded())
    back = [tuple(int(order[i]) for i in row) for row in rows_of(shuffled)]
    assert sorted(back) == sorted(straight)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_mining_in_any_precision(dtype: torch.dtype) -> None:
    labels = [i // 3 for i in range(12)]
    embeddings = embeddings_of(1, 12).to(dtype)
    with torch.autocast("cpu", torch.bfloat16):
        pool = pool_of(embeddings, torch.tensor(labels))
        found = rows_of(mine_quadruplets(Mining.BATCH_HARD, pool, seeded()))
    assert found == Slow(embeddings, labels, 12).quadruplets(Mining.BATCH_HARD)


@settings(max_examples=30)
@given(batches, st.sampled_from(list(TrainingDistance)))
def test_statistics_of_pairs(batch: tuple[int, list[int], int], distance: TrainingDistance) -> None:
    seed, labels, anchors = batch[0], batch[1], min(batch[2], len(batch[1]))
    embeddings, pool = pool_from(seed, labels, anchors)
    slow = Slow(embeddings, labels, anchors)
    change = {
        TrainingDistance.EUCLIDEAN: math.sqrt,
        TrainingDistance.COSINE: lambda x: x / 2,
        TrainingDistance.SQUARED_EUCLIDEAN: lambda x: x,
    }[distance]
    pairs = [
        (change(slow.distances[i][j]), labels[i], labels[j])
        for i, j in itertools.combinations(range(anchors), 2)
    ]
    found = pair_statistics(pool, distance)

    def mean(values: list[float]) -> float:
        return sum(values) / len(values) if values else math.nan

    everything = [d for d, _, _ in pairs]
    centre = mean(everything)
    for value, wanted in (
        (found.genuine, mean([d for d, x, y in pairs if x == y >= 0])),
        (found.impostor, mean([d for d, x, y in pairs if x != y and min(x, y) >= 0])),
        (found.variance, mean([(d - centre) ** 2 for d in everything])),
    ):
        assert value.item() == pytest.approx(wanted, abs=2e-5, nan_ok=True)


@pytest.mark.parametrize(("count", "anchors"), [(3, None), (4, 5), (4, -1)])
def test_labels_and_anchors_must_match(count: int, anchors: int | None) -> None:
    with pytest.raises(ValueError, match="4 embeddings need as many labels"):
        pool_of(embeddings_of(0, 4), torch.zeros(count, dtype=torch.int64), anchors)


def test_every_way_is_described_and_mines_or_says_why_not() -> None:
    assert set(MINERS) == set(Mining)
    _, pool = pool_from(0, [0, 0, 1, 1, 2, 2], 6)
    for mine in (mine_pairs, mine_triplets, mine_quadruplets):
        for mining in MINED:
            assert len(mine(mining, pool, seeded())) > 0
        with pytest.raises(ValueError, match="mines no tuples"):
            mine(Mining.NONE, pool, seeded())
