"""Wrong labels, copies, and people of the test set, found in embeddings made to hold them."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facematch.errors import OutputError
from facematch.training.cleaning import (
    Finding,
    FindingKind,
    apply_cleaning,
    embedded,
    exclude_like,
    find_mislabels,
    find_near_duplicates,
    near_duplicates,
    write_findings,
)
from facematch.training.cleaning.centres import robust_centres
from facematch.training.data import NO_IDENTITY
from facematch.types import Float32Array, Int64Array


def people(
    count: int, crops: int, seed: int = 0, noise: float = 0.05, size: int = 16
) -> tuple[Float32Array, Int64Array]:
    """Identities far apart, crops around them; rows are not of unit length."""
    rng = np.random.default_rng(seed)
    centres = np.linalg.qr(rng.normal(size=(size, size)))[0][:count]
    points = np.repeat(centres, crops, 0) + rng.normal(0, noise, (count * crops, size))
    lengths = rng.uniform(0.5, 3, (len(points), 1))
    return (points * lengths).astype(np.float32), np.repeat(np.arange(count), crops)


def named(count: int) -> list[str]:
    return [f"crop {row}" for row in range(count)]


def cosine(a: Float32Array, b: Float32Array) -> float:
    """Slow, in double precision."""
    x, y = a.astype(float), b.astype(float)
    return 1 - float(x @ y) / float(np.sqrt(x @ x) * np.sqrt(y @ y))


def unit(rows: Float32Array) -> Float32Array:
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)


@pytest.mark.parametrize("wrong", [1, 2, 3])
def test_a_minority_does_not_move_the_centre(wrong: int) -> None:
    points, labels = people(4, 8)
    clean = robust_centres(unit(points), labels).points
    points[:wrong] = points[8 : 8 + wrong]  # of identity 1, labelled 0
    dirty = robust_centres(unit(points), labels).points
    assert cosine(clean[0], dirty[0]) < 0.02
    np.testing.assert_array_equal(clean[1:], dirty[1:])


def test_centres_leave_out_nobody_and_know_their_members() -> None:
    points, _ = people(3, 3)
    labels = np.array([7, -1, 7, 2, 2, -1, 7, 2, 5])
    found = robust_centres(unit(points), labels)
    assert found.labels.tolist() == [2, 5, 7]
    assert [rows.tolist() for rows in found.members] == [[3, 4, 7], [8], [0, 2, 6]]
    np.testing.assert_allclose(np.linalg.norm(found.points, axis=1), 1, atol=1e-6)


def test_opposite_crops_have_a_centre() -> None:
    points = np.array([[1, 0], [-1, 0], [1, 0], [-1, 0]], np.float32)
    found = robust_centres(points, np.zeros(4, np.int64))
    assert np.linalg.norm(found.points[0]) == pytest.approx(1)


def test_no_identities_have_no_centres() -> None:
    found = robust_centres(unit(people(2, 2)[0]), np.full(4, NO_IDENTITY))
    assert len(found.labels) == len(found.members) == len(found.points) == 0


def test_swapped_labels_are_found() -> None:
    points, labels = people(6, 8)
    labels[[0, 17]] = labels[[17, 0]]
    found = find_mislabels(points, labels, named(48))
    assert [(f.crop, f.name, f.identity) for f in found] == [
        (0, "crop 0", 2),
        (17, "crop 17", 0),
    ]
    for finding, members in zip(found, (range(1, 8), range(16, 24)), strict=True):
        assert finding.kind is FindingKind.MISLABEL
        assert finding.other in {f"crop {row}" for row in members}
        assert finding.other in finding.reason
        assert 0 <= finding.distance < 0.1
        assert "\n" not in finding.reason


def test_a_stranger_is_far_but_nobody_elses() -> None:
    """Far from the own centre is not enough: a bad picture is no wrong label."""
    points, labels = people(6, 8)
    # Mostly along a direction that no identity has, and a little along its own.
    spare = np.linalg.svd(np.stack([points[labels == row].mean(0) for row in range(6)]))[2][-1]
    points[3] = 0.5 * unit(points[:1])[0] + 2 * spare
    assert find_mislabels(points, labels, named(48)) == ()


def test_clean_labels_give_no_findings() -> None:
    points, labels = people(8, 5, seed=3)
    assert find_mislabels(points, labels, named(40)) == ()


@pytest.mark.parametrize(
    "labels",
    [
        pytest.param([0, 0, 1, 1, 2, 2], id="two crops each"),
        pytest.param([0, 0, 0, 0, 0, 0], id="one identity"),
        pytest.param([-1, -1, -1, -1, -1, -1], id="nobody"),
        pytest.param([0, 1, 2, 3, 4, 5], id="one crop each"),
    ],
)
def test_nothing_to_judge_by(labels: list[int]) -> None:
    points = np.random.default_rng(0).normal(size=(6, 4)).astype(np.float32)
    assert find_mislabels(points, np.array(labels), named(6)) == ()


def test_unlabelled_crops_are_no_mislabels() -> None:
    points, labels = people(6, 8)
    labels[[4, 20]] = NO_IDENTITY
    assert find_mislabels(points, labels, named(48)) == ()


def slow_duplicates(
    points: Float32Array, labels: list[int], distance: float
) -> dict[int, int | None]:
    """Crop left out -> the nearest kept one; None where two are about as near."""
    order = sorted(range(len(points)), key=lambda row: labels[row] < 0)
    kept: list[int] = []
    left_out: dict[int, int | None] = {}
    for row in order:
        near = sorted((cosine(points[row], points[other]), other) for other in kept)
        if near and near[0][0] <= distance:
            tied = len(near) > 1 and near[1][0] - near[0][0] < 1e-5
            left_out[row] = None if tied else near[0][1]
        else:
            kept.append(row)
    return left_out


@settings(deadline=None)
@given(
    st.integers(0, 10_000),
    st.lists(st.integers(-1, 3), min_size=1, max_size=40),
    st.sampled_from([0.005, 0.05, 0.2]),
    st.sampled_from([1, 3, 8, 2048]),
)
def test_near_duplicates(seed: int, labels: list[int], distance: float, block: int) -> None:
    rng = np.random.default_rng(seed)
    points = rng.normal(size=(6, 3))[rng.integers(0, 6, len(labels))]
    points = (points + rng.normal(0, 0.05, points.shape)).astype(np.float32)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(embedded, "BLOCK", block)
        patch.setattr(near_duplicates, "BLOCK", block)
        found = find_near_duplicates(
            points, np.array(labels), named(len(labels)), distance=distance
        )
    wanted = slow_duplicates(points, labels, distance)
    assert [f.crop for f in found] == sorted(wanted)
    for finding in found:
        original = int(finding.other.removeprefix("crop "))
        assert wanted[finding.crop] in (None, original)
        assert finding.distance == pytest.approx(
            cosine(points[finding.crop], points[original]), abs=1e-5
        )


def test_the_copy_with_a_label_stays() -> None:
    points, _ = people(3, 1, noise=0)
    rows = points[[0, 1, 0, 2, 0, 1]]
    labels = np.array([-1, 4, 2, 3, 2, 5])
    found = find_near_duplicates(rows, labels, named(6))
    assert [(f.crop, f.other) for f in found] == [
        (0, "crop 2"),
        (4, "crop 2"),
        (5, "crop 1"),
    ]
    assert "without an identity" in found[0].reason
    assert "of the same identity" in found[1].reason
    assert "of another identity" in found[2].reason
    assert all(f.distance == pytest.approx(0, abs=1e-6) for f in found)
    assert all(f.distance >= 0 for f in found)


def test_a_chain_of_small_steps_is_not_one_picture() -> None:
    angles = np.arange(5) * 0.1  # neighbours are 0.005 apart, the ends 0.08
    points = np.column_stack([np.cos(angles), np.sin(angles)]).astype(np.float32)
    found = find_near_duplicates(points, np.zeros(5, np.int64), named(5), distance=0.01)
    assert [f.crop for f in found] == [1, 3]


def test_whole_identities_go_for_one_likeness() -> None:
    points, labels = people(5, 4)
    labels[[18, 19]] = NO_IDENTITY
    tests = np.stack([points[5] * 2, points[18], -points[0]])
    found = exclude_like(points, labels, named(20), tests, ["anna", "carl", "eve"], threshold=0.001)
    assert [f.crop for f in found] == [4, 5, 6, 7, 18]
    assert {f.other for f in found[:4]} == {"anna"}
    assert all("crop 5 is like anna" in f.reason for f in found[:4])
    assert (found[4].other, found[4].identity) == ("carl", NO_IDENTITY)
    assert all(f.kind is FindingKind.TEST_LOOK_ALIKE for f in found)


def test_the_centre_counts_where_no_crop_is_near() -> None:
    around = np.array([[1, 0.4, 0], [1, -0.4, 0], [1, 0, 0.4], [1, 0, -0.4]], np.float32)
    labels = np.zeros(4, np.int64)
    centre = robust_centres(unit(around), labels).points
    found = exclude_like(around, labels, named(4), centre, ["test"], threshold=0.01)
    assert [f.crop for f in found] == [0, 1, 2, 3]
    assert all("identity's centre" in f.reason for f in found)
    assert exclude_like(around, labels, named(4), -centre, ["test"], threshold=0.01) == ()


@settings(deadline=None)
@given(st.integers(0, 10_000), st.floats(0, 1.5), st.sampled_from([1, 4, 2048]))
def test_likeness_of_crops(seed: int, threshold: float, block: int) -> None:
    rng = np.random.default_rng(seed)
    points, tests = (rng.normal(size=(n, 3)).astype(np.float32) for n in (12, 5))
    labels = rng.integers(-1, 3, 12)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(embedded, "BLOCK", block)
        found = {
            f.crop
            for f in exclude_like(points, labels, named(12), tests, named(5), threshold=threshold)
        }
    for row in range(12):
        same = [row] if labels[row] < 0 else np.flatnonzero(labels == labels[row]).tolist()
        closest = min(cosine(points[other], test) for other in same for test in tests)
        if closest <= threshold - 1e-5:
            assert row in found
        elif labels[row] < 0 and closest > threshold + 1e-5:
            assert row not in found
    whole = {int(label) for label in labels[sorted(found)] if label >= 0}
    assert {row for row in range(12) if labels[row] in whole} <= found


def test_no_templates_exclude_nobody() -> None:
    points, labels = people(3, 2)
    assert exclude_like(points, labels, named(6), points[:0], [], threshold=2) == ()


BAD_ROWS = (
    (np.zeros((2, 3, 4), np.float32), "shape"),
    (np.array([[1, np.nan], [1, 0]], np.float32), "finite"),
    (np.array([[1, 1], [0, 0]], np.float32), "row of zeros: 1"),
)


@pytest.mark.parametrize(("rows", "words"), BAD_ROWS)
def test_embeddings_that_cannot_be_used(rows: Float32Array, words: str) -> None:
    labels, names = np.zeros(2, np.int64), named(2)
    sound = np.ones((2, 2), np.float32)
    for attempt in (
        lambda: find_mislabels(rows, labels, names),
        lambda: find_near_duplicates(rows, labels, names),
        lambda: exclude_like(rows, labels, names, sound, names, threshold=0.1),
        lambda: exclude_like(sound, labels, names, rows, names, threshold=0.1),
    ):
        with pytest.raises(ValueError, match=words):
            attempt()


def test_numbers_that_do_not_fit() -> None:
    points, labels = people(2, 2)
    for attempt, words in (
        (lambda: find_mislabels(points, labels[:3], named(4)), "4 embeddings, 3 labels"),
        (lambda: find_near_duplicates(points, labels, named(3)), "3 names"),
        (lambda: exclude_like(points, labels, named(4), points, [], threshold=1), "0 names"),
        (lambda: exclude_like(points, labels, named(4), points, named(4), threshold=3), "thresh"),
        (lambda: find_near_duplicates(points, labels, named(4), distance=-1), "distance"),
        (lambda: find_mislabels(points, labels, named(4), deviations=float("nan")), "deviations"),
    ):
        with pytest.raises(ValueError, match=words):
            attempt()


def finding(crop: int, name: str = "a.zip:x/1.png", other: str = "b") -> Finding:
    return Finding(FindingKind.MISLABEL, crop, name, 3, other, 0.12345, "far, and near")


def test_what_is_left() -> None:
    kept = apply_cleaning(6, [finding(4), finding(0), finding(4)])
    assert kept.tolist() == [1, 2, 3, 5]
    assert kept.dtype == np.int64
    assert apply_cleaning(3, []).tolist() == [0, 1, 2]


@pytest.mark.parametrize("crop", [-1, 6])
def test_findings_of_other_crops(crop: int) -> None:
    with pytest.raises(ValueError, match=f"crop {crop} of 6"):
        apply_cleaning(6, [finding(crop)])


def test_the_report_is_a_table(tmp_path: Path) -> None:
    path = tmp_path / "report.csv"
    path.write_text("old")
    write_findings(path, [finding(1), finding(2, "=1+1", 'a "b", ü\udcff')])
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))
    assert rows == [
        ["kind", "crop", "name", "identity", "other", "distance", "reason"],
        ["mislabel", "1", "a.zip:x/1.png", "3", "b", "0.1235", "far, and near"],
        ["mislabel", "2", "'=1+1", "3", 'a "b", ü\\udcff', "0.1235", "far, and near"],
    ]
    assert [entry.name for entry in tmp_path.iterdir()] == ["report.csv"]


def test_a_report_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="cannot be written"):
        write_findings(tmp_path / "missing" / "report.csv", [])
