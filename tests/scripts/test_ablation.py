"""The ablation's page is what its lines say, its runs are kept, and a method trains."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]
MODULES = ("crops", "measures", "records", "report", "setting", "training")


@pytest.fixture(scope="module")
def ablation() -> Iterator[dict[str, ModuleType]]:
    """The script's modules; their names, which are anyone's, do not outlive this file."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(ROOT / "scripts" / "ablation")
        for name in MODULES:
            patch.delitem(sys.modules, name, raising=False)
        yield {name: __import__(name) for name in MODULES}
        for name in MODULES:
            del sys.modules[name]


def test_the_committed_page_is_what_its_lines_say(
    ablation: dict[str, ModuleType], tmp_path: Path
) -> None:
    docs = ROOT / "docs"
    page = (docs / "ablation.md").read_text("utf-8")
    (tmp_path / "ablation.md").write_text(page, "utf-8")
    ablation["report"].write_report(docs / "ablation.jsonl", tmp_path)
    assert (tmp_path / "ablation.md").read_text("utf-8") == page
    assert (tmp_path / "ablation.png").stat().st_size > 0


def test_a_row_is_mean_and_deviation_of_its_seeds(ablation: dict[str, ModuleType]) -> None:
    report = ablation["report"]

    def cell(method: str, seed: int, value: float) -> dict[str, object]:
        named = {"kind": "cell", "method": method, "start": "scratch", "seed": seed, "rate": 0.1}
        return {**named, **dict.fromkeys(report.MEASURES, value)}

    lines = [cell("nothing", 1, 0.9), cell("msml", 1, 0.2), cell("msml", 2, 0.4)]
    nothing, learned = report.table(lines, "scratch").splitlines()[2:]
    assert nothing.startswith("| nothing: the start as it is | 1 | – | 90.0 |")
    assert learned.startswith("| margin sample mining | 2 | 0.1 | **30.0 ± 14.1** |")


def test_a_finished_run_is_found_again_and_half_a_line_is_not(
    ablation: dict[str, ModuleType], tmp_path: Path
) -> None:
    records, path = ablation["records"], tmp_path / "results.jsonl"
    key = records.Key(records.RATE, "msml", "scratch", 0, 0.1)
    records.Records(path, {"steps": 2}).add(key, dev_train_auc=0.5)
    whole = path.read_text("utf-8")
    path.write_text(whole + '{"kind": "ra', "utf-8")
    assert records.Records(path, {"steps": 2}).find(key)["dev_train_auc"] == 0.5
    assert records.read_lines(path) == [json.loads(line) for line in whole.splitlines()]
    with pytest.raises(SystemExit, match="another setting"):
        records.Records(path, {"steps": 3})


def test_a_method_trains_and_is_measured(ablation: dict[str, ModuleType], tmp_path: Path) -> None:
    crops, setting = ablation["crops"], ablation["setting"]
    labels = np.repeat(np.arange(4), 3)
    images = np.random.default_rng(0).integers(0, 256, (12, 128, 128, 3), np.uint8)
    people = crops.Labelled(images, labels)
    first, second = np.triu_indices(12, 1)
    pairs = crops.Pairs(first, second, labels[first] == labels[second], 0)
    read = crops.Crops(people, images, people, images, pairs, pairs)
    tiny = setting.Setting(steps=1, identities=4, crops=2, size=56, widths=(8, 8, 8))
    method = next(m for m in setting.METHODS if m.name == "quadruplet-hard")
    network = ablation["training"].trained(
        tiny, method, None, read, tmp_path, steps=1, rate=1e-3, seed=1
    )
    figures = ablation["measures"].measured(network, read, tiny.size, 2)
    assert set(ablation["report"].MEASURES) <= set(figures)
    assert all(0 <= value <= 1 for value in figures.values())


def test_labels_without_enough_crops_take_no_part(ablation: dict[str, ModuleType]) -> None:
    labels = np.array([5, 5, 7, 2, 2, -1])
    assert ablation["crops"].with_enough(labels, 2).tolist() == [1, 1, -1, 0, 0, -1]
