"""The suite's own promises: nothing reaches the network or the user's folders.

What is refused here on purpose is noted in a log of the test's own, or the run would fail.
"""

from __future__ import annotations

import errno
import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from network_guard import HERE, NetworkGuard
from network_guard.network_watch import LOG_VARIABLE, is_local

from facematch.embedding.registry import models_dir
from facematch.runtime.cache import cache_dir

ROOT = Path(__file__).resolve().parents[1]
# Set aside for documentation: nobody answers there.
OUTSIDE, OUTSIDE_6 = "192.0.2.1", "2001:db8::1"
CONNECT = f"import socket; socket.create_connection(({OUTSIDE!r}, 9), 5)"
NATIVE = f"""
import ctypes, socket, struct
libc = ctypes.CDLL(None, use_errno=True)
address = struct.pack("=H", socket.AF_INET)
address += struct.pack("!H4s8x", 9, socket.inet_aton("{OUTSIDE}"))
"""


@pytest.fixture(autouse=True)
def attempts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The log of this test."""
    log = tmp_path / "attempts"
    log.touch()
    monkeypatch.setenv(LOG_VARIABLE, str(log))
    return log


@pytest.fixture
def native_guard() -> None:
    if "network_guard.so" not in os.environ.get("LD_PRELOAD", ""):
        pytest.skip("no C compiler: native code is not guarded")


def run(*command: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env=os.environ | environment,
    )


@pytest.mark.parametrize("address", [OUTSIDE, OUTSIDE_6, "example.org"])
def test_the_network_is_out_of_reach(address: str, attempts: Path) -> None:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with (
        socket.socket(family) as caller,
        pytest.raises(pytest.fail.Exception, match=address),
    ):
        caller.connect((address, 80))
    with pytest.raises(pytest.fail.Exception, match=address):
        socket.create_connection((address, 80))
    with socket.socket(family, socket.SOCK_DGRAM) as sender, pytest.raises(pytest.fail.Exception):
        sender.sendto(b"hello", (address, 80))
    assert [address in line for line in attempts.read_text().splitlines()] == [True] * 3


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost"])
def test_this_machine_is_within_reach(name: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = (name, server.getsockname()[1])
        with socket.create_connection(address) as caller, server.accept()[0] as called:
            caller.sendall(b"hello")
            assert called.recv(5) == b"hello"


@pytest.mark.parametrize(
    ("host", "local"),
    [
        (None, True),
        ("", True),
        (b"localhost", True),
        ("127.8.9.1", True),
        ("::1", True),
        ("::ffff:127.0.0.1", True),
        (socket.gethostname(), True),
        ("::ffff:192.0.2.1", False),
        ("0.0.0.0", False),
        ("localhost.example.org", False),
    ],
)
def test_what_this_machine_is(host: str | bytes | None, local: bool) -> None:
    assert is_local(host) is local


_DATAGRAM = "import socket; caller = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); caller."
PROGRAMS = {
    "connect": CONNECT,
    "a name": "import socket; socket.getaddrinfo('example.org', 443)",
    "a name, the old way": "import socket; socket.gethostbyname('example.org')",
    "a name, the other way round": f"import socket; socket.gethostbyaddr('{OUTSIDE}')",
    "a datagram": f"{_DATAGRAM}sendto(b'hello', ('{OUTSIDE}', 9))",
    "a message": f"{_DATAGRAM}sendmsg([b'hello'], [], 0, ('{OUTSIDE}', 9))",
    "IPv4 within IPv6": (
        f"import socket; socket.socket(socket.AF_INET6).connect(('::ffff:{OUTSIDE}', 9))"
    ),
    "a child of a child": (
        f"import subprocess, sys; subprocess.run([sys.executable, '-c', {CONNECT!r}], check=True)"
    ),
}


@pytest.mark.parametrize("program", PROGRAMS.values(), ids=PROGRAMS)
def test_the_network_is_out_of_reach_of_other_processes(program: str, attempts: Path) -> None:
    done = run(sys.executable, "-c", program)
    assert done.returncode == 1, done.stderr
    noted = attempts.read_text().splitlines()
    assert len(noted) == 1
    assert OUTSIDE in noted[0] or "example.org" in noted[0]


@pytest.mark.usefixtures("native_guard")
@pytest.mark.parametrize(
    "call",
    [
        "connect(file, address, len(address))",
        "sendto(file, b'hello', 5, 0, address, len(address))",
        "getaddrinfo(b'example.org', b'443', None, ctypes.byref(ctypes.c_void_p()))",
    ],
)
def test_native_code_of_other_processes_does_not_reach_it(call: str, attempts: Path) -> None:
    program = NATIVE + (
        "file = libc.socket(socket.AF_INET, socket.SOCK_DGRAM, 0)\n"
        f"assert libc.{call} != 0\n"
        "print(ctypes.get_errno())"
    )
    # -I: whatever Python could have been told by its environment.
    done = run(sys.executable, "-I", "-c", program)
    assert (done.returncode, done.stdout) == (0, f"{errno.ENETUNREACH}\n"), done.stderr
    assert len(attempts.read_text().splitlines()) == 1


@pytest.mark.usefixtures("native_guard")
def test_an_attempt_that_cannot_be_noted_ends_the_process(tmp_path: Path) -> None:
    done = run(sys.executable, "-c", CONNECT, **{LOG_VARIABLE: str(tmp_path / "no" / "folder")})
    assert done.returncode == -signal.SIGABRT
    assert f'cannot be noted in "{tmp_path}/no/folder": connect {OUTSIDE}' in done.stderr


def test_the_command_pulls_no_model_here(attempts: Path) -> None:
    done = run(sys.executable, "-m", "facematch", "models", "pull", "facenet-vggface2", "--quiet")
    assert done.returncode == 5
    assert "--from FILE" in done.stderr
    noted = attempts.read_text().splitlines()
    assert noted
    assert all("github.com" in line for line in noted)


def test_other_processes_reach_this_machine() -> None:
    program = "import socket, sys; socket.create_connection((sys.argv[1], int(sys.argv[2])), 5)"
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = str(server.getsockname()[1])
        for name in ("127.0.0.1", "localhost", socket.gethostname()):
            done = run(sys.executable, "-c", program, name, port)
            assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.usefixtures("native_guard")
def test_nobody_is_asked_for_the_name_of_an_address() -> None:
    """For ``::ffff:127.0.0.1``, which torch asks for, DNS would be."""
    program = """
