#!/usr/bin/env python3
"""A large gallery: open, enrol one more, remove one subject, verify, first search.

    .venv/bin/python scripts/bench/gallery_scale.py                 a million templates, 1.2 GB
    .venv/bin/python scripts/bench/gallery_scale.py --quick         fifty thousand
    .venv/bin/python scripts/bench/gallery_scale.py --templates N   another size

A synthetic gallery is written to a temporary folder (``--folder`` names another place for it) and
removed afterwards. Each operation runs in processes of its own, which time it without their
imports and watch their memory: what they allocated apart from the file's pages, which the system
takes back when it needs them. Beside a write stands a plain copy of the file of the same bytes
with an fsync, in the same round, which is what the disk can do. A table is printed as Markdown,
``--json FILE`` keeps the figures.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from figures import busy_machine, write_rows

ROOT = Path(__file__).resolve().parents[2]
TEMPLATES, QUICK_TEMPLATES = 1_000_000, 50_000
ROUNDS, QUICK_ROUNDS = 3, 2
SIZE = 256
PER_SUBJECT = 2
_ROWS = 50_000  # made at a time
_COPY_BYTES = 1 << 24


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    parser.add_argument("--quick", action="store_true", help="a smaller gallery, fewer rounds")
    parser.add_argument("--templates", type=int, help="how many")
    parser.add_argument("--folder", type=Path, help="where to put the gallery")
    parser.add_argument("--json", type=Path, help="file to write")
    parser.add_argument("--operation", help=argparse.SUPPRESS)
    parser.add_argument("--gallery", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.operation is not None:
        print(json.dumps(measured(OPERATIONS[options.operation], options.gallery)))
        return 0
    rows = run(options.data, options.quick, options.templates, options.folder)
    print(table(rows))
    if options.json is not None:
        write_rows(options.json, rows)
    return 0


def run(
    data: Path, quick: bool, templates: int | None = None, folder: Path | None = None
) -> list[dict[str, Any]]:
    """Measures every operation.

    Args:
        data: the data pack, which this one does without.
        quick: a smaller gallery and fewer rounds.
        templates: how many; None for those of the mode.
        folder: where the gallery is written; None for the system's temporary folder.

    Returns:
        For each operation its name, the number of templates, bytes of the file, median seconds
        and the most memory of all rounds in MiB.
    """
    n = templates or (QUICK_TEMPLATES if quick else TEMPLATES)
    taken: dict[str, list[dict[str, float]]] = {name: [] for name in OPERATIONS}
    with tempfile.TemporaryDirectory(prefix="facematch-scale-", dir=folder) as temporary:
        path = Path(temporary) / "large.h5"
        make_gallery(path, n)
        nbytes = path.stat().st_size
        for _ in range(QUICK_ROUNDS if quick else ROUNDS):
            for name in OPERATIONS:
                taken[name].append(in_child(name, path))
                print(f"{name}: {taken[name][-1]}", file=sys.stderr)
    return [
        {
            "workload": name,
            "templates": n,
            "file_bytes": nbytes,
            "rounds": len(rounds),
            "median_s": statistics.median(r["seconds"] for r in rounds),
            "peak_mib": max(r["peak_mib"] for r in rounds),
        }
        for name, rounds in taken.items()
    ]


def in_child(operation: str, path: Path) -> dict[str, float]:
    command = [sys.executable, __file__, "--operation", operation, "--gallery", str(path)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def measured(operation: Callable[[Path], Callable[[], object]], path: Path) -> dict[str, float]:
    """Seconds that an operation takes after its imports, and the MiB that it allocates at most."""
    act = operation(path)
    before = peak = allocated_mib()
    done = threading.Event()

    def watch() -> None:
        nonlocal peak
        while not done.wait(0.005):
            peak = max(peak, allocated_mib())

    watcher = threading.Thread(target=watch)
    watcher.start()
    start = time.perf_counter()
    act()
    seconds = time.perf_counter() - start
    done.set()
    watcher.join()
    return {"seconds": seconds, "peak_mib": max(peak, allocated_mib()) - before}


def allocated_mib() -> float:
    """Memory of this process that is no page of a file."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("RssAnon:")[2].split()[0]) / 1024


def identity() -> Any:
    from facematch.types import ModelIdentity

    return ModelIdentity("compact-256", hashlib.sha256(b"synthetic").hexdigest(), SIZE)


def synthetic_templates(n: int) -> Iterator[Any]:
    """float32 (some, 256), unit norm, n rows in all; the same ones every time."""
    import numpy as np

    rng = np.random.default_rng(0)
    for start in range(0, n, _ROWS):
        rows = rng.standard_normal((min(_ROWS, n - start), SIZE), np.float32)
        yield rows / np.linalg.norm(rows, axis=1, keepdims=True)


