"""What every test gets: folders of its own, no network, and the data pack if it is there."""

from __future__ import annotations

import ipaddress
import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

# A test asserts no times: a busy machine is no fault of the code.
settings.register_profile("facematch", deadline=None)
settings.load_profile("facematch")

BESIDE_THE_REPOSITORY = Path(__file__).resolve().parents[2] / "shared" / "data"
DATA_PACK = Path(os.environ.get("FACEMATCH_DATA") or BESIDE_THE_REPOSITORY)
NO_DATA_PACK = "the data pack is not there"


@pytest.fixture(scope="session")
def data_pack() -> Path:
    """The folder of real photographs; the test is skipped where it is missing."""
    if not DATA_PACK.is_dir():
        pytest.skip(f"{NO_DATA_PACK}: {DATA_PACK}")
    return DATA_PACK


@pytest.fixture(scope="session", autouse=True)
def _cache_of_this_run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Converted networks are shared by all tests and their processes, but not with the user."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FACEMATCH_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(autouse=True)
def _models_of_this_test(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACEMATCH_MODELS_DIR", str(tmp_path / "models"))


@pytest.fixture(scope="session", autouse=True)
def _no_network() -> Iterator[None]:
    """Fails every test whose own process reaches for anything but this machine."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("connect", "connect_ex"):
            patch.setattr(socket.socket, name, _guarded(getattr(socket.socket, name)))
        resolve = socket.getaddrinfo

        def getaddrinfo(host: Any, *args: Any, **kwargs: Any) -> Any:
            _refuse_unless_local(host)
            return resolve(host, *args, **kwargs)

        patch.setattr(socket, "getaddrinfo", getaddrinfo)
        yield


def _guarded(connect: Callable[[socket.socket, Any], Any]) -> Callable[[socket.socket, Any], Any]:
    def guarded(self: socket.socket, address: Any) -> Any:
        if self.family in (socket.AF_INET, socket.AF_INET6):
            _refuse_unless_local(address[0])
        return connect(self, address)

    return guarded


def _refuse_unless_local(host: str | bytes | None) -> None:
    name = host.decode() if isinstance(host, bytes) else host
    if name in (None, "", "localhost"):
        return
    try:
        local = ipaddress.ip_address(str(name)).is_loopback
    except ValueError:
        local = False
    if not local:  # not an OSError, which the code under test would rightly handle
        pytest.fail(f"a test reached for the network: {name}")


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> Iterator[None]:
    yield  # after pytest's own list, next to the closing line
    skipped = terminalreporter.getreports("skipped")
    missing = sum(NO_DATA_PACK in str(report.longrepr) for report in skipped)
    if missing:
        terminalreporter.write_line(
            f"!!! NO DATA PACK in {DATA_PACK}: {missing} tests on real photographs were SKIPPED; "
            "set FACEMATCH_DATA to its folder",
            red=True,
            bold=True,
        )
