"""Batches: which crops, in which order, on which rank."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facematch.training.sampling import (
    BatchSampler,
    DivisibleSampler,
    IdentityBatches,
    LookAlikeBatches,
    MixedBatches,
    Sharded,
    ShuffledBatches,
    SubsetBatches,
    apportion,
    balanced_batches,
    balanced_identity_batches,
)
from facematch.types import Float32Array

LABELS = np.array([5, 5, 5, 7, 7, 7, 7, 9, 9, 9, 4, 4, -1, -1, -1, -1, 8], np.int64)


@given(st.integers(1, 40), st.data(), st.integers(0, 1000))
def test_an_epoch_holds_every_crop_once(count: int, data: st.DataObject, seed: int) -> None:
    batch = data.draw(st.integers(1, count))
    sampler = ShuffledBatches(count, batch, seed)
    steps = count // batch
    for epoch in range(2):
        drawn = np.concatenate([sampler.indices(epoch * steps + i) for i in range(steps)])
        assert len(drawn) == steps * batch
        assert len(set(drawn.tolist())) == len(drawn)
        assert set(drawn.tolist()) <= set(range(count))


def test_epochs_and_seeds_differ() -> None:
    orders = [
        np.concatenate([ShuffledBatches(60, 20, seed).indices(3 * epoch + i) for i in range(3)])
        for seed, epoch in ((1, 0), (1, 1), (2, 0))
    ]
    assert len({tuple(order.tolist()) for order in orders}) == 3
    assert all(sorted(order.tolist()) == list(range(60)) for order in orders)


@pytest.mark.parametrize(("count", "batch"), [(10, 0), (10, 11), (0, 1), (10, -1)])
def test_impossible_batches(count: int, batch: int) -> None:
    with pytest.raises(ValueError, match="batch_size"):
        ShuffledBatches(count, batch, 0)


def test_identity_batches_are_p_times_k() -> None:
    sampler = IdentityBatches(LABELS, identities=3, crops=3, seed=1)
    seen = set()
    for step in range(50):
        drawn = sampler.indices(step)
        assert len(drawn) == len(set(drawn.tolist())) == 9
        groups = LABELS[drawn].reshape(3, 3)
        assert (groups == groups[:, :1]).all()
        assert set(groups[:, 0].tolist()) == {5, 7, 9}  # 4 and 8 have too few, -1 is nobody
        seen |= set(drawn.tolist())
    assert seen == set(range(10))


def test_too_few_identities() -> None:
    with pytest.raises(ValueError, match="4 identities with at least 3 crops, the data has 3"):
        IdentityBatches(LABELS, identities=4, crops=3, seed=1)


SOURCES = np.array([0, 0, 0, 0, 0, 1, 1, 0, 0, 1, 1, 1, 1, 1, 2, 2, 2], np.int64)


def centroids(seed: int, count: int = 10) -> Float32Array:
    return np.random.default_rng(seed).normal(size=(count, 4)).astype(np.float32)


def look_alikes(refreshed: bool = True) -> LookAlikeBatches:
    sampler = LookAlikeBatches(np.arange(40) % 10, 4, 2, seed=3, group=2)
    if refreshed:
        sampler.refresh(centroids(0), 0)
    return sampler


SAMPLERS: list[DivisibleSampler] = [
    ShuffledBatches(30, 7, 3),
    IdentityBatches(LABELS, 2, 3, 3),
    IdentityBatches(LABELS, 4, 5, 3, at_least=1),
    MixedBatches((IdentityBatches(LABELS, 2, 3, 3), ShuffledBatches(17, 4, 3))),
    SubsetBatches(ShuffledBatches(5, 2, 3), np.array([1, 4, 6, 9, 16])),
    balanced_batches(SOURCES, 6, 3),
    balanced_identity_batches(LABELS, SOURCES, 2, 2, 3, (1, 1, 0)),
    look_alikes(),
    look_alikes(refreshed=False),
]


every_sampler = pytest.mark.parametrize(
    "sampler", SAMPLERS, ids=lambda sampler: type(sampler).__name__
)


@every_sampler
def test_a_batch_depends_on_its_number_alone(sampler: BatchSampler) -> None:
    forward = [sampler.indices(step).tolist() for step in range(10)]
    backward = [sampler.indices(step).tolist() for step in reversed(range(10))]
    assert forward == backward[::-1]
    assert len({tuple(batch) for batch in forward}) > 1


def test_mixed_batches_keep_their_order() -> None:
    parts = (IdentityBatches(LABELS, 2, 3, 3), ShuffledBatches(17, 4, 3))
    drawn = MixedBatches(parts).indices(5)
    assert drawn.tolist() == [*parts[0].indices(5).tolist(), *parts[1].indices(5).tolist()]


def test_one_order_of_an_epoch_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    sampler = ShuffledBatches(30, 7, 3)
    wanted = [ShuffledBatches(30, 7, 3).indices(step).tolist() for step in range(4)]
    made: list[object] = []
    make = np.random.default_rng
    monkeypatch.setattr(np.random, "default_rng", lambda seed: (made.append(seed), make(seed))[1])
    assert [sampler.indices(step).tolist() for step in range(4)] == wanted
    assert made == [(3, 0)]


def test_a_batch_is_the_callers_to_change() -> None:
    sampler = ShuffledBatches(30, 7, 3)
    sampler.indices(0)[:] = 0
    assert len(set(sampler.indices(0).tolist())) == 7


def test_short_identities_repeat_their_crops_evenly() -> None:
    sampler = IdentityBatches(LABELS, identities=5, crops=5, seed=1, at_least=1)
    for step in range(20):
        groups = sampler.indices(step).reshape(5, 5)
        assert {int(label) for label in LABELS[groups[:, 0]]} == {4, 5, 7, 8, 9}
        for group in groups:
            assert len(set(LABELS[group].tolist())) == 1
            own = int(np.count_nonzero(LABELS[group[0]] == LABELS))
            seen = Counter(group.tolist())
            assert len(seen) == min(5, own)
            assert max(seen.values()) - min(seen.values()) <= 1


def test_every_crop_can_be_its_own_identity() -> None:
    drawn = IdentityBatches(np.arange(50), 8, 2, 1, at_least=1).indices(0).reshape(8, 2)
    assert (drawn[:, 0] == drawn[:, 1]).all()
    assert len(set(drawn[:, 0].tolist())) == 8


@pytest.mark.parametrize(
    ("identities", "crops", "at_least", "words"),
    [(0, 3, None, "empty"), (3, 0, 1, "empty"), (3, 3, 0, "at_least")],
)
def test_batches_of_nothing(identities: int, crops: int, at_least: int | None, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        IdentityBatches(LABELS, identities, crops, 1, at_least)


@given(
    st.integers(1, 300),
    st.lists(st.just(0.0) | st.floats(0.01, 10), min_size=1, max_size=6),
)
def test_parts_are_in_proportion(total: int, weights: list[float]) -> None:
    exact = [total * weight / max(sum(weights), 1e-9) for weight in weights]
    try:
        found = apportion(total, weights)
    except ValueError:
        assert sum(weights) == 0 or any(0 < part < 1 for part in exact)
        return
    assert sum(found) == total
    assert all(abs(part - wanted) < 1 for part, wanted in zip(found, exact, strict=True))
    assert all((part > 0) == (weight > 0) for part, weight in zip(found, weights, strict=True))


@pytest.mark.parametrize(
    ("total", "weights", "wanted"),
    [
        (10, (1, 1, 1), (4, 3, 3)),
        (7, (2, 1), (5, 2)),
        (8, (0.5, 0, 0.5), (4, 0, 4)),
        (5, (1e9, 1e9), (3, 2)),
    ],
)
def test_parts(total: int, weights: tuple[float, ...], wanted: tuple[int, ...]) -> None:
    assert apportion(total, weights) == wanted


@pytest.mark.parametrize(
    ("weights", "words"),
    [
        ((), "weights must"),
        ((0, 0), "weights must"),
        ((1, -1), "weights must"),
        ((1, float("nan")), "weights must"),
        ((1, float("inf")), "weights must"),
        ((1000, 1), "too small"),
    ],
)
def test_impossible_weights(weights: tuple[float, ...], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        apportion(8, weights)


def test_each_source_has_its_part_and_its_own_epochs() -> None:
    sources = np.repeat([0, 1, 2], [40, 6, 10])
    sampler = balanced_batches(sources, 8, seed=1, weights=(2, 1, 1))
    batches = [sampler.indices(step) for step in range(30)]
    for batch in batches:
        assert sources[batch].tolist() == [0] * 4 + [1] * 2 + [2] * 2
    for source, first, last, steps in ((0, 0, 4, 10), (1, 4, 6, 3), (2, 6, 8, 5)):
        members = np.flatnonzero(sources == source).tolist()
        for start in range(0, 30, steps):  # an epoch of this source
            drawn = np.concatenate([b[first:last] for b in batches[start : start + steps]])
            assert sorted(drawn.tolist()) == members


def test_sources_of_one_size_are_walked_in_different_orders() -> None:
    drawn = balanced_batches(np.repeat([0, 1], 30), 60, seed=1).indices(0)
    assert (drawn[:30] != drawn[30:] - 30).any()


def test_identities_of_each_source() -> None:
    sampler = balanced_identity_batches(LABELS, SOURCES, 3, 2, seed=1, weights=(2, 1, 0))
    for step in range(20):
        drawn = sampler.indices(step)
        assert SOURCES[drawn].tolist() == [0, 0, 0, 0, 1, 1]
        groups = LABELS[drawn].reshape(3, 2)
        assert (groups[:, 0] == groups[:, 1]).all()
        assert (groups >= 0).all()


@pytest.mark.parametrize(
    ("weights", "words"),
    [((1, 1), "3 sources but 2 weights"), ((1, 1, 8), "source 2 has 3 crops and 10 in each")],
)
def test_balance_that_the_data_cannot_give(weights: tuple[float, ...], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        balanced_batches(SOURCES, 12, 1, weights)


def test_subsets_draw_their_members_alone() -> None:
    kept = np.array([3, 5, 8, 13, 21])
    drawn = SubsetBatches(ShuffledBatches(5, 5, 1), kept).indices(0)
    assert sorted(drawn.tolist()) == kept.tolist()


ON_A_LINE = np.column_stack(  # ten identities, each next to its number's neighbours
    [np.cos(np.arange(10) / 10), np.sin(np.arange(10) / 10)]
).astype(np.float32)


def test_look_alikes_are_the_nearest() -> None:
    sampler = LookAlikeBatches(np.arange(40) % 10, 3, 2, seed=1, pool=1)
    sampler.refresh(ON_A_LINE * 7, 0)  # lengths do not matter
    for step in range(30):
        drawn = sampler.indices(step)
        assert len(set(drawn.tolist())) == 6
        groups = drawn.reshape(3, 2) % 10
        assert (groups[:, 0] == groups[:, 1]).all()
        centre, *others = groups[:, 0].tolist()
        nearest = sorted(
            set(range(10)) - {centre}, key=lambda i: 1 - ON_A_LINE[i] @ ON_A_LINE[centre]
        )
        assert sorted(others) == sorted(nearest[:2])


def test_groups_of_look_alikes_do_not_overlap() -> None:
    sampler = LookAlikeBatches(np.arange(40) % 10, 9, 2, seed=1, group=4)
    sampler.refresh(ON_A_LINE, 0)
    centres = set()
    for step in range(40):
        groups = sampler.indices(step).reshape(9, 2)[:, 0] % 10
        assert len(set(groups.tolist())) == 9
        assert np.ptp(groups[:4]) <= 6, "three of the six nearest"
        centres.add(int(groups[0]))
    assert centres == set(range(10))


def test_centroids_hold_from_their_step_on() -> None:
    labels = np.arange(40) % 10
    first, second = centroids(1), centroids(2)

    def alone(centres: Float32Array) -> LookAlikeBatches:
        sampler = LookAlikeBatches(labels, 4, 2, seed=5)
        sampler.refresh(centres, 0)
        return sampler

    sampler = LookAlikeBatches(labels, 4, 2, seed=5)
    at_random = [sampler.indices(step).tolist() for step in range(30)]
    sampler.refresh(first, 10)
    sampler.refresh(second, 20)
    found = [sampler.indices(step).tolist() for step in range(30)]
    assert found[10:20] == [alone(first).indices(step).tolist() for step in range(10, 20)]
    assert found[20:] == [alone(second).indices(step).tolist() for step in range(20, 30)]
    assert found[10:20] != at_random[10:20]
    assert found[:10] == at_random[:10]
    sampler.refresh(first, 20)  # again, as after an interruption
    assert sampler.indices(25).tolist() == alone(first).indices(25).tolist()


def test_refreshing_does_not_touch_the_callers_array() -> None:
    rows = centroids(1)
    before = rows.copy()
    look_alikes().refresh(rows, 5)
    np.testing.assert_array_equal(rows, before)


@pytest.mark.parametrize(
    ("rows", "step", "words"),
    [
        (centroids(1, 9), 5, "9 centroids where label 9 needs one"),
        (np.full((10, 4), np.nan, np.float32), 5, "NaN"),
        (centroids(1), 1, "before the last refresh"),
    ],
)
def test_centroids_that_do_not_fit(rows: Float32Array, step: int, words: str) -> None:
    sampler = look_alikes()
    sampler.refresh(centroids(0), 2)
    with pytest.raises(ValueError, match=words):
        sampler.refresh(rows, step)


def test_identities_without_enough_crops_need_no_centroid() -> None:
    sampler = LookAlikeBatches(LABELS, 2, 3, seed=1)
    rows = np.full((10, 2), np.nan, np.float32)
    rows[[5, 7, 9]] = ON_A_LINE[:3]
    sampler.refresh(rows, 0)
    assert set(LABELS[sampler.indices(0)].tolist()) <= {5, 7, 9}


@pytest.mark.parametrize(("group", "pool"), [(0, 2), (5, 2), (2, 0)])
def test_impossible_groups(group: int, pool: int) -> None:
    with pytest.raises(ValueError, match="group must be"):
        LookAlikeBatches(np.arange(40) % 10, 4, 2, 1, group, pool)


@every_sampler
@pytest.mark.parametrize("world", [1, 2])
def test_shards_make_up_the_batch(sampler: DivisibleSampler, world: int) -> None:
    for step in range(5):
        shards = [Sharded(sampler, rank, world) for rank in range(world)]
        positions = np.concatenate([shard.positions for shard in shards])
        whole = sampler.indices(step)
        assert sorted(positions.tolist()) == list(range(len(whole)))
        drawn = np.concatenate([shard.indices(step) for shard in shards])
        np.testing.assert_array_equal(drawn, whole[positions])


@settings(deadline=None)
@given(st.integers(1, 9), st.integers(1, 4), st.integers(1, 9), st.integers(1, 9))
def test_shards_keep_identities_whole(identities: int, crops: int, others: int, world: int) -> None:
    labels = np.repeat(np.arange(9), 4)
    sampler = MixedBatches(
        (IdentityBatches(labels, identities, crops, 1), ShuffledBatches(36, others, 1))
    )
    if world > identities + others:
        return
    owner = np.full(identities * crops + others, -1)
    for rank in range(world):
        share = sampler.share(rank, world)
        assert (np.diff(share) > 0).all()
        assert (owner[share] == -1).all(), "in one share only"
        owner[share] = rank
    assert (owner >= 0).all(), "every place has its rank"
    groups = owner[: identities * crops].reshape(identities, crops)
    assert (groups == groups[:, :1]).all()
    sizes = np.bincount(groups[:, 0], minlength=world)
    assert sizes.max() - sizes.min() <= 1


def test_shards_of_a_mixed_batch_hold_a_share_of_each_part() -> None:
    sampler = MixedBatches((IdentityBatches(LABELS, 2, 3, 3), ShuffledBatches(17, 4, 3)))
    assert [Sharded(sampler, rank, 2).positions.tolist() for rank in (0, 1)] == [
        [0, 1, 2, 6, 7],
        [3, 4, 5, 8, 9],
    ]


def test_what_does_not_divide_is_spread() -> None:
    sampler = MixedBatches(tuple(ShuffledBatches(20, count, 1) for count in (1, 3, 2, 5, 1)))
    sizes = [len(Sharded(sampler, rank, 3).positions) for rank in range(3)]
    assert sizes == [4, 4, 4]


@pytest.mark.parametrize(
    ("rank", "world", "words"),
    [(2, 2, "rank must"), (-1, 2, "rank must"), (0, 0, "rank must"), (0, 9, "no part")],
)
def test_impossible_shards(rank: int, world: int, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Sharded(ShuffledBatches(10, 4, 1), rank, world)
