"""A smaller file that fails alike."""

from __future__ import annotations

from fuzzing.children import Failure, run_content
from fuzzing.targets import Target

_MOST_TRIES = 200


def minimised(target: Target, content: bytes, failure: Failure) -> bytes:
    """Cut the end off, then pieces out, as long as the same failure comes of it."""
    tries = _MOST_TRIES

    def fails(candidate: bytes) -> bool:
        nonlocal tries
        tries -= 1
        found = run_content(target, candidate)
        return found is not None and found.what == failure.what

    if failure.what == "hang" or not fails(content):  # each try would wait as long
        return content
    step = len(content) // 2
    while step > 0 and tries > 0:
        at = len(content) - step  # from the end: first the plain truncations
        while at >= 0 and tries > 0:
            candidate = content[:at] + content[at + step :]
            if fails(candidate):
                content = candidate
            at -= step
        step //= 2
    return content
