from __future__ import annotations

import os
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from facematch.errors import ImageNotFoundError, InputError
from facematch.imaging.paths import (
    PHOTOGRAPH_SUFFIXES,
    find_photographs,
    gather_photographs,
    nothing_found,
)


def make(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def names_below(folder: Path) -> list[str]:
    return [path.relative_to(folder).as_posix() for path in find_photographs([folder])]


def test_folders_are_searched_in_order(tmp_path: Path) -> None:
    wanted = ["Ada/1.jpg", "Ada/2.PNG", "Ada/old/0.webp", "Bo/x.HEIC", "z.jpeg"]
    shuffled = random.Random(1).sample(wanted, len(wanted))
    make(tmp_path, *shuffled, "list.csv", "Ada/notes.txt", "README", "Bo/clip.mp4")
    assert names_below(tmp_path) == wanted


def test_hidden_files_and_folders_are_skipped(tmp_path: Path) -> None:
    make(tmp_path, "a.jpg", ".b.jpg", ".cache/c.jpg", "._a.jpg", "d/.e/f.jpg")
    assert names_below(tmp_path) == ["a.jpg"]


@pytest.mark.parametrize("suffix", sorted(PHOTOGRAPH_SUFFIXES))
def test_suffixes_in_any_case(tmp_path: Path, suffix: str) -> None:
    make(tmp_path, f"a{suffix}", f"b{suffix.upper()}", f"c{suffix}.part")
    assert names_below(tmp_path) == [f"a{suffix}", f"b{suffix.upper()}"]


def test_named_files_are_kept_as_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(tmp_path, "b", ".hidden", "folder/a.jpg")
    monkeypatch.chdir(tmp_path)
    given = [Path("b"), Path(".hidden"), Path("folder"), Path("b")]
    assert find_photographs(given) == [Path("b"), Path(".hidden"), Path("folder/a.jpg"), Path("b")]


def test_folder_without_photographs(tmp_path: Path) -> None:
    make(tmp_path, "notes.txt")
    assert find_photographs([tmp_path]) == []
    assert find_photographs([]) == []


@pytest.mark.parametrize("name", ["nowhere", "nowhere/photo.jpg", "a.jpg/b.jpg", "broken.jpg"])
def test_missing_paths(tmp_path: Path, name: str) -> None:
    make(tmp_path, "a.jpg")
    (tmp_path / "broken.jpg").symlink_to("gone.jpg")
    given = [tmp_path / name, tmp_path / "a.jpg"]
    with pytest.raises(ImageNotFoundError, match=f"{name}: no such file or folder"):
        find_photographs(given)
    found = gather_photographs(given)
    assert found.paths == (tmp_path / "a.jpg",)
    (failure,) = found.failures
    assert failure.path == str(tmp_path / name)
    assert "check the path" in failure.reason
    assert str(nothing_found(given, found.failures)) == failure.reason


def test_links(tmp_path: Path) -> None:
    make(tmp_path, "real/a.jpg", "outside/b.jpg")
    root = tmp_path / "real"
    (root / "up").symlink_to(root)  # a loop
    (root / "self").symlink_to("self")  # a link to itself
    (root / "other").symlink_to(tmp_path / "outside")
    (root / "another").symlink_to(tmp_path / "outside")  # the same folder once more
    (root / "link.jpg").symlink_to(root / "a.jpg")
    (root / "broken.jpg").symlink_to("gone.jpg")
    # The broken link is listed, so that reading it reports it.
    assert names_below(root) == ["a.jpg", "another/b.jpg", "broken.jpg", "link.jpg"]


def test_pipes_are_skipped(tmp_path: Path) -> None:
    make(tmp_path, "a.jpg")
    os.mkfifo(tmp_path / "pipe.jpg")
    assert names_below(tmp_path) == ["a.jpg"]


def test_names_beyond_ascii(tmp_path: Path) -> None:
    names = ["Zoë/é.jpg", "Łukasz/1.jpg", "王/小.jpg"]
    make(tmp_path, *names)
    assert names_below(tmp_path) == sorted(names)


def test_deep_folders(tmp_path: Path) -> None:
    folder = tmp_path
    for _ in range(300):
        folder = folder / "d"
    folder.mkdir(parents=True)
    make(folder, "a.jpg")
    assert find_photographs([tmp_path]) == [folder / "a.jpg"]


def test_unreadable_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def deny(_: Path) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "iterdir", deny)
    with pytest.raises(InputError, match=r"cannot be read \(Permission denied\)"):
        find_photographs([tmp_path])


def test_one_unreadable_folder_does_not_hide_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(tmp_path, "a/1.jpg", "b/2.jpg", "c/3.jpg")
    listed = Path.iterdir

    def iterdir(folder: Path) -> Iterator[Path]:
        if folder.name == "b":
            raise PermissionError(13, "Permission denied")
        return listed(folder)

    monkeypatch.setattr(Path, "iterdir", iterdir)
    found = gather_photographs([tmp_path, Path("nul\0.jpg")])
    assert found.paths == (tmp_path / "a" / "1.jpg", tmp_path / "c" / "3.jpg")
    assert [failure.path for failure in found.failures] == [str(tmp_path / "b"), "nul\0.jpg"]
    assert "(and 1 more)" in str(nothing_found([], found.failures))
