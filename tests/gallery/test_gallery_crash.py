"""Old or new, never a third thing: failures, kills, locks, concurrent readers."""

from __future__ import annotations

import errno
import os
import resource
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from gallery_fakes import IDENTITY, make_gallery, reference_of, templates_of

from facematch.errors import (
    GalleryCorruptError,
    GalleryLockedError,
    GalleryNotFoundError,
    OutputError,
)
from facematch.gallery import Gallery, GalleryWriter
from facematch.gallery import atomic as atomic_module

HERE = Path(__file__).parent
ROOT = HERE.parents[1]


def child(code: str, *arguments: object) -> subprocess.Popen[str]:
    environment = os.environ | {"PYTHONPATH": f"{ROOT}{os.pathsep}{HERE}"}
    command = [sys.executable, "-c", code, *(str(a) for a in arguments)]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, env=environment, stdin=pipe, stdout=pipe, text=True)


def contents(folder: Path) -> set[str]:
    return {entry.name for entry in folder.iterdir()}


@pytest.mark.parametrize("function", ["fsync", "replace"])
@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO])
def test_failed_commit_leaves_the_old_gallery(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, function: str, code: int
) -> None:
    path = tmp_path / "g.h5"
    make_gallery(path, ["a", "b"])
    before = path.read_bytes()

    def fail(*_: object) -> None:
        raise OSError(code, os.strerror(code))

    with GalleryWriter.open(path, IDENTITY) as writer:
        writer.add([reference_of("c", 3)], templates_of(1, 3))
        with monkeypatch.context() as patched:
            patched.setattr(os, function, fail)
            with pytest.raises(OutputError, match=r"g\.h5: .*; nothing was changed") as caught:
                writer.commit()
        assert len(str(caught.value).splitlines()) == 1
        assert path.read_bytes() == before
        assert contents(tmp_path) == {"g.h5", "g.h5.lock", ".g.h5.owner"}
        writer.commit()
    with Gallery.open(path) as gallery:
        assert gallery.subject_names == ("a", "b", "c")


def test_folder_that_cannot_be_synced_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "g.h5"
    real = os.fsync

    def fail_on_folders(code: int) -> None:
        def fsync(descriptor: int) -> None:
            if stat.S_ISDIR(os.fstat(descriptor).st_mode):
                raise OSError(code, os.strerror(code))
            real(descriptor)

        monkeypatch.setattr(atomic_module.os, "fsync", fsync)

    with GalleryWriter.open(path, IDENTITY) as writer:
        fail_on_folders(errno.EINVAL)  # a file system without folder sync is no error
        writer.commit()
        writer.add([reference_of("a")], templates_of(1))
        fail_on_folders(errno.EIO)
        with pytest.raises(OutputError, match="may not survive a power cut"):
            writer.commit()


# The limit on the size of files makes the kernel itself refuse each write beyond it.
@pytest.mark.parametrize("limit", [0, 10_000, 60_000, 150_000, 200_000])
def test_no_space_at_any_point_of_the_file(tmp_path: Path, limit: int) -> None:
    path = tmp_path / "g.h5"
    make_gallery(path, ["a"])
    before = path.read_bytes()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        with GalleryWriter.open(path, IDENTITY) as writer:
            n = 2000
            writer.add([reference_of("b", i) for i in range(n)], templates_of(n))
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
            with pytest.raises(OutputError, match="File too large"):
                writer.commit()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, handler)
    assert path.read_bytes() == before
    assert contents(tmp_path) == {"g.h5", "g.h5.lock"}


COMMIT_FOREVER = """
import sys
from pathlib import Path
from gallery_fakes import IDENTITY, reference_of, templates_of
from facematch.gallery import GalleryWriter
path = Path(sys.argv[1])
print("ready", flush=True)
with GalleryWriter.open(path, IDENTITY, lock_timeout_s=5) as writer:
    while True:
        n = len(writer)
        writer.add([reference_of(f"s{n}", n)], templates_of(1, n))
        writer.commit()
        print(n + 1, flush=True)
"""


