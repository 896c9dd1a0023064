from __future__ import annotations

import hashlib
import os
import threading
from pathlib import Path

import pytest

from facematch.errors import ImageTooLargeError, InputError
from facematch.imaging import reading
from facematch.imaging.reading import file_sha256, read_bounded


def test_a_file_is_read_up_to_the_limit(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(b"12345")
    assert read_bounded(path, 5) == b"12345"
    assert file_sha256(path, 5) == hashlib.sha256(b"12345").hexdigest()
    with pytest.raises(ImageTooLargeError, match="5 bytes where at most 4"):
        read_bounded(path, 4)
    assert file_sha256(path, 4) is None


def test_what_is_no_file_is_not_hashed(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", tmp_path, tmp_path / "none", Path("a\0b"), Path("/dev/zero")):
        assert file_sha256(path, 100) is None
    with pytest.raises(ImageTooLargeError, match="larger where at most 100"):
        read_bounded("/dev/zero", 100)


def test_a_pipe_is_read_if_somebody_writes_to_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_bytes, args=(b"12345",))
    writer.start()
    assert read_bounded(pipe, 100) == b"12345"
    writer.join()
    monkeypatch.setattr(reading, "PIPE_PATIENCE_S", 0.01)
    with pytest.raises(InputError, match="pipe: a pipe that nobody writes to"):
        read_bounded(pipe, 100)
