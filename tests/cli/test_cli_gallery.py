"""``facematch gallery``: what it prints, what it changes, and how it refuses."""

from __future__ import annotations

import csv
import hashlib
import json
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np
import pytest
from typer.testing import CliRunner

import facematch.workflows.gallery_exchange as workflow
from facematch.cli import app, asking
from facematch.gallery import Gallery, GalleryWriter, write_templates
from facematch.types import ModelIdentity, Quality, Reference

if TYPE_CHECKING:
    from click.testing import Result

IDENTITY = ModelIdentity("tiny-1", hashlib.sha256(b"model").hexdigest(), 16)
OTHER = ModelIdentity("tiny-2", hashlib.sha256(b"another").hexdigest(), 16)
QUALITY = Quality(120.0, 80.0, 128.0, 40.0, 3.0, -4.0, 1.0, 0.99, ("too dark",))
STATE_KEYS = {"gallery", "model", "model_fingerprint", "schema_version"}
REFERENCE_KEYS = {"row", "path", "sha256", "box_xyxy", "enrolled_at", "quality", "crop_kept"}


def reference(subject: str, number: int, **changes: Any) -> Reference:
    values = {
        "subject": subject,
        "source_path": f"photos/{number}.jpg",
        "source_sha256": hashlib.sha256(str(number).encode()).hexdigest(),
        "box_xyxy": np.array([10, 20, 110, 140], np.float32),
        "quality": QUALITY,
        "enrolled_at": 1.7e9,
        "crop_rgb": np.full((112, 112, 3), 9, np.uint8) if number == 0 else None,
    }
    return Reference(**{**values, **changes})


def templates(count: int) -> np.ndarray:
    """float32 (count, 16), unit norm."""
    rows = np.random.default_rng(count).normal(size=(count, 16))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def write_gallery(path: Path, references: list[Reference]) -> Path:
    with GalleryWriter.open(path, IDENTITY) as writer:
        writer.add(references, templates(len(references)))
        writer.commit()
    return path


@pytest.fixture(autouse=True)
def _no_bundle_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    class Bundle:
        identity = IDENTITY

    monkeypatch.setattr(workflow, "find_model", lambda name: Bundle)


@pytest.fixture
def faces(tmp_path: Path) -> Path:
    """Ada has rows 0 and 2, Zoë row 1, Bob row 3."""
    subjects = ["Ada", "Zoë", "Ada", "Bob"]
    return write_gallery(
        tmp_path / "faces.h5", [reference(name, row) for row, name in enumerate(subjects)]
    )


def run(*arguments: object, stdin: str | None = None) -> Result:
    return CliRunner().invoke(app, ["gallery", *map(str, arguments)], input=stdin)


def document(result: Result, *keys: str) -> dict[str, Any]:
    """The one versioned document on stdout, which has these keys beside those of all."""
    assert result.exit_code == 0, result.output
    loaded: dict[str, Any] = json.loads(result.stdout)
    assert loaded.keys() == STATE_KEYS | set(keys)
    assert loaded["schema_version"] == 1
    assert (loaded["model"], loaded["model_fingerprint"]) == ("tiny-1", IDENTITY.fingerprint)
    assert loaded["gallery"].keys() == {"path", "references", "subjects", "updated_at"}
    return loaded


def refused(result: Result, code: int, *words: str) -> None:
    """One line on stderr that holds the words, nothing on stdout, the exit code."""
    assert result.exit_code == code, result.output
    assert result.stdout == ""
    assert result.stderr.count("\n") == 1, result.stderr
    assert result.stderr.startswith("facematch: ")
    for word in words:
        assert word in result.stderr


def subjects_of(path: Path) -> dict[str, int]:
    with Gallery.open(path) as gallery:
        return {s.subject: s.references for s in gallery.subjects()}


def test_list_is_a_plain_list_of_subjects(faces: Path) -> None:
    result = run("list", "--json", "-q")
    assert json.loads(result.stdout) == [
        {"subject": "Ada", "references": 2},
        {"subject": "Zoë", "references": 1},
        {"subject": "Bob", "references": 1},
    ]
    assert result.stderr == ""


