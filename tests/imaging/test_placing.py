from __future__ import annotations

from pathlib import Path

import pytest

from facematch.errors import OutputError
from facematch.imaging.placing import Placing


def make(*paths: Path) -> None:
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def test_names_are_given_once(tmp_path: Path) -> None:
    other = tmp_path / "other"
    placing = Placing([], [tmp_path])
    given = [placing.name(folder, "a") for folder in (tmp_path, tmp_path, other, tmp_path)]
    assert given == [
        tmp_path / "a.png",
        tmp_path / "a-2.png",
        other / "a.png",
        tmp_path / "a-3.png",
    ]


def test_an_older_file_is_replaced_unless_it_may_be_an_original(tmp_path: Path) -> None:
    make(tmp_path / "in" / "a.jpg", tmp_path / "in" / "a.png", tmp_path / "out" / "a.png")
    placing = Placing([tmp_path / "in" / "a.jpg"], [tmp_path / "in", tmp_path / "out"])
    assert placing.name(tmp_path / "out", "a") == tmp_path / "out" / "a.png"
    assert placing.name(tmp_path / "in", "a") == tmp_path / "in" / "a-2.png"


@pytest.mark.parametrize("way", ["itself", "link", "hard link"])
def test_a_photograph_where_files_will_lie_is_refused(tmp_path: Path, way: str) -> None:
    original = tmp_path / "in" / "a.png"
    make(original)
    target = original
    if way != "itself":
        target = tmp_path / "out" / "b.png"
        target.parent.mkdir()
        target.symlink_to(original) if way == "link" else target.hardlink_to(original)
    with pytest.raises(OutputError, match=f"{target}: is one of the photographs"):
        Placing([original], [tmp_path / "nowhere", target.parent])
    make(tmp_path / "in" / "b.jpg")
    Placing([tmp_path / "in" / "b.jpg", Path("gone\0.jpg")], [target.parent])
