"""Encrypted galleries: everything works on them, and nothing of them is on the disk in plain."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from gallery_fakes import (
    IDENTITY,
    keys_with,
    make_gallery,
    reference_of,
    same_reference,
    templates_of,
)

from facematch.errors import (
    GalleryCorruptError,
    GalleryError,
    GalleryKeyError,
    GalleryNotFoundError,
    OutputError,
    UsageError,
)
from facematch.gallery import Gallery, GalleryWriter, write_templates
from facematch.gallery.keys import Keys
from facematch.gallery.snapshots import snapshots_of
from facematch.types import Metric
from facematch.workflows import gallery as workflow
from facematch.workflows import gallery_exchange
from facematch.workflows.gallery_encryption import (
    decrypt_gallery,
    encrypt_gallery,
    rekey_gallery,
)
from facematch.workflows.gallery_erase import remove_subject
from facematch.workflows.gallery_exchange import import_file
from facematch.workflows.gallery_versions import list_snapshots, repair, roll_back

PEOPLE = ["Ada Lovelace", "Zoë Quartz", "Ada Lovelace", "Bob Hopper"]


def traces(rows: range) -> list[bytes]:
    """Bytes that only an unprotected gallery of these people has."""
    found = [name.encode() for name in PEOPLE]
    for row in rows:
        reference = reference_of(PEOPLE[row], row, crop=True)
        assert reference.crop_rgb is not None
        found += [
            templates_of(len(PEOPLE))[row].tobytes()[:16],
            reference.crop_rgb.tobytes()[5000:5032],
            reference.source_path.encode(),
            bytes.fromhex(reference.source_sha256)[:16],
            reference.box_xyxy.tobytes(),
        ]
    return found


def assert_nothing_in_plain(*folders: Path) -> None:
    wanted = [*traces(range(len(PEOPLE))), b"FACEMTCH", b"\x89HDF", b"photos/IMG"]
    for folder in folders:
        for path in folder.rglob("*"):
            content = path.read_bytes() if path.is_file() else b""
            assert [trace for trace in wanted if trace in content] == [], path


@pytest.fixture
def disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder for galleries; at every sync and rename, all that is there is looked through."""
    folder, temporary = tmp_path / "disk", tmp_path / "tmp"
    folder.mkdir()
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    looked = []

    def looking(name: str) -> Callable[..., object]:
        real = getattr(os, name)

        def call(*arguments: object) -> object:
            looked.append(name)
            assert_nothing_in_plain(folder, temporary)
            return real(*arguments)

        return call

    with monkeypatch.context() as patched:
        for name in ("fsync", "replace", "link"):
            patched.setattr(os, name, looking(name))
        yield folder
    assert {"fsync", "replace"} <= set(looked)
    assert_nothing_in_plain(folder, temporary)


def test_the_life_of_an_encrypted_gallery_leaves_nothing_in_plain(disk: Path) -> None:
    path, keys = disk / "g.h5", keys_with()
    templates = make_gallery(path, PEOPLE, crops=True, keys=keys)
    assert path.stat().st_mode & 0o777 == 0o600
    list_snapshots(path, keep=3, keys=keys)
    workflow.rename_subject(path, "Bob Hopper", "Grace", keys=keys)
    workflow.rename_subject(path, "Grace", "Bob Hopper", keys=keys)
    workflow.mark_distinct(path, "Bob Hopper", "Zoë Quartz", undo=False, keys=keys)
    workflow.move_references(path, "Ada Lovelace", [2], "Eve", make=True, keys=keys)
    workflow.merge_subjects(path, ["Eve"], "Ada Lovelace", keys=keys)
    roll_back(path, confirm=lambda kept: True, keys=keys)
    roll_back(path, confirm=lambda kept: True, keys=keys)
    with Gallery.open(path, IDENTITY, keys=keys_with()) as gallery:
        assert gallery.templates.tobytes() == templates.tobytes()
        assert all(
            same_reference(gallery.reference(row), reference_of(name, row, crop=True))
            for row, name in enumerate(PEOPLE)
        )
        found = gallery.search(templates[1:2], 1, Metric.COSINE)
        assert (found[0][0].subject, found[0][0].distance) == ("Zoë Quartz", 0)
        assert gallery.verify().sound
        assert not gallery.templates.flags.writeable
    assert len(snapshots_of(path)) == 5  # a rollback removes none
    assert all(kept.state for kept in list_snapshots(path, keys=keys).snapshots)
    receipt = remove_subject(path, "Ada Lovelace", confirm=lambda removal: True, keys=keys)
    assert (receipt.state.references, len(receipt.snapshots)) == (2, 5)
    for snapshot in snapshots_of(path):
        assert workflow.list_subjects(snapshot.path, keys=keys).state.references == 2
    rekey_gallery(path, keys, keys_with("battery staple"))
    assert workflow.verify_gallery(path, keys=keys_with("battery staple")).report.sound


