"""The cache of compiled networks: whole entries or none, and never in the way."""

from __future__ import annotations

import errno
import hashlib
import logging
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import doubling_network
import numpy as np
import pytest
from doubling_network import Doubling, pixels

from facematch.runtime import Device, open_engine, openvino_engine
from facematch.runtime.cache import cache_dir, read_entry, write_entry

KEY = "ab" * 32


def test_what_was_written_is_read(empty_cache: Path) -> None:
    assert read_entry(KEY) is None
    assert not empty_cache.exists(), "reading makes no folder"
    for payload in (b"", b"one", bytes(range(256)) * 1000):
        write_entry(KEY, payload)
        assert read_entry(KEY) == payload
    assert [path.name for path in empty_cache.iterdir()] == [KEY]


def test_without_the_variable_the_cache_is_the_users(monkeypatch: pytest.MonkeyPatch) -> None:
    import platformdirs

    monkeypatch.delenv("FACEMATCH_CACHE_DIR")
    assert cache_dir() == platformdirs.user_cache_path("facematch", appauthor=False)


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda b: b"", id="empty"),
        pytest.param(lambda b: b[:10], id="cut inside the digest"),
        pytest.param(lambda b: b[:32], id="payload gone"),
        pytest.param(lambda b: b[:-1], id="last byte gone"),
        pytest.param(lambda b: b + b"x", id="one byte more"),
        pytest.param(lambda b: bytes([b[0] ^ 1]) + b[1:], id="digest changed"),
        pytest.param(lambda b: b[:-1] + bytes([b[-1] ^ 1]), id="payload changed"),
    ],
)
def test_a_damaged_entry_is_absent(
    empty_cache: Path, caplog: pytest.LogCaptureFixture, damage: Callable[[bytes], bytes]
) -> None:
    write_entry(KEY, b"compiled network")
    path = empty_cache / KEY
    path.write_bytes(damage(path.read_bytes()))
    assert read_entry(KEY) is None
    assert [str(path) in message for message in caplog.messages] == [True]


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda b: b[:-1], id="the hash shows it"),
        pytest.param(
            lambda b: hashlib.sha256(b"junk").digest() + b"junk", id="only OpenVINO can tell"
        ),
    ],
)
def test_a_damaged_network_is_built_again(
    empty_cache: Path, damage: Callable[[bytes], bytes]
) -> None:
    engine, doubling = open_engine(Device.CPU), Doubling()
    first = engine.load(doubling.source)(pixels())
    (entry,) = empty_cache.iterdir()
    sound = entry.read_bytes()
    entry.write_bytes(damage(sound))

    second = engine.load(doubling.source)(pixels())
    third = engine.load(doubling.source)(pixels())
    assert doubling.openvino_builds == 2, "the third load takes the entry that was written again"
    assert [path.name for path in empty_cache.iterdir()] == [entry.name]
    assert read_entry(entry.name) is not None
    for other in (second, third):
        for a, b in zip(first, other, strict=True):
            np.testing.assert_array_equal(a, b)


def test_a_failed_write_leaves_the_old_entry_and_nothing_else(
    empty_cache: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    write_entry(KEY, b"old")

    def no_space(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("facematch.runtime.cache.os.replace", no_space)
    write_entry(KEY, b"new")
    assert read_entry(KEY) == b"old"
    assert [path.name for path in empty_cache.iterdir()] == [KEY]
    assert "No space left on device" in caplog.text


def test_readers_never_see_half_an_entry(empty_cache: Path) -> None:
    payloads = {bytes([value]) * 200_000 for value in range(4)}
    write_entry(KEY, min(payloads))
    done = threading.Event()

    def rewrite(payload: bytes) -> None:
        while not done.is_set():
            write_entry(KEY, payload)

    writers = [threading.Thread(target=rewrite, args=(payload,)) for payload in payloads]
    for writer in writers:
        writer.start()
    seen = {read_entry(KEY) for _ in range(100)}
    done.set()
    for writer in writers:
        writer.join()
    assert seen <= payloads
    assert [path.name for path in empty_cache.iterdir()] == [KEY]


def test_an_unwritable_cache_is_said_once_and_costs_only_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("where the folder should go")  # stops root, too
    monkeypatch.setenv("FACEMATCH_CACHE_DIR", str(tmp_path / "file"))
    engine, doubling = open_engine(Device.CPU), Doubling()
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            outputs = engine.load(doubling.source)(pixels())
            np.testing.assert_array_equal(outputs[0], pixels() * 2.0 + 1)
    assert doubling.openvino_builds == 3
    assert len(caplog.messages) == 1
    assert str(tmp_path / "file") in caplog.messages[0]
    assert "FACEMATCH_CACHE_DIR" in caplog.messages[0]


def test_a_first_start_says_what_takes_so_long(
    empty_cache: Path, caplog: pytest.LogCaptureFixture
) -> None:
    openvino_engine._say_preparing.cache_clear()
    caplog.set_level("INFO", "facematch")
    for _ in range(2):
        open_engine(Device.CPU, 1).load(Doubling().source)
        open_engine(Device.CPU, 2).load(Doubling().source)
    assert [record.message.split(";")[0] for record in caplog.records] == [
        "preparing the networks for this machine"
    ]
    openvino_engine._say_preparing.cache_clear()
    caplog.clear()
    open_engine(Device.CPU, 1).load(Doubling().source)
    assert caplog.records == []


def test_a_warm_start_builds_nothing(empty_cache: Path) -> None:
    open_engine(Device.CPU).load(Doubling().source)
    again = Doubling()
    outputs = open_engine(Device.CPU).load(again.source)(pixels())
    np.testing.assert_array_equal(outputs[0], pixels() * 2.0 + 1)
    assert again.openvino_builds == 0


def test_other_options_are_another_entry(empty_cache: Path) -> None:
    for threads in (1, 2, 1):
        open_engine(Device.CPU, threads).load(Doubling().source)
    assert len(list(empty_cache.iterdir())) == 2


def test_first_starts_at_the_same_time(empty_cache: Path) -> None:
    command = [sys.executable, doubling_network.__file__]
    starts = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    printed = {start.communicate()[0] for start in starts}
    assert [start.returncode for start in starts] == [0] * 4
    assert len(printed) == 1
    assert printed.pop().split()[1:] == ["no", "torch"]
    (entry,) = empty_cache.iterdir()
    assert read_entry(entry.name) is not None
