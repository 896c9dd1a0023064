"""How often the 95 % intervals hold the truth, on people made up for it.

    python scripts/coverage.py [RUNS]        # prints the tables of docs/intervals.md

Every design makes people with known error rates, draws photographs or errors of them, and asks
the functions that ``calibrate`` and ``evaluate`` ask. Nothing is read or written.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
from scipy.special import ndtr

from facematch.calibration import FitSettings, LabelledComparisons, fit_calibration
from facematch.calibration.labels import PairLabels, SubjectPairs
from facematch.calibration.sources import ScoreKind
from facematch.metrics import (
    RateEstimate,
    ThresholdRule,
    Units,
    estimate_fmr,
    estimate_fnmr,
)
from facematch.types import Float64Array, Int64Array
from facematch.workflows.evaluate.intervals import summarised

# Of people whose rates at a threshold stand for the true ones.
_MANY = 100_000
_DIMENSIONS = 8


@dataclass(frozen=True)
class Design:
    """People, and how their distances come about.

    Attributes:
        name: what is special about it.
        genuine: who is compared in genuine comparisons; None without those.
        impostor: the same of impostor comparisons.
        draw: distances of both classes, float64 (n,) and (m,), from a generator.
        threshold: to measure rates at.
        fmr: the true one there.
        fnmr: the true one there.
        truth: genuine and impostor distances of very many people, sorted; None for errors that
            are drawn as such.
    """

    name: str
    genuine: Units | None
    impostor: Units | None
    draw: Callable[[np.random.Generator], tuple[Float64Array, Float64Array]]
    threshold: float
    fmr: float
    fnmr: float
    truth: tuple[Float64Array, Float64Array] | None = None

    def fmr_at(self, threshold: float) -> float:
        """The true false match rate."""
        return float(np.searchsorted(self.impostors, threshold, "right") / len(self.impostors))

    def fnmr_at(self, threshold: float) -> float:
        """The true false non-match rate."""
        genuine = self._truth[0]
        return float(1 - np.searchsorted(genuine, threshold, "right") / len(genuine))

    @property
    def impostors(self) -> Float64Array:
        """Distances of very many, sorted."""
        return self._truth[1]

    @property
    def auc(self) -> float:
        """The true area under the ROC."""
        genuine, impostor = self._truth
        return float(np.searchsorted(genuine, impostor, "left").mean() / len(genuine))

    @property
    def _truth(self) -> tuple[Float64Array, Float64Array]:
        if self.truth is None:
            raise ValueError(f"{self.name}: no distances are known of many people")
        return self.truth


@dataclass(frozen=True)
class Coverage:
    """Of the intervals of one figure.

    Attributes:
        held: share that holds the truth.
        below: share that lies wholly below it.
        width: the median.
    """

    held: float
    below: float
    width: float

    @classmethod
    def of(cls, intervals: Sequence[tuple[float, float, float]]) -> Coverage:
        """Of (low, high, truth)."""
        low, high, truth = np.array(intervals).T
        held = (low <= truth) & (truth <= high)
        return cls(float(held.mean()), float((high < truth).mean()), float(np.median(high - low)))

    def __str__(self) -> str:
        return f"{100 * self.held:.1f} %"


def everybody(sizes: Sequence[int]) -> tuple[Units, Units, Int64Array, Int64Array, Int64Array]:
    """All pairs of the photographs of people: genuine, impostor, subjects, and both photographs,
    the genuine pairs first."""
    subject = np.repeat(np.arange(len(sizes)), sizes)
    a, b = np.triu_indices(len(subject), 1)
    same = subject[a] == subject[b]
    a, b = np.concatenate((a[same], a[~same])), np.concatenate((b[same], b[~same]))
    units = Units(len(sizes), subject[a], subject[b])
    genuine = np.arange(len(a)) < int(same.sum())
    return units.subset(genuine), units.subset(~genuine), subject, a, b


def photographs(
    name: str, sizes: Sequence[int], fmr: float, noise: float = 0.25, uneven: float = 0.0
) -> Design:
    """Templates of eight dimensions: the person's, and for each photograph some noise.

    Args:
        name: of the design.
        sizes: photographs of each person.
        fmr: to measure at.
        noise: its deviation.
        uneven: deviation of its logarithm between people.
    """

    def templates(generator: np.random.Generator, subject: Int64Array) -> Float64Array:
        people = int(subject[-1]) + 1
        own = generator.normal(size=(people, _DIMENSIONS))
        spread = noise * np.exp(uneven * generator.normal(size=people))
        made = own[subject] + spread[subject, None] * generator.normal(
            size=(len(subject), _DIMENSIONS)
        )
        found: Float64Array = made / np.linalg.norm(made, axis=1, keepdims=True)
        return found

    genuine, impostor, subject, a, b = everybody(sizes)

    def draw(generator: np.random.Generator) -> tuple[Float64Array, Float64Array]:
        made = templates(generator, subject)
        distances = 1 - (made[a] * made[b]).sum(axis=1)
        return distances[: len(genuine.a)], distances[len(genuine.a) :]

    many = templates(np.random.default_rng(5), np.repeat(np.arange(_MANY), 2))
    own = np.sort(1 - (many[::2] * many[1::2]).sum(axis=1))
    others = np.sort(
        np.concatenate([1 - (many * np.roll(many, 2 * i, 0)).sum(axis=1) for i in range(1, 9)])
    )
    threshold = float(np.quantile(others, fmr))
    missed = float((own > threshold).mean())
    return Design(name, genuine, impostor, draw, threshold, fmr, missed, (own, others))


def pairs_of_people(name: str, people: int, each: int, a: float, b: float) -> Design:
    """Every two people have an FMR of their own, drawn from a beta distribution."""
    _, impostor, *_ = everybody([each] * people)

    def draw(generator: np.random.Generator) -> tuple[Float64Array, Float64Array]:
        rate = generator.beta(a, b, size=(people, people))[impostor.a, impostor.b]
        n = len(rate)
        near = generator.random(n) < rate
        return np.zeros(0), np.where(near, 0.4, generator.uniform(0.9, 1.1, n))

    return Design(name, None, impostor, draw, 0.5, a / (a + b), 0.0)


def persons(name: str, sizes: Sequence[int], a: float, b: float) -> Design:
    """Every person has an FNMR of its own, drawn from a beta distribution."""
    genuine, *_ = everybody(sizes)

    def draw(generator: np.random.Generator) -> tuple[Float64Array, Float64Array]:
        rate = generator.beta(a, b, size=len(sizes))[genuine.a]
        return np.where(generator.random(len(rate)) < rate, 0.8, 0.2), np.zeros(0)

    return Design(name, genuine, None, draw, 0.5, 0.0, a / (a + b))


def habits(name: str, people: int, each: int, share: float, z: float) -> Design:
    """Impostor distances of two people's habits, of a share of the variance, and a rest."""
    _, impostor, *_ = everybody([each] * people)

    def draw(generator: np.random.Generator) -> tuple[Float64Array, Float64Array]:
        habit = generator.normal(0, np.sqrt(share / 2), people)
        rest = generator.normal(0, np.sqrt(1 - share), len(impostor.a))
        return np.zeros(0), habit[impostor.a] + habit[impostor.b] + rest

    return Design(name, None, impostor, draw, z, float(ndtr(z)), 0.0)


