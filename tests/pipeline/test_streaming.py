"""Several at once, as if one after the other."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from itertools import count as endless
from pathlib import Path

import pytest
from fakes import BLUE, GREEN, RED, FakeDetector, FakeNetwork, photograph

from facematch.cores import usable_cores
from facematch.errors import ImageTooLargeError, InputError
from facematch.pipeline import (
    Analyzer,
    Detectors,
    Failure,
    Reader,
    in_order,
    photographs_at_once,
    streaming,
)
from facematch.types import Face, FaceChoice, UInt8Array
from facematch.workflows.detect import align, detect

PATIENCE_S = 60.0


def until(true: Callable[[], bool]) -> None:
    """Waits for other threads."""
    end = time.monotonic() + PATIENCE_S
    while not true():
        assert time.monotonic() < end
        time.sleep(0.001)


def test_results_come_in_the_order_of_the_inputs() -> None:
    def slow_at_first(number: int) -> int:
        time.sleep(0.02 / (number + 1))
        return number**2

    found = list(in_order(slow_at_first, range(40), at_once=4, ahead=8))
    assert found == [number**2 for number in range(40)]
    assert list(in_order(slow_at_first, [], at_once=4, ahead=8)) == []


def test_as_many_as_asked_for_work_at_once() -> None:
    meeting = threading.Barrier(3)
    met = in_order(lambda _: meeting.wait(PATIENCE_S), range(9), at_once=3, ahead=3)
    assert sorted(met) == [0, 0, 0, 1, 1, 1, 2, 2, 2]


@pytest.mark.parametrize(("at_once", "inputs"), [(1, [1, 2, 3]), (4, [1]), (4, [])])
def test_no_thread_where_none_would_help(at_once: int, inputs: list[int]) -> None:
    found = in_order(lambda _: threading.get_ident(), inputs, at_once=at_once, ahead=8)
    assert set(found) <= {threading.get_ident()}


def test_no_more_is_begun_than_was_allowed() -> None:
    begun: list[int] = []
    with closing(in_order(begun.append, endless(), at_once=2, ahead=5)) as outcomes:
        for taken in range(1, 20):
            next(outcomes)
            until(lambda taken=taken: len(begun) == taken + 4)  # type: ignore[misc]
            time.sleep(0.002)
            assert len(begun) == taken + 4


def test_an_error_comes_when_it_is_its_turn() -> None:
    def work(number: int) -> int:
        if number == 3:
            raise ZeroDivisionError
        return number

    outcomes = in_order(work, range(10), at_once=2, ahead=6)
    assert [next(outcomes) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(ZeroDivisionError):
        next(outcomes)
    assert list(outcomes) == []


def test_what_is_left_begins_nothing_more() -> None:
    begun: list[int] = []
    go = threading.Event()

    def work(number: int) -> None:
        begun.append(number)
        if number > 0:
            assert go.wait(PATIENCE_S)

    with closing(in_order(work, range(20), at_once=2, ahead=10)) as outcomes:
        next(outcomes)
        until(lambda: len(begun) == 3)  # the first, and one for each thread
    go.set()
    time.sleep(0.05)
    assert begun == [0, 1, 2]


def test_an_interruption_does_not_wait_for_what_is_begun() -> None:
    go = threading.Event()

    def work(number: int) -> None:
        if number == 0:
            os.kill(os.getpid(), signal.SIGINT)  # as Ctrl-C: the main thread hears of it
        assert go.wait(PATIENCE_S)

    with pytest.raises(KeyboardInterrupt):
        list(in_order(work, range(5), at_once=2, ahead=5))
    assert not go.is_set()
    go.set()


def test_a_thread_has_a_detector_for_itself() -> None:
    class Owned(FakeDetector):
        made = 1

        def beside(self) -> Owned:
            Owned.made += 1
            return Owned()

    detectors = Detectors(Owned())
    with detectors.lent() as first, detectors.lent() as second:
        assert first is not second
    with detectors.lent() as again, detectors.lent() as other:
        assert {id(again), id(other)} == {id(first), id(second)}
    assert Owned.made == 2


def test_large_photographs_are_looked_at_one_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small, large = photograph(tmp_path / "a.png", [RED]), photograph(tmp_path / "b.png", [RED] * 9)
    monkeypatch.setattr(streaming, "_ORDINARY", streaming.DecodeLimits(max_pixels=20_000))
    reader, inside, most = Reader(), [], []

    def read(path: Path) -> tuple[int, int]:
        with reader.read(path) as opened:
            inside.append(path)
            most.append(inside.count(large))
            time.sleep(0.005)
            inside.remove(path)
            return opened.size_wh

    with ThreadPoolExecutor(4) as pool:
        sizes = set(pool.map(read, [large, small] * 8))
    assert sizes == {(120, 140), (1000, 140)}
    assert max(most) == 1


def test_a_photograph_beyond_all_limits_is_refused_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = photograph(tmp_path / "large.png", [RED])
    few = streaming.DecodeLimits(max_pixels=10)
    monkeypatch.setattr(streaming, "_ORDINARY", few)
    monkeypatch.setattr(streaming.photograph_of, "__defaults__", (few,))
    with pytest.raises(ImageTooLargeError, match=r"large\.png"), Reader().read(path):
        pass


class InTurn(FakeDetector):
    """Is slow with some photographs, so that others overtake them."""

    def detect(self, image_rgb: UInt8Array) -> list[Face]:
        time.sleep(int(image_rgb.sum()) % 5 / 1000)
        return super().detect(image_rgb)


@pytest.fixture
def mixed(tmp_path: Path) -> list[Path]:
    """Photographs with one face or several, without any, and files that are none."""
    paths = []
    for index in range(70):
        path = tmp_path / "mixed" / f"{index:02}.png"
        if index % 9 == 4:
            path.write_bytes(b"no picture")
        else:
            colours = [RED, GREEN, BLUE][: index % 4]
            photograph(path, colours, sizes=[40 + index, 60, 50][: index % 4])
        paths.append(path)
    return paths


def described(analyzer: Analyzer, paths: list[Path]) -> Iterator[object]:
    for outcome in analyzer.stream(paths):
        if isinstance(outcome, Failure):
            yield outcome
        else:
            found, templates = outcome
            faces = [
                (f.index, f.face.box_xyxy.tobytes(), f.crop_rgb.tobytes()) for f in found.faces
            ]
            yield found.path, found.sha256, found.detected, faces, templates.tobytes()


@pytest.mark.parametrize("choice", [FaceChoice.CENTER, FaceChoice.ALL, FaceChoice.ONLY])
def test_side_by_side_is_as_one_by_one(mixed: list[Path], choice: FaceChoice) -> None:
    alone, together = (
        list(described(Analyzer(InTurn(), FakeNetwork(), choice=choice, side_by_side=count), mixed))
        for count in (1, 4)
    )
    assert len(alone) == len(mixed)
    assert together == alone
    assert sum(isinstance(outcome, Failure) for outcome in alone) > 20


def test_failures_that_wait_hold_no_pixels(tmp_path: Path) -> None:
    paths = [tmp_path / "none.png", photograph(tmp_path / "nobody.png", [])]
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    analyzer = Analyzer(FakeDetector(), FakeNetwork(), side_by_side=2)
    for path, outcome in analyzer.outcomes([*paths, tmp_path / "broken.png"]):
        assert isinstance(outcome, InputError)
        assert path.name in str(outcome)
        assert outcome.__traceback__ is outcome.__cause__ is outcome.__context__ is None


def test_detection_and_alignment_side_by_side(mixed: list[Path], tmp_path: Path) -> None:
    found: list[list[object]] = []
    for count in (1, 4):
        found.append([])
        for each in detect(mixed, InTurn(), side_by_side=count):
            faces = [] if isinstance(each, Failure) else [f.box_xyxy.tobytes() for f in each.faces]
            found[-1].append((each.path, faces))
        folder = tmp_path / f"crops-{count}"
        for crop in align(
            mixed[0].parent, mixed, folder, InTurn(), FaceChoice.ALL, side_by_side=count
        ):
            found[-1].append(crop.path.replace(f"crops-{count}", "crops"))
        found[-1] += [path.read_bytes() for path in sorted(folder.iterdir())]
    assert found[0] == found[1]
    assert len(found[0]) > 2 * len(mixed)


def test_a_machine_of_many_cores_gets_four(monkeypatch: pytest.MonkeyPatch) -> None:
    assert 1 <= photographs_at_once() <= usable_cores()
    for cores, wanted in ((1, 1), (3, 3), (64, 4)):
        monkeypatch.setattr(streaming, "usable_cores", lambda cores=cores: cores)
        assert photographs_at_once() == wanted