def test_list_as_text_has_totals_and_model_on_stderr(faces: Path) -> None:
    result = run("list", "--gallery", faces)
    assert result.stdout.splitlines() == [
        "references  subject",
        "         2  Ada",
        "         1  Zoë",
        "         1  Bob",
    ]
    assert result.stderr == (
        f"{faces}: 4 references of 3 subjects, model tiny-1 ({IDENTITY.fingerprint[:12]})\n"
    )


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("a" * 200, "a" * 67 + "…"),
        ("田" * 80, "田" * 33 + "…"),  # two cells each: 66 and the ellipsis
        ("a" * 68, "a" * 68),
    ],
)
def test_list_fits_eighty_columns(tmp_path: Path, name: str, shown: str) -> None:
    write_gallery(tmp_path / "faces.h5", [reference(name, 0)])
    assert run("list").stdout.splitlines()[1] == f"         1  {shown}"


def test_an_empty_gallery_is_listed(faces: Path) -> None:
    for name in ("Ada", "Zoë", "Bob"):
        assert run("remove", name, "--yes").exit_code == 0
    result = run("list", "--json")
    assert json.loads(result.stdout) == []
    assert "0 references of 0 subjects" in result.stderr


def test_show_tells_all_but_the_template(faces: Path) -> None:
    found = document(run("show", "Ada", "--json"), "subject", "references")
    assert found["subject"] == "Ada"
    assert [r["row"] for r in found["references"]] == [0, 2]
    first = found["references"][0]
    assert first.keys() == REFERENCE_KEYS
    assert first["path"] == "photos/0.jpg"
    assert first["sha256"] == hashlib.sha256(b"0").hexdigest()
    assert first["box_xyxy"] == [10.0, 20.0, 110.0, 140.0]
    assert first["enrolled_at"] == "2023-11-14T22:13:20+00:00"
    assert first["quality"]["warnings"] == ["too dark"]
    assert [r["crop_kept"] for r in found["references"]] == [True, False]


def test_show_as_text(faces: Path) -> None:
    result = run("show", "Zoë", "-q")
    assert result.stdout.splitlines() == [
        "Zoë: 1 reference",
        "  row 1: photos/1.jpg",
        f"      SHA-256 {hashlib.sha256(b'1').hexdigest()}",
        "      enrolled 2023-11-14T22:13:20+00:00, box (10, 20, 110, 140), no crop",
        "      face 120 px, sharpness 80, brightness 128, yaw 3°, score 0.990",
        "      quality: too dark",
    ]
    assert result.stderr == ""


def test_show_finds_a_name_in_another_unicode_form(faces: Path) -> None:
    decomposed = "Zoe\u0308"
    assert document(run("show", decomposed, "--json"), "subject", "references")["subject"] == "Zoë"


def test_show_survives_what_a_foreign_gallery_may_hold(tmp_path: Path) -> None:
    hostile = reference(
        "Ann\u200dMarie",
        1,
        source_path="\x1b[2J\u202ephotos\n/1.jpg",
        box_xyxy=np.array([np.nan, np.inf, 1, 2], np.float32),
        enrolled_at=1e300,
    )
    write_gallery(tmp_path / "faces.h5", [hostile])
    text = run("show", "Ann\u200dMarie", "-q").stdout
    assert text.startswith("Ann\u200dMarie: ")
    assert "row 0: \\x1b[2J\\u202ephotos\\n/1.jpg\n" in text
    assert re.search(r"[\x00-\x09\x0b-\x1f\u202e]", text) is None
    found = document(run("show", "Ann\u200dMarie", "--json"), "subject", "references")
    assert found["references"][0]["box_xyxy"] == [None, None, 1.0, 2.0]
    assert found["references"][0]["enrolled_at"] is None
    assert found["references"][0]["path"] == hostile.source_path


def test_rename(faces: Path) -> None:
    found = document(run("rename", "Bob", "Robert", "--json"), "old", "new", "references")
    assert (found["old"], found["new"], found["references"]) == ("Bob", "Robert", 1)
    assert subjects_of(faces) == {"Ada": 2, "Zoë": 1, "Robert": 1}
    assert run("rename", "Robert", "Bob").stdout == "Robert is now Bob\n"


