"""What is declared is what is used, what is needed is shipped, and no photograph is."""

from __future__ import annotations

import ast
import importlib
import importlib.metadata
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

import facematch

ROOT = Path(__file__).resolve().parents[1]
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
EXTRAS: dict[str, list[str]] = PROJECT["optional-dependencies"]
REQUIREMENTS = [
    Requirement(line)
    for line in [*PROJECT["dependencies"], *(line for extra in EXTRAS.values() for line in extra)]
]
LARGEST_TRACKED_BYTES = 8 << 20
PICTURES = {".jpg", ".jpeg", ".webp", ".heic", ".avif", ".tif", ".tiff", ".bmp", ".zip", ".npy"}


def git(*arguments: str) -> str:
    run = subprocess.run(["git", *arguments], capture_output=True, text=True, check=False, cwd=ROOT)
    if run.returncode not in (0, 1):  # 1: nothing found
        pytest.skip(f"not a git checkout: {run.stderr.strip()}")
    return run.stdout


@pytest.mark.parametrize("requirement", REQUIREMENTS, ids=lambda r: r.name)
def test_dependencies_are_bounded_and_the_tested_version_is_inside(
    requirement: Requirement,
) -> None:
    operators = {specifier.operator for specifier in requirement.specifier}
    assert operators in ({">=", "<"}, {"=="})
    assert requirement.specifier.contains(importlib.metadata.version(requirement.name))


def test_everything_imported_is_declared() -> None:
    lines = [*PROJECT["dependencies"], *EXTRAS["train"], *EXTRAS["export"]]
    declared = {canonicalize_name(Requirement(line).name) for line in lines}
    imported = set()
    for path in (ROOT / "facematch").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Import):
                imported |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module is not None:
                imported.add(node.module.split(".")[0])
    foreign = imported - set(sys.stdlib_module_names) - {"facematch"}
    providers = importlib.metadata.packages_distributions()
    undeclared = {
        name
        for name in foreign
        if not declared & {canonicalize_name(dist) for dist in providers.get(name, [])}
    }
    assert undeclared == set()


def test_the_command_is_there() -> None:
    assert PROJECT["scripts"] == {"facematch": "facematch.__main__:main"}
    module, _, name = PROJECT["scripts"]["facematch"].partition(":")
    assert callable(getattr(importlib.import_module(module), name))


def test_one_version_everywhere() -> None:
    assert facematch.__version__ == PROJECT["version"]
    assert Version(PROJECT["version"]).release >= (0, 1, 0)
    headings = re.findall(r"^## \[(.+?)\]", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.M)
    assert PROJECT["version"] in headings


def test_licence_is_the_whole_text() -> None:
    text = (ROOT / PROJECT["license-files"][0]).read_text("utf-8")
    assert PROJECT["license"] == "Apache-2.0"
    assert "Apache License\n" in text
    assert "9. Accepting Warranty or Additional Liability." in text
    assert "END OF TERMS AND CONDITIONS" in text


def test_types_are_published() -> None:
    assert (ROOT / "facematch" / "py.typed").is_file()


def test_git_ignores_nothing_of_the_package() -> None:
    """The build leaves out what git ignores: a model bundle must not be among it."""
    listed = git("ls-files", "--others", "--ignored", "--exclude-standard", "--", "facematch")
    kept = [name for name in listed.splitlines() if "__pycache__" not in name]
    assert kept == []


def test_no_photograph_and_nothing_large_is_tracked() -> None:
    tracked = [ROOT / name for name in git("ls-files", "-z").split("\0") if name]
    photographs = [str(path) for path in tracked if path.suffix.lower() in PICTURES]
    large = [
        str(path)
        for path in tracked
        if path.is_file() and path.stat().st_size > LARGEST_TRACKED_BYTES
    ]
    assert photographs == []
    assert large == []


def shell_scripts() -> list[Path]:
    candidates = [*(ROOT / "scripts").iterdir(), ROOT / ".ci" / "run"]
    return sorted(
        path
        for path in candidates
        if path.is_file() and path.read_bytes().startswith(b"#!/usr/bin/env bash\n")
    )


@pytest.mark.parametrize("script", shell_scripts(), ids=lambda path: path.name)
def test_shell_scripts_are_strict_and_parse(script: Path) -> None:
    assert script.stat().st_mode & 0o111 == 0o111, "not executable"
    assert "\nset -euo pipefail\n" in script.read_text("utf-8")
    subprocess.run(["bash", "-n", script], check=True)


def test_the_scripts_that_the_readme_names_are_there() -> None:
    names = {path.name for path in shell_scripts()}
    assert {"setup", "lint", "test", "run"} <= names