def make_gallery(path: Path, n: int) -> None:
    """A gallery with n templates of n / 2 subjects, as enrolment would have left it."""
    import numpy as np

    from facematch import __version__
    from facematch.gallery.committing import write_version
    from facematch.gallery.contents import (
        Content,
        fresh,
        merged_text,
        reference_contents,
        subject_contents,
    )
    from facematch.gallery.structure import GalleryInfo

    subjects = np.arange(n, dtype=np.int64) // PER_SUBJECT
    names = [f"Person {i:08}" for i in range(int(subjects[-1]) + 1)]
    none, unknown = np.ones(0, bool), np.empty((0, 32), np.uint8)
    paths = (f"photos/{i // PER_SUBJECT:08}/IMG_{i:08}.jpg" for i in range(n))
    digests = np.random.default_rng(1).integers(0, 256, (n, 32), np.uint8)
    contents = {
        **reference_contents(None, none, [], np.empty((0, SIZE), np.float32)),
        **subject_contents(names, range(len(names)), subjects, []),
        **merged_text("references/source_path", None, none, list(paths)),
        **merged_text("references/warnings", None, none, [""] * n),
        "templates": Content(n, synthetic_templates(n), unknown),
        "references/source_sha256": fresh(digests),
        "references/box_xyxy": fresh(np.tile(np.array([10, 10, 90, 90], "<f4"), (n, 1))),
        "references/quality": fresh(np.full((n, 8), 50.0)),
        "references/enrolled_at": fresh(np.full(n, 1.7e9)),
    }
    info = GalleryInfo(identity(), 1.7e9, 1.7e9, __version__, 0)
    write_version(path, info, contents, snapshot=False, master=None)


def opening(path: Path) -> Callable[[], object]:
    from facematch.gallery import Gallery

    return lambda: Gallery.open(path, identity())


def first_search(path: Path) -> Callable[[], object]:
    from facematch.gallery import Gallery
    from facematch.types import Metric

    (probe,) = synthetic_templates(1)
    return lambda: Gallery.open(path, identity()).search(probe, 5, Metric.COSINE)


def enrolling(path: Path) -> Callable[[], object]:
    import numpy as np

    from facematch.gallery import GalleryWriter
    from facematch.types import Quality, Reference

    (template,) = synthetic_templates(1)
    reference = Reference(
        subject=f"Newcomer {os.getpid()}",
        source_path="photos/new.jpg",
        source_sha256=hashlib.sha256(str(os.getpid()).encode()).hexdigest(),
        box_xyxy=np.array([10, 10, 90, 90], np.float32),
        quality=Quality(*[50.0] * 8, warnings=()),
        enrolled_at=1.7e9,
        crop_rgb=None,
    )

    def enrol() -> None:
        with GalleryWriter.open(path, identity()) as writer:
            writer.add([reference], template)
            writer.commit()

    return enrol


def removing(path: Path) -> Callable[[], object]:
    """The first subject there is, so that every row behind moves."""
    from facematch.gallery import Gallery, GalleryWriter

    with Gallery.open(path, identity()) as gallery:
        subject = gallery.subject_name(0)

    def remove() -> None:
        with GalleryWriter.open(path) as writer:
            writer.remove_subject(subject)
            writer.commit()

    return remove


def verifying(path: Path) -> Callable[[], object]:
    from facematch.gallery import Gallery

    def verify() -> None:
        with Gallery.open(path, identity()) as gallery:
            if not gallery.verify().sound:
                raise SystemExit(f"{path} is not sound")

    return verify


def reading(path: Path) -> Callable[[], object]:
    def read() -> None:
        with path.open("rb", buffering=0) as file:
            while file.read(_COPY_BYTES):
                pass

    return read


def hashing(path: Path) -> Callable[[], object]:
    def hash_all() -> None:
        with path.open("rb") as file:
            hashlib.file_digest(file, "sha256")

    return hash_all


def copying(path: Path) -> Callable[[], object]:
    copy = path.with_suffix(".copy")

    def copy_all() -> None:
        shutil.copyfile(path, copy)
        with copy.open("r+b") as file:
            os.fsync(file.fileno())
        copy.unlink()

    return copy_all


OPERATIONS: Mapping[str, Callable[[Path], Callable[[], object]]] = {
    "open": opening,
    "open and search, one probe": first_search,
    "enrol one more": enrolling,
    "copy of the file and fsync": copying,
    "remove the first subject": removing,
    "verify": verifying,
    "SHA-256 of the file": hashing,
    "read of the file": reading,
}


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    """The medians as Markdown, with all that is needed to judge them."""
    n, nbytes = rows[0]["templates"], rows[0]["file_bytes"]
    lines = [
        f"| {n:,} templates, {nbytes / 1e9:.2f} GB | time | bytes of the file per s | memory |",
        "|---|---:|---:|---:|",
    ]
    for row in rows:
        rate = nbytes / row["median_s"] / 1e9
        shown = f"{rate:.2f} GB/s" if rate < 100 else ""
        lines.append(
            f"| {row['workload']} | {row['median_s']:.3f} s | {shown} | {row['peak_mib']:.0f} MiB |"
        )
    found = busy_machine()
    lines += [
        "",
        f"Medians of {rows[0]['rounds']} rounds, each operation in a process of its own. Memory: "
        f"allocated at most, above what the imports left. {found['cpu']}, {found['cores']} cores, "
        f"load {found['load']:.1f} at the end.",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