FEW = [2] * 20 + [12] * 5
DESIGNS: tuple[Callable[[], Design], ...] = (
    lambda: photographs("4 people x 12 photographs", [12] * 4, 0.02),
    lambda: photographs("8 x 10", [10] * 8, 0.01),
    lambda: photographs("15 x 6", [6] * 15, 0.005),
    lambda: photographs("29 x 8", [8] * 29, 0.001),
    lambda: photographs("20 x 2 and 5 x 12, uneven people", FEW, 0.01, 0.5, 0.4),
    lambda: photographs("40 and 20 x 3", [40] + [3] * 20, 0.01),
    lambda: photographs("60 x 6", [6] * 60, 0.001),
    lambda: photographs("100 x 4", [4] * 100, 0.001),
    lambda: pairs_of_people("an FMR for every two of 5 people x 10", 5, 10, 0.1, 1.9),
    lambda: pairs_of_people("the same of 4 x 6", 4, 6, 0.1, 1.9),
    lambda: pairs_of_people("the same of 8 x 10, rare", 8, 10, 0.1, 9.9),
    lambda: persons("an FNMR for each of 5 people x 10, 25 x 2", [10] * 5 + [2] * 25, 0.5, 4.5),
    lambda: persons("the same of 10 x 10", [10] * 10, 0.5, 4.5),
    lambda: persons("the same of 10 x 10, rare", [10] * 10, 0.1, 4.9),
    lambda: persons("the same of 100 x 5", [5] * 100, 0.5, 4.5),
    lambda: habits("wolves and lambs, 6 x 8", 6, 8, 0.5, -1.5),
    lambda: habits("the same of 40 x 1", 40, 1, 0.6, -1.5),
    lambda: habits("the same of 100 x 1", 100, 1, 0.3, -2),
)

WHOLE: tuple[tuple[Callable[[], Design], str], ...] = (
    (lambda: photographs("4 people x 12 photographs", [12] * 4, 0.05), "fmr<=0.05"),
    (lambda: photographs("6 x 10", [10] * 6, 0.05), "fmr<=0.05"),
    (lambda: photographs("20 x 2 and 5 x 12, uneven people", FEW, 0.01, 0.5, 0.4), "fmr<=0.01"),
    (lambda: photographs("25 x 3", [3] * 25, 0.05, 0.5), "fmr<=0.05"),
    (lambda: photographs("25 x 3, uneven people", [3] * 25, 0.05, 0.5, 0.4), "fmr<=0.05"),
    (lambda: photographs("60 x 3, uneven people", [3] * 60, 0.01, 0.5, 0.4), "fmr<=0.01"),
)


