"""Intervals of error rates whose comparisons share people.

Of n comparisons with c_s of them at person s, let ``S_s`` be the sum of the deviations ``e`` of
the errors of s from the rate p (1 - p for an error, -p for none). Without s, the rate would
differ by ``S_s / (n - c_s)``, and leaving out each of g people in turn gives the jackknife
variance (Arvesen, Annals of Mathematical Statistics 40, 1969; for clusters, CV3 of MacKinnon,
Nielsen and Webb, Journal of Econometrics 232, 2023, which holds where clusters are few and
unequal)

    genuine:   V = (g - 1) / g  sum_s (S_s / (n - c_s))^2
    impostor:  the same, less sum e^2 / n^2

The second counts what is peculiar to one comparison at both of its people, and once is enough:
with equal and many people it is the dyadic-robust variance of Fafchamps and Gubert (Journal of
Development Economics 83, 2007) and of Aronow, Samii and Assenova (Political Analysis 23, 2015).
What is peculiar to two people, of whom there are several comparisons, it still counts twice: it
errs on the wide side.

From V follows how many independent comparisons would tell as much, ``n_eff = p (1 - p) / V``,
and the interval is that of Clopper and Pearson for ``n_eff`` comparisons, which stays sound where
errors are few and a bootstrap percentile is not: Korn and Graubard, *Confidence intervals for
proportions with small expected number of positive counts estimated from survey data*, Survey
Methodology 24, 1998. As theirs, n_eff is shrunk by ``(t_{n - 1} / t_{G - 1})^2``, for V itself is
known from few people only. G is how many people with equally many comparisons would tell as much
of V, ``(sum v_s)^2 / sum v_s^2`` with ``v_s = c_s (1 + (c_s - 1) r)``, r the intraclass
correlation that V shows (after Satterthwaite, Biometrics Bulletin 2, 1946, and Carter, Schnepel
and Steigerwald, Review of Economics and Statistics 99, 2017).

How errors gather in people cannot be seen in few errors, and in none at all they would seem not
to gather. Below 20 errors, V is therefore at least what the 20 comparisons nearest to an error
would give, and where those cannot be told apart, what it would be if each person were always
right or always wrong. Where everybody takes part in every comparison, as two people do, the
comparisons are worth one: of other people they say nothing. They are never worth less than one,
nor more than there are.

Of a person who is in every comparison while others are not, nothing tells how another in that
place would fare: the interval is then for that person.

Coverage of all this, simulated, is in docs/intervals.md and in the tests.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from facematch.metrics.decision import accepts
from facematch.metrics.intervals import Interval, clopper_pearson
from facematch.metrics.resampling import Units
from facematch.types import BoolArray, Float64Array, Int64Array

# With fewer errors than this, how they gather in people is judged at a threshold that has
# so many: nothing can be seen of it in no errors at all.
_ERRORS_TO_JUDGE_BY = 20


# With intervals from fewer people than this, one person more or less changes them much.
_FEW_PEOPLE = 10


@dataclass(frozen=True, slots=True)
class RateEstimate:
    """A measured error rate.

    Attributes:
        errors: comparisons decided wrongly.
        comparisons: in all, at least 1.
        interval: 95 % for the rate on people like these.
        effective: how many independent comparisons would tell as much, at least 1.
        independent: whether no two of the comparisons share a person; the interval then is
            that of Clopper and Pearson, and exact.
        people: how many people with equally many comparisons would tell as much of how errors
            gather in people; infinite for independent comparisons.
    """

    errors: int
    comparisons: int
    interval: Interval
    effective: float
    independent: bool
    people: float = math.inf

    @property
    def rate(self) -> float:
        """Errors over comparisons."""
        return self.errors / self.comparisons

    @property
    def rough(self) -> bool:
        """Whether so few people stand behind the interval that it is a rough one."""
        return self.people < _FEW_PEOPLE


def estimate_fmr(impostor: Float64Array, units: Units, threshold: float) -> RateEstimate:
    """The false match rate at a threshold.

    Args:
        impostor: float64 (n,), at least one finite distance between two subjects.
        units: the subjects of those comparisons.
        threshold: accept iff ``distance <= threshold``.

    >>> distances = np.array([0.2, 0.8, 0.9])
    >>> alone = Units(6, np.array([0, 2, 4]), np.array([1, 3, 5]))
    >>> estimate_fmr(distances, alone, 0.5).interval == clopper_pearson(1, 3)
    True
    """
    return estimate_rate(accepts(impostor, threshold), units, hardest(-impostor))


def estimate_fnmr(genuine: Float64Array, units: Units, threshold: float) -> RateEstimate:
    """The false non-match rate at a threshold.

    Args:
        genuine: float64 (n,), at least one finite distance within a subject.
        units: the subjects of those comparisons.
        threshold: accept iff ``distance <= threshold``.
    """
    return estimate_rate(~accepts(genuine, threshold), units, hardest(genuine))


def estimate_rate(
    wrong: BoolArray, units: Units, more_wrong: BoolArray | None = None
) -> RateEstimate:
    """The rate of any kind of error.

    Args:
        wrong: bool (n,), which of at least one comparison are errors.
        units: who is compared in them.
        more_wrong: bool (n,), errors of a kind that is more common, to judge by how errors
            gather in people where ``wrong`` are few. If None, few errors are taken to gather
            as much as they can.
    """
    comparisons, mixed = units.appearances(), int((units.a != units.b).sum())

    def sums(errors: BoolArray) -> _Sums:
        of_each = units.subset(errors).appearances()
        return _Sums(of_each, comparisons, int(errors.sum()), len(errors), mixed)

    return _estimated(sums(wrong), None if more_wrong is None else sums(more_wrong))


def hardest(hardness: Float64Array) -> BoolArray:
    """The comparisons that come nearest to an error, as many as how they gather is judged by.

    Args:
        hardness: float64 (n,), at least one; the higher, the nearer to an error.

    Returns:
        bool (n,); more of them where some are as hard as the last.
    """
    k = errors_to_judge_by(len(hardness))
    found: BoolArray = hardness >= np.partition(hardness, -k)[-k]
    return found


def estimate_from_sums(
    errors: Int64Array,
    comparisons: Int64Array,
    more_errors: Int64Array | None = None,
    more_comparisons: Int64Array | None = None,
    *,
    mixed: bool,
) -> RateEstimate:
    """The same where comparisons were counted by subject instead of kept.

    Args:
        errors: int64 (s,), errors in which each subject takes part.
        comparisons: int64 (s,), comparisons in which each takes part, at least one in all.
        more_errors: int64 (s,), errors of a kind that is more common, as ``more_wrong`` above.
        more_comparisons: int64 (s,), those that ``more_errors`` are of, if they are others of
            the same people: what is carried over then is the intraclass correlation.
        mixed: whether comparisons are between two subjects, each then counted at both; else
            they are within one.

    >>> distances = np.array([0.2, 0.8, 0.9])
    >>> units = Units(3, np.array([0, 0, 1]), np.array([1, 2, 2]))
    >>> kept = estimate_rate(distances <= 0.5, units)
    >>> kept == estimate_from_sums(np.array([1, 1, 0]), np.array([2, 2, 2]), mixed=True)
    True
    """
    sides = 2 if mixed else 1

    def sums(wrong: Int64Array, of: Int64Array) -> _Sums:
        n = int(of.sum()) // sides
        return _Sums(wrong, of, int(wrong.sum()) // sides, n, n if mixed else 0)

    more = None
    if more_errors is not None:
        more = sums(more_errors, comparisons if more_comparisons is None else more_comparisons)
    return _estimated(sums(errors, comparisons), more)


@dataclass(frozen=True, slots=True, eq=False)
class _Sums:
    """Of n comparisons, those that each person takes part in.

    Attributes:
        errors: int64 (s,).
        comparisons: int64 (s,).
        wrong: errors in all.
        n: comparisons in all, at least 1.
        mixed: of them, how many are between two people.
    """

    errors: Int64Array
    comparisons: Int64Array
    wrong: int
    n: int
    mixed: int

    @property
    def most(self) -> float:
        """The design effect if each person were always right or always wrong."""
        return float(np.square(self.comparisons, dtype=np.float64).sum()) / self.n

    @property
    def crowding(self) -> float:
        """Comparisons of the person of a comparison, on average."""
        return self.most * self.n / int(self.comparisons.sum())

    @property
    def tells(self) -> bool:
        """Whether there are errors, and comparisons without."""
        return 0 < self.wrong < self.n

    def effect(self) -> float:
        """The design effect that is seen, at least 1."""
        if not self.tells:
            return 1.0
        rate = self.wrong / self.n
        # Whoever is in every comparison cannot be left out.
        others = (self.comparisons > 0) & (self.comparisons < self.n)
        people = int((self.comparisons > 0).sum())
        counts = self.comparisons[others]
        # Times n, what the rate would change without each.
        changes = (self.errors[others] - rate * counts) / (1 - counts / self.n)
        total = (people - 1) / people * float(np.square(changes).sum())
        spread = rate * (1 - rate)
        return max(1.0, (total - self.mixed * spread) / (self.n * spread))


def _estimated(found: _Sums, more: _Sums | None) -> RateEstimate:
    errors, n, comparisons = found.wrong, found.n, found.comparisons
    if int(comparisons.max()) <= 1:
        return RateEstimate(errors, n, clopper_pearson(errors, n), float(n), independent=True)
    effect = found.effect()
    if min(errors, n - errors) < _ERRORS_TO_JUDGE_BY:
        effect = max(effect, _effect_of_more(found, more))
    people = _people(found, effect)
    effective = n / effect * _few_people(n, people, int((comparisons > 0).sum()))
    if int(comparisons[comparisons > 0].min()) >= n:
        effective = 1.0
    effective = min(float(n), max(1.0, effective))
    interval = clopper_pearson(errors / n * effective, effective)
    return RateEstimate(errors, n, interval, effective, independent=False, people=people)


def _effect_of_more(found: _Sums, more: _Sums | None) -> float:
    """The design effect that more common errors show; all there can be, if they show none."""
    if more is None or not more.tells:
        return found.most
    effect = more.effect()
    if np.array_equal(more.comparisons, found.comparisons):
        return effect
    return 1 + _correlation(effect, more) * (found.crowding - 1)


def _correlation(effect: float, found: _Sums) -> float:
    """The intraclass correlation behind a design effect."""
    crowding = found.crowding
    return min(1.0, (effect - 1) / (crowding - 1)) if crowding > 1 else 0.0


def _people(found: _Sums, effect: float) -> float:
    """How many with equally many comparisons would tell as much of the variance."""
    counts = found.comparisons[found.comparisons > 0].astype(np.float64)
    weight = counts * (1 + (counts - 1) * _correlation(effect, found))
    return float(weight.sum() ** 2 / np.square(weight).sum())


def design_effect(wrong: BoolArray, units: Units) -> float:
    """By what factor sharing people widens the variance of a rate, at least 1.

    Args:
        wrong: bool (n,), which comparisons are errors.
        units: who is compared in them.

    Returns:
        1 if no comparison, or every one, is wrong: nothing can be seen of it then.
    """
    mixed = int((units.a != units.b).sum())
    of_each = units.subset(wrong).appearances()
    return _Sums(of_each, units.appearances(), int(wrong.sum()), len(wrong), mixed).effect()


def errors_to_judge_by(comparisons: int) -> int:
    """How many errors show how errors gather in people, where there are so few comparisons."""
    return min(_ERRORS_TO_JUDGE_BY, (comparisons + 1) // 2)


def _few_people(comparisons: int, people: float, present: int) -> float:
    """Korn and Graubard's factor: the variance itself is known from few people only.

    Two degrees of freedom are left if there are three people, however unequal: leaving out the
    one with most comparisons has widened the variance already.
    """
    # The quantiles of scipy.stats.t without the start-up time of scipy.stats.
    from scipy.special import stdtrit

    many, few = max(comparisons - 1, 1), max(people - 1, min(present - 1, 2), 1)
    return min(1.0, float(stdtrit(many, 0.975) / stdtrit(few, 0.975)) ** 2)