def test_kill_at_any_instant_loses_nothing_that_was_committed(tmp_path: Path) -> None:
    path = tmp_path / "g.h5"
    committed = 0
    rng = np.random.default_rng(0)
    for _ in range(6):
        process = child(COMMIT_FOREVER, path)
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        time.sleep(float(rng.uniform(0.05, 0.25)))
        process.kill()
        said = process.communicate()[0].split()
        committed = int(said[-1]) if said else committed
        if path.exists():
            with Gallery.open(path, IDENTITY) as gallery:
                # One more may have been renamed into place before it was reported.
                assert len(gallery) in (committed, committed + 1)
                assert gallery.verify().problems == ()
                expected = [templates_of(1, i)[0] for i in range(len(gallery))]
                assert np.array_equal(gallery.templates, np.array(expected).reshape(-1, 16))
                committed = len(gallery)
    assert committed > 0
    with GalleryWriter.open(path, IDENTITY):
        pass
    assert contents(tmp_path) == {"g.h5", "g.h5.lock"}


HOLD_LOCK = """
import sys, time
from pathlib import Path
from facematch.gallery import GalleryWriter
from gallery_fakes import IDENTITY
with GalleryWriter.open(Path(sys.argv[1]), IDENTITY):
    print("held", flush=True)
    time.sleep(60)
"""


def test_second_writer_is_told_who_holds_the_lock_until_that_one_dies(tmp_path: Path) -> None:
    path = tmp_path / "g.h5"
    make_gallery(path, ["a"])
    process = child(HOLD_LOCK, path)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    holder = rf"process {process.pid} on [\w.-]+, since 20\d\d-\d\d-\d\dT[\d:]{{8}}\+00:00; "
    with pytest.raises(GalleryLockedError, match=holder):
        GalleryWriter.open(path, IDENTITY)
    with Gallery.open(path, IDENTITY) as gallery:  # readers need no lock
        assert len(gallery) == 1
    process.kill()
    process.communicate()
    with GalleryWriter.open(path, IDENTITY, lock_timeout_s=5) as writer:
        assert len(writer) == 1


def test_a_place_where_no_file_can_be_made_is_not_taken_for_a_lock() -> None:
    with pytest.raises(OutputError, match=r"cannot lock /proc/g\.h5 .*; choose another folder"):
        GalleryWriter.open(Path("/proc/g.h5"), IDENTITY, lock_timeout_s=0.1)


def test_a_waiting_writer_gets_its_turn(tmp_path: Path) -> None:
    path = tmp_path / "g.h5"
    make_gallery(path, ["a"])
    process = child(HOLD_LOCK.replace("time.sleep(60)", "sys.stdin.readline()"), path)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    with pytest.raises(GalleryLockedError, match="being written by process"):
        GalleryWriter.open(path, IDENTITY, lock_timeout_s=0.1)
    letting_go = threading.Timer(0.2, process.communicate, ["\n"])
    letting_go.start()
    with GalleryWriter.open(path, IDENTITY, lock_timeout_s=60) as writer:
        assert len(writer) == 1
    letting_go.join()


def test_the_record_of_a_killed_writer_names_nobody(tmp_path: Path) -> None:
    path = tmp_path / "g.h5"
    make_gallery(path, ["a"])
    gone = child("pass")
    gone.communicate()
    record = f"{gone.pid} {socket.gethostname()} 2026-01-01T00:00:00+00:00"
    with GalleryWriter.open(path, IDENTITY):
        (tmp_path / ".g.h5.owner").write_text(record, "utf-8")
        with pytest.raises(GalleryLockedError, match="being written by another process"):
            GalleryWriter.open(path, IDENTITY)
        elsewhere = record.replace(socket.gethostname(), "another-host")
        (tmp_path / ".g.h5.owner").write_text(elsewhere, "utf-8")
        with pytest.raises(GalleryLockedError, match=f"process {gone.pid} on another-host"):
            GalleryWriter.open(path, IDENTITY)


