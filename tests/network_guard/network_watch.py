"""Hears what a Python process asks the network for; below Python, ``network_guard.c`` does.

It stands alone: ``sitecustomize`` loads it into processes of which the tests know nothing.
"""

from __future__ import annotations

import ipaddress
import os
import socket
import sys
from collections.abc import Callable
from typing import Any

LOG_VARIABLE = "FACEMATCH_NETWORK_LOG"

_SENDING = {"socket.connect", "socket.sendto", "socket.sendmsg"}
_LOOKING_UP = {"socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr"}
# Where each method of a socket has its address. They look a name up before any hook hears of it.
_ADDRESS = {"connect": 0, "connect_ex": 0, "sendto": -1, "sendmsg": 3}


def watch(refuse: Callable[[str], object]) -> None:
    """Note each attempt in the log and call ``refuse``, which raises, before it is made.

    It cannot be undone: Python takes no audit hook back.
    """

    def judge(call: str, host: Any) -> None:
        if not is_local(host):
            note(call, str(host))
            refuse(str(host))

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event in _LOOKING_UP:
            judge(event, arguments[0])
        elif event == "socket.getnameinfo":
            judge(event, arguments[0][0])
        elif event in _SENDING:
            judge(event, _host(*arguments))

    def judged(name: str) -> Callable[..., Any]:
        method, position = getattr(socket.socket, name), _ADDRESS[name]

        def call(self: socket.socket, *arguments: Any) -> Any:
            if position < len(arguments):
                judge(f"socket.{name}", _host(self, arguments[position]))
            return method(self, *arguments)

        return call

    for name in _ADDRESS:
        setattr(socket.socket, name, judged(name))
    sys.addaudithook(hook)


def _host(caller: socket.socket, address: Any) -> Any:
    """None if the socket is no one of the Internet, or connected already."""
    if caller.family in (socket.AF_INET, socket.AF_INET6) and isinstance(address, tuple):
        return address[0]
    return None


def is_local(host: Any) -> bool:
    """Whether a name or number is this machine's; None is."""
    name = host.decode() if isinstance(host, bytes) else host
    if name in (None, "", "localhost"):
        return True
    try:
        address = ipaddress.ip_address(str(name))
    except ValueError:
        return bool(name == socket.gethostname())
    return (getattr(address, "ipv4_mapped", None) or address).is_loopback


def note(call: str, where: str) -> None:
    """Add a line to the log, as ``network_guard.c`` does."""
    line = f"{call} {where} in process {os.getpid()}: {' '.join(sys.orig_argv)[:256]!r}\n"
    with open(os.environ[LOG_VARIABLE], "a", encoding="utf-8") as log:  # noqa: PTH123
        log.write(line)
