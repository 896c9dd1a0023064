"""False matches by group: who belongs where, who is drawn, what is counted."""

from __future__ import annotations

import io
import zipfile

import cv2
import numpy as np
import pytest
from script_runs import load_script

from facematch.embedding.group_errors import ERROR_RATES_BY_GROUP, error_rates_by_group

groups = load_script("train-default/groups.py")


@pytest.mark.parametrize(
    ("name", "group"),
    [
        ("25_1_1_2017.webp", "female, Black, 18-39"),
        ("17_0_0_2017.webp", "male, White, 0-17"),
        ("in/116_1_4_2017.webp", "female, other, 60+"),
        ("39_1_2017.webp", "None"),  # as some of UTKFace are named
        ("25_2_0_2017.webp", "None"),
        ("25_1_5_2017.webp", "None"),
        ("x_1_1_2017.webp", "None"),
    ],
)
def test_group_of_a_file_name(name: str, group: str) -> None:
    assert str(groups.group_of(name)) == group


def test_sample_is_bounded_and_repeatable() -> None:
    names = [f"25_0_0_{i}.webp" for i in range(9)] + [f"25_1_0_{i}.webp" for i in range(2)]
    found = groups.sampled(names, 0, most=4, fewest=3)
    assert [str(group) for group in found] == ["male, White, 18-39"]
    (drawn,) = found.values()
    assert len(set(drawn)) == 4
    assert found == groups.sampled(names[::-1], 0, most=4, fewest=3)
    assert found != groups.sampled(names, 1, most=4, fewest=3)


def test_middles_of_crops_are_read() -> None:
    crop = np.zeros((128, 128, 3), np.uint8)
    crop[8:-8, 8:-8] = (0, 0, 200)  # OpenCV's order: red
    memory = io.BytesIO()
    with zipfile.ZipFile(memory, "w") as archive:
        archive.writestr("25_0_0_1.png", cv2.imencode(".png", crop)[1].tobytes())
        read = groups.read_sample(archive, ["25_0_0_1.png"])
    assert read.shape == (1, 112, 112, 3)
    assert (read == (200, 0, 0)).all()


def test_false_matches_are_counted_without_one_photograph_twice() -> None:
    angles = np.radians([0, 0, 40, 120, 200])  # cosine distances 0, 0.23 twice, the others > 0.8
    templates = np.stack([np.cos(angles), np.sin(angles)], 1).astype(np.float32)
    found = groups.false_matches(templates, 0.5)
    assert (found["crops"], found["same_photograph"]) == (5, 1)
    assert (found["comparisons"], found["false_matches"]) == (9, 2)
    low, high = found["fmr_interval"]
    assert 0 <= low < found["fmr"] < high <= 1


def test_the_card_reads_what_is_written() -> None:
    templates = np.eye(4, dtype=np.float32)
    entry = groups.table({groups.Group(1, 2, 3): templates}, 0.5, 0)
    found = error_rates_by_group({ERROR_RATES_BY_GROUP: entry})
    assert found is not None
    assert (found.threshold, found.protocol) == (0.5, entry["protocol"])
    (line,) = found.groups
    assert (line.group, line.comparisons, line.false_matches) == ("female, Asian, 60+", 6, 0)
    assert [line.low, line.high] == entry["groups"][0]["fmr_interval"]
