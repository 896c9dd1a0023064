from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from facematch.errors import OutputError
from facematch.imaging import draw
from facematch.imaging.draw import Annotation, draw_faces, write_image

BLUE, VERMILION, YELLOW = (0, 114, 178), (213, 94, 0), (240, 228, 66)
LANDMARKS = np.array([[130, 150], [170, 150], [150, 175], [135, 200], [165, 200]], np.float32)


def canvas(width: int = 400, height: int = 300) -> npt.NDArray[np.uint8]:
    return np.full((height, width, 3), 128, np.uint8)


def box(*xyxy: float) -> npt.NDArray[np.float32]:
    return np.array(xyxy, np.float32)


def has_colour(image: npt.NDArray[np.uint8], colour: tuple[int, int, int]) -> bool:
    return bool((image == np.array(colour, np.uint8)).all(axis=-1).any())


def changed(image: npt.NDArray[np.uint8]) -> npt.NDArray[np.bool_]:
    return np.asarray((image != 128).any(axis=-1))


@pytest.mark.parametrize(("accepted", "colour"), [(True, BLUE), (False, VERMILION), (None, YELLOW)])
def test_box_and_landmarks(accepted: bool | None, colour: tuple[int, int, int]) -> None:
    image = canvas()
    drawn = draw_faces(image, [Annotation(box(100, 100, 200, 250), LANDMARKS, "", accepted)])
    assert (image == 128).all()  # the original is untouched
    assert drawn.shape == image.shape
    assert drawn.dtype == np.uint8
    for x, y in [(100, 100), (200, 250), (150, 100), (100, 175)]:
        assert tuple(drawn[y, x]) == colour
    for x, y in LANDMARKS.astype(int):
        assert tuple(drawn[y, x]) == colour
    assert tuple(drawn[120, 115]) == (128, 128, 128)


def test_nothing_to_draw() -> None:
    image = canvas()
    drawn = draw_faces(image, [])
    np.testing.assert_array_equal(drawn, image)
    assert not np.shares_memory(drawn, image)


def test_lines_grow_with_the_picture() -> None:
    def thickness(side: int) -> int:
        edges = box(side * 0.25, side * 0.25, side * 0.75, side * 0.75)
        column = changed(draw_faces(canvas(side, side), [Annotation(edges)]))[:, side // 2]
        return int(column.sum()) // 2

    assert thickness(200) == 1
    assert thickness(1600) == 4


@pytest.mark.parametrize(
    "xyxy",
    [
        (100, 100, 200, 250),
        (5, 2, 60, 80),  # no room above
        (380, 100, 420, 200),  # at the right edge
        (-50, -60, 30, 40),  # reaches outside
        (500, 500, 600, 600),  # lies outside
        (60, 80, 5, 2),  # corners exchanged
    ],
)
def test_labels_stay_inside(xyxy: tuple[float, ...]) -> None:
    annotation = Annotation(box(*xyxy), None, "Ada 0.42", True)
    drawn = draw_faces(canvas(), [annotation])
    bare = draw_faces(canvas(), [Annotation(box(*xyxy), None, "", True)])
    label = (drawn != bare).any(axis=-1)
    rows, columns = np.nonzero(label)
    assert rows.size > 0
    # As large as the label of a box in the middle: nothing of it is cut off.
    free = draw_faces(canvas(), [Annotation(box(100, 100, 101, 101), None, "Ada 0.42", True)])
    free_columns = np.nonzero(changed(free))[1]
    assert np.ptp(columns) >= np.ptp(free_columns) - 3
    assert has_colour(drawn[rows.min() : rows.max() + 1], (255, 255, 255))


def test_label_longer_than_the_picture() -> None:
    drawn = draw_faces(canvas(60, 40), [Annotation(box(10, 20, 30, 35), None, "A" * 200)])
    assert drawn.shape == (40, 60, 3)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Ada Lovelace 0.42", "Ada Lovelace 0.42"),
        ("Žižek Ångström", "Žižek Ångström"),
        ("Дмитрий Ελένη", "Дмитрий Ελένη"),
        ("two\nlines\tand  spaces", "two lines and spaces"),
        ("王小明", "???"),
        ("caf\udce9", "caf?"),  # an undecodable file name
        ("", ""),
    ],
)
def test_characters_without_a_glyph(text: str, shown: str) -> None:
    assert draw._printable(text, draw._load_font(20)) == shown
    assert draw_faces(canvas(), [Annotation(box(9, 99, 99, 199), None, text)]).shape == (
        300,
        400,
        3,
    )


def test_without_the_borrowed_font(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(draw, "find_spec", lambda _: None)
    assert draw._printable("Ada Ж", draw._load_font(20)) == "Ada ?"
    assert has_colour(draw_faces(canvas(), [Annotation(box(9, 99, 99, 199), None, "Ж")]), YELLOW)


@pytest.mark.parametrize("suffix", [".png", ".PNG", ".jpg", ".jpeg", ".webp"])
def test_written_pictures_can_be_read(tmp_path: Path, suffix: str) -> None:
    image = canvas()
    image[:, 200:] = (250, 120, 30)
    path = tmp_path / f"über{suffix}"
    write_image(path, image)
    with Image.open(path) as written:
        difference = np.abs(np.asarray(written.convert("RGB")).astype(int) - image)
    assert difference.mean() < 2
    assert (suffix.lower() != ".png") or (difference.max() == 0)
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]


def test_permissions_follow_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        write_image(tmp_path / "a.png", canvas())
    finally:
        os.umask(before)
    assert (tmp_path / "a.png").stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize("name", ["a.tiff", "a", "a.txt", ".png"])
def test_unknown_types_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(OutputError, match=r"cannot write pictures of type .*\.png, \.jpg"):
        write_image(tmp_path / name, canvas())


def test_places_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"b\.png: cannot be written \(No such file"):
        write_image(tmp_path / "nowhere" / "b.png", canvas())
    (tmp_path / "folder.png").mkdir()
    with pytest.raises(OutputError, match=r"folder\.png: cannot be written"):
        write_image(tmp_path / "folder.png", canvas())
    with pytest.raises(OutputError, match=r"wide\.webp: cannot be written"):
        write_image(tmp_path / "wide.webp", canvas(17_000, 1))
    assert [entry.name for entry in tmp_path.iterdir()] == ["folder.png"]


def test_a_full_disk_leaves_the_old_picture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.png"
    write_image(path, canvas())
    before = path.read_bytes()

    def half(self: Path, data: memoryview) -> int:
        with self.open("wb") as file:
            file.write(data[: len(data) // 2])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", half)
    with pytest.raises(OutputError, match="No space left on device"):
        write_image(path, np.zeros((30, 30, 3), np.uint8))
    assert path.read_bytes() == before
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.png"]
