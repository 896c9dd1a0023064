"""Python runs this at every start, if the folder is on its path: where no compiler is."""

from __future__ import annotations

import errno

import network_watch


def _refuse(host: str) -> None:
    raise OSError(errno.ENETUNREACH, f"the tests keep the network shut: {host}")


network_watch.watch(_refuse)
