"""Scripts of the repository: run as their users do, with something taken out, or as a module."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).resolve().parents[1]


def run_script(
    name: str, *arguments: str, program: str | None = None
) -> subprocess.CompletedProcess[str]:
    """Run ``scripts/NAME``; or a program that gets its path as the first argument."""
    script = str(ROOT / "scripts" / name)
    start = [script] if program is None else ["-c", program, script]
    return subprocess.run(
        [sys.executable, *start, *arguments],
        capture_output=True,
        text=True,
        timeout=300,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        check=False,
    )


def load_script(name: str) -> ModuleType:
    """``scripts/NAME`` as a module, which need not have a name that can be imported."""
    as_module = "scripts_" + name.removesuffix(".py").replace("/", "_").replace("-", "_")
    spec = spec_from_file_location(as_module, ROOT / "scripts" / name)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module
