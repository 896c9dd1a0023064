"""The decoded crops on disk: one array, mapped and never loaded whole.

A training run reads every crop dozens of times; decoding WebP takes longer than a forward
pass at low resolution, and finding a face in a photograph far longer. So everything is
decoded once, into ``crops-KEY.npy`` (49,152 bytes a crop) beside ``crops-KEY.json``, where
KEY stands for all that the crops were made from. The second file is renamed into place last:
its presence says that the first is whole. Of several processes that want the same crops, one
decodes and the others wait.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections import deque
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from filelock import FileLock

from facematch.errors import InputError, OutputError, TrainingDataError
from facematch.training.data.crops import CROP_SIZE, NO_IDENTITY, CropSet, UnreadablePicture
from facematch.training.data.source import CropSource, Picture
from facematch.types import UInt8Array

CACHE_FORMAT = 2
CROP_SHAPE = (CROP_SIZE, CROP_SIZE, 3)
MOST_THREADS = 4
# Read ahead of the slowest picture, per thread; each is one crop in memory.
_AHEAD = 16

Progress = Callable[[int, int], None]
"""(pictures done, pictures in all)"""


def cached_crops(
    sources: Sequence[CropSource], cutter_version: str, cache_dir: Path, progress: Progress
) -> CropSet:
    """The crops of all sources, in their order; decoded unless they have been before.

    Raises:
        TrainingDataError: no picture can be used.
        OutputError: the cache cannot be written.
    """
    key = _key(sources, cutter_version)
    array, index = cache_dir / f"crops-{key}.npy", cache_dir / f"crops-{key}.json"
    found = _read(array, index)
    if found is not None:
        return found
    try:
        cache_dir.mkdir(parents=True, exist_ok=True)
        with FileLock(str(cache_dir / f"crops-{key}.lock")):
            found = _read(array, index)
            if found is None:
                _convert(sources, array, index, progress)
                found = _read(array, index)
    except OSError as error:
        raise OutputError(
            f"{cache_dir}: the decoded crops cannot be written ({error.strerror or error})"
        ) from error
    if found is None:
        raise OutputError(f"{array}: cannot be read back; is somebody changing {cache_dir}?")
    return found


def _key(sources: Sequence[CropSource], cutter_version: str) -> str:
    digest = hashlib.sha256(f"{CACHE_FORMAT}\0{cutter_version}\0".encode())
    for source in sources:
        digest.update(b"source\0")
        for p in source.pictures:
            text = "\0".join((p.name, p.place, p.identity or "", p.source, p.stamp, ""))
            digest.update(text.encode("utf-8", "surrogatepass"))
    return digest.hexdigest()[:16]


def _read(array: Path, index: Path) -> CropSet | None:
    """The crops, if both files are there and fit each other."""
    try:
        content: dict[str, Any] = json.loads(index.read_text("ascii"))
        found = CropSet(
            images=np.load(array, mmap_mode="r", allow_pickle=False),
            labels=np.asarray(content["labels"], np.int64),
            sources=np.asarray(content["sources"], np.int64),
            names=tuple(content["names"]),
            identity_names=tuple(content["identity_names"]),
            source_names=tuple(content["source_names"]),
            unreadable=tuple(UnreadablePicture(**entry) for entry in content["unreadable"]),
        )
    except (OSError, ValueError, LookupError, TypeError):  # not there, or tampered with
        return None
    return found if found.images.shape == (len(found), *CROP_SHAPE) else None


def _convert(sources: Sequence[CropSource], array: Path, index: Path, progress: Progress) -> None:
    total = sum(len(source.pictures) for source in sources)
    needed, free = total * int(np.prod(CROP_SHAPE)), shutil.disk_usage(array.parent).free
    if needed > free:
        raise OutputError(
            f"{array.parent}: the decoded crops need {needed / 1e9:.1f} GB and "
            f"{free / 1e9:.1f} GB are free; choose another folder for them"
        )
    partials = array.with_suffix(".npy.partial"), index.with_suffix(".json.partial")
    content = _Index()
    try:
        with partials[0].open("wb") as file:
            _write_header(file, total)
            with closing(_decoded(sources)) as decoded:
                for done, (source, picture, outcome) in enumerate(decoded, 1):
                    if isinstance(outcome, InputError):
                        content.unreadable.append(UnreadablePicture(picture.name, str(outcome)))
                    else:
                        file.write(outcome.tobytes())
                        content.add(source, picture)
                    progress(done, total)
            if not content.names:
                raise TrainingDataError(_nothing_usable(content.unreadable))
            file.seek(0)
            _write_header(file, len(content.names))
            file.flush()
            os.fsync(file.fileno())
        partials[1].write_text(json.dumps(content.plain()), "ascii")
        os.replace(partials[0], array)
        os.replace(partials[1], index)
    finally:
        for partial in partials:
            with suppress(OSError):
                partial.unlink(missing_ok=True)


def _write_header(file: BinaryIO, count: int) -> None:
    # numpy leaves room for the first axis to grow, so the header has one length for all counts.
    np.lib.format.write_array_header_1_0(
        file, {"descr": "|u1", "fortran_order": False, "shape": (count, *CROP_SHAPE)}
    )


def _decoded(
    sources: Sequence[CropSource],
) -> Generator[tuple[CropSource, Picture, UInt8Array | InputError]]:
    """Each picture's crop or what is wrong with it, in order, decoded by a few threads."""
    threads = min(MOST_THREADS, os.cpu_count() or 1)
    waiting: deque[tuple[CropSource, Picture, Future[UInt8Array]]] = deque()
    with ThreadPoolExecutor(threads, "crops") as pool:
        try:
            for source in sources:
                for picture in source.pictures:
                    waiting.append((source, picture, pool.submit(source.read, picture)))
                    if len(waiting) == threads * _AHEAD:
                        yield _outcome(*waiting.popleft())
            while waiting:
                yield _outcome(*waiting.popleft())
        finally:
            for _, _, future in waiting:
                future.cancel()


