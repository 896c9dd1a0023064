"""Bootstrap over people: what would have been measured on other people like these.

Comparisons that share a person are not independent, so it is people that are drawn with
replacement. A comparison of one subject's own pictures then counts as often as the subject was
drawn; a comparison between two subjects as often as the product of both: the two-way
bootstrap with product weights (Owen, *The pigeonhole bootstrap*, Annals of Applied Statistics
1, 2007; Owen and Eckles, *Bootstrapping data arrays of arbitrary order*, ibid. 6, 2012). For
genuine comparisons that is the subsets bootstrap of Bolle, Ratha and Pankanti (Computer Vision
and Image Understanding 93, 2004).

It errs on the wide side: what is peculiar to one comparison between two subjects it counts
three times, what is peculiar to a subject once (Owen 2007). Rates of error, whose variance
under it has a closed form, are freed of that excess in :mod:`facematch.metrics.clustering`;
for thresholds, areas and differences the resamples are taken as they are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from facematch.errors import OneClassError
from facematch.types import BoolArray, Float64Array, Int64Array

# A resample without a comparison of one class says nothing and is drawn again, so often.
_ATTEMPTS = 100


@dataclass(frozen=True, slots=True, eq=False)
class Units:
    """What is independent of what: the subjects on both sides of n comparisons.

    Attributes:
        count: subjects in all.
        a: int64 (n,), subject of the first picture, in [0, count).
        b: int64 (n,), subject of the second; equal to ``a`` in a genuine comparison.
    """

    count: int
    a: Int64Array
    b: Int64Array

    @classmethod
    def independent(cls, comparisons: int) -> Units:
        """Comparisons of which each has its own people."""
        each = np.arange(comparisons, dtype=np.int64)
        return cls(comparisons, each, each)

    def subset(self, chosen: BoolArray) -> Units:
        """Those of the chosen comparisons, bool (n,)."""
        return Units(self.count, self.a[chosen], self.b[chosen])

    def appearances(self) -> Int64Array:
        """In how many comparisons each subject takes part, int64 (count,)."""
        both = np.concatenate((self.a, self.b[self.a != self.b]))
        return np.bincount(both, minlength=self.count).astype(np.int64)


@dataclass(frozen=True, slots=True, eq=False)
class WeightedCurve:
    """The operating points of weighted comparisons.

    As :class:`facematch.metrics.VerificationCurve`, with sums of weights for counts.

    Attributes:
        thresholds: float64 (k,), rising strictly from minus infinity.
        false_matches: float64 (k,).
        false_non_matches: float64 (k,).
        n_genuine: weight of all genuine comparisons, above 0.
        n_impostor: weight of all impostor comparisons, above 0.
    """

    thresholds: Float64Array
    false_matches: Float64Array
    false_non_matches: Float64Array
    n_genuine: float
    n_impostor: float

    @property
    def fmr(self) -> Float64Array:
        """False match rate at each threshold, float64 (k,)."""
        return self.false_matches / self.n_impostor

    @property
    def fnmr(self) -> Float64Array:
        """False non-match rate at each threshold, float64 (k,)."""
        return self.false_non_matches / self.n_genuine


class Sweep:
    """Sorts comparisons once, so that each resample costs two running sums.

    Args:
        distances: float64 (n,), finite.
        same: bool (n,).
    """

    def __init__(self, distances: Float64Array, same: BoolArray) -> None:
        self._order = np.argsort(distances, kind="stable")
        pooled = distances[self._order]
        self._same = same[self._order]
        self._last_of_ties = np.flatnonzero(np.append(pooled[1:] != pooled[:-1], True))
        self._thresholds = np.concatenate(([-np.inf], pooled[self._last_of_ties]))

    def curve(self, weights: Float64Array) -> WeightedCurve | None:
        """The curve of the weighted comparisons; None if a class has no weight.

        Args:
            weights: float64 (n,), not negative, in the order of the distances. Sums of whole
                numbers are exact.
        """
        ordered = weights[self._order]
        genuine = self._running(np.where(self._same, ordered, 0.0))
        impostor = self._running(np.where(self._same, 0.0, ordered))
        if genuine[-1] <= 0 or impostor[-1] <= 0:
            return None
        return WeightedCurve(
            self._thresholds,
            impostor,
            genuine[-1] - genuine,
            float(genuine[-1]),
            float(impostor[-1]),
        )

    def _running(self, weights: Float64Array) -> Float64Array:
        return np.concatenate(([0.0], np.cumsum(weights)[self._last_of_ties]))


def draws(units: Units, resamples: int, generator: np.random.Generator) -> Iterator[Float64Array]:
    """Weights of the comparisons in each resample of the subjects.

    Args:
        units: who is compared.
        resamples: how many.
        generator: for the draws.

    Yields:
        float64 (n,), whole numbers.

    >>> units = Units(3, np.array([0, 1, 0]), np.array([0, 1, 2]))
    >>> [w.tolist() for w in draws(units, 2, np.random.default_rng(1))]
    [[0.0, 2.0, 0.0], [2.0, 0.0, 2.0]]
    """
    own = units.a == units.b
    everyone_alone = bool(own.all())
    for _ in range(resamples):
        drawn = np.bincount(
            generator.integers(units.count, size=units.count), minlength=units.count
        ).astype(np.float64)
        weights = drawn[units.a]
        if not everyone_alone:
            weights *= np.where(own, 1.0, drawn[units.b])
        yield weights


def bootstrap(
    sweep: Sweep,
    units: Units,
    statistic: Callable[[WeightedCurve], float],
    resamples: int,
    generator: np.random.Generator,
) -> Float64Array:
    """A statistic of each resample.

    Args:
        sweep: of the comparisons.
        units: who is compared in them.
        statistic: of a curve.
        resamples: how many.
        generator: for the draws.

    Returns:
        float64 (resamples,).

    Raises:
        OneClassError: so few subjects that hardly any resample has both classes.
    """
    values = np.empty(resamples, np.float64)
    filled = 0
    for weights in draws(units, resamples * _ATTEMPTS, generator):
        if filled == resamples:
            break
        curve = sweep.curve(weights)
        if curve is not None:
            values[filled] = statistic(curve)
            filled += 1
    if filled < resamples:
        raise OneClassError(
            "too few subjects for an interval: resamples of them hold no genuine or no impostor "
            "comparison; add people"
        )
    return values
