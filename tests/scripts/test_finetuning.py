"""The measurement of fine-tuning: who is held out, and that the page says what was measured."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]
MODULES = ("people", "report")


@pytest.fixture(scope="module")
def finetuning() -> Iterator[dict[str, ModuleType]]:
    """The script's modules; their names, which are anyone's, do not outlive this file."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(ROOT / "scripts" / "finetuning")
        for name in MODULES:
            patch.delitem(sys.modules, name, raising=False)
        yield {name: __import__(name) for name in MODULES}
        for name in MODULES:
            del sys.modules[name]


def test_nobodys_photograph_is_in_two_places(finetuning: dict[str, ModuleType]) -> None:
    counts = {"Ada": 5, "Bob": 4, "Cid": 4, "Dot": 2, "Eve": 1}
    names = [f"{who}/{who}_{n:04}.jpg" for who, count in counts.items() for n in range(count)]
    found = finetuning["people"].places([*names, "README.txt", "Ada/"], people=2)
    kinds = Counter((place.split("/")[0], place.split("/")[1]) for place in found.values())
    assert kinds == {
        ("people", "Ada"): 3,
        ("aside", "Ada"): 2,
        ("people", "Bob"): 2,
        ("aside", "Bob"): 2,
        ("strangers", "Cid"): 4,
        ("strangers", "Dot"): 2,
    }
    assert len(set(found.values())) == len(found)
    assert found["Ada/Ada_0001.jpg"] == "aside/Ada/Ada_0001.jpg"


def test_the_committed_table_is_what_was_measured(
    finetuning: dict[str, ModuleType], tmp_path: Path
) -> None:
    page = (ROOT / "docs" / "fine-tuning.md").read_text("utf-8")
    (tmp_path / "page.md").write_text(page, "utf-8")
    records = json.loads((ROOT / "docs" / "fine-tuning.json").read_text("utf-8"))
    finetuning["report"].write_report(records, tmp_path / "page.md")
    assert (tmp_path / "page.md").read_text("utf-8") == page
    assert page.count("→") >= 3 * len(records["runs"])
