"""What every test gets: folders of its own, no network, and the data pack if it is there."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from network_guard import FOLDER_VARIABLE, NetworkGuard
from network_guard.network_watch import LOG_VARIABLE, watch

# A test asserts no times: a busy machine is no fault of the code.
settings.register_profile("facematch", deadline=None)
settings.load_profile("facematch")

BESIDE_THE_REPOSITORY = Path(__file__).resolve().parents[2] / "shared" / "data"
DATA_PACK = Path(os.environ.get("FACEMATCH_DATA") or BESIDE_THE_REPOSITORY)
NO_DATA_PACK = "the data pack is not there"

_GUARD = pytest.StashKey[NetworkGuard]()
_PATCH = pytest.StashKey[pytest.MonkeyPatch]()
_LATE_ATTEMPTS = pytest.StashKey[list[str]]()


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


def pytest_configure(config: pytest.Config) -> None:
    """Shut the network for this process and for every one that it starts."""
    folder = os.environ.pop(FOLDER_VARIABLE, None) or tempfile.mkdtemp(prefix="network-guard-")
    guard = config.stash[_GUARD] = NetworkGuard(Path(folder))
    patch = config.stash[_PATCH] = pytest.MonkeyPatch()
    patch.setenv(LOG_VARIABLE, str(guard.log))
    for name, value in guard.environment(os.environ).items():
        patch.setenv(name, value)
    start = subprocess.Popen.__init__

    def guarded(
        self: subprocess.Popen[Any], *args: Any, env: Mapping[str, str] | None = None, **kwargs: Any
    ) -> None:
        """An environment made from nothing, or with another path, is guarded as well."""
        start(self, *args, env=guard.environment(os.environ if env is None else env), **kwargs)

    patch.setattr(subprocess.Popen, "__init__", guarded)
    # Not an OSError, which the code under test would rightly handle.
    watch(lambda host: pytest.fail(f"a test reached for the network: {host}"))


def pytest_unconfigure(config: pytest.Config) -> None:
    config.stash[_PATCH].undo()
    shutil.rmtree(config.stash[_GUARD].log.parent)


@pytest.fixture(autouse=True)
def _no_network(pytestconfig: pytest.Config) -> Iterator[None]:
    """Fails a test of which any process reached for the network, even if it handled the refusal."""
    yield
    attempts = pytestconfig.stash[_GUARD].attempts()
    if attempts:
        pytest.fail("\n".join(["a test reached for the network:", *attempts]), pytrace=False)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fails the run for what was noted when no test was on any more."""
    attempts = session.config.stash[_LATE_ATTEMPTS] = session.config.stash[_GUARD].attempts()
    if attempts:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> Iterator[None]:
    yield  # after pytest's own list, next to the closing line
    skipped = terminalreporter.getreports("skipped")
    missing = sum(NO_DATA_PACK in str(report.longrepr) for report in skipped)
    stash = terminalreporter.config.stash
    lines = [f"!!! REACHED FOR THE NETWORK: {attempt}" for attempt in stash.get(_LATE_ATTEMPTS, [])]
    if missing:
        lines.append(
            f"!!! NO DATA PACK in {DATA_PACK}: {missing} tests on real photographs were SKIPPED; "
            "set FACEMATCH_DATA to its folder"
        )
    if stash[_GUARD].weakness is not None:
        lines.append(
            "!!! NO GUARD BELOW PYTHON: native code of other processes could have reached the "
            f"network unseen ({stash[_GUARD].weakness})"
        )
    for line in lines:
        terminalreporter.write_line(line, red=True, bold=True)
