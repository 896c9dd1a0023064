"""What fine-tuning on 50 people does to them, and to strangers: three recipes, before and after.

    python scripts/finetuning/run.py DATA RUN_DIR [--minutes M | --updates N] [--threads T]

DATA is the folder of the data pack (data/README.md). RUN_DIR receives photographs, caches,
bundles and ``results.json``; a recipe that has been measured is not run again. Each run is the
command of the README: ``facematch train people --init compact-2 --distill compact-2 --val
aside``. Then the start and what was trained are measured on photographs that were held out, of
the same people; on strangers from the same source; and on strangers from another. The results
are copied to docs/fine-tuning.json, and the table between the marks of docs/fine-tuning.md is
written anew.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from measures import Faces, read_faces
from people import ASIDE, OWN, STRANGERS, lay_out
from report import write_report

from facematch.embedding import find_model
from facematch.types import Float32Array
from facematch.workflows.train import Verdict

DOCS = Path(__file__).resolve().parents[2] / "docs"
START = "compact-2"
RECIPES: dict[str, tuple[str, ...]] = {
    "keep statistics": ("--keep-statistics",),
    "new statistics": ("--new-statistics",),
    "last layers": ("--keep-statistics", "--freeze", "stages", "--learning-rate", "3e-4"),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("run_dir", type=Path)
    parser.add_argument("--minutes", type=float, default=10.0, help="of each recipe")
    parser.add_argument("--updates", type=int, help="of each recipe, however long they take")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--note", default="", help="on the machine, for the page")
    options = parser.parse_args()
    run_dir: Path = options.run_dir.resolve()
    photographs = run_dir / "photographs"
    run_dir.mkdir(parents=True, exist_ok=True)
    lay_out(options.data / "lfw-view1" / "images.zip", photographs)
    length = (
        ("--max-minutes", f"{options.minutes:g}")
        if options.updates is None
        else ("--steps", str(options.updates))
    )
    results = run_dir / "results.json"
    records: dict[str, Any] = json.loads(results.read_text("utf-8")) if results.exists() else {}
    records.setdefault("runs", {})
    records |= {"length": length, "threads": options.threads, "note": options.note}
    for name, recipe in RECIPES.items():
        if name not in records["runs"]:
            command = (*recipe, *length, "--threads", str(options.threads))
            records["runs"][name] = _trained(photographs, run_dir / name.replace(" ", "-"), command)
            results.write_text(json.dumps(records, indent=1) + "\n", "utf-8")
            print(name, records["runs"][name], flush=True)
    _measure(records, photographs, options.data / "holdout" / "celeba.zip", run_dir)
    results.write_text(json.dumps(records, indent=1) + "\n", "utf-8")
    (DOCS / "fine-tuning.json").write_text(results.read_text("utf-8"), "utf-8")
    write_report(records, DOCS / "fine-tuning.md")


def _trained(photographs: Path, bundle: Path, options: tuple[str, ...]) -> dict[str, Any]:
    """One run of the command line; what of its JSON the page needs."""
    bundle = bundle.with_suffix(".fm")
    started = time.monotonic()
    ended = subprocess.run(
        [
            *(sys.executable, "-m", "facematch", "train", OWN, "--init", START, "--distill", START),
            *("--val", ASIDE, "-o", str(bundle), "--checkpoint-minutes", "1", "--json", *options),
        ],
        cwd=photographs,
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    if ended.returncode != 0:
        raise SystemExit(f"facematch train {' '.join(options)}: exit code {ended.returncode}")
    found = json.loads(ended.stdout)
    return {
        "options": list(options),
        "bundle": str(bundle.name),
        "minutes": round((time.monotonic() - started) / 60, 1),
        "updates": found["step"],
        "best_update": found["best_step"],
        "improved": found["improved"],
    }


def _measure(records: dict[str, Any], photographs: Path, other: Path, run_dir: Path) -> None:
    """Puts the figures of every bundle that has none beside its run."""
    waiting = [run for run in records["runs"].values() if "measured" not in run]
    measured: list[dict[str, Any]] = [{} for _ in waiting]
    sources = {"own": photographs / ASIDE, "same_source": photographs / STRANGERS}
    for where, source in {**sources, "other_source": other}.items():
        faces = read_faces(source, run_dir / "cache")
        before = _of_start(faces, run_dir / f"start-{where}.npy")
        for run, figures in zip(waiting, measured, strict=True):
            model = find_model(str(run_dir / run["bundle"]))
            figures[where] = _plain(faces.compared(before, faces.distances(model)))
            print(run["bundle"], where, figures[where], flush=True)
    for run, figures in zip(waiting, measured, strict=True):
        run["measured"] = figures


def _of_start(faces: Faces, kept: Path) -> Float32Array:
    """Distances by the start, computed once."""
    if not kept.exists():
        np.save(kept, faces.distances(find_model(START)))
    return np.asarray(np.load(kept), np.float32)


def _plain(found: Verdict) -> dict[str, Any]:
    """The comparison as JSON types; ``learned_from`` is not known here."""
    plain: dict[str, Any] = json.loads(json.dumps(asdict(found)))
    del plain["learned_from"]
    return plain


if __name__ == "__main__":
    main()
