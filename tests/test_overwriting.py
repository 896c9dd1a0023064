"""Files of another kind, devices and folders are never replaced; links are followed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from facematch.calibration.files import write_atomically
from facematch.errors import OutputError
from facematch.gallery.atomic import replacing
from facematch.overwriting import require_regular, require_replaceable


def is_ours(path: Path) -> bool:
    return path.read_bytes().startswith(b"ours")


@pytest.mark.parametrize("content", [b"", b"ours, an older one", None])
def test_what_may_be_replaced(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "out"
    if content is not None:
        path.write_bytes(content)
    (tmp_path / "link").symlink_to(path)
    for name in (path, tmp_path / "link", tmp_path / "no" / "folder"):
        require_replaceable(name, "one of ours", is_ours)


def test_what_may_not_be_replaced(tmp_path: Path) -> None:
    path = tmp_path / "out"
    path.write_bytes(b"theirs")
    (tmp_path / "link").symlink_to(path)
    os.mkfifo(tmp_path / "pipe")
    for name, reason in (
        (path, "not one of ours"),
        (tmp_path / "link", "not one of ours"),
        (tmp_path, "a folder"),
        (tmp_path / "pipe", "a device or a pipe"),
        (Path("/dev/full"), "a device or a pipe"),
    ):
        with pytest.raises(OutputError, match=f"{name}: .*{reason}"):
            require_replaceable(name, "one of ours", is_ours)


def test_writers_follow_links_and_leave_devices_alone(tmp_path: Path) -> None:
    """A pipe stands for a device node, which root could replace."""
    real = tmp_path / "real"
    (tmp_path / "link").symlink_to(real)
    write_atomically(tmp_path / "link", b"one")
    assert real.read_bytes() == b"one"
    with replacing(tmp_path / "link") as temporary:
        temporary.write_bytes(b"two")
    assert real.read_bytes() == b"two"
    assert (tmp_path / "link").is_symlink()
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OutputError, match="a device or a pipe"):
        write_atomically(tmp_path / "pipe", b"one")
    with pytest.raises(OutputError, match="a device or a pipe"), replacing(tmp_path / "pipe"):
        pass
    require_regular(tmp_path / "none")
    assert (tmp_path / "pipe").is_fifo()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["link", "pipe", "real"]