def _outcome(
    source: CropSource, picture: Picture, future: Future[UInt8Array]
) -> tuple[CropSource, Picture, UInt8Array | InputError]:
    try:
        crop = future.result()
    except InputError as error:
        return source, picture, error
    if crop.shape != CROP_SHAPE or crop.dtype != np.uint8:
        raise ValueError(f"{picture.name}: a crop of {crop.shape} {crop.dtype}")
    return source, picture, crop


class _Index:
    """What becomes of the JSON file, gathered picture by picture."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.unreadable: list[UnreadablePicture] = []
        self._labels: list[int] = []
        self._sources: list[int] = []
        self._identities: dict[tuple[str, str], int] = {}
        self._source_rows: dict[str, int] = {}

    def add(self, source: CropSource, picture: Picture) -> None:
        self.names.append(picture.name)
        self._sources.append(self._source_rows.setdefault(picture.source, len(self._source_rows)))
        if picture.identity is None:
            self._labels.append(NO_IDENTITY)
            return
        # Who is called the same in two archives need not be the same person.
        owner = (source.name, picture.identity)
        self._labels.append(self._identities.setdefault(owner, len(self._identities)))

    def plain(self) -> dict[str, Any]:
        return {
            "names": self.names,
            "labels": self._labels,
            "sources": self._sources,
            "identity_names": [":".join(owner) for owner in self._identities],
            "source_names": list(self._source_rows),
            "unreadable": [asdict(entry) for entry in self.unreadable],
        }


def _nothing_usable(unreadable: Sequence[UnreadablePicture]) -> str:
    first = unreadable[0]
    return (
        f"{first.name}: {first.reason}; none of the {len(unreadable)} pictures gives a crop: "
        f"aligned crops of {CROP_SIZE}x{CROP_SIZE} pixels are expected, or photographs of faces"
    )