@dataclass(frozen=True)
class RatesCovered:
    """Of the rates at a threshold that was given beforehand.

    Attributes:
        fmr: None without impostor comparisons.
        fnmr: None without genuine ones.
        without_errors: share of the runs without a false match.
    """

    fmr: Coverage | None
    fnmr: Coverage | None
    without_errors: float


def rates_covered(design: Design, runs: int, seed: int = 1) -> RatesCovered:
    """Measures the rates of as many draws of the design."""
    generator = np.random.default_rng(seed)
    of_fmr, of_fnmr, without = [], [], 0

    def limits(found: RateEstimate, truth: float) -> tuple[float, float, float]:
        return found.interval.low, found.interval.high, truth

    for _ in range(runs):
        genuine, impostor = design.draw(generator)
        if design.impostor is not None:
            found = estimate_fmr(impostor, design.impostor, design.threshold)
            without += found.errors == 0
            of_fmr.append(limits(found, design.fmr))
        if design.genuine is not None:
            found = estimate_fnmr(genuine, design.genuine, design.threshold)
            of_fnmr.append(limits(found, design.fnmr))
    return RatesCovered(
        Coverage.of(of_fmr) if of_fmr else None,
        Coverage.of(of_fnmr) if of_fnmr else None,
        without / runs,
    )


def all_covered(
    design: Design, rule: ThresholdRule, runs: int, seed: int = 1, resamples: int = 100
) -> dict[str, Coverage]:
    """What a calibration by a rule and an evaluation state of as many draws of the design."""
    if design.genuine is None or design.impostor is None:
        raise ValueError(f"{design.name}: both classes are needed")
    generator = np.random.default_rng(seed)
    first, second = (
        np.concatenate((getattr(design.genuine, side), getattr(design.impostor, side)))
        for side in "ab"
    )
    labels = PairLabels(
        first == second, SubjectPairs(design.genuine.count, first, second, inferred=False)
    )
    best = float(np.quantile(design.impostors, rule.target_fmr or 0))
    auc, found = design.auc, dict[str, list[tuple[float, float, float]]]()
    for number in range(runs):
        distances = np.concatenate(design.draw(generator))
        measured = LabelledComparisons("made", "0" * 64, ScoreKind.DISTANCES, distances, labels)
        fitted = fit_calibration(
            measured,
            FitSettings(rule=rule, seed=number, resamples=resamples),
            metric=None,
            identity=None,
            failures_to_acquire=0,
            created_at=datetime.now(UTC),
            version="0",
        )
        threshold = fitted.calibration.threshold
        fmr, fnmr = design.fmr_at(threshold), design.fnmr_at(threshold)
        summary = summarised(measured, labels.units(), fitted.curve, number, resamples)
        stated = [
            ("FMR", fitted.fmr.interval, fmr),
            ("FNMR", fitted.fnmr.interval, fnmr),
            ("threshold", fitted.calibration.threshold_interval, best),
            ("AUC", summary.auc, auc),
        ]
        if fitted.held_out is not None:
            stated += [
                ("FMR, new people", fitted.held_out.fmr.interval, fmr),
                ("FNMR, new people", fitted.held_out.fnmr.interval, fnmr),
            ]
        for name, limits, truth in stated:
            if limits is not None:
                found.setdefault(name, []).append((limits.low, limits.high, truth))
    return {name: Coverage.of(intervals) for name, intervals in found.items()}


def main(runs: int) -> None:
    """Prints both tables."""
    print("| people | FMR | no false match | held | FNMR | held |\n|---|---:|---:|---:|---:|---:|")
    for make in DESIGNS:
        design = make()
        covered = rates_covered(design, runs)
        cells = [design.name]
        if covered.fmr is None:
            cells += ["", "", ""]
        else:
            cells += [f"{design.fmr:.3g}", f"{covered.without_errors:.0%}", str(covered.fmr)]
        cells += ["", ""] if covered.fnmr is None else [f"{design.fnmr:.3g}", str(covered.fnmr)]
        print(f"| {' | '.join(cells)} |", flush=True)
    columns = ("FMR", "FNMR", "threshold", "FMR, new people", "FNMR, new people", "AUC")
    print(f"\n| people | rule | {' | '.join(columns)} |\n|---|---|{'---:|' * len(columns)}")
    for make, text in WHOLE:
        design = make()
        found = all_covered(design, ThresholdRule.parse(text), max(runs // 2, 1))
        shown = " | ".join(str(found[name]) if name in found else "" for name in columns)
        print(f"| {design.name} | `{text}` | {shown} |", flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 400)
