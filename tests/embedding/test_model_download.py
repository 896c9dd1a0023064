from __future__ import annotations

import hashlib
import json
import resource
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from file_server import FileServer, serve
from hypothesis import given, settings
from hypothesis import strategies as st

from facematch.embedding.download import download
from facematch.errors import DownloadError, ModelHashError, OutputError

CONTENT = bytes(range(256)) * 40
CHANGED = CONTENT[::-1]
LIMIT = 1 << 20


@pytest.fixture
def server() -> Iterator[FileServer]:
    with serve(CONTENT) as running:
        yield running


def fetch(server: FileServer, target: Path, **options: object) -> str:
    settings_: dict[str, object] = {"largest_bytes": LIMIT, "pause_s": 0.0, "timeout_s": 5.0}
    return download(server.url, target, **(settings_ | options))  # type: ignore[arg-type]


def interrupt(server: FileServer, target: Path, after: int = 1000) -> None:
    """Leaves the first bytes of the file behind, as an earlier run would."""
    server.cuts = [after]
    with pytest.raises(DownloadError, match="gave up after 1 attempts"):
        fetch(server, target, attempts=1)
    assert target.with_name("file.part").stat().st_size == after
    server.asked.clear()


def assert_only(target: Path, content: bytes) -> None:
    assert target.read_bytes() == content
    assert [path.name for path in target.parent.iterdir()] == [target.name]


def test_whole_file(server: FileServer, tmp_path: Path) -> None:
    seen: list[tuple[int, int | None]] = []
    target = tmp_path / "new" / "file"
    digest = fetch(server, target, progress=lambda *state: seen.append(state))
    assert digest == hashlib.sha256(CONTENT).hexdigest()
    assert_only(target, CONTENT)
    assert seen[-1] == (len(CONTENT), len(CONTENT))
    assert [received for received, _ in seen] == sorted({received for received, _ in seen})


def test_old_file_is_replaced(server: FileServer, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"old")
    fetch(server, tmp_path / "file")
    assert_only(tmp_path / "file", CONTENT)


def test_goes_on_within_a_run(server: FileServer, tmp_path: Path) -> None:
    server.cuts = [1000, 500]
    fetch(server, tmp_path / "file")
    assert server.asked == [None, "bytes=1000-", "bytes=1500-"]
    assert_only(tmp_path / "file", CONTENT)


def test_goes_on_in_the_next_run(server: FileServer, tmp_path: Path) -> None:
    interrupt(server, tmp_path / "file")
    fetch(server, tmp_path / "file")
    assert server.asked == ["bytes=1000-"]
    assert_only(tmp_path / "file", CONTENT)


def test_goes_on_after_ctrl_c(server: FileServer, tmp_path: Path) -> None:
    def stop(received: int, total: int | None) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch(server, tmp_path / "file", progress=stop)
    kept = (tmp_path / "file.part").stat().st_size
    assert kept > 0
    fetch(server, tmp_path / "file")
    assert server.asked[1:] == ([] if kept == len(CONTENT) else [f"bytes={kept}-"])
    assert_only(tmp_path / "file", CONTENT)


def test_killed_before_the_rename(server: FileServer, tmp_path: Path) -> None:
    interrupt(server, tmp_path / "file")
    (tmp_path / "file.part").write_bytes(CONTENT)
    fetch(server, tmp_path / "file")
    assert server.asked == []
    assert_only(tmp_path / "file", CONTENT)


def test_server_without_parts(server: FileServer, tmp_path: Path) -> None:
    interrupt(server, tmp_path / "file")
    server.ranges = False
    fetch(server, tmp_path / "file")
    assert server.asked == ["bytes=1000-"]
    assert_only(tmp_path / "file", CONTENT)


@pytest.mark.parametrize("honours_if_range", [True, False])
@pytest.mark.parametrize("changed", [CHANGED, CHANGED + b"longer", CHANGED[:500]])
def test_file_changed_between_runs(
    server: FileServer, tmp_path: Path, honours_if_range: bool, changed: bytes
) -> None:
    interrupt(server, tmp_path / "file")
    server.content, server.etag = changed, '"two"'
    server.honours_if_range = honours_if_range
    fetch(server, tmp_path / "file")
    assert_only(tmp_path / "file", changed)


