"""``facematch gallery`` snapshots, rollback, repair, and erasure that reaches all of them."""

from __future__ import annotations

import json
from pathlib import Path

import h5py
import pytest
from gallery_fakes import IDENTITY, make_gallery, reference_of, templates_of
from typer.testing import CliRunner

from facematch.cli import app
from facematch.gallery import Gallery, GalleryWriter


def run(*arguments: object) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, ["gallery", *map(str, arguments)])
    return result.exit_code, result.stdout, result.stderr


@pytest.fixture
def faces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    make_gallery(tmp_path / "faces.h5", ["Ada", "Zoë"], crops=True)
    assert run("snapshots", "--keep", 3)[0] == 0
    return tmp_path / "faces.h5"


def test_snapshots_and_rollback(faces: Path) -> None:
    assert run("rename", "Ada", "Eve")[0] == 0
    code, out, err = run("snapshots", "--json")
    found = json.loads(out)
    assert (code, found["keep"], found["gallery"]["subjects"]) == (0, 3, 2)
    assert [s["number"] for s in found["snapshots"]] == [1]
    assert found["snapshots"][0].keys() == {
        *("number", "path", "sound", "references", "subjects", "updated_at")
    }
    assert run("rollback") == (2, "", f"facematch: {QUESTION}\n")
    code, out, _ = run("rollback", "--yes")
    assert (code, out) == (0, "back to snapshot 1; what was there is snapshot 2\n")
    with Gallery.open(faces) as gallery:
        assert gallery.subject_names == ("Ada", "Zoë")
    found = json.loads(run("rollback", "--to", 2, "--yes", "--json")[1])
    assert (found["number"], found["replaced"]) == (2, 3)
    code, out, err = run("rollback", "--to", 9, "--yes")
    assert (code, out) == (4, "")
    assert "no older snapshot 9" in err
    (faces.parent / "faces.h5.snapshot-000001").write_bytes(b"")
    assert "  1: damaged\n" in run("snapshots")[1]


QUESTION = "rollback asks for confirmation on a terminal; add --yes to do without"


def test_repair_lists_what_is_lost_and_exits_with_4(faces: Path, tmp_path: Path) -> None:
    assert run("repair", "-o", "new.h5") == (
        *(0, "saved 2 of 2 references\n"),
        f"new.h5: 2 references of 2 subjects, model {IDENTITY.name} "
        f"({IDENTITY.fingerprint[:12]})\n",
    )
    with h5py.File(faces, "r", locking=False) as file:
        offset = file["crops/rgb"].id.get_offset()
    data = bytearray(faces.read_bytes())
    data[offset] ^= 1
    faces.write_bytes(data)
    code, out, _ = run("repair", "-o", "newer.h5")
    assert code == 4
    assert out.splitlines() == [
        "saved 2 of 2 references",
        "  row 0, Ada: saved without (crop)",
    ]
    code, out, _ = run("repair", "-o", "newest.h5", "--json")
    found = json.loads(out)
    assert (code, found["saved"], found["references"]) == (4, 2, 2)
    assert found["losses"] == [
        {"row": 0, "subject": "Ada", "parts": ["crop"], "whole_reference": False}
    ]
    assert (found["renamed"], found["crops_lost"]) == ([], 0)
    code, out, err = run("repair", "-o", "newest.h5")
    assert (code, out) == (2, "")
    assert "exists already" in err


def test_no_file_holds_a_byte_of_who_was_removed(faces: Path, tmp_path: Path) -> None:
    with GalleryWriter.open(faces, IDENTITY) as writer:
        gone = [reference_of("Mallory Gone", n, crop=True) for n in (70, 71)]
        writer.add(gone, templates_of(2, 70))
        writer.commit()
    traces = [b"Mallory", b"Mal Old", b"IMG_0070", b"IMG_0071"]
    for template in templates_of(2, 70):
        traces += [template.tobytes(), template.tobytes()[:12], template.tobytes()[-12:]]
    for reference in gone:
        assert reference.crop_rgb is not None
        crop = reference.crop_rgb.tobytes()
        traces += [crop[:48], crop[20_000:20_048], crop[-48:]]
        traces += [bytes.fromhex(reference.source_sha256), reference.box_xyxy.tobytes()]
    # Snapshots have her under another name, beside others, and one that is damaged.
    assert run("rename", "Mallory Gone", "Mal Old")[0] == 0
    assert run("rename", "Mal Old", "Mallory New")[0] == 0
    snapshots = sorted(tmp_path.glob("faces.h5.snapshot-*"))
    assert len(snapshots) == 3
    damaged = snapshots[-1]
    damaged.write_bytes(damaged.read_bytes()[:-10])
    # What a writer that was killed left behind.
    (tmp_path / ".faces.h5.4242.tmp").write_bytes(faces.read_bytes())
    (tmp_path / f".{snapshots[0].name}.4242.tmp").write_bytes(faces.read_bytes())
    held = b"".join(entry.read_bytes() for entry in tmp_path.iterdir())
    assert all(trace in held for trace in traces)

    code, out, _ = run("remove", "Mallory New", "--yes", "--json")
    assert code == 0
    for entry in tmp_path.iterdir():
        content = entry.read_bytes() + entry.name.encode()
        assert [trace for trace in traces if trace in content] == [], entry
    receipt = json.loads(out)
    assert [
        (Path(s["path"]).name, s["references"], s["deleted"]) for s in receipt["snapshots"]
    ] == [
        (snapshots[1].name, 2, False),
        (damaged.name, 0, True),
    ]
    assert len(receipt["removed"]) == 2
    for path in (faces, snapshots[0], snapshots[1]):
        with Gallery.open(path) as gallery:
            assert gallery.verify().sound
            assert gallery.subject_names == ("Ada", "Zoë")
    assert {entry.name for entry in tmp_path.iterdir()} == {
        *("faces.h5", "faces.h5.lock", snapshots[0].name, snapshots[1].name)
    }


def test_one_removed_reference_goes_from_snapshots_too(faces: Path, tmp_path: Path) -> None:
    assert run("rename", "Ada", "Eve")[0] == 0
    with GalleryWriter.open(faces, IDENTITY) as writer:
        writer.add([reference_of("Eve", 9)], templates_of(1, 9))
        writer.commit()
    code, out, _ = run("remove", "Eve", "--reference", 0, "--yes")
    assert code == 0
    assert out.splitlines()[0] == "removed row 0 of Eve"
    assert len(out.splitlines()) == 3
    for path in sorted(tmp_path.glob("faces.h5*")):
        if path.suffix != ".lock":
            assert templates_of(2)[0].tobytes() not in path.read_bytes()
            assert templates_of(2)[1].tobytes() in path.read_bytes()
