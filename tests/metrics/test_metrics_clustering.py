"""Intervals of rates whose comparisons share people: formula, edges, and coverage."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facematch.metrics import (
    Units,
    clopper_pearson,
    draws,
    estimate_fmr,
    estimate_fnmr,
    estimate_from_sums,
    estimate_rate,
    hardest,
)
from facematch.metrics.clustering import design_effect
from facematch.types import BoolArray


def pairs_of(people: int) -> Units:
    a, b = np.triu_indices(people, 1)
    return Units(people, a.astype(np.int64), b.astype(np.int64))


def normal_cdf(x: float) -> float:
    return 0.5 * math.erfc(-x / math.sqrt(2))


@st.composite
def compared_people(draw: st.DrawFn) -> tuple[Units, BoolArray]:
    """All pairs of the photographs of some people, of two people or of one, and errors."""
    sizes = draw(st.lists(st.integers(1, 4), min_size=2, max_size=6))
    subject = np.repeat(np.arange(len(sizes)), sizes)
    a, b = np.triu_indices(len(subject), 1)
    kind = (subject[a] == subject[b]) == draw(st.booleans())
    units = Units(len(sizes), subject[a][kind], subject[b][kind])
    bits = draw(st.integers(0, 2**300 - 1))
    return units, np.array([bool(bits >> i & 1) for i in range(len(units.a))], np.bool_)


@given(compared_people())
def test_design_effect_is_that_of_leaving_out_each_person(case: tuple[Units, BoolArray]) -> None:
    units, wrong = case
    n = len(wrong)
    if n == 0 or wrong.all() or not wrong.any():
        assert n == 0 or design_effect(wrong, units) == 1
        return
    rate = float(wrong.mean())
    people = sorted({*units.a.tolist(), *units.b.tolist()})
    total = 0.0
    for person in people:
        left = (units.a != person) & (units.b != person)
        if left.any():
            total += (float(wrong[left].mean()) - rate) ** 2
    variance = (len(people) - 1) / len(people) * total
    if bool((units.a != units.b).all()):
        variance -= rate * (1 - rate) / n
    expected = max(1.0, variance * n / (rate * (1 - rate)))
    assert design_effect(wrong, units) == pytest.approx(expected)


def test_the_formula_is_the_bootstrap_less_its_excess() -> None:
    generator = np.random.default_rng(2)
    units = pairs_of(40)
    n = len(units.a)
    habit = generator.normal(0, 1, 40)
    wrong = habit[units.a] + habit[units.b] + generator.normal(0, 1, n) < -1.5
    rate = float(wrong.mean())
    resampled = np.array(
        [(w @ wrong) / w.sum() for w in draws(units, 4000, np.random.default_rng(3))]
    )
    excess = 2 * rate * (1 - rate) / n
    expected = design_effect(wrong, units) * rate * (1 - rate) / n
    # Leaving out a person widens by what is known from 40 people only: (n / (n - 2))^2.
    assert resampled.var() - excess == pytest.approx(expected * (38 / 40) ** 2, rel=0.15)


def test_one_subject_twice_the_comparisons_half_the_news() -> None:
    # Each comparison is there twice: exactly as much is known as from half of them.
    people = np.repeat(np.arange(500), 2)
    units = Units(500, people, people)
    genuine = np.repeat(np.linspace(0, 1, 500), 2)
    found = estimate_fnmr(genuine, units, 0.8)
    assert (found.errors, found.comparisons, found.independent) == (200, 1000, False)
    assert found.effective == pytest.approx(500, rel=0.01)
    half = clopper_pearson(100, 500)
    assert found.interval.low == pytest.approx(half.low, abs=1e-3)
    assert found.interval.high == pytest.approx(half.high, abs=1e-3)


@given(st.lists(st.floats(0, 2), min_size=1, max_size=40), st.floats(-0.1, 2.1))
def test_independent_comparisons_get_clopper_and_pearson(
    distances: list[float], threshold: float
) -> None:
    n = len(distances)
    apart = Units(2 * n, np.arange(n), np.arange(n) + n)
    found = estimate_fmr(np.array(distances), apart, threshold)
    errors = sum(d <= threshold for d in distances)
    assert found.interval == clopper_pearson(errors, n)
    assert found.independent
    assert found.effective == n
    missed = estimate_fnmr(np.array(distances), Units.independent(n), threshold)
    assert missed.errors == n - errors
    assert missed.interval == clopper_pearson(n - errors, n)


@given(
    st.integers(2, 12).flatmap(
        lambda n: st.lists(
            st.floats(0, 1), min_size=n * (n - 1) // 2, max_size=n * (n - 1) // 2
        ).map(lambda d: (n, d))
    ),
    st.floats(-0.1, 1.1),
)
def test_the_interval_holds_the_rate_and_is_never_narrower(
    case: tuple[int, list[float]], threshold: float
) -> None:
    people, distances = case
    found = estimate_fmr(np.array(distances), pairs_of(people), threshold)
    assert found.interval.low <= found.rate <= found.interval.high
    plain = clopper_pearson(found.errors, found.comparisons)
    assert found.interval.low <= plain.low + 1e-9
    assert found.interval.high >= plain.high - 1e-9


def covered(habit: float, z: float, seed: int, runs: int = 400) -> tuple[float, float]:
    """Shares of simulations whose interval holds the true FMR: shared people, independent.

    Forty people, all pairs; the distance is the habits of both plus what is peculiar to the
    pair, of variance 1 in all; accepted below ``z``.
    """
    generator = np.random.default_rng(seed)
    units = pairs_of(40)
    truth = normal_cdf(z)
    shared = naive = 0
    for _ in range(runs):
        habits = generator.normal(0, math.sqrt(habit / 2), 40)
        rest = generator.normal(0, math.sqrt(1 - habit), len(units.a))
        found = estimate_fmr(habits[units.a] + habits[units.b] + rest, units, z)
        plain = clopper_pearson(found.errors, found.comparisons)
        shared += found.interval.low <= truth <= found.interval.high
        naive += plain.low <= truth <= plain.high
    return shared / runs, naive / runs


@pytest.mark.parametrize(
    ("habit", "z", "most_naive"),
    [
        pytest.param(0.0, -2.0, 1.0, id="people do not matter"),
        pytest.param(0.3, -2.0, 0.85, id="some people are easily confused, FMR 2.3 %"),
        pytest.param(0.3, -3.0, 1.0, id="the same, FMR 0.13 %: one error expected"),
        pytest.param(0.6, -1.5, 0.6, id="people matter most, FMR 6.7 %"),
    ],
)
def test_coverage_of_the_fmr_interval(habit: float, z: float, most_naive: float) -> None:
    shared, naive = covered(habit, z, seed=11)
    print(f"habit {habit}, z {z}: covered {shared:.3f}, taken as independent {naive:.3f}")
    assert shared >= 0.92
    assert naive <= most_naive


def test_coverage_of_the_fnmr_interval() -> None:
    generator = np.random.default_rng(5)
    people = np.repeat(np.arange(50), 10)
    units = Units(50, people, people)
    truth, runs, shared, naive = 1 - normal_cdf(1.5), 400, 0, 0
    for _ in range(runs):
        genuine = generator.normal(0, math.sqrt(0.5), 50)[people]
        genuine = genuine + generator.normal(0, math.sqrt(0.5), 500)
        found = estimate_fnmr(genuine, units, 1.5)
        plain = clopper_pearson(found.errors, 500)
        shared += found.interval.low <= truth <= found.interval.high
        naive += plain.low <= truth <= plain.high
    print(f"covered {shared / runs:.3f}, taken as independent {naive / runs:.3f}")
    assert shared / runs >= 0.92
    assert naive / runs < 0.9


def test_no_error_is_judged_by_a_looser_threshold() -> None:
    generator = np.random.default_rng(1)
    units = pairs_of(30)
    habits = generator.normal(0, 1, 30)
    distances = 10 + habits[units.a] + habits[units.b]
    found = estimate_fmr(distances, units, 0.0)
    assert found.errors == 0
    assert found.interval.low == 0
    assert found.interval.high > 2 * clopper_pearson(0, len(distances)).high


def flags(*values: int) -> BoolArray:
    return np.array(values, np.bool_)


def test_two_people_know_next_to_nothing() -> None:
    units = Units(2, np.array([0, 0, 0, 1, 1, 1]), np.array([0, 0, 0, 1, 1, 1]))
    assert design_effect(flags(1, 1, 1, 0, 0, 0), units) == pytest.approx(6)
    found = estimate_fnmr(np.array([0.9, 0.9, 0.9, 0.1, 0.1, 0.1]), units, 0.5)
    assert found.interval.low < 0.01
    assert found.interval.high > 0.99


@pytest.mark.parametrize("pairs", [1, 2, 6, 10_000])
def test_two_people_are_worth_one_comparison_however_often_they_are_compared(pairs: int) -> None:
    units = Units(2, np.zeros(pairs, np.int64), np.ones(pairs, np.int64))
    found = estimate_fmr(np.linspace(0.5, 1, pairs), units, 0.1)
    assert (found.errors, found.effective) == (0, 1)
    assert found.interval == clopper_pearson(0, 1)
    some = estimate_fmr(np.linspace(0.5, 1, pairs), units, 0.7)
    assert some.effective == 1


def test_one_person_is_worth_one_genuine_comparison() -> None:
    alone = Units(1, np.zeros(300, np.int64), np.zeros(300, np.int64))
    found = estimate_fnmr(np.linspace(0, 1, 300), alone, 0.9)
    assert found.effective == 1
    assert found.rough
    one = estimate_fnmr(np.array([0.2]), Units.independent(1), 0.5)
    assert one.interval == clopper_pearson(0, 1)
    assert one.independent
    assert not one.rough


def test_more_photographs_of_the_same_people_tell_hardly_more() -> None:
    # Four people, the distance is that of the people: as if each had one photograph.
    generator = np.random.default_rng(2)
    apart = generator.uniform(0.5, 1, size=(4, 4))
    worth = []
    for each in (2, 5, 20):
        subject = np.repeat(np.arange(4), each)
        a, b = np.triu_indices(len(subject), 1)
        other = subject[a] != subject[b]
        units = Units(4, subject[a][other], subject[b][other])
        found = estimate_fmr(apart[units.a, units.b], units, 0.1)
        assert found.errors == 0
        worth.append(found.effective)
    assert max(worth) < 6
    assert max(worth) == pytest.approx(min(worth), rel=0.5)


def test_no_errors_of_few_people_are_not_taken_for_independent() -> None:
    subject = np.repeat(np.arange(4), 12)
    a, b = np.triu_indices(len(subject), 1)
    other = subject[a] != subject[b]
    units = Units(4, subject[a][other], subject[b][other])
    generator = np.random.default_rng(4)
    distances = 1 + 0.1 * generator.normal(size=(4, 4))[units.a, units.b]
    distances += 0.01 * generator.normal(size=len(distances))
    found = estimate_fmr(distances, units, 0.1)
    assert (found.errors, found.comparisons) == (0, 864)
    assert found.interval.high > clopper_pearson(0, 20).high
    assert found.rough


def test_what_cannot_be_seen_is_feared() -> None:
    # All distances are alike: nothing tells whether people differ, so they may.
    people = np.repeat(np.arange(30), 10)
    units = Units(30, people, people)
    alike = estimate_fnmr(np.full(300, 0.2), units, 0.5)
    assert alike.effective < 30
    unseen = estimate_rate(np.zeros(300, np.bool_), units)
    assert unseen.effective == alike.effective
    seen = estimate_fnmr(np.random.default_rng(0).random(300), units, 2.0)
    assert seen.effective > 100


@given(compared_people())
def test_worth_at_least_one_and_at_most_all(case: tuple[Units, BoolArray]) -> None:
    units, wrong = case
    if len(wrong) == 0:
        return
    for more in (None, np.ones_like(wrong), wrong):
        found = estimate_rate(wrong, units, more)
        assert 1 <= found.effective <= len(wrong)
        assert found.interval.low <= found.rate <= found.interval.high
        assert found.people >= 1


def test_unequal_photographs_count_as_fewer_people() -> None:
    equal, unequal = ([10] * 30, [60] * 2 + [6] * 28)
    found = []
    for sizes in (equal, unequal):
        people = np.repeat(np.arange(30), sizes)
        wrong = np.random.default_rng(1).random(len(people)) < 0.2
        found.append(estimate_rate(wrong, Units(30, people, people), wrong))
    assert found[0].people == pytest.approx(30)
    assert found[1].people < 20


def test_how_errors_gather_is_carried_over_to_other_comparisons_of_the_same_people() -> None:
    # Of 40 people with 20 comparisons each, errors are shown; of half as many, there are few.
    generator = np.random.default_rng(3)
    rate = generator.beta(0.5, 2, 40)
    errors = generator.binomial(20, rate)
    every, part = np.full(40, 20), np.full(40, 10)
    few = np.zeros(40, np.int64)
    alone = estimate_from_sums(errors, every, mixed=False)
    carried = estimate_from_sums(few, part, errors, every, mixed=False)
    lost = alone.comparisons / alone.effective - 1
    # A design effect is 1 + r (comparisons of a person - 1); 1.96 becomes t, alike in both.
    assert carried.comparisons / carried.effective - 1 == pytest.approx(lost * 9 / 19, rel=0.15)


def test_the_hardest_comparisons_are_those_nearest_to_an_error() -> None:
    assert hardest(np.array([0.1, 0.9, 0.5, 0.9])).tolist() == [False, True, False, True]
    assert hardest(np.array([0.3])).tolist() == [True]
    assert int(hardest(np.arange(1000.0)).sum()) == 20
    assert hardest(np.zeros(5)).all()