@pytest.mark.parametrize(
    ("etag", "last_modified", "goes_on"),
    [
        ('"strong"', None, True),
        ('W/"weak"', None, False),  # may stand for different bytes
        (None, "Mon, 01 Jan 2024 00:00:00 GMT", True),
        ('W/"weak"', "Mon, 01 Jan 2024 00:00:00 GMT", True),
        (None, None, False),
    ],
)
def test_what_identifies_a_file(
    server: FileServer, tmp_path: Path, etag: str | None, last_modified: str | None, goes_on: bool
) -> None:
    server.etag, server.last_modified = etag, last_modified
    interrupt(server, tmp_path / "file")
    fetch(server, tmp_path / "file")
    assert server.asked == ["bytes=1000-" if goes_on else None]
    assert_only(tmp_path / "file", CONTENT)


@pytest.mark.parametrize(
    "record",
    [
        b"",
        b"[" * 100_000,
        b"[1]",
        b"{}",
        b'{"url": "https://elsewhere.invalid/", "validator": "x", "total": 5}',
    ],
)
def test_record_that_is_not_ours(server: FileServer, tmp_path: Path, record: bytes) -> None:
    interrupt(server, tmp_path / "file")
    (tmp_path / "file.part").write_bytes(b"something else")
    (tmp_path / "file.part.json").write_bytes(record)
    fetch(server, tmp_path / "file")
    assert server.asked == [None]
    assert_only(tmp_path / "file", CONTENT)


def test_same_record_of_another_address(server: FileServer, tmp_path: Path) -> None:
    interrupt(server, tmp_path / "file")
    record = json.loads((tmp_path / "file.part.json").read_bytes())
    assert record == {"url": server.url, "validator": '"one"', "total": len(CONTENT)}
    server.url += "?mirror"
    fetch(server, tmp_path / "file")
    assert server.asked == [None]


def test_wrong_hash_deletes_the_file(server: FileServer, tmp_path: Path) -> None:
    with pytest.raises(ModelHashError, match="deleted"):
        fetch(server, tmp_path / "file", sha256="0" * 64)
    assert list(tmp_path.iterdir()) == []


def test_right_hash(server: FileServer, tmp_path: Path) -> None:
    wanted = hashlib.sha256(CONTENT).hexdigest()
    assert fetch(server, tmp_path / "file", sha256=wanted) == wanted


def test_hash_is_of_the_whole_file_when_it_was_resumed(server: FileServer, tmp_path: Path) -> None:
    interrupt(server, tmp_path / "file")
    (tmp_path / "file.part").write_bytes(b"x" * 1000)
    with pytest.raises(ModelHashError):
        fetch(server, tmp_path / "file", sha256=hashlib.sha256(CONTENT).hexdigest())
    fetch(server, tmp_path / "file", sha256=hashlib.sha256(CONTENT).hexdigest())
    assert_only(tmp_path / "file", CONTENT)


@pytest.mark.parametrize("status", [401, 403, 404, 410])
def test_refusal_is_final(server: FileServer, tmp_path: Path, status: int) -> None:
    server.statuses = [status] * 9
    with pytest.raises(DownloadError, match=rf"HTTP {status} .*--from FILE") as caught:
        fetch(server, tmp_path / "file")
    assert len(server.asked) == 1
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("status", [429, 500, 503])
def test_busy_server_is_asked_again(server: FileServer, tmp_path: Path, status: int) -> None:
    server.statuses = [status, status]
    fetch(server, tmp_path / "file")
    assert len(server.asked) == 3
    assert_only(tmp_path / "file", CONTENT)