def test_an_import_into_a_new_gallery_can_be_encrypted(
    disk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Bundle:
        identity = IDENTITY

    monkeypatch.setattr(gallery_exchange, "find_model", lambda name: Bundle)
    source = tmp_path / "in.h5"  # exports are in plain, and elsewhere
    references = [reference_of(name, row, crop=True) for row, name in enumerate(PEOPLE)]
    write_templates(source, IDENTITY, references, templates_of(len(PEOPLE)))
    path = disk / "g.h5"
    with pytest.raises(GalleryKeyError, match="is needed"):
        import_file(path, source, encrypt=True)
    assert import_file(path, source, keys=keys_with(), encrypt=True).imported == 4
    assert len(import_file(path, source, keys=keys_with(), encrypt=True).skipped) == 4
    with pytest.raises(UsageError, match="`facematch gallery encrypt` first"):
        import_file(plain_gallery(tmp_path), source, keys=keys_with(), encrypt=True)


def plain_gallery(folder: Path, *, snapshots: int = 2) -> Path:
    path = folder / "plain.h5"
    make_gallery(path, PEOPLE, crops=True)
    list_snapshots(path, keep=snapshots)
    workflow.rename_subject(path, "Bob Hopper", "Grace")
    workflow.rename_subject(path, "Grace", "Bob Hopper")
    return path


def test_encrypted_rekeyed_and_decrypted_it_is_what_it_was(tmp_path: Path) -> None:
    path = plain_gallery(tmp_path)
    before = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    result = encrypt_gallery(path, keys_with())
    assert (result.method, len(result.files), result.state.references) == ("argon2id", 3, 4)
    assert result.files[-1] == str(path)
    assert_nothing_in_plain(tmp_path)
    with pytest.raises(UsageError, match="encrypted already"):
        encrypt_gallery(path, keys_with())
    with pytest.raises(GalleryKeyError, match="not its passphrase"):
        rekey_gallery(path, keys_with("wrong horse"), keys_with("battery staple"))
    rekey_gallery(path, keys_with(), keys_with("battery staple"))
    for file in (path, *(snapshot.path for snapshot in snapshots_of(path))):
        with pytest.raises(GalleryKeyError, match="not its passphrase"):
            Gallery.open(file, keys=keys_with())
        with pytest.raises(GalleryKeyError, match="is needed"):
            Gallery.open(file)
    assert_nothing_in_plain(tmp_path)
    result = decrypt_gallery(path, keys_with("battery staple"))
    assert (result.method, len(result.files)) == (None, 3)
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == before
    with pytest.raises(UsageError, match="is not encrypted"):
        decrypt_gallery(path, keys_with())
    with pytest.raises(UsageError, match="gallery encrypt"):
        rekey_gallery(path, keys_with(), keys_with())
    with pytest.raises(GalleryNotFoundError):
        encrypt_gallery(tmp_path / "none.h5", keys_with())


@pytest.mark.parametrize("after", [0, 1, 2])
def test_what_was_interrupted_is_finished_by_the_same_call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    path = plain_gallery(tmp_path)
    steps: list[tuple[Callable[[], object], Keys | None]] = [
        (lambda: encrypt_gallery(path, keys_with()), None),
        (lambda: rekey_gallery(path, keys_with(), keys_with("battery staple")), keys_with()),
        (lambda: decrypt_gallery(path, keys_with("battery staple")), keys_with("battery staple")),
    ]
    for step, old in steps:
        left = iter(range(after))

        def fail(a: object, b: object, left: Iterator[int] = left) -> None:
            if next(left, None) is None:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            Path(str(a)).rename(str(b))

        with monkeypatch.context() as patched:
            patched.setattr(os, "replace", fail)
            with pytest.raises(OutputError, match="nothing was changed"):
                step()
        with Gallery.open(path, keys=old) as gallery:  # which is the last to change
            assert gallery.verify().sound
        step()
    with Gallery.open(path) as gallery:
        assert gallery.templates.tobytes() == templates_of(len(PEOPLE)).tobytes()
    assert all(kept.state for kept in list_snapshots(path).snapshots)


def test_a_snapshot_with_another_secret_is_neither_erased_nor_passed_over(tmp_path: Path) -> None:
    path, keys = plain_gallery(tmp_path), keys_with()
    encrypt_gallery(path, keys)
    other = tmp_path / "other.h5"
    make_gallery(other, PEOPLE, keys=keys_with("battery staple"))
    foreign = snapshots_of(path)[0].path
    other.rename(foreign)
    before = {file: file.read_bytes() for file in tmp_path.iterdir()}
    for change in (
        lambda: remove_subject(path, "Bob Hopper", confirm=lambda removal: True, keys=keys),
        lambda: list_snapshots(path, keys=keys),
        lambda: rekey_gallery(path, keys, keys_with("third time lucky")),
        lambda: decrypt_gallery(path, keys),
    ):
        with pytest.raises(GalleryKeyError, match=r"snapshot-00000\d cannot be unlocked"):
            change()
        assert {file: file.read_bytes() for file in tmp_path.iterdir()} == before


def test_an_interrupted_encryption_is_not_finished_with_another_secret(tmp_path: Path) -> None:
    path = plain_gallery(tmp_path)
    older = snapshots_of(path)[0].path
    content = older.read_bytes()
    encrypt_gallery(older, keys_with())
    before = path.read_bytes()
    with pytest.raises(GalleryKeyError, match=f"{older.name} cannot be unlocked"):
        encrypt_gallery(path, keys_with("battery staple"))
    assert path.read_bytes() == before
    assert len(encrypt_gallery(path, keys_with()).files) == 2
    decrypt_gallery(path, keys_with())
    assert older.read_bytes() == content


def test_damage_is_found_and_the_rest_is_repaired(tmp_path: Path) -> None:
    path, keys, n = tmp_path / "g.h5", keys_with(), 3000
    make_gallery(path, [f"s{i % 100}" for i in range(n)], keys=keys)
    sound = path.read_bytes()
    with Gallery.open(path, keys=keys) as gallery:
        templates = gallery.templates.copy()
    rng = np.random.default_rng(0)
    outcomes = set()
    # Templates are last, since there is no crop.
    for number, offset in enumerate([*rng.integers(128, len(sound), 8).tolist(), len(sound) - 50]):
        damaged = bytearray(sound)
        damaged[offset] ^= 1
        bad, new = tmp_path / f"bad{number}.h5", tmp_path / f"new{number}.h5"
        bad.write_bytes(damaged if number % 2 else damaged[:offset])
        with pytest.raises(GalleryCorruptError, match="are not what was written"):
            Gallery.open(bad, keys=keys)
        try:
            result = repair(bad, new, keys=keys)
        except GalleryError:
            assert not new.exists()
            outcomes.add("refused")
            continue
        outcomes.add("repaired")
        gone = {loss.row for loss in result.losses if loss.whole_reference}
        assert result.state.references + len(gone) == result.references == n
        assert not result.complete
        assert new.read_bytes().startswith(b"FACECRPT")
        with Gallery.open(new, IDENTITY, keys=keys_with()) as gallery:
            kept = [row for row in range(n) if row not in gone]
            assert gallery.templates.tobytes() == templates[kept].tobytes()
    assert "repaired" in outcomes


def test_what_is_to_be_encrypted_is_never_written_in_plain(tmp_path: Path) -> None:
    path, keys = tmp_path / "g.h5", keys_with()
    master = keys.new_master(path)
    make_gallery(path, ["a"])  # by somebody else, in the meantime
    with pytest.raises(UsageError, match="not encrypted"):
        GalleryWriter.open(path, IDENTITY, keys=keys, master=master)


def test_a_writer_needs_the_secret_and_keeps_it(tmp_path: Path) -> None:
    path = tmp_path / "g.h5"
    make_gallery(path, ["a"], keys=keys_with())
    before = path.read_bytes()
    for keys in (None, Keys(), keys_with("wrong horse")):
        with pytest.raises(GalleryKeyError):
            GalleryWriter.open(path, IDENTITY, keys=keys)
    assert path.read_bytes() == before
    with GalleryWriter.open(path, IDENTITY, keys=keys_with()) as writer:
        for number in range(1, 3):
            writer.add([reference_of("b", number)], templates_of(1, number))
            writer.commit()
            after = path.read_bytes()
            assert after[:48] == before[:48]  # the passphrase is stretched as before,
            assert after[48:80] != before[48:80]  # and each file has keys of its own
    with Gallery.open(path, keys=keys_with()) as gallery:
        assert len(gallery) == 3
