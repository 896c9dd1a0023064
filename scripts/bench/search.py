#!/usr/bin/env python3
"""Exact 1:N search: facematch against FAISS's IndexFlatIP, and both against the machine.

    .venv/bin/python scripts/bench/search.py            a million templates, about two minutes
    .venv/bin/python scripts/bench/search.py --quick    a hundred thousand, under one
    .venv/bin/python scripts/bench/search.py --templates N

Needs ``faiss-cpu``, which facematch does not. The same synthetic templates are written as a gallery
and as FAISS's file to a temporary folder (2.3 GB for a million, ``--folder`` names another place
for them) and stay in the page cache. Then every arm takes its turn, several rounds, on all cores
that the process may use; whatever else the machine does hits all of them. Two arms are what the
machine can do: reading the templates once, and the same products by matrix products alone. FAISS
has its own threads; on a busy machine they wait for one another, so it also runs on one, and the
faster of the two counts. A table is printed as Markdown, ``--json FILE`` keeps the figures.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

from figures import busy_machine, quartiles, write_rows
from measuring import in_turns, seconds_of

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(Path(__file__).resolve().parent))
TEMPLATES, QUICK_TEMPLATES = 1_000_000, 100_000
ROUNDS, QUICK_ROUNDS = 7, 5
TOP, MANY = 5, 64
_ROWS = 16384
_GEMM_ROWS = 4096

Arms = Mapping[str, Callable[[], object]]
OURS, FLOOR = "facematch", "machine"
THEIRS = ("FAISS, one thread", "FAISS, its threads")


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    parser.add_argument("--quick", action="store_true", help="fewer templates and rounds")
    parser.add_argument("--templates", type=int, help="how many")
    parser.add_argument("--folder", type=Path, help="where to put the files")
    parser.add_argument("--json", type=Path, help="file to write")
    options = parser.parse_args()
    rows = run(options.data, options.quick, options.templates, options.folder)
    print(table(rows))
    if options.json is not None:
        write_rows(options.json, rows)
    return 0


def run(
    data: Path, quick: bool, templates: int | None = None, folder: Path | None = None
) -> list[dict[str, Any]]:
    """Measures every workload.

    Args:
        data: the data pack, which this one does without.
        quick: fewer templates and rounds.
        templates: how many; None for those of the mode.
        folder: where the files are written; None for the system's temporary folder.

    Returns:
        For each workload its name, sizes, median times in ms, the ratios of FAISS's time to
        facematch's (first quartile, median, third quartile over the rounds), and the share
        that the machine's floor has in facematch's time.
    """
    n = templates or (QUICK_TEMPLATES if quick else TEMPLATES)
    rounds = QUICK_ROUNDS if quick else ROUNDS
    rows = []
    with tempfile.TemporaryDirectory(prefix="facematch-search-", dir=folder) as temporary:
        for workload, arms in workloads(Path(temporary), n).items():
            taken = in_turns({name: partial(seconds_of, act) for name, act in arms.items()}, rounds)
            theirs = [min(pair) for pair in zip(*(taken[arm] for arm in THEIRS), strict=True)]
            floors = taken.get(FLOOR, [])
            rows.append(
                {
                    "workload": workload,
                    "templates": n,
                    "rounds": rounds,
                    "median_ms": {a: 1e3 * statistics.median(times) for a, times in taken.items()},
                    "ratio": quartiles(theirs, taken[OURS]),
                    "share_of_floor": quartiles(floors, taken[OURS]) if floors else None,
                }
            )
            print(f"{workload}: {rows[-1]}", file=sys.stderr)
    return rows


def workloads(folder: Path, n: int) -> dict[str, Arms]:
    import faiss
    import numpy as np
    from gallery_scale import SIZE, identity, make_gallery, synthetic_templates

    from facematch.cores import usable_cores
    from facematch.gallery import Gallery
    from facematch.types import Metric

    path, index_path = folder / "large.h5", folder / "large.faiss"
    make_gallery(path, n)
    index = faiss.IndexFlatIP(SIZE)
    for rows in synthetic_templates(n):
        index.add(rows)
    faiss.write_index(index, str(index_path))
    gallery = Gallery.open(path, identity())
    templates = gallery.templates
    rng = np.random.default_rng(2)
    probes = templates[rng.integers(0, n, MANY)] + 0.05 * rng.standard_normal((MANY, SIZE))
    probes = (probes / np.linalg.norm(probes, axis=1, keepdims=True)).astype(np.float32)
    one = probes[:1]
    same_answer(gallery, index, probes)
    cores = usable_cores()
    pool = ThreadPoolExecutor(cores)

    def ours(opened: Gallery, sought: Any) -> object:
        return opened.search(sought, TOP, Metric.COSINE)

    def theirs(threads: int, opened: Any, sought: Any) -> object:
        faiss.omp_set_num_threads(threads)
        return opened.search(sought, TOP)

    def read() -> None:
        """Every template once, by the fastest of NumPy's reductions."""
        list(pool.map(lambda at: templates[at : at + _ROWS].max(), range(0, n, _ROWS)))

    def multiply() -> None:
        from threadpoolctl import threadpool_limits

        with threadpool_limits(1, "blas"):
            list(pool.map(product, range(0, n, _GEMM_ROWS)))

    def product(at: int) -> object:
        return probes @ templates[at : at + _GEMM_ROWS].T

    return {
        "first answer, 1 probe": {
            OURS: lambda: ours(Gallery.open(path, identity()), one),
            THEIRS[0]: lambda: theirs(1, faiss.read_index(str(index_path)), one),
            THEIRS[1]: lambda: theirs(cores, faiss.read_index(str(index_path)), one),
        },
        "warm, 1 probe": {
            FLOOR: read,
            OURS: lambda: ours(gallery, one),
            THEIRS[0]: lambda: theirs(1, index, one),
            THEIRS[1]: lambda: theirs(cores, index, one),
        },
        f"warm, {MANY} probes": {
            FLOOR: multiply,
            OURS: lambda: ours(gallery, probes),
            THEIRS[0]: lambda: theirs(1, index, probes),
            THEIRS[1]: lambda: theirs(cores, index, probes),
        },
    }