def test_merge(faces: Path) -> None:
    result = run("merge", "Bob", "Zoë", "Bob", "--into", "Ada", "--json")
    found = document(result, "sources", "into", "moved", "references")
    assert (found["sources"], found["into"]) == (["Bob", "Zoë"], "Ada")
    assert (found["moved"], found["references"]) == (2, 4)
    assert found["gallery"]["subjects"] == 1
    assert subjects_of(faces) == {"Ada": 4}


def test_merge_as_text(faces: Path) -> None:
    assert run("merge", "Bob", "--into", "Ada").stdout == "Bob: now Ada, with 3 references\n"


REMOVE_KEYS = ("subject", "subject_removed", "removed", "snapshots", "before", "after")


def test_remove_gives_a_receipt(faces: Path) -> None:
    old_bytes = faces.read_bytes()
    found = document(run("remove", "Ada", "--yes", "--json"), *REMOVE_KEYS)
    assert (found["subject"], found["subject_removed"]) == ("Ada", True)
    assert [r["row"] for r in found["removed"]] == [0, 2]
    assert found["removed"][0].keys() == REFERENCE_KEYS
    assert found["before"] == {
        "references": 4,
        "subjects": 3,
        "sha256": hashlib.sha256(old_bytes).hexdigest(),
    }
    assert found["after"] == {
        "references": 2,
        "subjects": 2,
        "sha256": hashlib.sha256(faces.read_bytes()).hexdigest(),
    }
    assert b"Ada" in old_bytes
    assert b"Ada" not in faces.read_bytes()
    assert subjects_of(faces) == {"Zoë": 1, "Bob": 1}


def test_remove_one_reference(faces: Path) -> None:
    result = run("remove", "Ada", "--reference", 2, "--yes")
    assert result.stdout == "removed row 2 of Ada\n"
    assert subjects_of(faces) == {"Ada": 1, "Zoë": 1, "Bob": 1}
    # The last reference takes its subject along.
    found = document(run("remove", "Ada", "--reference", 0, "--yes", "--json"), *REMOVE_KEYS)
    assert found["subject_removed"] is True
    assert subjects_of(faces) == {"Zoë": 1, "Bob": 1}


def test_remove_of_somebody_elses_row_changes_nothing(faces: Path) -> None:
    refused(run("remove", "Ada", "--reference", 1, "--yes"), 2, "row 1", "'Ada'", "gallery show")
    assert subjects_of(faces)["Zoë"] == 1


def test_remove_needs_yes_where_nobody_can_be_asked(faces: Path) -> None:
    refused(run("remove", "Ada", stdin="y\n"), 2, "--yes")
    assert subjects_of(faces)["Ada"] == 2


@pytest.mark.parametrize(
    ("answer", "left"), [("y\n", 0), ("YES\n", 0), ("n\n", 2), ("\n", 2), ("", 2), ("yep\n", 2)]
)
def test_remove_asks_on_a_terminal(
    faces: Path, monkeypatch: pytest.MonkeyPatch, answer: str, left: int
) -> None:
    monkeypatch.setattr(asking, "can_ask", lambda: True)
    result = run("remove", "Ada", "-g", faces, stdin=answer)
    assert f"Remove Ada with 2 references from {faces} for good? [y/N] " in result.stderr
    assert subjects_of(faces).get("Ada", 0) == left
    assert result.exit_code == (0 if left == 0 else 2)
    assert ("nothing was removed" in result.stderr) == (left == 2)


