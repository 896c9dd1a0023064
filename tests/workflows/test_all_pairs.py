"""All pairs of a folder, counted or held: the same results, but for what is said to differ."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from facematch.calibration import (
    AllPairs,
    FitSettings,
    PhotographPairs,
    StoredRate,
    WrongPair,
    folders,
    load_pairs,
)
from facematch.errors import OneClassError, PairsFormatError, UsageError
from facematch.metrics import HeldOut, IsotonicProbability, RateEstimate, ThresholdRule
from facematch.pipeline import Failure, Gathered, TemplateSource
from facematch.types import Float32Array, Metric, ModelIdentity
from facematch.workflows.calibrate import calibrate
from facematch.workflows.evaluate import (
    FixedThreshold,
    Protocol,
    VerificationResult,
    comparisons_document,
    evaluate_pairs,
    system_of,
)

RULES = (
    *("fmr<=0.001", "fmr<=0.01", "fnmr<=0.05", "eer", "max-accuracy", "cost=10:1:0.01"),
    "fpir<=0.05@30",
)
# Of distances: a rounding of float32 in the products, and half a step.
CLOSE = 3e-7
# Of folds, distances are rounded up to a long step; of two equally good thresholds another may
# then be taken.
LONG = 2.0**-16


class Given(TemplateSource):
    """Templates that are known beforehand; NaN for a failure to acquire."""

    def __init__(self, templates: Float32Array, copies: Sequence[int] = ()) -> None:
        self.identity = ModelIdentity("given", "f" * 64, templates.shape[1])
        self._templates = templates
        self._copies = copies

    def gather(
        self,
        paths: Sequence[Path],
        progress: Callable[[int, int], None] = lambda done, total: None,
        check: Callable[[Sequence[str | None]], None] = lambda sha256: None,
    ) -> Gathered:
        failures = tuple(
            Failure(str(path), f"{path}: no face")
            for path, lost in zip(paths, np.isnan(self._templates[:, 0]), strict=True)
            if lost
        )
        digests = [f"{row:064d}" for row in range(len(paths))]
        for row in self._copies:
            digests[row] = digests[0]
        check(digests)
        return Gathered(self._templates, tuple(digests), failures, 0)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("all") / "people"
    for person, size in enumerate(np.random.default_rng(3).integers(1, 8, size=40).tolist()):
        (root / f"p{person:03d}").mkdir(parents=True)
        for number in range(size):
            (root / f"p{person:03d}" / f"{number}.jpg").touch()
    return root


@pytest.fixture(scope="module")
def held(root: Path) -> PhotographPairs:
    found = load_pairs(root, impostors=None)
    assert isinstance(found, PhotographPairs)
    return found


@pytest.fixture
def counted(root: Path, monkeypatch: pytest.MonkeyPatch) -> AllPairs:
    monkeypatch.setattr(folders, "MOST_PAIRS", 10)
    found = load_pairs(root, impostors=None)
    assert isinstance(found, AllPairs)
    return found


@pytest.fixture(scope="module")
def complete(held: PhotographPairs) -> Given:
    generator = np.random.default_rng(5)
    names = [path.parent.name for path in held.photographs]
    subject = np.unique(names, return_inverse=True)[1]
    made = generator.normal(size=(40, 32))[subject] + generator.normal(size=(len(names), 32))
    made /= np.linalg.norm(made, axis=1, keepdims=True)
    return Given(made.astype(np.float32))


@pytest.fixture(scope="module")
def source(held: PhotographPairs, complete: Given) -> Given:
    """Two photographs gave no template."""
    templates = complete.gather(held.photographs).templates.copy()
    templates[[5, 40]] = np.nan
    return Given(templates)


def same_rate(found: RateEstimate | StoredRate, expected: RateEstimate | StoredRate) -> None:
    assert found.rate == expected.rate
    assert found.comparisons == expected.comparisons
    assert found.interval.low == pytest.approx(expected.interval.low)
    assert found.interval.high == pytest.approx(expected.interval.high)
    if isinstance(found, RateEstimate) and isinstance(expected, RateEstimate):
        assert found.effective == pytest.approx(expected.effective)


def same_held_out(found: HeldOut, expected: HeldOut, close: float) -> None:
    assert (found.folds, found.share) == (expected.folds, expected.share)
    same_rate(found.fmr, expected.fmr)
    same_rate(found.fnmr, expected.fnmr)
    for one, other in zip(found.by_fold, expected.by_fold, strict=True):
        assert (one.fold, one.counts) == (other.fold, other.counts)
        assert one.threshold == pytest.approx(other.threshold, abs=close)
    assert found.accuracies == pytest.approx(expected.accuracies)
    assert found.accuracy_std == pytest.approx(expected.accuracy_std)


def same_pairs(found: Sequence[WrongPair], expected: Sequence[WrongPair]) -> None:
    named = [replace(pair, distance=0) for pair in found]
    assert named == [replace(pair, distance=0) for pair in expected]
    apart = [pair.distance for pair in expected]
    assert [pair.distance for pair in found] == pytest.approx(apart, abs=CLOSE)


@pytest.mark.parametrize("text", RULES)
def test_a_calibration_of_counted_pairs(
    held: PhotographPairs, counted: AllPairs, source: Given, text: str
) -> None:
    settings = FitSettings(rule=ThresholdRule.parse(text), resamples=100)
    expected, found = (calibrate(pairs, source, settings) for pairs in (held, counted))
    assert (expected.streamed, found.streamed) == (False, True)
    a, b = expected.calibration, found.calibration
    assert b.threshold == pytest.approx(a.threshold, abs=CLOSE)
    assert found.choice.counts == expected.choice.counts
    for name in (
        *("fmr", "fnmr", "far", "frr", "accuracy", "resolved", "n_genuine", "n_impostor"),
        *("n_subjects", "lost_genuine", "lost_impostor", "failures_to_acquire", "rule"),
        *("interval_method", "seed", "pairs_name", "model_fingerprint", "metric", "scores"),
    ):
        assert getattr(b, name) == getattr(a, name), name
    assert b.auc == pytest.approx(a.auc, abs=1e-7)
    assert b.eer == pytest.approx(a.eer, abs=1e-7)
    same_rate(found.fitted.fmr, expected.fitted.fmr)
    same_rate(found.fitted.fnmr, expected.fitted.fnmr)
    kept, new = expected.fitted.held_out, found.fitted.held_out
    assert kept is not None
    assert new is not None
    same_held_out(new, kept, LONG)
    # People left out instead of drawn: an interval around the threshold, of about the width.
    assert a.threshold_interval is not None
    assert b.threshold_interval is not None
    assert b.threshold_interval.low <= b.threshold <= b.threshold_interval.high
    wide = a.threshold_interval.high - a.threshold_interval.low
    assert 0.5 < (b.threshold_interval.high - b.threshold_interval.low) / wide < 2
    old, fit = expected.fitted.probability, found.fitted.probability
    assert old is not None
    assert fit is not None
    assert fit.log_loss == pytest.approx(old.log_loss, abs=1e-3)
    assert (fit.curve.method, fit.held_out) == (old.curve.method, old.held_out)
    assert fit.reliability.brier == pytest.approx(old.reliability.brier, abs=1e-3)
    for row, other in zip(found.measures, expected.measures, strict=True):
        assert (row.metric, row.fmr, row.fnmr) == (other.metric, other.fmr, other.fnmr)
        assert (row.accuracy, row.eer) == (other.accuracy, pytest.approx(other.eer, abs=1e-7))
        assert row.threshold == pytest.approx(other.threshold, rel=1e-5)
        assert row.auc == pytest.approx(other.auc, abs=1e-7)
    assert (found.gallery is None) == (expected.gallery is None)
    same_pairs(found.worst, expected.worst)
    assert found.failures == expected.failures
    assert found.groups == ()


def isotonic() -> IsotonicProbability:
    return IsotonicProbability((0.3, 0.9), (4.0, -4.0), prior=0.2)


@pytest.mark.parametrize(
    "fixed",
    [None, FixedThreshold(0.5, "--threshold"), FixedThreshold(0.6, "c.json", isotonic())],
    ids=("folds", "threshold", "calibration"),
)
@pytest.mark.parametrize("metric", [Metric.COSINE, Metric.MANHATTAN])
def test_an_evaluation_of_counted_pairs(
    held: PhotographPairs,
    counted: AllPairs,
    source: Given,
    fixed: FixedThreshold | None,
    metric: Metric,
) -> None:
    expected, found = (
        evaluate_pairs(pairs, source, fixed=fixed, metric=metric, folds=4, seed=2)
        for pairs in (held, counted)
    )
    assert (expected.streamed, found.streamed) == (False, True)
    scale = 1.0 if metric is Metric.COSINE else 8.0
    for name in (
        *("protocol", "threshold_origin", "accuracy", "metric", "counts", "far", "frr"),
        *("failures", "photographs", "n_subjects", "subjects_inferred", "groups", "identity"),
        *("seed", "is_reversed"),
    ):
        assert getattr(found, name) == pytest.approx(getattr(expected, name)), name
    for name in ("threshold", "auc", "eer", "d_prime", "average_precision"):
        close = pytest.approx(getattr(expected, name), abs=CLOSE * scale)
        assert getattr(found, name) == close, name
    assert (found.held_out is None) == (expected.held_out is None) == (fixed is not None)
    if found.held_out is not None and expected.held_out is not None:
        assert found.held_out.share == expected.curve.genuine_share
        same_held_out(found.held_out, expected.held_out, 2 * LONG * scale)
    same_rate(found.fmr, expected.fmr)
    same_rate(found.fnmr, expected.fnmr)
    for point, other in zip(found.tar_at_fmr, expected.tar_at_fmr, strict=True):
        assert (point.fmr, point.tar) == (other.fmr, other.tar)
        assert point.impostors_needed == other.impostors_needed
        if point.tar is not None:
            assert point.interval is not None
            assert point.interval.low <= point.tar <= point.interval.high
    for limits, value in ((found.auc_interval, found.auc), (found.eer_interval, found.eer)):
        assert limits.low <= value <= limits.high
        assert limits.low < limits.high
    for limits, other in (
        (found.auc_interval, expected.auc_interval),
        (found.eer_interval, expected.eer_interval),
    ):
        assert 0.6 < (limits.high - limits.low) / (other.high - other.low) < 1.6
    assert found.probability is not None
    assert expected.probability is not None
    assert found.probability.method == expected.probability.method
    assert found.probability.origin == expected.probability.origin
    assert found.probability.reliability.brier == pytest.approx(
        expected.probability.reliability.brier, abs=1e-3
    )
    same = [(pair.a, pair.b) for pair in expected.worst]
    assert [(pair.a, pair.b) for pair in found.worst] == same


def test_a_calibration_and_an_evaluation_hold_out_the_same(
    held: PhotographPairs, counted: AllPairs, complete: Given
) -> None:
    """Folds of one seed, the rule of best accuracy: one figure, whatever command states it."""
    settings = FitSettings(rule=ThresholdRule.parse("max-accuracy"), folds=4, seed=2)
    for pairs in (held, counted):
        made = calibrate(pairs, complete, settings).fitted.held_out
        found = evaluate_pairs(pairs, complete, folds=4, seed=2)
        assert made is not None
        assert made == found.held_out
        # Folds hold a larger share of genuine pairs than the list, which accuracy is not to show.
        judged = [one.counts for one in made.by_fold]
        within = sum(one.true_matches + one.false_non_matches for one in judged)
        assert within / sum(one.comparisons for one in judged) > 2 * found.curve.genuine_share
        assert found.accuracy == pytest.approx(found.counts.accuracy, abs=0.01)


def test_two_people_with_one_photograph_too_many_have_no_folds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("ann/1", "ann/2", "bob/1"):
        (tmp_path / "people" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "people" / name).with_suffix(".jpg").touch()
    templates = Given(np.array([[1, 0], [0.8, 0.6], [0, 1]], np.float32))
    held = load_pairs(tmp_path / "people", impostors=None)
    monkeypatch.setattr(folders, "MOST_PAIRS", 1)
    counted = load_pairs(tmp_path / "people", impostors=None)
    for pairs in (held, counted):
        found = evaluate_pairs(pairs, templates)
        assert found.protocol is Protocol.SAME_PAIRS
        assert found.held_out is None
        assert found.accuracy == 1
        made = calibrate(pairs, templates, ThresholdRule.parse("eer"))
        assert made.fitted.held_out is None
        assert made.fitted.probability is not None
        assert not made.fitted.probability.held_out


def test_progress_goes_once_through_all_rounds(counted: AllPairs, source: Given) -> None:
    n = int((~np.isnan(source.gather(counted.photographs).templates[:, 0])).sum())
    pairs = n * (n - 1) // 2
    for work, rounds in (
        (lambda port: evaluate_pairs(counted, source, comparing=port), 2),
        (
            lambda port: calibrate(counted, source, ThresholdRule.parse("eer"), comparing=port),
            1 + len(Metric),
        ),
    ):
        seen: list[tuple[int, int]] = []
        work(lambda done, total: seen.append((done, total)))  # noqa: B023
        assert [done for done, _ in seen] == sorted(done for done, _ in seen)
        assert seen[-1] == (rounds * pairs, rounds * pairs)


def test_what_is_refused(counted: AllPairs, source: Given, root: Path) -> None:
    templates = source.gather(counted.photographs).templates
    rule = ThresholdRule.parse("eer")
    with pytest.raises(PairsFormatError, match=r"p000/0\.jpg and .*--allow-self-pairs"):
        calibrate(counted, Given(templates, copies=[7]), rule)
    allowed = replace(counted, self_pairs_allowed=True)
    assert calibrate(allowed, Given(templates, copies=[7]), rule).streamed
    with pytest.raises(OneClassError, match=r"no genuine pair is left; first failure: .*no face"):
        calibrate(counted, Given(np.full_like(templates, np.nan)), rule)
    with pytest.raises(UsageError, match="no column 'age'"):
        calibrate(counted, source, rule, groups=["age"])
    with pytest.raises(UsageError, match="no column 'age'"):
        evaluate_pairs(counted, source, groups=["age"])
    missing = replace(counted, photographs=(*counted.photographs[:-1], root / "gone.jpg"))
    with pytest.raises(PairsFormatError, match=r"there is no photograph .*gone\.jpg"):
        evaluate_pairs(missing, source)
    for pairs in (counted,):
        with pytest.raises(ValueError, match="templates"):
            calibrate(pairs, None, rule)
        with pytest.raises(ValueError, match="templates"):
            evaluate_pairs(pairs, None)


def test_more_folds_than_there_are_tables_for(
    counted: AllPairs, source: Given, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("facematch.calibration.streaming.MOST_FOLDS", 3)
    settings = FitSettings(rule=ThresholdRule.parse("eer"), folds=4)
    with pytest.raises(UsageError, match=r"at most 3 folds .*--folds"):
        calibrate(counted, source, settings)
    with pytest.raises(UsageError, match=r"at most 3 folds .*--folds"):
        evaluate_pairs(counted, source, folds=4)


def test_no_outcomes_are_kept(counted: AllPairs, source: Given) -> None:
    found: VerificationResult = evaluate_pairs(counted, source)
    assert comparisons_document(found.listed) is None
    with pytest.raises(UsageError, match="counted and not kept"):
        system_of(found, "this evaluation")
