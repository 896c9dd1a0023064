"""Calibration files: round trip, atomic writing, hostile content."""

from __future__ import annotations

import errno
import json
import os
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from facematch.calibration import (
    Calibration,
    IntervalMethod,
    ScoreKind,
    load_calibration,
    save_calibration,
)
from facematch.calibration.store import MAX_BYTES
from facematch.errors import (
    CalibrationError,
    CalibrationFormatError,
    CalibrationNotFoundError,
    FacematchError,
    OutputError,
)
from facematch.metrics import IsotonicProbability, MatchProbability, ThresholdRule
from facematch.types import Metric

any_time = settings(
    deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60
)


@pytest.fixture
def saved(calibration: Calibration, tmp_path: Path) -> Path:
    path = tmp_path / "calibration.json"
    save_calibration(calibration, path)
    return path


def edited(saved: Path, **changes: Any) -> Path:
    document = json.loads(saved.read_text("utf-8"))
    document.update(changes)
    saved.write_text(json.dumps(document), "utf-8")
    return saved


def test_round_trip(calibration: Calibration, saved: Path) -> None:
    assert load_calibration(saved) == calibration


@any_time
@given(
    threshold=st.floats(allow_nan=False, allow_infinity=False),
    metric=st.sampled_from(list(Metric)),
    rule=st.sampled_from(["fmr<=0.001", "fnmr<=1e-07", "eer", "max-accuracy"]),
    probable=st.booleans(),
    name=st.text(min_size=1, max_size=50).filter(str.isprintable),
)
def test_round_trip_of_any(
    calibration: Calibration,
    tmp_path: Path,
    threshold: float,
    metric: Metric,
    rule: str,
    probable: bool,
    name: str,
) -> None:
    changed = replace(
        calibration,
        threshold=threshold,
        metric=metric,
        rule=ThresholdRule.parse(rule),
        match_probability=calibration.match_probability if probable else None,
        pairs_name=name,
    )
    save_calibration(changed, tmp_path / "c.json")
    assert load_calibration(tmp_path / "c.json") == changed


def test_file_is_plain_json_with_every_field(calibration: Calibration, saved: Path) -> None:
    document = json.loads(saved.read_text("utf-8"))
    assert set(document) == {field.name for field in fields(calibration)}
    assert next(iter(document)) == "schema_version"
    assert document["metric"] == "cosine"
    assert document["rule"] == "fmr<=0.01"
    assert set(document["fmr_interval"]) == {"low", "high"}
    assert set(document["match_probability"]) == {
        *("method", "slope", "intercept", "prior", "lowest", "highest"),
    }
    assert "Größe" in saved.read_text("utf-8")


def test_an_isotonic_probability_and_scores_made_elsewhere(
    calibration: Calibration, tmp_path: Path
) -> None:
    changed = replace(
        calibration,
        scores=ScoreKind.SIMILARITIES,
        metric=None,
        model_name=None,
        model_fingerprint=None,
        threshold_interval=None,
        n_subjects=None,
        match_probability=IsotonicProbability((0.1, 0.7), (3.5, -2.25), prior=0.01),
        rule=ThresholdRule.parse("fpir<=0.01@1000"),
    )
    save_calibration(changed, tmp_path / "c.json")
    assert load_calibration(tmp_path / "c.json") == changed


def test_version_1_is_read(calibration: Calibration, saved: Path) -> None:
    document = json.loads(saved.read_text("utf-8"))
    for name in (
        *("scores", "interval_method", "threshold_interval", "n_subjects"),
        *("lost_genuine", "lost_impostor", "seed"),
    ):
        del document[name]
    for name in ("method", "lowest", "highest"):
        del document["match_probability"][name]
    saved.write_text(json.dumps({**document, "schema_version": 1}), "utf-8")
    loaded = load_calibration(saved)
    assert isinstance(calibration.match_probability, MatchProbability)
    assert loaded == replace(
        calibration,
        interval_method=IntervalMethod.INDEPENDENT,
        threshold_interval=None,
        n_subjects=None,
        lost_genuine=None,
        lost_impostor=None,
        seed=0,
        match_probability=replace(calibration.match_probability, lowest=-30.0, highest=30.0),
    )
    assert (loaded.far, loaded.frr) == (None, None)
    save_calibration(loaded, saved)
    assert load_calibration(saved) == loaded


