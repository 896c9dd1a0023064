"""Does the quadruplet help? Trains and measures every method alike.

    python scripts/ablation/run.py DATA RUN_DIR

DATA is the folder of the data pack (data/README.md). RUN_DIR receives caches, checkpoints and
``results.jsonl``: a line for every run that has finished. Interrupt it at will: the same
command goes on with the run that it was at. After every cell docs/ablation.md and
docs/ablation.png are made anew from the JSON lines; ``report.py`` does that alone.
"""

from __future__ import annotations

import argparse
import shutil
import time
from pathlib import Path

import cv2
import torch
from crops import Crops, read_crops
from measures import chosen_by, measured
from records import CELL, RATE, Key, Records
from report import write_report
from setting import DISTILLED, METHODS, NOTHING, RATES, SCRATCH, SWEEP_SEED, Method, Setting
from torch import Tensor
from training import distilled, trained

from facematch.embedding import find_model

DOCS = Path(__file__).resolve().parents[2] / "docs"


class Ablation:
    """All runs, one after the other.

    Args:
        setting: what they share.
        crops: what they read.
        run_dir: for results and checkpoints.
        docs: folder of the report.
    """

    def __init__(self, setting: Setting, crops: Crops, run_dir: Path, docs: Path) -> None:
        self._setting = setting
        self._crops = crops
        self._run_dir = run_dir
        self._docs = docs
        described = {
            **setting.plain(),
            "teacher_fingerprint": find_model(setting.teacher).identity.fingerprint,
            "train_identities": crops.train.identities,
            "train_crops": int((crops.train.labels >= 0).sum()),
            "start_crops": len(crops.every),
            "holdout_crops": len(crops.held_out.labels),
            "dev_train_pairs": len(crops.dev_train.same),
            "dev_test_pairs": len(crops.dev_test.same),
            "dev_test_pairs_lost": crops.dev_test.lost,
        }
        self.records = Records(run_dir / "results.jsonl", described)
        self._starts: dict[str, dict[str, Tensor] | None] = {
            SCRATCH: None,
            DISTILLED: distilled(setting, crops, run_dir / "start"),
        }

    def run(self, seeds: int) -> None:
        """The sweep, then the cells of the first seed, of the second, and so on."""
        for start in self._starts:
            for method in METHODS:
                for rate in RATES[start]:
                    self.sweep(method, start, rate)
        for seed in range(1, seeds + 1):
            for start in self._starts:
                for method in (NOTHING, *METHODS):
                    if seed == 1 or method is not NOTHING or start == SCRATCH:
                        self.cell(method, start, seed)

    def sweep(self, method: Method, start: str, rate: float) -> None:
        """A short run at one rate."""
        key = Key(RATE, method.name, start, SWEEP_SEED, rate)
        if self.records.find(key) is None:
            self._finish(key, method, self._setting.sweep_steps, rate)

    def cell(self, method: Method, start: str, seed: int) -> None:
        """A run of the table, at the rate that the sweep has found best."""
        key = Key(CELL, method.name, start, seed)
        if self.records.find(key) is None:
            steps = 0 if method is NOTHING else self._setting.steps
            self._finish(key, method, steps, self.best_rate(method, start))
            write_report(self.records.path, self._docs)

    def best_rate(self, method: Method, start: str) -> float:
        """That with the highest AUC on pairsDevTrain after a short run."""
        if method is NOTHING:
            return 0.0
        found = [
            (line["dev_train_auc"], rate)
            for rate in RATES[start]
            if (line := self.records.find(Key(RATE, method.name, start, SWEEP_SEED, rate)))
        ]
        return max(found)[1]

    def _finish(self, key: Key, method: Method, steps: int, rate: float) -> None:
        begun = time.monotonic()
        folder = self._run_dir / "under-way" / f"{key.kind}-{method.name}-{key.start}-{key.seed}"
        folder = folder.with_name(f"{folder.name}-{rate:g}")
        network = trained(
            self._setting,
            method,
            self._starts[key.start],
            self._crops,
            folder,
            steps=steps,
            rate=rate,
            seed=key.seed,
        )
        size, enrolled = self._setting.size, self._setting.enrolled
        if key.kind == RATE:
            figures = {"dev_train_auc": chosen_by(network, self._crops, size)}
        else:
            figures = {"rate": rate, **measured(network, self._crops, size, enrolled)}
        rounded = {name: float(f"{value:.6g}") for name, value in figures.items()}
        samples = steps * self._setting.batch_size
        elapsed_s = round(time.monotonic() - begun, 1)
        self.records.add(key, **rounded, samples=samples, elapsed_s=elapsed_s)
        print(f"{key}: {rounded}, {elapsed_s} s", flush=True)
        shutil.rmtree(folder, ignore_errors=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("run_dir", type=Path)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--docs", type=Path, default=DOCS, help="folder of the report")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    cv2.setNumThreads(0)  # its pool fights torch's for the cores
    options.run_dir.mkdir(parents=True, exist_ok=True)
    setting = Setting()
    crops = read_crops(options.data, options.run_dir, setting.crops)
    Ablation(setting, crops, options.run_dir, options.docs).run(options.seeds)


if __name__ == "__main__":
    main()