def test_nobody_else_may_hold_the_lock(tmp_path: Path) -> None:
    path = tmp_path / "g.h5"
    with GalleryWriter.open(path, IDENTITY):
        for name in ("g.h5.lock", ".g.h5.owner"):
            assert (tmp_path / name).stat().st_mode & 0o777 == 0o600


def test_second_writer_in_the_same_process_is_refused_then_let_in(tmp_path: Path) -> None:
    path = tmp_path / "g.h5"
    with GalleryWriter.open(path, IDENTITY) as writer:
        with pytest.raises(GalleryLockedError, match=f"process {os.getpid()} "):
            GalleryWriter.open(path, IDENTITY)
        writer.commit()
    with GalleryWriter.open(path, IDENTITY) as writer:
        assert len(writer) == 0


def test_lock_is_released_when_opening_fails(tmp_path: Path) -> None:
    path = tmp_path / "g.h5"
    path.write_bytes(b"")
    for _ in range(2):
        with pytest.raises(Exception, match="is empty"):
            GalleryWriter.open(path, IDENTITY)


def test_reader_keeps_its_version_while_a_writer_replaces_it(tmp_path: Path) -> None:
    path = tmp_path / "g.h5"
    templates = make_gallery(path, ["a", "b", "a"])
    with Gallery.open(path, IDENTITY) as old, GalleryWriter.open(path, IDENTITY) as writer:
        writer.remove_subject("a")
        writer.rename("b", "new")
        writer.commit()
        assert np.array_equal(old.templates, templates)
        assert old.subject_names == ("a", "b")
        assert old.reference(2).subject == "a"
        assert old.verify().problems == ()
        with Gallery.open(path, IDENTITY) as new:
            assert new.subject_names == ("new",)


def test_reader_sees_one_consistent_version_at_every_instant(tmp_path: Path) -> None:
    path = tmp_path / "g.h5"
    make_gallery(path, ["s0"])
    process = child(COMMIT_FOREVER, path)
    try:
        seen = set()
        end = time.monotonic() + 60  # far more than it takes
        while len(seen) < 5 and time.monotonic() < end:
            with Gallery.open(path, IDENTITY) as gallery:
                n = len(gallery)
                assert gallery.subject_names == tuple(f"s{i}" for i in range(n))
                assert gallery.reference(n - 1).subject == f"s{n - 1}"
                seen.add(n)
    finally:
        process.kill()
        process.communicate()
    assert len(seen) == 5


def test_leftovers_of_dead_writers_are_removed_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "g.h5"
    make_gallery(path, ["a"])
    others = {".g.h5.note.tmp", ".other.h5.12.tmp", "g.h5.12.tmp"}
    for name in {".g.h5.4242.tmp", ".g.h5.1.tmp", *others}:
        (tmp_path / name).write_bytes(b"old")
    with GalleryWriter.open(path, IDENTITY):
        pass
    assert contents(tmp_path) == {"g.h5", "g.h5.lock", *others}


def test_uncommitted_changes_are_dropped(tmp_path: Path) -> None:
    path = tmp_path / "g.h5"
    make_gallery(path, ["a"])
    before = path.read_bytes()
    writer = GalleryWriter.open(path, IDENTITY)
    writer.add([reference_of("b", 1)], templates_of(1))
    writer.remove_subject("a")
    writer.close()
    assert path.read_bytes() == before
    with pytest.raises(ValueError, match="closed"):
        writer.commit()
    assert path.read_bytes() == before


def test_commit_without_changes_writes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "g.h5"
    make_gallery(path, ["a"])
    inode = path.stat().st_ino
    with GalleryWriter.open(path, IDENTITY) as writer:
        writer.commit()
    assert path.stat().st_ino == inode


