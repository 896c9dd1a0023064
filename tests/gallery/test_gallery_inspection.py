"""Exported templates that kill the HDF5 library kill a child, and are refused in one line."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from gallery_fakes import IDENTITY, reference_of, templates_of

from facematch.errors import GalleryFormatError, OutputError
from facematch.gallery import import_templates, write_templates
from facematch.gallery.exchange.inspection import describe
from facematch.gallery.lookup3 import lookup3


@pytest.fixture
def path(tmp_path: Path) -> Path:
    references = [reference_of(name, i, crop=i == 1) for i, name in enumerate(("Ann", "Zoë"))]
    write_templates(tmp_path / "t.h5", IDENTITY, references, templates_of(2), [("Ann", "Zoë")])
    return tmp_path / "t.h5"


@pytest.fixture
def deadly(path: Path) -> Path:
    """The same file in newer structures, with an attribute as if it were shared."""
    newer = path.with_name("deadly.h5")
    with h5py.File(path, "r") as old, h5py.File(newer, "w", libver=("v110", "v110")) as file:
        for name in old:
            old.copy(name, file)
        for name, value in old.attrs.items():
            file.attrs[name] = value
        for number in range(4):  # more than fit beside each other
            file.attrs[f"more {number}"] = number
    data = bytearray(newer.read_bytes())
    at = data.index(b"BTLF\0\x08")  # the list of attributes by name
    length = 6 + 17 * len(h5py_attributes(newer))
    assert int.from_bytes(data[at + length : at + length + 4], "little") == lookup3(
        bytes(data[at : at + length])
    )
    for record in range(6, length, 17):
        data[at + record + 8] = 2
    data[at + length : at + length + 4] = lookup3(bytes(data[at : at + length])).to_bytes(
        4, "little"
    )
    assert import_templates(newer, IDENTITY).distinct == (("Ann", "Zoë"),)  # sound until here
    newer.write_bytes(data)
    return newer


def h5py_attributes(path: Path) -> list[str]:
    with h5py.File(path, "r") as file:
        return list(file.attrs)


def test_a_child_that_dies_of_a_file_is_an_error_in_one_line(deadly: Path) -> None:
    with pytest.raises(
        GalleryFormatError, match=r"HDF5 breaks off with SIG\w+\); export"
    ) as caught:
        import_templates(deadly, IDENTITY)
    assert len(str(caught.value).splitlines()) == 1


def test_a_command_refuses_such_a_file_with_exit_code_4(deadly: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [
            *(sys.executable, "-m", "facematch", "gallery", "import", str(deadly)),
            *("-g", str(tmp_path / "g.h5")),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (4, "")
    assert len(done.stderr.splitlines()) == 1
    assert not (tmp_path / "g.h5").exists()


def test_such_a_file_is_not_replaced(deadly: Path) -> None:
    content = deadly.read_bytes()
    with pytest.raises(OutputError, match="is there already and not"):
        write_templates(deadly, IDENTITY, [], templates_of(0))
    assert deadly.read_bytes() == content


@pytest.mark.parametrize("driver", ["earliest", "latest"])
def test_any_version_of_the_structures_is_read(path: Path, tmp_path: Path, driver: str) -> None:
    with h5py.File(path, "r") as old, h5py.File(tmp_path / "x.h5", "w", libver=driver) as file:
        for name in old:
            old.copy(name, file)
        for name, value in old.attrs.items():
            file.attrs[name] = value
    found, expected = (import_templates(p, IDENTITY) for p in (tmp_path / "x.h5", path))
    assert np.array_equal(found.templates, expected.templates)
    assert [r.subject for r in found.references] == ["Ann", "Zoë"]
    assert (found.references[1].crop_rgb == expected.references[1].crop_rgb).all()


HOSTILE = r"""printf '{"unreadable": "one\\ntwo\\u2028three"}'"""


@pytest.mark.parametrize(
    "ending", ["kill -SEGV $$", "exit 70", "echo no JSON", "echo '[1]'", HOSTILE]
)
def test_whatever_becomes_of_the_child_is_one_line(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ending: str
) -> None:
    become(tmp_path, monkeypatch, ending)
    with pytest.raises(GalleryFormatError, match="not a readable file of exported") as caught:
        import_templates(path, IDENTITY)
    assert len(str(caught.value).splitlines()) == 1


def change_version(told: Any) -> None:
    told["contents"]["version"] = "2"


def change_place(told: Any) -> None:
    told["contents"]["places"]["templates"]["offset"] = 1 << 60


def change_rows(told: Any) -> None:
    told["contents"]["places"]["templates"]["rows"] = -1


def change_size(told: Any) -> None:
    told["contents"]["embedding_size"] = 1 << 60


def change_text(told: Any) -> None:
    told["contents"]["places"]["subject"]["itemsize"] = 1 << 40


def change_nothing_wide(told: Any) -> None:
    told["contents"]["places"]["subject"]["itemsize"] = 0


def change_name(told: Any) -> None:
    told["contents"]["model"] = "m" * 1000


def change_places(told: Any) -> None:
    told["contents"]["places"] = []


@pytest.mark.parametrize(
    "change",
    [
        change_version,
        change_place,
        change_rows,
        change_size,
        change_text,
        change_nothing_wide,
        change_name,
        change_places,
    ],
)
def test_the_child_is_not_believed(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: Any
) -> None:
    with path.open("rb") as file:
        told = describe(file)
    change(told)
    (tmp_path / "told.json").write_text(json.dumps(told))
    become(tmp_path, monkeypatch, f"cat '{tmp_path}/told.json'")
    with pytest.raises(GalleryFormatError) as caught:
        import_templates(path, IDENTITY)
    assert len(str(caught.value).splitlines()) == 1


def become(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    """Have the child run a script of the shell."""
    program = folder / "python"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(program))
