#!/usr/bin/env python3
"""Face detection: facematch against facenet-pytorch's MTCNN at the same settings.

    .venv/bin/python scripts/bench/detection.py              about three minutes
    .venv/bin/python scripts/bench/detection.py --quick      under one
    .venv/bin/python scripts/bench/detection.py --profile    where facematch's time goes

Every photograph goes through facenet-pytorch, facematch's full search and its fast one in turn,
several rounds, and each picture gives one ratio: of its medians over the rounds. Whatever else
the machine does hits all of them. facenet-pytorch runs on one thread and on as many as torch
takes by itself, which on a busy machine is far slower; the faster of the two counts. Pictures
are decoded before. A table is printed as Markdown, ``--json FILE`` keeps the figures.
"""

from __future__ import annotations

import argparse
import io
import statistics
import sys
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from figures import busy_machine, quartiles, write_rows
from measuring import in_turns, seconds_of

ROOT = Path(__file__).resolve().parents[2]
THEIRS, FULL, FAST = "facenet-pytorch", "facematch", "facematch, fast search"
THEIR_ARMS = (f"{THEIRS}, one thread", f"{THEIRS}, torch's threads")
# Photographs of each kind and rounds over them.
SIZES = {"LFW": 24, "groups": 9, "wild over 1 MP": 12}
QUICK_SIZES = {"LFW": 6, "groups": 4, "wild over 1 MP": 3}
ROUNDS, QUICK_ROUNDS = 3, 2

Picture = Any  # uint8 (h, w, 3)
Detect = Callable[[Picture], int]


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    parser.add_argument("--quick", action="store_true", help="fewer photographs and rounds")
    parser.add_argument("--json", type=Path, help="file to write")
    parser.add_argument("--profile", action="store_true", help="stages of facematch alone")
    options = parser.parse_args()
    if options.profile:
        print(profile_table(profile(options.data, options.quick)))
        return 0
    rows = run(options.data, options.quick)
    print(table(rows))
    if options.json is not None:
        write_rows(options.json, rows)
    return 0


def run(data: Path, quick: bool) -> list[dict[str, Any]]:
    """Measures every workload.

    Args:
        data: the data pack.
        quick: fewer photographs and rounds.

    Returns:
        For each workload its name, sizes, median times in ms, and the ratios of
        facenet-pytorch's time to each of facematch's: median, first and third quartile.
    """
    import torch

    arms = {
        THEIR_ARMS[0]: open_theirs(1),
        FULL: open_full(),
        THEIR_ARMS[1]: open_theirs(torch.get_num_threads()),
        FAST: open_fast(),
    }
    rounds = QUICK_ROUNDS if quick else ROUNDS
    rows = []
    for workload, pictures in workloads(data, quick).items():
        for detect in arms.values():
            detect(pictures[0])
        taken: dict[str, list[float]] = {arm: [] for arm in arms}
        for picture in pictures:
            looks = {
                arm: partial(seconds_of, partial(detect, picture)) for arm, detect in arms.items()
            }
            times = in_turns(looks, rounds, warm_up=False)
            for arm in arms:
                taken[arm].append(statistics.median(times[arm]))
        theirs = [min(pair) for pair in zip(*(taken[arm] for arm in THEIR_ARMS), strict=True)]
        megapixels = [picture.shape[0] * picture.shape[1] / 1e6 for picture in pictures]
        rows.append(
            {
                "workload": workload,
                "photographs": len(pictures),
                "rounds": rounds,
                "megapixels": statistics.median(megapixels),
                "median_ms": {
                    THEIRS: 1e3 * statistics.median(theirs),
                    **{arm: 1e3 * statistics.median(taken[arm]) for arm in arms},
                },
                "ratios": {arm: quartiles(theirs, taken[arm]) for arm in (FULL, FAST)},
            }
        )
        print(f"{workload}: done", file=sys.stderr)
    return rows


def open_theirs(threads: int) -> Detect:
    import torch
    from facenet_pytorch import MTCNN

    reference = MTCNN(keep_all=True, device="cpu")

    def detect(picture: Picture) -> int:
        torch.set_num_threads(threads)
        boxes = reference.detect(picture, landmarks=True)[0]
        return 0 if boxes is None else len(boxes)

    return detect


def open_full() -> Detect:
    from facematch.choices import Device
    from facematch.pipeline import open_detector

    detector, _ = open_detector(Device.CPU)
    return lambda picture: len(detector.detect(picture))


def open_fast() -> Detect:
    """As enroll and verify search by default: for the face nearest to the middle."""
    from facematch.choices import Device, FaceChoice
    from facematch.imaging.selection import still_open
    from facematch.pipeline import open_detector

    detector, _ = open_detector(Device.CPU)

    def detect(picture: Picture) -> int:
        size_wh = picture.shape[1], picture.shape[0]
        found = detector.search(
            picture, lambda detection: still_open(detection, FaceChoice.CENTER, size_wh)
        )
        return len(found.faces)

    return detect


