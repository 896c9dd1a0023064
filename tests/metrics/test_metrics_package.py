"""The package as a whole: examples in docstrings, public names, what importing costs."""

from __future__ import annotations

import doctest
import importlib
import subprocess
import sys

import pytest

import facematch.metrics

MODULES = (
    "clustering",
    "components",
    "decision",
    "distances",
    "identification",
    "intervals",
    "isotonic",
    "jackknife",
    "matrix",
    "paired",
    "probability",
    "ranking",
    "reliability",
    "resampling",
    "rules",
    "separation",
    "thresholds",
    "verification",
)


@pytest.mark.parametrize("name", MODULES)
def test_examples(name: str) -> None:
    results = doctest.testmod(importlib.import_module(f"facematch.metrics.{name}"))
    assert results.attempted > 0
    assert results.failed == 0


def test_public_names_exist_and_are_sorted() -> None:
    names = facematch.metrics.__all__
    assert list(names) == sorted(names)
    assert all(hasattr(facematch.metrics, name) for name in names)


def test_importing_is_cheap() -> None:
    code = (
        "import sys, facematch.metrics, facematch.calibration\n"
        "print([m for m in ('torch', 'scipy', 'matplotlib', 'openvino', 'h5py', 'cv2')"
        " if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
