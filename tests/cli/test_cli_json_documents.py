"""docs/json.md names every key of what ``calibrate`` and ``evaluate`` print, and no other."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fakes import BLUE, GREEN, ORANGE, RED, photograph
from typer.testing import CliRunner

from facematch.cli import app

pytestmark = pytest.mark.usefixtures("fake_pipeline")

ROOT = Path(__file__).resolve().parents[2]
# Objects that are keyed by a rate, a rank or a depth.
NUMBER = re.compile(r"\d[\d.]*")
CODE = re.compile(r"`([^`]+)`")


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACEMATCH_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)


def rows_of(heading: str) -> dict[str, set[str]]:
    """For each key of a section, what its row names in code."""
    text = (ROOT / "docs" / "json.md").read_text(encoding="utf-8")
    section = re.split(r"^#+ ", text.split(f"\n{heading}\n", 1)[1], maxsplit=1, flags=re.M)[0]
    rows = {}
    for line in section.splitlines():
        cells = line.split("|")
        if len(cells) == 4 and (keys := CODE.findall(cells[1])):
            for key in keys:
                assert key not in rows, f"{key} has two rows under {heading}"
                rows[key] = set(CODE.findall(line))
    return rows


def names_in(value: Any) -> Iterator[str]:
    """Keys of objects anywhere within, without those that are numbers."""
    if isinstance(value, dict):
        for name, inner in value.items():
            if not NUMBER.fullmatch(name):
                yield name
            yield from names_in(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from names_in(inner)


def require_documented(documents: list[dict[str, Any]], heading: str) -> None:
    rows, held_out = rows_of(heading), rows_of("### held_out")
    inside_held_out = set(held_out) | set().union(*held_out.values()) | {"rate", "interval"}
    inside_held_out |= {"errors", "comparisons"}
    emitted: set[str] = set()
    for document in documents:
        for key, value in document.items():
            emitted.add(key)
            assert key in rows, f"{key} has no row under {heading}"
            if key in ("baseline", "comparisons", "searches"):
                continue  # documented elsewhere
            named = inside_held_out if key == "held_out" else rows[key]
            if named & {"fmr", "fnmr"}:
                named = named | {"rate", "interval", "errors", "comparisons"}
            assert set(names_in(value)) <= named, f"the row of {key} under {heading}"
    assert emitted == set(rows), f"rows under {heading} of keys that no document has"


def printed(*arguments: object) -> dict[str, Any]:
    result = CliRunner().invoke(app, [*(str(a) for a in arguments), "--json"])
    assert result.exit_code == 0, result.output
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def kept(path: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(Path(path).read_text())
    return found


def scores(kind: str = "distance") -> str:
    generator = np.random.default_rng(0)
    rows = [f"{kind},same,subject_a,subject_b,group"]
    for a in range(20):
        for b in [a] * 4 + list(range(a)):
            d = (0.5 if a == b else 1.0) + generator.normal(0, 0.2)
            d = -d if kind == "similarity" else d
            rows.append(f"{d:.6f},{a == b:d},p{a},p{b},{'old' if a % 2 else 'young'}")
    Path("s.csv").write_text("\n".join(rows) + "\n")
    return "s.csv"


def people(folder: str) -> str:
    """Two photographs each of three people, and one of nobody."""
    for name, colours in (("red", (RED, ORANGE)), ("green", (GREEN, RED)), ("blue", (BLUE, BLUE))):
        for index, colour in enumerate(colours):
            shade = tuple(max(0, c - 10 * index) for c in colour)
            photograph(Path(folder, name, f"{index}.png"), [shade])  # type: ignore[list-item]
    photograph(Path(folder, "blue", "9.png"), [])
    return folder


def test_calibrate() -> None:
    documents = [
        printed("calibrate", scores(), "--gallery-size", 100, "--group", "group"),
        printed("calibrate", scores("similarity"), "--eer"),
        printed("calibrate", people("people"), "--max-accuracy"),
    ]
    assert documents[0]["held_out"] is not None
    assert documents[0]["probability"] is not None
    assert documents[0]["groups"]
    assert documents[2]["failed"]
    assert documents[2]["measures"]
    require_documented(documents, "## calibrate")


def test_evaluate_pairs() -> None:
    documents = [
        printed("evaluate", scores(), "-o", "r.json"),
        kept("r.json"),
        printed("evaluate", "s.csv", "--baseline", "r.json"),
        printed("evaluate", people("people"), "--threshold", 0.1),
    ]
    assert documents[0]["held_out"] is not None
    assert documents[0]["groups"]
    assert documents[3]["worst"]
    require_documented(documents, "## evaluate PAIRS")


def test_evaluate_a_gallery() -> None:
    for name, colour in (("red", RED), ("green", GREEN)):
        photograph(Path("enrol", name, "1.png"), [colour])
        photograph(Path("probes", name, "2.png"), [tuple(max(0, c - 9) for c in colour)])  # type: ignore[list-item]
    photograph(Path("probes", "red", "3.png"), [GREEN])
    photograph(Path("probes", "orange", "1.png"), [ORANGE])
    photograph(Path("probes", "green", "3.png"), [])
    made = CliRunner().invoke(app, ["enroll", "enrol", "--gallery", "faces.h5"])
    assert made.exit_code == 0, made.output
    search = ("evaluate", "--gallery", "faces.h5", "--probes", "probes")
    documents = [
        printed(*search, "--threshold", 0.05, "-o", "r.json"),
        kept("r.json"),
        printed(*search, "--baseline", "r.json"),
    ]
    assert documents[0]["worst"]
    assert documents[0]["open_set"]
    require_documented(documents, "## evaluate --gallery")


def test_evaluate_compare() -> None:
    printed("evaluate", scores(), "-o", "r.json")
    found = printed("evaluate", "--compare", "r.json", "r.json")
    rows = rows_of("## evaluate --compare")
    assert set(found) == set(rows)
    figures = set(found["systems"][0]["figures"])
    assert set(names_in(found["systems"])) - figures <= rows["systems"]


def test_versions() -> None:
    text = (ROOT / "docs" / "json.md").read_text(encoding="utf-8")
    documents = {
        "calibrate": printed("calibrate", scores()),
        "evaluate PAIRS": printed("evaluate", "s.csv"),
    }
    for name, document in documents.items():
        assert next(iter(document)) == "schema_version"
        (version,) = re.findall(rf"^\| `{name}`[^|]*\| (\d+) \|", text, re.M)
        assert document["schema_version"] == int(version)


def test_the_document_can_be_found() -> None:
    assert "(docs/json.md)" in (ROOT / "README.md").read_text(encoding="utf-8")