def workloads(data: Path, quick: bool) -> dict[str, list[Picture]]:
    sizes = QUICK_SIZES if quick else SIZES
    groups = sorted((data / "groups").glob("*.jpg"))[: sizes["groups"]]
    return {
        "LFW": list(sampled(data / "lfw-view1" / "images.zip", sizes["LFW"], 0.0)),
        "groups": [decoded(path.read_bytes()) for path in groups],
        "wild over 1 MP": list(sampled(data / "wild" / "photos.zip", sizes["wild over 1 MP"], 1.0)),
    }


def sampled(archive: Path, count: int, least_megapixels: float) -> Iterator[Picture]:
    """The same ``count`` photographs every time, of at least so many megapixels."""
    import numpy as np
    from PIL import Image

    with zipfile.ZipFile(archive) as opened:
        names = sorted(name for name in opened.namelist() if name.endswith(".jpg"))
        for name in np.random.default_rng(0).permutation(names):
            data = opened.read(str(name))
            with Image.open(io.BytesIO(data)) as image:
                width, height = image.size
            if width * height >= least_megapixels * 1e6:
                yield decoded(data)
                count -= 1
            if count == 0:
                return


def decoded(data: bytes) -> Picture:
    import numpy as np
    from PIL import Image

    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image.convert("RGB"))


def profile(data: Path, quick: bool) -> list[dict[str, Any]]:
    """Processor time of facematch's stages on one thread, one after the other.

    Returns:
        For each workload the mean milliseconds and calls per photograph of each stage.
    """
    from facematch.choices import Device
    from facematch.imaging.mtcnn import FaceDetector, proposals, sampling
    from facematch.runtime import open_engine

    spent: dict[str, list[float]] = {}

    def timed(owner: Any, name: str, stage: str) -> None:
        plain = getattr(owner, name)

        def call(*arguments: Any) -> Any:
            start = time.process_time()
            result = plain(*arguments)
            spent.setdefault(stage, []).append(time.process_time() - start)
            return result

        setattr(owner, name, call)

    class OneByOne:
        """A network whose stream does one batch after the other."""

        def __init__(self, network: Any, stage: str) -> None:
            self.call = network.__call__
            timed(self, "call", stage)

        def stream(self, batches: Iterator[Any]) -> Iterator[Any]:
            return (self.call(batch) for batch in batches)

    detector: Any = FaceDetector(open_engine(Device.CPU, 1))
    detector._proposer._pnet = OneByOne(detector._proposer._pnet, "P-Net")
    detector._rnet = OneByOne(detector._rnet, "R-Net")
    detector._onet = OneByOne(detector._onet, "O-Net")
    timed(sampling.AreaSampler, "__init__", "integral image")
    timed(proposals, "_paint", "canvases painted")
    timed(sampling.AreaSampler, "crops", "crops")
    timed(detector, "detect", "all")
    rows = []
    for workload, pictures in workloads(data, quick).items():
        detector.detect(pictures[0])
        spent.clear()
        for picture in pictures:
            detector.detect(picture)
        stages = {
            stage: {
                "ms": 1e3 * sum(times) / len(pictures),
                "calls": len(times) / len(pictures),
            }
            for stage, times in spent.items()
        }
        rows.append({"workload": workload, "stages": stages})
    return rows


def profile_table(rows: Sequence[Mapping[str, Any]]) -> str:
    lines = [f"| | {' | '.join(row['workload'] for row in rows)} |", "|---|" + "---:|" * len(rows)]
    for stage in rows[0]["stages"]:
        cells = [row["stages"].get(stage, {"ms": 0.0, "calls": 0.0}) for row in rows]
        shown = [f"{cell['ms']:.1f} ms ({cell['calls']:.0f})" for cell in cells]
        lines.append(f"| {stage} | {' | '.join(shown)} |")
    return "\n".join(lines)


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    """The medians and ratios as Markdown, with all that is needed to judge them."""
    lines = [
        f"| photographs | {THEIRS} | {FULL} | ratio | {FAST} | ratio |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for row in rows:
        times = {arm: f"{ms:,.0f} ms" for arm, ms in row["median_ms"].items()}
        ratios = {
            arm: f"{median:.1f} ({low:.1f} to {high:.1f})"
            for arm, (low, median, high) in row["ratios"].items()
        }
        name = f"{row['photographs']} of {row['workload']}, {row['megapixels']:.2f} MP"
        cells = [name, times[THEIRS], times[FULL], ratios[FULL], times[FAST], ratios[FAST]]
        lines.append(f"| {' | '.join(cells)} |")
    found = busy_machine()
    lines += [
        "",
        f"Medians over photographs of medians of {rows[0]['rounds']} rounds; ratios to "
        f"{THEIRS}: median and quartiles over photographs. {found['cpu']}, {found['cores']} "
        f"cores, load {found['load']:.1f} at the end.",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
