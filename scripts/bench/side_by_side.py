"""Photographs to templates: several looked at at once against one after the other."""

from __future__ import annotations

import hashlib
import statistics
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from figures import Figure, Outcome, compared
from measuring import BenchError, in_turns, unpack_lfw

if TYPE_CHECKING:
    from facematch.pipeline import Analyzer

NAME = "side_by_side"
PHOTOGRAPHS, QUICK_PHOTOGRAPHS = 400, 60
ROUNDS, QUICK_ROUNDS = 7, 3

Taken = tuple[float, float, str]
TOGETHER, ALONE = "side by side", "one after the other"


def run(data: Path, quick: bool) -> Outcome:
    """Measures photographs a second, networks loaded.

    Args:
        data: the data pack.
        quick: fewer photographs and rounds.

    Raises:
        BenchError: the two did not give the same bytes.
    """
    from facematch.pipeline import open_analyzer, photographs_at_once
    from facematch.runtime import Device
    from facematch.types import Search

    count = QUICK_PHOTOGRAPHS if quick else PHOTOGRAPHS
    at_once = photographs_at_once()
    analyzer, _, _ = open_analyzer(device=Device.CPU, search=Search.FAST)

    def looked_at(several: int) -> Taken:
        analyzer.side_by_side = several
        return taken(analyzer, paths)

    with tempfile.TemporaryDirectory() as scratch:
        paths = unpack_lfw(data, Path(scratch), count)
        found = in_turns(
            {TOGETHER: lambda: looked_at(at_once), ALONE: lambda: looked_at(1)},
            QUICK_ROUNDS if quick else ROUNDS,
        )
    if len({digest for rounds in found.values() for _, _, digest in rounds}) != 1:
        raise BenchError("side by side gave other templates than one after the other")
    rates = {name: [count / wall for wall, _, _ in rounds] for name, rounds in found.items()}
    figures = [
        compared(NAME, f"{count} photographs", "/s", rates[TOGETHER], ALONE, rates[ALONE],
                 more_is_better=True)
    ]  # fmt: skip
    for name, rounds in found.items():
        spent = statistics.median(1e3 * processor / count for _, processor, _ in rounds)
        figures.append(Figure(NAME, f"{name}, processor time a photograph", "ms", spent))
    return Outcome(
        tuple(figures),
        f"{count} photographs of LFW View 1 (0.06 MP), decoded, detected (fast search), aligned "
        f"and embedded in one process, {at_once} at once; templates the same to the byte.",
    )


def taken(analyzer: Analyzer, paths: list[Path]) -> Taken:
    """Seconds by the clock and of the processor, and a hash of everything that was found."""
    from facematch.pipeline import Failure

    digest = hashlib.sha256()
    wall, processor = time.perf_counter(), time.process_time()
    for outcome in analyzer.stream(paths):
        if isinstance(outcome, Failure):
            digest.update(outcome.reason.encode())
        else:
            photograph, templates = outcome
            digest.update(f"{photograph.path} {photograph.detected}".encode())
            digest.update(templates.tobytes())
    return time.perf_counter() - wall, time.process_time() - processor, digest.hexdigest()
