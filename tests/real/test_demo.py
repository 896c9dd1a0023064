"""The demo script, as the README tells a newcomer to run it."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

pytestmark = [pytest.mark.photos, pytest.mark.slow]


def test_the_demo_shows_the_four_verbs() -> None:
    # The network is shut while tests run; scripts/test fetches them before.
    if not (ROOT / "data/samples").is_dir():
        pytest.skip("the sample photographs are not there; scripts/get-data fetches them")
    demo = subprocess.run([ROOT / "scripts/demo"], capture_output=True, text=True, check=False)
    print(demo.stdout)
    assert demo.returncode == 0, demo.stderr
    assert "enrolled 3, skipped 0" in demo.stdout
    assert demo.stdout.index("\nMATCH\n") < demo.stdout.index("\nNO MATCH\n")
    assert "Barack Obama" in demo.stdout[demo.stdout.index("3. Identify") :]
    assert "UNRESOLVED" in demo.stdout
    made = json.loads((ROOT / "demo-out/calibration.json").read_text())
    assert (made["n_genuine"], made["n_impostor"]) == (3, 3)
    assert sorted(p.name for p in (ROOT / "demo-out/annotated").iterdir()) == [
        "obama3.png",
        "obama_partial_face.png",
    ]