def test_ctrl_c_at_the_question_removes_nothing(
    faces: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(question: str) -> bool:
        raise KeyboardInterrupt

    monkeypatch.setattr(asking, "can_ask", lambda: True)
    monkeypatch.setattr(asking, "agrees", interrupted)
    refused(run("remove", "Ada"), 130, "interrupted")
    assert subjects_of(faces)["Ada"] == 2
    assert run("rename", "Ada", "Eve").exit_code == 0  # the lock was let go


def test_verify_of_a_sound_gallery(faces: Path) -> None:
    found = document(run("verify", "--json"), "sound", "problems", "crops", "bytes_checked")
    assert (found["sound"], found["problems"], found["crops"]) == (True, [], 1)
    assert found["bytes_checked"] > 4 * 16 * 4 + 112 * 112 * 3
    assert ": sound, " in run("verify").stdout


def damage(path: Path, dataset: str) -> None:
    """Flips a bit of the first byte of a dataset."""
    with h5py.File(path, "r", locking=False) as file:
        offset = file[dataset].id.get_offset()
    content = bytearray(path.read_bytes())
    content[offset] ^= 1
    path.write_bytes(content)


def test_verify_lists_each_problem_and_exits_with_4(faces: Path) -> None:
    damage(faces, "references/box_xyxy")
    damage(faces, "crops/rgb")
    result = run("verify")
    assert result.exit_code == 4
    first, *problems = result.stdout.splitlines()
    assert ": 2 problems, " in first
    assert [p.split(":")[0].strip() for p in problems] == ["references/box_xyxy", "crops/rgb"]
    as_json = run("verify", "--json")
    assert as_json.exit_code == 4
    found = json.loads(as_json.stdout)
    assert found["sound"] is False
    assert len(found["problems"]) == 2


def test_nan_in_a_stored_template_is_a_problem(tmp_path: Path, faces: Path) -> None:
    with h5py.File(faces, "r", locking=False) as file:
        offset = file["templates"].id.get_offset()
    content = bytearray(faces.read_bytes())
    content[offset : offset + 4] = np.float32(np.nan).tobytes()
    faces.write_bytes(content)
    result = run("verify")
    assert result.exit_code == 4
    assert "templates: row 0 is not finite" in result.stdout


def test_an_export_is_imported_whole_into_a_new_gallery(tmp_path: Path, faces: Path) -> None:
    out = tmp_path / "templates.h5"
    exported = document(run("export", "-o", out, "--json"), "files", "format", "templates")
    assert (exported["files"], exported["format"]) == ([str(out)], "h5")
    assert exported["templates"] == 4
    copy = tmp_path / "copy.h5"
    found = document(
        run("import", out, "--gallery", copy, "--json"),
        *("imported", "skipped", "failed", "source", "replaced", "renamed", "distinct"),
        "pairs_left_out",
    )
    assert (found["imported"], found["skipped"], found["failed"]) == (4, [], [])
    with Gallery.open(faces) as old, Gallery.open(copy) as new:
        assert np.array_equal(old.templates, new.templates)
        assert old.subjects() == new.subjects()
        for row in range(4):
            a, b = old.reference(row), new.reference(row)
            assert (a.subject, a.source_path, a.source_sha256, a.quality, a.enrolled_at) == (
                b.subject, b.source_path, b.source_sha256, b.quality, b.enrolled_at
            )  # fmt: skip
            assert (a.crop_rgb is None) == (b.crop_rgb is None)


def test_an_import_again_skips_what_is_there(tmp_path: Path, faces: Path) -> None:
    out = tmp_path / "templates.h5"
    run("export", "-o", out)
    before = faces.read_bytes()
    result = run("import", out)
    assert result.stdout == "imported 0, skipped 4 (already enrolled), failed 0\n"
    assert faces.read_bytes() == before


def test_an_import_does_not_give_a_face_a_second_name(tmp_path: Path, faces: Path) -> None:
    out = tmp_path / "templates.h5"
    run("export", "-o", out)
    run("rename", "Bob", "Robert")
    result = run("import", out, "-q")
    assert result.exit_code == 0
    assert result.stdout.splitlines() == [
        "imported 0, skipped 3 (already enrolled), failed 1",
        "  photos/3.jpg: already enrolled as Robert",
    ]
    assert "Bob" not in subjects_of(faces)
    only_bob = tmp_path / "bob.h5"
    write_templates(only_bob, IDENTITY, [reference("Bob", 3)], templates(1))
    assert run("import", only_bob).exit_code == 4


def exported(faces: Path, *, name: str = "templates.csv") -> Path:
    """An export in which Ada's first face is Eve's."""
    out = faces.with_name(name)
    assert run("export", "-o", out, "-q").exit_code == 0
    out.write_bytes(out.read_bytes().replace(b"\n0,Ada", b"\n0,Eve"))
    return out


def test_a_face_that_both_have_differently_is_kept_replaced_or_fails(faces: Path) -> None:
    out = exported(faces)
    before = faces.read_bytes()
    kept = run("import", out, "-q")
    assert (kept.exit_code, kept.stdout.splitlines()[0]) == (
        0,
        "imported 0, skipped 3 (already enrolled), failed 1",
    )
    refused(run("import", out, "--on-conflict", "fail"), 4, "row 0", "'Ada'", "nothing was")
    assert faces.read_bytes() == before
    found = json.loads(run("import", out, "--on-conflict", "replace", "--json").stdout)
    assert (found["imported"], found["replaced"], len(found["skipped"])) == (1, 1, 3)
    assert subjects_of(faces) == {"Ada": 1, "Zoë": 1, "Bob": 1, "Eve": 1}
    again = json.loads(run("import", out, "--on-conflict", "replace", "--json").stdout)
    assert (again["imported"], again["replaced"], len(again["skipped"])) == (0, 0, 4)
    assert json.loads(run("import", out, "--on-conflict", "fail", "--json").stdout)["failed"] == []


def test_a_replaced_subject_keeps_what_is_known_of_it(faces: Path) -> None:
    run("snapshots", "--keep", 1)
    run("distinct", "Bob", "Zoë")
    out = faces.with_name("all.json")
    run("export", "-o", out)
    document_ = json.loads(out.read_text("ascii"))
    document_["references"][3]["enrolled_at"] += 1
    out.write_text(json.dumps(document_), "ascii")
    lines = run("import", out, "--on-conflict", "replace", "-q").stdout.splitlines()
    assert lines == [
        "imported 1, skipped 3 (already enrolled), failed 0",
        "  replaced 1 reference of the gallery",
    ]
    assert json.loads(run("distinct", "--json").stdout)["pairs"] == [["Zoë", "Bob"]]
    run("rollback", "--yes")
    assert json.loads(run("show", "Bob", "--json").stdout)["references"][0]["row"] == 3


def test_a_name_that_both_have_is_one_person_or_two(tmp_path: Path, faces: Path) -> None:
    out = tmp_path / "others.h5"
    strangers = [reference("Bob", 20), reference("Zoë", 21), reference("Zoë", 1)]
    write_templates(out, IDENTITY, strangers, templates(3), [("Bob", "Zoë"), ("Bob", "Nobody")])
    before = faces.read_bytes()
    refused(run("import", out, "--same-name", "fail"), 4, "'Bob'", "--same-name")
    assert faces.read_bytes() == before
    shutil.copy(faces, tmp_path / "joined.h5")
    joined = json.loads(run("import", out, "-g", "joined.h5", "--json").stdout)
    assert (joined["renamed"], joined["distinct"], joined["pairs_left_out"]) == ([], 1, 1)
    assert subjects_of(tmp_path / "joined.h5") == {"Ada": 2, "Zoë": 2, "Bob": 2}
    renamed = run("import", out, "--same-name", "rename", "-q").stdout.splitlines()
    assert renamed == [  # one of Zoë's faces is in the gallery as hers, so she is the same
        "imported 2, skipped 1 (already enrolled), failed 0",
        "  Bob of the file is now Bob (2)",
        "  1 pair noted as different people",
        "  1 pair of different people left out: not all of them are here by that name",
    ]
    assert subjects_of(faces) == {"Ada": 2, "Zoë": 2, "Bob": 1, "Bob (2)": 1}


BOX = np.array([10, 20, 110, 140], np.float32)


@pytest.mark.parametrize(
    ("box", "imported"),
    [
        (BOX, 0),
        (BOX + 0.5, 0),  # the same face, found on another device
        (BOX + 5, 0),
        (BOX + 150, 1),  # another face of the photograph
        (BOX + 60, 1),
        (np.array([np.nan, 0, np.inf, 5], np.float32), 1),
    ],
)
def test_an_import_knows_a_face_by_photograph_and_place(
    tmp_path: Path, faces: Path, box: np.ndarray, imported: int
) -> None:
    out = tmp_path / "templates.h5"
    write_templates(out, IDENTITY, [reference("Bob", 3, box_xyxy=box)], templates(1))
    found = json.loads(run("import", out, "--json").stdout)
    assert found["imported"] == imported
    assert len(found["skipped"]) == 1 - imported


def test_templates_without_a_name_need_a_subject(tmp_path: Path, faces: Path) -> None:
    out = tmp_path / "templates.h5"
    write_templates(out, IDENTITY, [reference("", 7), reference("", 8)], templates(2))
    refused(run("import", out), 2, "--subject")
    result = run("import", out, "--subject", "Zoe\u0308", "--json")
    assert json.loads(result.stdout)["imported"] == 2
    assert subjects_of(faces)["Zoë"] == 3
    run("export", "-o", out)
    refused(run("import", out, "--subject", "Eve"), 2, "--subject", "has a name")


def test_csv_is_chosen_by_name_or_by_option(tmp_path: Path, faces: Path) -> None:
    found = json.loads(run("export", "-o", "table.csv", "--json").stdout)
    assert (found["format"], found["files"]) == ("csv", ["table.csv", "table.npz"])
    with (tmp_path / "table.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["subject"] for row in rows] == ["Ada", "Zoë", "Ada", "Bob"]
    with np.load(tmp_path / "table.npz", allow_pickle=False) as arrays:
        assert arrays["templates"].shape == (4, 16)
    assert json.loads(run("export", "-o", "all.json", "--json").stdout)["format"] == "json"
    assert run("export", "-o", "a.csv", "--format", "h5").stdout == "wrote 4 templates to a.csv\n"
    assert h5py.is_hdf5(tmp_path / "a.csv")
    text = run("export", "-o", "b.txt", "--format", "csv").stdout
    assert text == "wrote 4 templates to b.txt and b.npz\n"


def test_an_export_never_overwrites_its_gallery(tmp_path: Path, faces: Path) -> None:
    before = faces.read_bytes()
    (tmp_path / "link.h5").symlink_to(faces)
    refused(run("export", "-o", "faces.h5"), 2, "overwrite")
    refused(run("export", "-o", "link.h5"), 2, "overwrite")
    refused(run("export", "-o", "table.npz", "--format", "csv"), 2, "*.csv")
    renamed = tmp_path / "faces.npz"
    shutil.copy(faces, renamed)
    refused(run("export", "-g", renamed, "-o", "faces.csv"), 2, "overwrite")
    assert faces.read_bytes() == renamed.read_bytes() == before


WITH_A_GALLERY = [
    ("list",),
    ("show", "Ada"),
    ("rename", "Ada", "Eve"),
    ("merge", "Ada", "--into", "Bob"),
    ("remove", "Ada", "--yes"),
    ("verify",),
    ("export", "-o", "out.h5"),
    ("snapshots", "--keep", "1"),
]


@pytest.mark.parametrize("command", WITH_A_GALLERY, ids=lambda c: c[0])
@pytest.mark.parametrize(
    ("content", "word"),
    [
        (None, "there is no gallery"),
        (b"", "is empty"),
        (b"not a gallery" * 500, "not an HDF5 file"),
        ("hdf5", "not a facematch gallery"),
        ("cut", "is damaged"),
    ],
    ids=["missing", "empty", "text", "foreign HDF5", "truncated"],
)
def test_a_file_that_is_no_gallery(
    tmp_path: Path, faces: Path, command: tuple[str, ...], content: bytes | str | None, word: str
) -> None:
    path = tmp_path / "other.h5"
    if content == "hdf5":
        h5py.File(path, "w").close()
    elif content == "cut":
        path.write_bytes(faces.read_bytes()[:-100])
    elif isinstance(content, bytes):
        path.write_bytes(content)
    refused(run(*command, "--gallery", path), 4, str(path), word)
    assert not (tmp_path / "out.h5").exists()


@pytest.mark.parametrize(
    "command",
    [c for c in WITH_A_GALLERY if c[0] in ("rename", "merge", "remove", "snapshots")],
    ids=lambda c: c[0],
)
def test_a_gallery_that_another_writer_holds(faces: Path, command: tuple[str, ...]) -> None:
    with GalleryWriter.open(faces):
        refused(run(*command), 4, "is being written by")
        assert run("list").exit_code == 0  # readers are not disturbed
    assert run(*command).exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("show", "Adda"), 4, ("no subject 'Adda'", "did you mean 'Ada'?")),
        (("rename", "Nobody", "Eve"), 4, ("no subject 'Nobody'",)),
        (("rename", "Ada", "Bob"), 2, ("'Bob' already", "gallery merge")),
        (("rename", "Ada", "a/b"), 2, ("'a/b' cannot be a subject name",)),
        (("rename", "Ada", ""), 2, ("empty",)),
        (("rename", "Ada", "a\x1b[2J"), 2, ("'a\\x1b[2J' cannot be",)),
        (("merge", "Ada", "--into", "Nobody"), 4, ("no subject 'Nobody'",)),
        (("merge", "Ada", "--into", "Ada"), 2, ("not itself",)),
        (("merge", "Nobody", "--into", "Ada"), 4, ("no subject 'Nobody'",)),
        (("remove", "Nobody", "--yes"), 4, ("no subject 'Nobody'",)),
        (("remove", "Ada", "--reference", "99", "--yes"), 2, ("row 99",)),
        (("export", "-o", "missing/out.h5"), 8, ("cannot write", "nothing was changed")),
        (("import", "missing.h5"), 4, ("there is no file missing.h5",)),
        (("import", "faces.h5"), 4, ("faces.h5",)),  # a gallery is not an export
    ],
    ids=lambda value: " ".join(value)[:30] if isinstance(value, tuple) else None,
)
def test_each_error_is_one_line_and_its_code(
    faces: Path, arguments: tuple[str, ...], code: int, words: tuple[str, ...]
) -> None:
    before = faces.read_bytes()
    refused(run(*arguments), code, *words)
    assert faces.read_bytes() == before


