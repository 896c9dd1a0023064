"""The suite's own promises: nothing reaches the network or the user's folders."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from facematch.embedding.registry import models_dir
from facematch.runtime.cache import cache_dir


@pytest.mark.parametrize("address", ["192.0.2.1", "2001:db8::1", "example.org"])
def test_the_network_is_out_of_reach(address: str) -> None:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with (
        socket.socket(family) as caller,
        pytest.raises(pytest.fail.Exception, match=address),
    ):
        caller.connect((address, 80))
    with pytest.raises(pytest.fail.Exception, match=address):
        socket.create_connection((address, 80))


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost"])
def test_this_machine_is_within_reach(name: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = (name, server.getsockname()[1])
        with socket.create_connection(address) as caller, server.accept()[0] as called:
            caller.sendall(b"hello")
            assert called.recv(5) == b"hello"


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