def same_answer(gallery: Any, index: Any, probes: Any) -> None:
    """Both find the same reference first; ranks behind go by subject in one, by row in the other.

    Raises:
        SystemExit: they do not.
    """
    from facematch.types import Metric

    ours = [found[0].reference for found in gallery.search(probes, TOP, Metric.COSINE)]
    if ours != index.search(probes, TOP)[1][:, 0].tolist():
        raise SystemExit("facematch and FAISS disagree")


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    """The medians and ratios as Markdown, with all that is needed to judge them."""
    arms = (*THEIRS, OURS, FLOOR)
    lines = [
        f"| {rows[0]['templates']:,} x 256 | {' | '.join(arms)} | FAISS / facematch | share |",
        "|---|" + "---:|" * (len(arms) + 2),
    ]
    for row in rows:
        medians = row["median_ms"]
        times = [f"{medians[arm]:,.0f} ms" if arm in medians else "" for arm in arms]
        low, median, high = row["ratio"]
        share = row["share_of_floor"]
        shown = "" if share is None else f"{share[1]:.0%} ({share[0]:.0%} to {share[2]:.0%})"
        ratio = f"{median:.1f} ({low:.1f} to {high:.1f})"
        lines.append(f"| {row['workload']} | {' | '.join(times)} | {ratio} | {shown} |")
    found = busy_machine()
    lines += [
        "",
        f"Medians of {rows[0]['rounds']} rounds, top {TOP}; ratios to the faster of FAISS's arms "
        "and shares: median and quartiles over the rounds. Machine: one read of all templates, and "
        f"the bare matrix products. {found['cpu']}, {found['cores']} cores, load "
        f"{found['load']:.1f} at the end.",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
