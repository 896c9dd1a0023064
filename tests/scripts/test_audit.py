"""The list of dependencies is that of pyproject.toml, and what was not looked up is not sound."""

from __future__ import annotations

import json
import sys
import tomllib
from copy import deepcopy
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[2]
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]


def load_script() -> ModuleType:
    loader = SourceFileLoader("audit_script", str(ROOT / "scripts" / "audit"))
    spec = spec_from_loader("audit_script", loader)
    assert spec is not None
    module = sys.modules["audit_script"] = module_from_spec(spec)  # dataclasses look there
    loader.exec_module(module)
    return module


audit = load_script()
TEXT = audit.DOCUMENT.read_text("utf-8")


def changed(**lists: list[str]) -> dict[str, Any]:
    project = deepcopy(PROJECT)
    project["dependencies"] = lists.get("dependencies", project["dependencies"])
    project["optional-dependencies"]["export"] = lists.get(
        "export", project["optional-dependencies"]["export"]
    )
    return project


def test_the_document_is_that_of_the_project(capsys: pytest.CaptureFixture[str]) -> None:
    assert audit.main(["--check"]) == 0
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("project", "words"),
    [
        (changed(dependencies=[*PROJECT["dependencies"], "leftpad>=1,<2"]), "leftpad"),
        (changed(dependencies=PROJECT["dependencies"][1:]), "cryptography"),
        (changed(dependencies=["numpy>=2.3,<3", *PROJECT["dependencies"][1:]]), "cryptography"),
        (changed(export=["onnx>=1.20,<2", "nncf>=3.0,<4"]), r"not that of .*\(onnx\)"),
    ],
    ids=["one more", "one less", "another", "another range"],
)
def test_a_document_that_is_behind_is_found(project: dict[str, Any], words: str) -> None:
    with pytest.raises(audit.AuditError, match=words):
        audit.check(project, TEXT)


@pytest.mark.parametrize(
    "text",
    ["", TEXT.replace("| numpy |", "| leftpad |"), TEXT.replace("arrays, distances", "magic")],
    ids=["empty", "a name", "a purpose"],
)
def test_a_document_that_was_changed_is_found(text: str) -> None:
    with pytest.raises(audit.AuditError, match="numpy"):
        audit.check(PROJECT, text)


def test_what_is_brought_along_is_followed() -> None:
    packages = audit.closure([Requirement("typer"), Requirement("h5py>=3,<4")])
    assert {"typer", "rich", "pygments", "h5py", "numpy"} <= set(packages)
    assert "pytest" not in packages
    assert packages["h5py"].wanted_by == {"facematch": ">=3,<4"}
    assert packages["pygments"].wanted_by.keys() == {"rich"}
    assert packages["h5py"].is_native
    assert not packages["rich"].is_native
    assert packages["h5py"].licence == "BSD-3-Clause"
    text = audit.document({"": [Requirement("h5py>=3,<4")]}, packages)
    assert (
        f"\n| h5py | >=3,<4 | {packages['h5py'].distribution.version} | BSD-3-Clause | yes |"
        in text
    )
    assert "\n| rich | typer >=" in text
    with pytest.raises(audit.AuditError, match="leftpad is not installed"):
        audit.closure([Requirement("leftpad")])


SOUND = {"name": "typer", "version": "1", "vulns": []}
HOLE = {"name": "rich", "version": "2", "vulns": [{"id": "CVE-1", "fix_versions": ["2.1", "3"]}]}
SKIPPED = {"name": "rich", "skip_reason": "not found on PyPI"}


@pytest.mark.parametrize(
    ("results", "code", "words"),
    [
        ([SOUND, {**SOUND, "name": "rich"}], 0, ["no known holes; 2 of 2 packages looked up"]),
        (
            [SOUND, HOLE],
            1,
            ["rich 2: CVE-1, mended in 2.1, 3", "1 known holes; 2 of 2 packages looked up"],
        ),
        (
            [SOUND, SKIPPED],
            0,
            ["no known holes; 1 of 2 packages looked up", "not looked up: rich"],
        ),
        (
            [SKIPPED, {**SKIPPED, "name": "typer"}],
            0,
            ["not looked for known holes: the database of pip-audit answered for no package"],
        ),
        (None, 0, ["not looked for known holes: pip-audit says no route to host"]),
    ],
    ids=["sound", "a hole", "one skipped", "all skipped", "no network"],
)
def test_what_pip_audit_says(
    results: list[dict[str, Any]] | None,
    code: int,
    words: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    answer = "" if results is None else json.dumps({"dependencies": results})
    program = (
        f"#!{sys.executable}\nimport shutil, sys\n"
        f"shutil.copy(sys.argv[2], {str(tmp_path / 'pins')!r})\n"
        f"print({answer!r})\nprint('warning\\nno route to host', file=sys.stderr)\n"
    )
    fake = tmp_path / "pip-audit"
    fake.write_text(program)
    fake.chmod(0o755)
    monkeypatch.setattr(audit.sys, "executable", str(tmp_path / "python"))
    packages = {name: audit.Package(name) for name in ("typer", "rich")}
    assert audit.look_for_holes(packages) == code
    assert capsys.readouterr().out.splitlines() == words
    version = packages["typer"].distribution.version
    assert f"typer=={version}\n" in (tmp_path / "pins").read_text()


def test_without_pip_audit_it_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(audit.sys, "executable", str(tmp_path / "python"))
    monkeypatch.setenv("PATH", str(tmp_path))
    assert audit.look_for_holes({}) == 0
    assert capsys.readouterr().out == "not looked for known holes: pip-audit is not installed\n"