def test_unknown_keys_and_a_byte_order_mark_are_left_alone(
    calibration: Calibration, saved: Path
) -> None:
    edited(saved, note="by hand")
    saved.write_bytes(b"\xef\xbb\xbf" + saved.read_bytes())
    assert load_calibration(saved) == calibration


def test_integers_serve_as_numbers(calibration: Calibration, saved: Path) -> None:
    assert load_calibration(edited(saved, threshold=1)).threshold == 1.0


def test_every_field_is_required(saved: Path) -> None:
    whole = json.loads(saved.read_text("utf-8"))
    for name in whole.keys() - {"held_out", "groups", "photographs_sha256"}:  # which came later
        saved.write_text(json.dumps({k: v for k, v in whole.items() if k != name}), "utf-8")
        with pytest.raises(CalibrationFormatError, match=f"{name}: is missing"):
            load_calibration(saved)


@pytest.mark.parametrize(
    ("field", "value", "named"),
    [
        ("schema_version", 0, "schema_version"),
        ("schema_version", 3, "schema_version"),
        ("scores", "guesses", "scores"),
        ("metric", None, "metric"),
        ("model_name", None, "model_name"),
        ("interval_method", "none", "interval_method"),
        ("threshold_interval", {"low": 1}, "threshold_interval.high"),
        ("threshold_interval", {"low": 1, "high": 0}, "threshold_interval"),
        ("n_subjects", "many", "n_subjects"),
        ("lost_genuine", -1, "lost_genuine"),
        ("lost_impostor", 0.5, "lost_impostor"),
        ("seed", None, "seed"),
        ("match_probability", {"method": "oracle", "prior": 0.5}, "match_probability.method"),
        (
            "match_probability",
            {"method": "isotonic", "prior": 0.5, "distances": [0, 1], "ratios": [0, 1]},
            "match_probability.ratios",
        ),
        (
            "match_probability",
            {"method": "isotonic", "prior": 0.5, "distances": [0, "x"], "ratios": [1, 0]},
            "match_probability.distances.1",
        ),
        (
            "match_probability",
            {"method": "isotonic", "prior": 0.5, "distances": 3, "ratios": [1, 0]},
            "match_probability.distances",
        ),
        (
            "match_probability",
            {"slope": 1, "intercept": 0, "prior": 0.5, "lowest": 2, "highest": 1},
            "match_probability.lowest",
        ),
        ("schema_version", True, "schema_version"),
        ("metric", "hamming", "metric"),
        ("metric", 3, "metric"),
        ("threshold", "0.4", "threshold"),
        ("threshold", None, "threshold"),
        ("threshold", True, "threshold"),
        ("threshold", float("nan"), "threshold"),
        ("threshold", float("inf"), "threshold"),
        ("threshold", 10**400, "threshold"),
        ("rule", "at your leisure", "rule"),
        ("rule", "fmr<=7", "rule"),
        ("fmr", 1.5, "fmr"),
        ("fmr_interval", [0, 1], "fmr_interval"),
        ("fmr_interval", {"low": 0}, "fmr_interval.high"),
        ("fmr_interval", {"low": 0.5, "high": 0.4}, "fmr_interval"),
        ("fnmr_interval", {"low": 0.999, "high": 1}, "fnmr_interval"),
        ("n_genuine", 0, "n_genuine"),
        ("n_genuine", 3.0, "n_genuine"),
        ("n_impostor", 2**63, "n_impostor"),
        ("failures_to_acquire", -1, "failures_to_acquire"),
        ("resolved", 1, "resolved"),
        ("auc", -0.1, "auc"),
        ("eer", [], "eer"),
        ("accuracy", "high", "accuracy"),
        ("match_probability", 0.5, "match_probability"),
        ("match_probability", {"slope": 1, "intercept": 0}, "match_probability.prior"),
        (
            "match_probability",
            {"slope": -1, "intercept": 0, "prior": 0.5},
            "match_probability.slope",
        ),
        ("pairs_name", None, "pairs_name"),
        ("pairs_name", "a\u202eb", "pairs_name"),
        ("pairs_sha256", "abc", "pairs_sha256"),
        ("model_name", "\ud800", "model_name"),
        ("model_fingerprint", {}, "model_fingerprint"),
        ("facematch_version", "", "facematch_version"),
        ("created_at", "2025-13-01T00:00:00+00:00", "created_at"),
    ],
)
def test_names_file_and_field(saved: Path, field: str, value: Any, named: str) -> None:
    with pytest.raises(CalibrationFormatError) as caught:
        load_calibration(edited(saved, **{field: value}))
    message = str(caught.value)
    assert message.startswith(f"{saved}: ")
    assert f": {named}: " in message
    assert "\n" not in message
    assert len(message) < 500 + len(str(saved))
    message.encode("utf-8")  # can be printed


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"null",
        b"[]",
        b"{",
        b"not json",
        b"\xff\xfe\x00",
        b"\x89HDF\r\n\x1a\n" + bytes(100),
        b"[" * 500_000,
        b'{"a":' * 100_000,
        b"1" * 10_000,  # more digits than int() takes
        b'{"schema_version": ' + b"9" * 10_000 + b"}",
        b'{"schema_version": 1, "threshold": 1e999}',
        b"{}" + b" " * MAX_BYTES,
    ],
    ids=lambda content: repr(content[:12]),
)
def test_hostile_content(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "c.json"
    path.write_bytes(content)
    with pytest.raises(CalibrationFormatError) as caught:
        load_calibration(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@any_time
@given(position=st.integers(0, 900), junk=st.binary(min_size=1, max_size=8))
def test_damage_is_never_a_crash(
    calibration: Calibration, tmp_path: Path, position: int, junk: bytes
) -> None:
    path = tmp_path / "c.json"
    save_calibration(calibration, path)
    content = path.read_bytes()
    path.write_bytes(content[:position] + junk + content[position + len(junk) :])
    try:
        assert isinstance(load_calibration(path), Calibration)
    except FacematchError as exc:
        assert isinstance(exc, CalibrationFormatError)  # noqa: PT017


def test_missing_file(tmp_path: Path, saved: Path) -> None:
    for path in (tmp_path / "none.json", tmp_path / "none" / "c.json", saved / "c.json"):
        with pytest.raises(CalibrationNotFoundError, match="facematch calibrate PAIRS"):
            load_calibration(path)


def test_folder_and_pipe(tmp_path: Path) -> None:
    with pytest.raises(CalibrationFormatError, match="folder"):
        load_calibration(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(CalibrationFormatError, match="device"):
        load_calibration(tmp_path / "pipe")


def test_unreadable(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(CalibrationError, match=r"calibration\.json: cannot be read"):
        load_calibration(saved)


def test_unwritable(calibration: Calibration, tmp_path: Path, saved: Path) -> None:
    for path in (tmp_path / "none" / "c.json", saved / "c.json", tmp_path):
        with pytest.raises(OutputError) as caught:
            save_calibration(calibration, path)
        assert str(path) in str(caught.value)
        assert caught.value.exit_code == 8
    assert [p.name for p in tmp_path.iterdir()] == [saved.name]


@pytest.mark.parametrize("function", ["fsync", "replace"])
def test_no_space_leaves_the_old_file(
    calibration: Calibration, saved: Path, monkeypatch: pytest.MonkeyPatch, function: str
) -> None:
    def fail(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    before = saved.read_bytes()
    monkeypatch.setattr(os, function, fail)
    with pytest.raises(OutputError, match="No space left"):
        save_calibration(replace(calibration, threshold=0.1), saved)
    assert saved.read_bytes() == before
    assert [p.name for p in saved.parent.iterdir()] == [saved.name]


def test_an_interruption_leaves_the_old_file(
    calibration: Calibration, saved: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = saved.read_bytes()
    monkeypatch.setattr(os, "replace", interrupt)
    with pytest.raises(KeyboardInterrupt):
        save_calibration(replace(calibration, threshold=0.1), saved)
    assert saved.read_bytes() == before
    assert [p.name for p in saved.parent.iterdir()] == [saved.name]


def test_overwrites_and_honours_the_umask(calibration: Calibration, saved: Path) -> None:
    save_calibration(replace(calibration, threshold=0.1), saved)
    assert load_calibration(saved).threshold == 0.1
    umask = os.umask(0)
    os.umask(umask)
    assert saved.stat().st_mode & 0o777 == 0o666 & ~umask