def test_pauses_double(server: FileServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []
    monkeypatch.setattr("time.sleep", pauses.append)
    server.statuses = [503] * 9
    with pytest.raises(DownloadError, match=r"after 4 attempts \(HTTP 503"):
        fetch(server, tmp_path / "file", attempts=4, pause_s=1.0)
    assert pauses == [1.0, 2.0, 4.0]


def test_body_that_is_always_short(server: FileServer, tmp_path: Path) -> None:
    server.cuts = [0] * 9
    with pytest.raises(DownloadError, match=f"broke off at 0 of {len(CONTENT)} bytes"):
        fetch(server, tmp_path / "file", attempts=3)
    assert len(server.asked) == 3
    assert not (tmp_path / "file").exists()


def closed_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def test_no_network_is_an_error_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "time.sleep", lambda s: pytest.fail("waited for a server that is not there")
    )
    with pytest.raises(DownloadError, match=r"cannot be reached \(Connection refused\).*--from"):
        download(f"http://127.0.0.1:{closed_port()}/file", tmp_path / "f", largest_bytes=LIMIT)


def test_silent_server_times_out(tmp_path: Path) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/file"
        with pytest.raises(DownloadError, match="timed out"):
            download(url, tmp_path / "file", largest_bytes=LIMIT, timeout_s=0.1)


def test_file_that_is_too_long(server: FileServer, tmp_path: Path) -> None:
    with pytest.raises(DownloadError, match="longer than the 1000 bytes"):
        fetch(server, tmp_path / "file", largest_bytes=1000)
    server.says_length = False
    with pytest.raises(DownloadError, match="longer than the 1000 bytes"):
        fetch(server, tmp_path / "file", largest_bytes=1000)
    assert list(tmp_path.iterdir()) == []


def test_length_unknown(server: FileServer, tmp_path: Path) -> None:
    server.says_length = False
    seen: list[tuple[int, int | None]] = []
    fetch(server, tmp_path / "file", progress=lambda *state: seen.append(state))
    assert seen[-1] == (len(CONTENT), None)
    assert_only(tmp_path / "file", CONTENT)


@pytest.mark.parametrize(
    "url",
    [
        "http://models.invalid/file",
        "ftp://127.0.0.1/file",
        "file:///etc/hostname",
        "https://",
        "http://[::1/file",
        "file",
        "",
    ],
)
def test_only_https_or_this_machine(tmp_path: Path, url: str) -> None:
    with pytest.raises(DownloadError, match="only https"):
        download(url, tmp_path / "file", largest_bytes=LIMIT)
    assert list(tmp_path.iterdir()) == []


def test_redirection(server: FileServer, tmp_path: Path) -> None:
    server.redirect = server.url + "-moved"
    fetch(server, tmp_path / "file")
    assert_only(tmp_path / "file", CONTENT)


@pytest.mark.parametrize("to", ["http://models.invalid/file", "file:///etc/hostname"])
def test_redirection_to_where_nothing_is_fetched(
    server: FileServer, tmp_path: Path, to: str
) -> None:
    server.redirect = to
    with pytest.raises(DownloadError, match=r"only https|not allowed"):
        fetch(server, tmp_path / "file")


def test_folder_that_cannot_be_written(server: FileServer, tmp_path: Path) -> None:
    (tmp_path / "a file").write_bytes(b"")
    with pytest.raises(OutputError, match="cannot be written"):
        fetch(server, tmp_path / "a file" / "file")
    assert server.asked == []


def test_no_space(server: FileServer, tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
    try:
        with pytest.raises(OutputError, match=r"file\.part: cannot be written"):
            fetch(server, tmp_path / "file")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    fetch(server, tmp_path / "file")
    assert_only(tmp_path / "file", CONTENT)


@settings(max_examples=25, deadline=None)
@given(
    content=st.binary(max_size=3000),
    cuts=st.lists(st.integers(0, 3000), max_size=4),
    ranges=st.booleans(),
    etag=st.sampled_from(['"one"', 'W/"one"', None]),
)
def test_any_interruptions_give_the_same_file(
    content: bytes, cuts: list[int], ranges: bool, etag: str | None
) -> None:
    with tempfile.TemporaryDirectory() as folder, serve(content) as server:
        server.cuts, server.ranges, server.etag = list(cuts), ranges, etag
        digest = fetch(server, Path(folder) / "file", attempts=len(cuts) + 1)
        assert_only(Path(folder) / "file", content)
        assert digest == hashlib.sha256(content).hexdigest()
