"""Crops from archives, folders and lists, decoded once."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from made_crops import archive_of, crop, encoded, folder_of

from facematch.errors import NoFaceError, OutputError, TrainingDataError
from facematch.imaging.paths import PHOTOGRAPH_SUFFIXES
from facematch.training.data import CROP_SIZE, NO_IDENTITY, CropSet, cache, open_crops
from facematch.training.data.folders import PICTURE_SUFFIXES
from facematch.types import UInt8Array


def kept_in(folder: Path) -> list[str]:
    return sorted(p.suffix for p in folder.iterdir() if p.suffix != ".lock")


class Cutter:
    """Finds the "face" of a photograph in its top left corner, and none in black ones."""

    def __init__(self, version: str = "1") -> None:
        self.version = version
        self.seen: list[str] = []

    def __call__(self, path: Path) -> UInt8Array:
        self.seen.append(path.name)
        image = cv2.imread(str(path), cv2.IMREAD_COLOR_RGB)
        if image is None or not image.any():
            raise NoFaceError(f"{path}: no face was found")
        return np.asarray(image[:CROP_SIZE, :CROP_SIZE], np.uint8)


def test_archives_are_decoded_in_order(tmp_path: Path) -> None:
    first = archive_of(
        tmp_path / "one.zip",
        {
            "b/2.png": encoded(crop(3)),
            "a/": b"",
            "a/1.png": encoded(crop(1)),
            "a/2.png": encoded(crop(2)),
        },
    )
    second = archive_of(
        tmp_path / "two.zip", {"a/1.png": encoded(crop(4)), "loose.png": encoded(crop(5))}
    )
    found = open_crops([first, second], tmp_path / "cache")
    assert len(found) == 5
    assert found.names == (
        "one.zip:a/1.png",
        "one.zip:a/2.png",
        "one.zip:b/2.png",
        "two.zip:a/1.png",
        "two.zip:loose.png",
    )
    # "a" of another archive is another person; a crop without a folder is nobody.
    assert found.labels.tolist() == [0, 0, 1, 2, NO_IDENTITY]
    assert found.identity_names == ("one.zip:a", "one.zip:b", "two.zip:a")
    assert found.sources.tolist() == [0, 0, 0, 1, 1]
    assert found.source_names == ("one.zip", "two.zip")
    assert found.unreadable == ()
    np.testing.assert_array_equal(found.images, np.stack([crop(seed) for seed in range(1, 6)]))
    assert isinstance(found.images, np.memmap)
    assert not found.images.flags.writeable


def test_webp_members(tmp_path: Path) -> None:
    smooth = cv2.resize(crop(0, 8), (CROP_SIZE, CROP_SIZE), interpolation=cv2.INTER_CUBIC)
    done, data = cv2.imencode(".webp", smooth[..., ::-1], [cv2.IMWRITE_WEBP_QUALITY, 95])
    assert done
    archive = archive_of(tmp_path / "one.zip", {"a/1.webp": data.tobytes()})
    found = open_crops([archive], tmp_path / "cache").images[0]
    assert np.abs(found.astype(int) - smooth).mean() < 5


def test_the_second_load_decodes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    archive = archive_of(tmp_path / "one.zip", {"a/1.png": encoded(crop(1))})
    first = open_crops([archive], tmp_path / "cache")
    monkeypatch.setattr(cv2, "imdecode", None)
    again = open_crops([archive], tmp_path / "cache")
    np.testing.assert_array_equal(again.images, first.images)
    assert again.names == first.names


def test_no_member_of_an_archive_is_written_where_it_says(tmp_path: Path) -> None:
    folder = tmp_path / "some" / "folder"
    folder.mkdir(parents=True)
    names = ("../../outside/1.png", str(tmp_path / "outside" / "2.png"), "a/../../../outside/3.png")
    archive = archive_of(folder / "one.zip", {name: encoded(crop(1)) for name in names})
    assert len(open_crops([archive], folder / "cache").images) == 3
    assert [path.name for path in tmp_path.iterdir()] == ["some"]
    assert {path.name for path in folder.iterdir()} == {"one.zip", "cache"}


def test_a_changed_archive_is_decoded_again(tmp_path: Path) -> None:
    for seed in (1, 2):
        archive = archive_of(tmp_path / "one.zip", {"a/1.png": encoded(crop(seed))})
        found = open_crops([archive], tmp_path / "cache")
        np.testing.assert_array_equal(found.images[0], crop(seed))


def test_a_member_that_has_another_name_inside_is_left_out(tmp_path: Path) -> None:
    archive = archive_of(
        tmp_path / "one.zip", {"a/1.png": encoded(crop(1)), "a/é.png": encoded(crop(2))}
    )
    content = archive.read_bytes()
    name = "a/é.png".encode()
    assert content.index(name) < content.rindex(name)  # before the member, and in the directory
    archive.write_bytes(content.replace(name, b"a/\xff\xff.png", 1))
    found = open_crops([archive], tmp_path / "cache")
    assert found.names == ("one.zip:a/1.png",)


def test_damaged_members_are_left_out_and_named(tmp_path: Path) -> None:
    flipped = encoded(crop(9))
    archive = archive_of(
        tmp_path / "one.zip",
        {
            "a/1.png": encoded(crop(1)),
            "a/2-empty.png": b"",
            "a/3-text.png": b"not a picture",
            "a/4-size.png": encoded(crop(4, 64)),
            "a/7-huge.png": bytes(2_000_000),
            "b/5-checksum.png": flipped,
            "c/6.png": encoded(crop(6)),
        },
    )
    content = archive.read_bytes()
    place = content.index(flipped) + len(flipped) // 2
    archive.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])

    found = open_crops([archive], tmp_path / "cache")
    assert found.names == ("one.zip:a/1.png", "one.zip:c/6.png")
    assert found.labels.tolist() == [0, 1]
    assert [entry.name for entry in found.unreadable] == [
        "one.zip:a/2-empty.png",
        "one.zip:a/3-text.png",
        "one.zip:a/4-size.png",
        "one.zip:a/7-huge.png",
        "one.zip:b/5-checksum.png",
    ]
    reasons = [entry.reason for entry in found.unreadable]
    assert reasons[:2] == ["not a readable picture"] * 2
    assert reasons[2] == "64x64 pixels where an aligned crop has 112x112 or 128x128"
    assert reasons[3] == "larger than any aligned crop"
    assert "Bad CRC-32" in reasons[4]
    np.testing.assert_array_equal(found.images, np.stack([crop(1), crop(6)]))
    assert kept_in(tmp_path / "cache") == [".json", ".npy"]


def test_an_interrupted_decoding_starts_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = archive_of(tmp_path / "one.zip", {f"a/{i}.png": encoded(crop(i)) for i in range(3)})
    decode, calls = cv2.imdecode, 0

    def interrupted(data: UInt8Array, flags: int) -> object:
        nonlocal calls
        calls += 1
        if calls == 2:
            raise KeyboardInterrupt
        return decode(data, flags)

    with monkeypatch.context() as patch:
        patch.setattr(cv2, "imdecode", interrupted)
        with pytest.raises(KeyboardInterrupt):
            open_crops([archive], tmp_path / "cache")
    assert kept_in(tmp_path / "cache") == []
    found = open_crops([archive], tmp_path / "cache")
    np.testing.assert_array_equal(found.images, np.stack([crop(i) for i in range(3)]))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        pytest.param(None, "not a readable zip", id="missing"),
        pytest.param(b"", "not a readable zip", id="empty file"),
        pytest.param(b"text", "not a readable zip", id="not a zip"),
        pytest.param({}, "holds no crops", id="empty archive"),
        pytest.param({"a/": b""}, "holds no crops", id="folders only"),
        pytest.param({"a/1.png": b"text"}, "none of the 1 pictures", id="nothing readable"),
    ],
)
def test_archives_that_cannot_be_used(
    tmp_path: Path, content: bytes | dict[str, bytes] | None, words: str
) -> None:
    path = tmp_path / "one.zip"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content is not None:
        archive_of(path, content)
    with pytest.raises(TrainingDataError, match=words) as caught:
        open_crops([path], tmp_path / "cache")
    assert path.name in str(caught.value)
    assert "\n" not in str(caught.value)


PEOPLE = {
    "ann/1.png": encoded(crop(1)),
    "ann/2.png": encoded(crop(2)),
    "bob/1.png": encoded(crop(3)),
    "bob/broken.png": b"not a picture",
    "loose.png": encoded(crop(4)),
}


def archive(root: Path) -> Path:
    return archive_of(root / "people", PEOPLE)


def folder(root: Path) -> Path:
    return folder_of(root / "people", PEOPLE)


def manifest(root: Path) -> Path:
    folder_of(root, PEOPLE)
    lines = [f"{name},{name.rpartition('/')[0]}" for name in PEOPLE]
    path = root / "people.csv"
    path.write_text("\n".join(["path,identity", *lines]), "utf-8")
    return path


@pytest.mark.parametrize("form", [archive, folder, manifest])
@pytest.mark.parametrize("cut", [None, Cutter()], ids=["aligned", "photographs too"])
def test_all_forms_give_the_same_crops(
    tmp_path: Path, form: Callable[[Path], Path], cut: Cutter | None
) -> None:
    path = form(tmp_path)
    found = open_crops([path], tmp_path / "cache", cut)
    wanted = ["ann/1.png", "ann/2.png", "bob/1.png", "loose.png"]
    assert list(found.names) == [f"{path.name}:{name}" for name in wanted]
    assert found.labels.tolist() == [0, 0, 1, NO_IDENTITY]
    assert found.identity_names == (f"{path.name}:ann", f"{path.name}:bob")
    assert found.sources.tolist() == [0, 0, 0, 0]
    assert found.source_names == (path.name,)
    assert [entry.name for entry in found.unreadable] == [f"{path.name}:bob/broken.png"]
    np.testing.assert_array_equal(found.images, np.stack([crop(seed) for seed in range(1, 5)]))
    assert found.labels.dtype == found.sources.dtype == np.int64


def test_crops_without_a_border_get_one(tmp_path: Path) -> None:
    small = crop(1, 112)
    wanted = np.pad(small, ((8, 8), (8, 8), (0, 0)), "edge")
    members = {"a/1.png": encoded(small)}
    for path in (archive_of(tmp_path / "a.zip", members), folder_of(tmp_path / "a", members)):
        found = open_crops([path], tmp_path / "cache", Cutter())
        np.testing.assert_array_equal(found.images[0], wanted)


def test_photographs_are_cut_and_crops_are_not(tmp_path: Path) -> None:
    cut = Cutter()
    root = folder_of(
        tmp_path / "people",
        {
            "ann/album/2020/1.png": encoded(crop(1, 300)),
            "ann/2.png": encoded(crop(2)),
            "bob/dark.png": encoded(np.zeros((200, 200, 3), np.uint8)),
            "bob/large.png": encoded(crop(3, 700)),  # over a megabyte
            "bob/text.png": b"not a picture",
            "bob/wide.png": encoded(crop(4, 200)[:, :128]),
        },
    )
    found = open_crops([root], tmp_path / "cache", cut)
    assert sorted(cut.seen) == ["1.png", "dark.png", "large.png", "text.png", "wide.png"]
    assert found.names == (
        "people:ann/2.png",
        "people:ann/album/2020/1.png",
        "people:bob/large.png",
        "people:bob/wide.png",
    )
    assert found.labels.tolist() == [0, 0, 1, 1], "the first folder says who it is"
    wanted = [crop(2), crop(1, 300)[:128, :128], crop(3, 700)[:128, :128], crop(4, 200)[:128, :128]]
    np.testing.assert_array_equal(found.images, np.stack(wanted))
    assert found.unreadable[0].name == "people:bob/dark.png"
    assert found.unreadable[0].reason == "no face was found", "without the path, named already"


def test_photographs_without_a_cutter_are_reported(tmp_path: Path) -> None:
    members = {
        "a/1.png": encoded(crop(1)),
        "a/2.png": encoded(crop(2, 200)),
        "a/3.png": encoded(crop(3, 700)),
    }
    found = open_crops([folder_of(tmp_path / "people", members)], tmp_path / "cache")
    assert [entry.reason.partition(" where")[0] for entry in found.unreadable] == [
        "200x200 pixels",
        "larger than any aligned crop, and photographs are not cut here",
    ]


def test_a_cutter_that_gives_no_crop_is_a_bug(tmp_path: Path) -> None:
    class Wrong(Cutter):
        def __call__(self, path: Path) -> UInt8Array:
            return np.zeros((112, 112, 3), np.uint8)

    root = folder_of(tmp_path / "people", {"a/1.png": encoded(crop(1, 200))})
    with pytest.raises(ValueError, match=r"people:a/1\.png: a crop of \(112, 112, 3\) uint8"):
        open_crops([root], tmp_path / "cache", Wrong())
    assert kept_in(tmp_path / "cache") == []


def test_folders_pass_over_what_is_no_picture(tmp_path: Path) -> None:
    root = folder_of(
        tmp_path / "people",
        {
            "ann/1.PNG": encoded(crop(1)),
            "ann/notes.txt": b"",
            "ann/.hidden.png": encoded(crop(2)),
            ".trash/3.png": encoded(crop(3)),
        },
    )
    (root / "bob").symlink_to(root / "ann", target_is_directory=True)
    (root / "ann" / "up").symlink_to(root, target_is_directory=True)
    found = open_crops([root], tmp_path / "cache")
    assert found.names == ("people:ann/1.PNG",)
    assert found.unreadable == ()


def test_pictures_are_known_by_the_same_suffixes_everywhere() -> None:
    assert PICTURE_SUFFIXES == PHOTOGRAPH_SUFFIXES


def test_lists_name_sources_and_identities(tmp_path: Path) -> None:
    folder_of(tmp_path / "faces", {f"{i}.png": encoded(crop(i)) for i in range(5)})
    path = tmp_path / "list.CSV"
    path.write_text(
        "\ufeffSource, identity ,PATH,note\n"
        "studio,Ann,faces/0.png,\n"
        "\n"
        'street,"Bob, the other",faces/1.png,x\n'
        "street,Ann,faces/2.png,\n"
        f",,{tmp_path}/faces/3.png,\n"
        "street,Ann,faces/missing.png,\n",
        "utf-8",
    )
    found = open_crops([path], tmp_path / "cache")
    assert found.labels.tolist() == [0, 1, 0, NO_IDENTITY]
    assert found.identity_names == ("list.CSV:Ann", "list.CSV:Bob, the other")
    assert found.sources.tolist() == [0, 1, 1, 2]
    assert found.source_names == ("list.CSV:studio", "list.CSV:street", "list.CSV")
    assert [entry.name for entry in found.unreadable] == ["list.CSV:faces/missing.png"]
    assert "No such file" in found.unreadable[0].reason
    np.testing.assert_array_equal(found.images, np.stack([crop(seed) for seed in range(4)]))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        pytest.param(b"", "line 1 must name the columns path,identity", id="empty"),
        pytest.param(b"path,who\n", "line 1 must name", id="no identity"),
        pytest.param(b"path,path,identity\n", "line 1 must name", id="twice"),
        pytest.param(b"path,identity\n", "holds no pictures", id="header alone"),
        pytest.param(b"path,identity\na.png\n", "line 2: expected 2 fields, got 1", id="short"),
        pytest.param(b"path,identity\na,b\n ,x\n", "line 3: the path is empty", id="no path"),
        pytest.param(b"path,identity\na\0b,x\n", "line 2: ", id="NUL"),
        pytest.param(b'path,identity\n"a,b\n', "not valid CSV", id="open quote"),
        pytest.param(b"path,identity\n\xff,b\n", "line 2: not UTF-8", id="encoding"),
    ],
)
def test_lists_that_do_not_follow_the_form(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "list.csv"
    path.write_bytes(content)
    with pytest.raises(TrainingDataError, match=words) as caught:
        open_crops([path], tmp_path / "cache")
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


def test_what_is_not_there(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    one = archive_of(tmp_path / "one.zip", PEOPLE)
    for paths, words in (
        ([], "no training data"),
        ([tmp_path / "empty"], "no pictures there"),
        ([tmp_path / "missing.csv"], "cannot be read"),
        ([tmp_path / "missing"], "not a readable zip"),
        ([one, tmp_path / "empty" / ".." / "one.zip"], "given twice"),
    ):
        with pytest.raises(TrainingDataError, match=words) as caught:
            open_crops(paths, tmp_path / "cache")
        assert caught.value.exit_code == 9


def test_two_archives_of_one_name_are_told_apart(tmp_path: Path) -> None:
    paths = []
    for seed, place in enumerate(("x", "y")):
        (tmp_path / place).mkdir()
        members = {"a/1.png": encoded(crop(seed))}
        paths.append(archive_of(tmp_path / place / "one.zip", members))
    found = open_crops(paths, tmp_path / "cache")
    assert found.labels.tolist() == found.sources.tolist() == [0, 1]
    assert found.source_names == tuple(str(path.resolve()) for path in paths)


def test_changes_of_files_and_of_the_cutter_are_noticed(tmp_path: Path) -> None:
    root = folder_of(tmp_path / "people", {"a/1.png": encoded(crop(1, 200))})

    def times_cut(version: str) -> int:
        cut = Cutter(version)
        open_crops([root], tmp_path / "cache", cut)
        return len(cut.seen)

    assert [times_cut("1"), times_cut("1")] == [1, 0]
    assert [times_cut("2"), times_cut("1")] == [1, 0], "both are kept"
    os.utime(root / "a" / "1.png", ns=(1, 1))
    assert [times_cut("1"), times_cut("1")] == [1, 0]
    (root / "a" / "1.png").rename(root / "a" / "2.png")
    assert [times_cut("1"), times_cut("1")] == [1, 0]
    (root / "a" / "2.png").write_bytes(encoded(crop(2, 201)))
    os.utime(root / "a" / "2.png", ns=(1, 1))
    assert [times_cut("1"), times_cut("1")] == [1, 0], "another size at the same time"


@pytest.mark.parametrize("damage", ["truncated", "no array", "index", "other index"])
def test_a_damaged_cache_is_made_again(tmp_path: Path, damage: str) -> None:
    path, folder = archive(tmp_path), tmp_path / "cache"
    open_crops([path], folder)
    array, index = next(folder.glob("*.npy")), next(folder.glob("*.json"))
    if damage == "truncated":
        os.truncate(array, 1000)
    elif damage == "no array":
        array.unlink()
    elif damage == "index":
        index.write_text("{}")
    else:
        index.write_text(json.dumps({**json.loads(index.read_text()), "labels": [0]}))
    found = open_crops([path], folder)
    np.testing.assert_array_equal(found.images, np.stack([crop(seed) for seed in range(1, 5)]))


def test_progress_counts_every_picture(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    path = archive(tmp_path)
    open_crops([path], tmp_path / "cache", progress=lambda done, total: seen.append((done, total)))
    assert seen == [(done, 5) for done in range(1, 6)]
    open_crops([path], tmp_path / "cache", progress=lambda done, total: seen.append((done, total)))
    assert len(seen) == 5, "nothing is decoded again"


def test_processes_that_start_together_decode_once(tmp_path: Path) -> None:
    root = folder_of(tmp_path / "people", {f"a/{i}.png": encoded(crop(i, 200)) for i in range(6)})
    cut, found = Cutter(), []
    threads = [
        threading.Thread(target=lambda: found.append(open_crops([root], tmp_path / "cache", cut)))
        for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(cut.seen) == [f"{i}.png" for i in range(6)]
    first: CropSet = found[0]
    assert all(crops.names == first.names for crops in found)


def test_a_disk_that_is_too_small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = cache.shutil.disk_usage(tmp_path)
    monkeypatch.setattr(cache.shutil, "disk_usage", lambda path: usage._replace(free=1000))
    with pytest.raises(OutputError, match=r"need 0\.0 GB and 0\.0 GB are free"):
        open_crops([archive(tmp_path)], tmp_path / "cache")
    assert kept_in(tmp_path / "cache") == []


def test_a_cache_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file")
    with pytest.raises(OutputError, match="cannot be written"):
        open_crops([archive(tmp_path)], tmp_path / "cache")
