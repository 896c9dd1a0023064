"""The cascade: settings, edge cases, its suppression against slow loops."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torchvision
from hypothesis import given
from hypothesis import strategies as st
from torch import from_numpy

from facematch.imaging.mtcnn import DetectorSettings, FaceDetector, networks
from facematch.imaging.mtcnn.cascade import SETTLED, _inside, _squared
from facematch.imaging.mtcnn.proposals import Proposer, over_threshold
from facematch.imaging.mtcnn.sampling import AreaSampler
from facematch.imaging.mtcnn.suppression import suppress, suppress_nested
from facematch.runtime import Device, open_engine
from facematch.runtime.torch_engine import TorchEngine
from facematch.types import Detection, Float32Array, Float64Array, UInt8Array


@pytest.fixture(scope="module")
def detector() -> FaceDetector:
    return FaceDetector(open_engine(Device.CPU))


def noise(height: int, width: int, seed: int = 0) -> UInt8Array:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def grey(height: int, width: int, level: int = 127) -> UInt8Array:
    return np.full((height, width, 3), level, np.uint8)


@pytest.mark.parametrize(
    "picture",
    [
        pytest.param(grey(1, 1), id="1x1"),
        pytest.param(noise(10, 10), id="10x10"),
        pytest.param(noise(19, 19), id="one pixel too small for a face"),
        pytest.param(grey(20, 20), id="as small as a face"),
        pytest.param(noise(1, 3000), id="one row"),
        pytest.param(noise(3000, 1), id="one column"),
        pytest.param(grey(100, 100, 0), id="black"),
        pytest.param(grey(100, 100, 255), id="white"),
        pytest.param(grey(333, 100), id="grey"),
        pytest.param(grey(24, 4000), id="very wide"),
        pytest.param(noise(24, 4000), id="very wide noise"),
        pytest.param(noise(4000, 24), id="very tall noise"),
    ],
)
def test_pictures_without_faces(detector: FaceDetector, picture: UInt8Array) -> None:
    before = picture.copy()
    assert detector.detect(picture) == []
    np.testing.assert_array_equal(picture, before)


def test_a_picture_that_is_a_view(detector: FaceDetector) -> None:
    whole = noise(200, 300)
    assert detector.detect(whole[::-1, ::-1]) == []
    assert detector.detect(whole.transpose(1, 0, 2)) == []


@pytest.mark.parametrize(
    ("fields", "word"),
    [
        ({"min_face_size": 11}, "min_face_size"),
        ({"min_face_size": 0}, "min_face_size"),
        ({"thresholds": (0.6, 0.7)}, "thresholds"),
        ({"thresholds": (0.6, 0.7, 1.1)}, "thresholds"),
        ({"thresholds": (-0.1, 0.7, 0.7)}, "thresholds"),
        ({"thresholds": (0.6, float("nan"), 0.7)}, "thresholds"),
        ({"factor": 0.0}, "factor"),
        ({"factor": 1.0}, "factor"),
        ({"factor": float("nan")}, "factor"),
    ],
)
def test_settings_out_of_range(fields: dict[str, object], word: str) -> None:
    with pytest.raises(ValueError, match=word):
        DetectorSettings(**fields)  # type: ignore[arg-type]


def test_engines_find_the_same() -> None:
    """With thresholds at which noise has faces, both engines find the same ones."""
    settings = DetectorSettings(thresholds=(0.4, 0.05, 0.001))
    picture = cv2.resize(noise(30, 22), (180, 240), interpolation=cv2.INTER_CUBIC)
    picture = np.asarray(picture, np.uint8)
    ours = FaceDetector(open_engine(Device.CPU), settings).detect(picture)
    theirs = FaceDetector(TorchEngine("cpu"), settings).detect(picture)
    assert len(ours) == len(theirs) >= 5
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(a.box_xyxy, b.box_xyxy, atol=0.05)
        np.testing.assert_allclose(a.landmarks_xy, b.landmarks_xy, atol=0.05)
        assert a.score == pytest.approx(b.score, abs=1e-3)
    assert [f.score for f in ours] == sorted((f.score for f in ours), reverse=True)


# At these thresholds noise has faces.
EAGER = DetectorSettings(thresholds=(0.4, 0.05, 0.001))


@pytest.fixture(scope="module")
def blotches() -> UInt8Array:
    picture = cv2.resize(noise(30, 22), (360, 480), interpolation=cv2.INTER_CUBIC)
    return np.asarray(picture, np.uint8)


def test_a_search_of_everything_finds_the_same(blotches: UInt8Array) -> None:
    eager = FaceDetector(open_engine(Device.CPU), EAGER)
    stages: list[Detection] = []

    def everywhere(detection: Detection) -> Float64Array:
        stages.append(detection)
        return np.array([0, 0, 360, 480], np.float64)

    found = eager.search(blotches, everywhere)
    assert found.complete
    assert found.settled_px == 0
    assert [stage.complete for stage in stages] == [False, False]
    assert stages[0].settled_px == pytest.approx(SETTLED * 20 / 0.709**3)
    assert stages[1].settled_px == pytest.approx(SETTLED * 20 / 0.709)
    wanted = eager.detect(blotches)
    assert len(found.faces) == len(wanted) >= 5
    for a, b in zip(found.faces, wanted, strict=True):
        np.testing.assert_allclose(a.box_xyxy, b.box_xyxy, atol=0.01)
        np.testing.assert_allclose(a.landmarks_xy, b.landmarks_xy, atol=0.01)
        assert a.score == pytest.approx(b.score, abs=1e-4)


def test_a_search_ends_when_it_is_told_to(blotches: UInt8Array) -> None:
    eager = FaceDetector(open_engine(Device.CPU), EAGER)
    asked: list[Detection] = []
    found = eager.search(blotches, asked.append)
    assert asked == [found]
    assert not found.complete
    assert all(min(face.size_wh) > 30 for face in found.faces)


def test_a_search_of_a_part_is_not_complete(blotches: UInt8Array) -> None:
    eager = FaceDetector(open_engine(Device.CPU), EAGER)
    part = np.array([100, 100, 200, 200], np.float64)
    found = eager.search(blotches, lambda _: part)
    assert not found.complete
    small = [face for face in found.faces if max(face.size_wh) < 35]
    middles = np.array([(face.box_xyxy[:2] + face.box_xyxy[2:]) / 2 for face in small])
    assert len(small) > 0
    assert (middles > 50).all()
    assert (middles < 250).all()


def test_a_small_picture_is_searched_at_once(detector: FaceDetector) -> None:
    def never(detection: Detection) -> None:
        pytest.fail("asked where nothing is left")

    for picture in (grey(100, 100), grey(1, 1), grey(19, 500)):
        found = detector.search(picture, never)
        assert (found.faces, found.complete) == ((), True)


def boxes_of(seed: int, count: int) -> Float32Array:
    """float32 (count, 5): random boxes with different scores."""
    rng = np.random.default_rng(seed)
    corner, sides = rng.uniform(0, 60, (count, 2)), rng.uniform(5, 40, (count, 2))
    score = rng.permutation(count) / (count + 1) + 0.01
    return np.column_stack([corner, corner + sides, score]).astype(np.float32)


@given(st.integers(0, 10_000), st.integers(0, 30), st.sampled_from([0.3, 0.5, 0.7]))
def test_suppression_is_torchvisions(seed: int, count: int, overlap: float) -> None:
    scored = boxes_of(seed, count)
    wanted = torchvision.ops.nms(from_numpy(scored[:, :4]), from_numpy(scored[:, 4]), overlap)
    assert suppress(scored, overlap).tolist() == wanted.tolist()


@given(st.integers(0, 10_000), st.integers(0, 30), st.sampled_from([0.3, 0.5, 0.7]))
def test_suppression_of_boxes_in_boxes(seed: int, count: int, overlap: float) -> None:
    """One by one: a box stays if it shares too little with each better one that stayed."""
    scored = boxes_of(seed, count)
    kept: list[int] = []
    for i in sorted(range(count), key=lambda i: -scored[i, 4]):
        if all(shared_part(scored[i], scored[j]) <= overlap for j in kept):
            kept.append(i)
    assert suppress_nested(scored[:, :4], scored[:, 4], overlap) == kept


def shared_part(a: Float32Array, b: Float32Array) -> float:
    """Intersection over the smaller area, in whole pixels (both edges belong to a box)."""
    left, top = max(a[0], b[0]), max(a[1], b[1])
    right, bottom = min(a[2], b[2]), min(a[3], b[3])
    areas = [(box[2] - box[0] + 1) * (box[3] - box[1] + 1) for box in (a, b)]
    return float(max(0, right - left + 1) * max(0, bottom - top + 1) / min(areas))


def test_a_box_inside_another_goes() -> None:
    boxes = np.array([(0, 0, 100, 100), (40, 40, 60, 60), (200, 0, 220, 20)], np.float32)
    scores = np.array([0.9, 0.99, 0.8], np.float32)
    assert suppress_nested(boxes, scores, 0.7) == [1, 2]


def test_squares_share_the_centre() -> None:
    boxes = np.array([(0, 0, 10, 20), (5, 5, 45, 15), (1, 1, 4, 4)], np.float32)
    wanted = np.array([(-5, 0, 15, 20), (5, -10, 45, 30), (1, 1, 4, 4)], np.float32)
    np.testing.assert_array_equal(_squared(boxes), wanted)


def test_cells_lie_where_the_network_looked() -> None:
    probability = np.zeros((5, 7), np.float32)
    probability[2, 3], probability[4, 6] = 0.6, 0.9
    offsets = np.arange(4 * 5 * 7, dtype=np.float32).reshape(4, 5, 7)
    found = over_threshold(probability, offsets, 0.5, np.float32(0.6))
    # Cell (row 2, column 3) starts at pixel (6, 4) of a level half the picture's size.
    np.testing.assert_array_equal(found[0, :4], [14, 10, 36, 32])
    np.testing.assert_array_equal(found[:, 4], np.array([0.6, 0.9], np.float32))
    np.testing.assert_array_equal(found[0, 5:], offsets[:, 2, 3])
    np.testing.assert_array_equal(found[1, 5:], offsets[:, 4, 6])


@pytest.mark.parametrize("height", [24, 26, 61, 405, 430])
def test_levels_on_canvases_are_the_levels(height: int) -> None:
    """Every cell of every level, with the threshold at which all are kept."""
    engine = open_engine(Device.CPU)
    sampler = AreaSampler(noise(height, height + 44))
    scales = [scale for scale in (0.5, 0.37, 0.2, 0.06) if height * scale >= 12]
    found, levels = Proposer(engine, 0).scan(sampler, scales)
    pnet = engine.load(networks.source("pnet"))
    for level, scale in enumerate(scales):
        size_hw = [int(side * scale + 1) for side in (sampler.height, sampler.width)]
        (output,) = pnet(sampler.whole(*size_hw)[None])
        wanted = over_threshold(output[0, 0], output[0, 1:], scale, 0)
        ours = found[levels == level]
        assert len(ours) == len(wanted) > 0
        # Pieces have an order of their own.
        ours, wanted = (x[np.lexsort((x[:, 0], x[:, 1]))] for x in (ours, wanted))
        np.testing.assert_array_equal(ours[:, :4], wanted[:, :4])
        np.testing.assert_allclose(ours, wanted, atol=1e-4)


def test_proposals_with_their_middle_in_a_box() -> None:
    proposer = Proposer(open_engine(Device.CPU), 0)
    sampler, scales = AreaSampler(noise(300, 400)), [0.5, 0.2]
    everywhere, levels = proposer.scan(sampler, scales)
    centres_xyxy = np.array([100, 50, 220, 130], np.float64)
    found, found_levels = proposer.scan(sampler, scales, centres_xyxy)
    for level, scale in enumerate(scales):
        wanted, ours = everywhere[levels == level], found[found_levels == level]
        middle = (wanted[:, :2] + wanted[:, 2:4]) / 2
        inside = ((middle >= centres_xyxy[:2]) & (middle <= centres_xyxy[2:])).all(1)
        near = (middle >= centres_xyxy[:2] - 14 / scale) & (middle <= centres_xyxy[2:] + 14 / scale)
        rows = {tuple(row[:4]) for row in ours}
        assert rows >= {tuple(row[:4]) for row in wanted[inside]}
        assert rows <= {tuple(row[:4]) for row in wanted[near.all(1)]}
        assert len(rows) < len(wanted)
    outside = np.array([-900, -900, -800, -800], np.float64)
    assert len(proposer.scan(sampler, scales, outside)[0]) == 0


def test_suppression_within_groups() -> None:
    scored = boxes_of(3, 60)
    groups = np.arange(60) % 4
    kept = suppress(scored, 0.5, groups)
    wanted = [
        np.flatnonzero(groups == group)[suppress(scored[groups == group], 0.5)]
        for group in range(4)
    ]
    assert sorted(kept.tolist()) == sorted(np.concatenate(wanted).tolist())
    assert (np.diff(scored[kept, 4]) < 0).all()
    assert suppress(scored[:0], 0.5, groups[:0]).tolist() == []


def test_windows_stay_inside_the_picture() -> None:
    sampler = AreaSampler(grey(40, 50))
    boxes = np.array(
        [
            (10.7, 5.2, 30.9, 25.9),
            (-5, -5, 5, 5),
            (45, 35, 70, 60),
            (-20, -20, -1, -1),  # outside
            (50.5, 3, 60, 9),  # only the last column
            (51.5, 3, 60, 9),  # just outside
            (7, 7, 7, 7),
        ],
        np.float32,
    )
    kept, windows = _inside(boxes, sampler)
    np.testing.assert_array_equal(kept, boxes[[0, 1, 2, 4, 6]])
    np.testing.assert_array_equal(
        windows,
        [(9, 4, 30, 25), (0, 0, 5, 5), (44, 34, 50, 40), (49, 2, 50, 9), (6, 6, 7, 7)],
    )