def test_interrupted_commit_cleans_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "g.h5"

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    with GalleryWriter.open(path, IDENTITY) as writer:
        monkeypatch.setattr(os, "replace", interrupt)
        with pytest.raises(KeyboardInterrupt):
            writer.commit()
    assert contents(tmp_path) == {"g.h5.lock"}


def test_damage_is_never_given_a_new_checksum(tmp_path: Path) -> None:
    path = tmp_path / "g.h5"
    n = 1000
    with GalleryWriter.open(path, IDENTITY) as writer:
        writer.add([reference_of(f"s{i}", i) for i in range(n)], templates_of(n))
        writer.commit()
    with Gallery.open(path) as gallery:
        wanted = gallery.templates[0].tobytes()
    data = bytearray(path.read_bytes())
    data[data.index(wanted)] ^= 1
    path.write_bytes(data)
    with GalleryWriter.open(path, IDENTITY) as writer:  # an append carries it over as it is
        writer.add([reference_of("new", n)], templates_of(1, 1))
        writer.commit()
    with Gallery.open(path) as gallery:
        assert any("templates: 1 of" in problem for problem in gallery.verify().problems)
    with GalleryWriter.open(path, IDENTITY) as writer:  # a rewrite refuses
        writer.remove_subject("s1")
        with pytest.raises(GalleryCorruptError, match="gallery verify"):
            writer.commit()
    assert contents(tmp_path) == {"g.h5", "g.h5.lock"}


def test_new_galleries_are_private_and_old_permissions_stay(tmp_path: Path) -> None:
    path = tmp_path / "g.h5"
    make_gallery(path, ["a"])
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.chmod(0o640)
    make_gallery(path, ["b"])
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_symbolic_link_is_followed_and_stays(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    link = tmp_path / "g.h5"
    link.symlink_to(tmp_path / "real" / "g.h5")
    make_gallery(link, ["a"])
    assert link.is_symlink()
    assert (tmp_path / "real" / "g.h5").is_file()


def test_missing_folder_and_missing_gallery(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="there is no folder"):
        GalleryWriter.open(tmp_path / "nowhere" / "g.h5", IDENTITY)
    with pytest.raises(GalleryNotFoundError, match="facematch enroll"):
        GalleryWriter.open(tmp_path / "g.h5", IDENTITY, create=False)
    with pytest.raises(GalleryNotFoundError, match="facematch enroll"):
        GalleryWriter.open(tmp_path / "g.h5")


def test_no_byte_of_what_was_removed_is_left(tmp_path: Path) -> None:
    path = tmp_path / "g.h5"
    make_gallery(path, ["Keep Me", "Erase Me", "Keep Me", "Erase Me", "Old Name"], crops=True)
    with Gallery.open(path) as gallery:
        gone = []
        for row in gallery.subject_rows("Erase Me").tolist():
            reference = gallery.reference(row)
            assert reference.crop_rgb is not None
            gone += [
                reference.source_path.encode(),
                bytes.fromhex(reference.source_sha256),
                gallery.templates[row].tobytes(),
                gallery.templates[row].tobytes()[:8],
                reference.crop_rgb.tobytes()[:64],
                reference.crop_rgb.tobytes()[-64:],
                reference.box_xyxy.tobytes(),
                np.float64(reference.quality.sharpness).tobytes(),
            ]
    before = path.read_bytes()
    assert all(piece in before for piece in [*gone, b"Erase Me", b"Old Name"])
    with GalleryWriter.open(path) as writer:
        assert writer.remove_subject("Erase Me") == 2
        writer.rename("Old Name", "New Name")
        writer.commit()
    after = path.read_bytes()
    assert not any(piece in after for piece in [*gone, b"Erase", b"Old Name"])
    assert b"New Name" in after
    assert contents(tmp_path) == {"g.h5", "g.h5.lock"}