def test_an_import_refuses_templates_of_another_model(tmp_path: Path, faces: Path) -> None:
    out = tmp_path / "templates.h5"
    write_templates(out, OTHER, [reference("Eve", 9)], templates(1))
    refused(run("import", out), 4, "tiny-2", "tiny-1")
    refused(run("import", out, "--gallery", "new.h5"), 4, "tiny-2", "tiny-1")
    assert not (tmp_path / "new.h5").exists()


def test_an_import_opens_the_model_that_is_asked_for(
    tmp_path: Path, faces: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Bundle:
        identity = OTHER

    asked: list[str] = []
    monkeypatch.setattr(workflow, "find_model", lambda name: asked.append(name) or Bundle)
    out = tmp_path / "templates.h5"
    write_templates(out, OTHER, [reference("Eve", 9)], templates(1))
    refused(run("import", out, "--model", "tiny-2"), 4, "holds templates of model tiny-1")
    assert run("import", out, "--model", "tiny-2", "-g", "new.h5").exit_code == 0
    assert asked == ["tiny-2", "tiny-2"]
    assert run("import", out, "-g", "new.h5").exit_code == 0  # it has a model of its own now
    assert asked == ["tiny-2", "tiny-2"]


def test_an_import_of_nothing_makes_no_gallery(tmp_path: Path) -> None:
    out = tmp_path / "templates.h5"
    write_templates(out, IDENTITY, [], np.empty((0, 16), np.float32))
    refused(run("import", out), 4, "holds no templates")
    assert not (tmp_path / "faces.h5").exists()


def test_names_on_the_terminal_are_escaped_not_interpreted(tmp_path: Path) -> None:
    # A private-use character may be a name's, and may be anything on a terminal.
    write_gallery(tmp_path / "faces.h5", [reference("Eve\ue000", 1)])
    assert "Eve\\ue000" in run("list").stdout
    assert "Eve\\ue000 is now Eve" in run("rename", "Eve\ue000", "Eve").stdout