import socket
print(*socket.getnameinfo(("::ffff:127.0.0.1", 80, 0, 0), socket.NI_NUMERICSERV))
print(*socket.getnameinfo(("127.0.0.1", 80), socket.NI_NUMERICSERV))
try:
    socket.gethostbyaddr("127.0.0.1")
except socket.herror as error:
    print(error.args[0])
"""
    done = run(sys.executable, "-c", program)
    assert (done.stderr, done.stdout) == ("", "::ffff:127.0.0.1 80\n127.0.0.1 80\n1\n")


def test_an_environment_from_nothing_is_guarded(attempts: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", CONNECT],
        env={LOG_VARIABLE: str(attempts), "LD_PRELOAD": "", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        check=False,
    )
    assert done.returncode == 1
    assert len(attempts.read_text().splitlines()) == 1


def test_python_watches_where_nothing_can_be_compiled(
    tmp_path: Path, attempts: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    guard = NetworkGuard(tmp_path)
    assert guard.weakness == "no C compiler"
    environment = guard.environment({"PYTHONPATH": "theirs"})
    assert environment["PYTHONPATH"] == f"{HERE}{os.pathsep}theirs"
    done = run(sys.executable, "-c", CONNECT, PYTHONPATH=environment["PYTHONPATH"])
    assert f"the tests keep the network shut: {OUTSIDE}" in done.stderr
    assert attempts.read_text().startswith(f"socket.getaddrinfo {OUTSIDE} ")


def test_what_is_preloaded_already_stays(tmp_path: Path) -> None:
    guard = NetworkGuard(tmp_path)
    if guard.library is None:
        pytest.skip(str(guard.weakness))
    once = guard.environment({"LD_PRELOAD": "theirs.so"})
    assert once["LD_PRELOAD"] == f"{guard.library}:theirs.so"
    assert guard.environment(once) == once


def test_a_compiler_that_fails_is_no_reason_to_stop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "gcc").write_text("#!/bin/sh\necho no headers >&2\nexit 1\n")
    (tmp_path / "gcc").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    assert NetworkGuard(tmp_path).weakness == f"{tmp_path}/gcc: no headers"


SUITE = f'''
import subprocess, sys
import pytest

HANDLED = """
try:
    {CONNECT}
except OSError:
    pass
"""

def reach():
    subprocess.run([sys.executable, "-c", HANDLED], check=True)

@pytest.fixture(scope="module")
def late():
    yield
    reach()

def test_in_time():
    reach()

def test_good(late):
    pass
'''


def test_a_handled_refusal_fails_the_test_and_a_late_one_the_run(tmp_path: Path) -> None:
    (tmp_path / "test_reaching.py").write_text(SUITE)
    (tmp_path / "pytest.ini").write_text("[pytest]")
    suite = [sys.executable, "-m", "pytest", "-p", "conftest", "-p", "no:cacheprovider", tmp_path]
    path = {"PYTHONPATH": os.pathsep.join(map(str, (ROOT / "tests", ROOT)))}
    both = run(*suite, **path)
    assert both.returncode == 1, both.stdout + both.stderr
    assert "2 passed, 1 error" in both.stdout
    attempt = rf"\S+ {OUTSIDE} in process"
    assert re.search(f"a test reached for the network:\n{attempt}", both.stdout)
    assert re.search(f"!!! REACHED FOR THE NETWORK: {attempt}", both.stdout)
    late = run(*suite, "-k", "test_good", **path)
    assert "1 passed, 1 deselected" in late.stdout
    assert late.returncode == 1


NATIVE_SUITE = f"""
{NATIVE}
def test_native() -> None:
    file = libc.socket(socket.AF_INET, socket.SOCK_DGRAM, 0)
    assert libc.connect(file, address, len(address)) != 0
"""


@pytest.mark.usefixtures("native_guard")
def test_native_code_of_the_tests_themselves_does_not_reach_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "test_native.py").write_text(NATIVE_SUITE)
    (tmp_path / "pytest.ini").write_text("[pytest]")
    (tmp_path / "temporary").mkdir()
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(map(str, (ROOT / "tests", ROOT))))
    monkeypatch.setenv("TMPDIR", str(tmp_path / "temporary"))
    suite = [sys.executable, "-m", "pytest", "-p", "conftest", "-p", "no:cacheprovider", tmp_path]
    done = run(sys.executable, ROOT / "tests" / "network_guard", *suite)
    assert done.returncode == 1
    assert "1 passed, 1 error" in done.stdout
    assert f"a test reached for the network:\nconnect {OUTSIDE} in process" in done.stdout
    assert list((tmp_path / "temporary").glob("network-guard-*")) == []


def test_folders_are_temporary_in_other_processes_too(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    assert models_dir().is_relative_to(tmp_path)
    assert cache_dir().is_relative_to(tmp_path_factory.getbasetemp())
    program = "from facematch.runtime.cache import cache_dir; print(cache_dir())"
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, env=os.environ
    )
    assert run.stdout.strip() == str(cache_dir())
