"""Which faces are enrolled already."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from gallery_fakes import make_gallery, reference_of
from hypothesis import given
from hypothesis import strategies as st

from facematch.gallery import Gallery
from facematch.gallery.duplicates import KnownFaces, same_place

BOXES = st.lists(st.floats(width=32), min_size=4, max_size=4).map(
    lambda values: np.array(values, np.float32)
)


@given(BOXES, BOXES)
def test_the_same_place_is_so_both_ways_and_never_an_error(a: np.ndarray, b: np.ndarray) -> None:
    assert same_place(a, b) == same_place(b, a)
    assert same_place(a, a) == bool(np.isfinite(a).all() or not np.isnan(a).any())


@given(st.tuples(*[st.integers(0, 12)] * 8))
def test_the_same_place_against_counted_pixels(corners: tuple[int, ...]) -> None:
    (l1, t1, r1, b1), (l2, t2, r2, b2) = corners[:4], corners[4:]
    a, b = (min(l1, r1), min(t1, b1), max(l1, r1), max(t1, b1)), (
        min(l2, r2), min(t2, b2), max(l2, r2), max(t2, b2)
    )  # fmt: skip
    pixels = [
        {(x, y) for x in range(box[0], box[2]) for y in range(box[1], box[3])} for box in (a, b)
    ]
    union = pixels[0] | pixels[1]
    expected = a == b or (len(union) > 0 and 2 * len(pixels[0] & pixels[1]) >= len(union))
    assert same_place(np.array(a, np.float32), np.array(b, np.float32)) == expected


def test_faces_of_the_photographs_asked_for(tmp_path: Path) -> None:
    make_gallery(tmp_path / "faces.h5", ["Ada", "Bob", "Ada"])
    ada, bob = reference_of("Ada", 0), reference_of("Bob", 1)
    with Gallery.open(tmp_path / "faces.h5") as gallery:
        faces = KnownFaces.of(gallery, [ada])
    assert faces.owner(ada) == "Ada"
    assert [face.row for face in faces.same(ada)] == [0]
    assert faces.owner(bob) is None  # not asked for
    faces.add(bob)
    assert faces.owner(bob) == "Bob"
    faces.replace(replace(ada, subject="Eve"))
    assert [(face.subject, face.row) for face in faces.same(ada)] == [("Eve", None)]
