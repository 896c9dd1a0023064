"""The commands end to end on pictures of colours: output forms, exit codes, messages."""

from __future__ import annotations

import errno
import json
import os
import shutil
import struct
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zlib import crc32

import h5py
import pytest
from fakes import BLUE, GREEN, ORANGE, RED, FakeDetector, FakeNetwork, photograph
from typer.testing import CliRunner

from facematch.cli import app
from facematch.cli.output import counted
from facematch.pipeline import analyzer
from facematch.types import Detection, UInt8Array

if TYPE_CHECKING:
    from click.testing import Result

pytestmark = pytest.mark.usefixtures("fake_pipeline")


def run(*arguments: object, stdin: str | None = None) -> Result:
    return CliRunner().invoke(app, [str(a) for a in arguments], input=stdin)


def document(result: Result, version: int = 1) -> dict[str, Any]:
    assert result.stdout.count("\n") == 1, result.output
    loaded: dict[str, Any] = json.loads(result.stdout)
    assert loaded["schema_version"] == version
    return loaded


def refused(result: Result, code: int, *words: str) -> None:
    """One line on stderr that holds the words, nothing on stdout, the exit code."""
    assert result.exit_code == code, result.output
    assert result.stdout == ""
    lines = [line for line in result.stderr.splitlines() if not line.startswith("device:")]
    assert len(lines) == 1, result.stderr
    assert lines[0].startswith("facematch: ")
    for word in words:
        assert word in lines[0]


@pytest.fixture
def people(tmp_path: Path) -> Path:
    for name, colour in (("Ann", RED), ("Bob", GREEN)):
        photograph(tmp_path / "people" / name / "1.png", [colour])
    return tmp_path / "people"


def test_numbers_and_nouns_agree() -> None:
    assert counted(1, "photographs were not enrolled") == "1 photograph was not enrolled"
    assert counted(2, "photographs were not enrolled") == "2 photographs were not enrolled"
    assert [counted(n, "crops") for n in (0, 1, 2)] == ["0 crops", "1 crop", "2 crops"]


def test_a_search_that_ended_early_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def first_only(self: FakeDetector, image_rgb: UInt8Array, remaining: object) -> Detection:
        return Detection(tuple(self.detect(image_rgb)[:1]), False, 30.0)

    monkeypatch.setattr(FakeDetector, "search", first_only)
    two = photograph(tmp_path / "two.png", [RED, GREEN])
    fast = run("verify", two, two, "--threshold", 0.5)
    assert "the only face found" in fast.stdout
    found = document(run("verify", two, two, "--threshold", 0.5, "--json"))
    assert found["a"]["search_complete"] is False
    full = ("--search", "full")
    assert "face 2 of 2 (center face)" in run("verify", two, two, "--threshold", 0.5, *full).stdout
    found = document(run("verify", two, two, "--threshold", 0.5, "--json", *full))
    assert (found["a"]["search_complete"], found["a"]["faces_detected"]) == (True, 2)
    refused(run("verify", two, two, "--threshold", 0.5, "--face", "only"), 3, "2 faces")


def test_verify_exits_with_the_decision(tmp_path: Path) -> None:
    a = photograph(tmp_path / "a.png", [RED])
    same = photograph(tmp_path / "same.png", [RED], sizes=[70])
    other = photograph(tmp_path / "other.png", [GREEN])
    match = run("verify", a, same, "--threshold", 0.5, "--json")
    assert match.exit_code == 0
    found = document(match)
    assert found["match"] is True
    assert found["threshold"] == 0.5
    assert found["model_fingerprint"] == "f" * 64
    assert found["a"]["path"] == str(a)
    assert found["a"]["face"]["box_xyxy"] == [20.0, 30.0, 80.0, 90.0]
    no_match = run("verify", a, other, "--threshold", 0.5)
    assert no_match.exit_code == 1
    assert no_match.stdout.startswith("NO MATCH\n")
    assert "the only face" in no_match.stdout
    assert no_match.stderr == "device: fake\n"
    assert run("verify", a, same, "--threshold", 0.5, "-q").stderr == ""


def test_verify_says_which_face_was_used_and_why(tmp_path: Path) -> None:
    a = photograph(tmp_path / "a.png", [RED, GREEN], sizes=[50, 80])
    b = photograph(tmp_path / "b.png", [GREEN])
    result = run("verify", a, b, "--threshold", 0.5, "--face", "largest")
    assert result.exit_code == 0
    assert "face 2 of 2 (largest face), 80x80 px" in result.stdout
    assert "not face 1: smaller (50x50 px) than the chosen face (80x80 px)" in result.stdout


def test_the_enrol_identify_round_trip(tmp_path: Path, people: Path) -> None:
    enrolled = document(run("enroll", people, "--json"))
    assert (enrolled["enrolled"], enrolled["skipped"], enrolled["failed"]) == (2, 0, [])
    assert document(run("enroll", people, "--json"))["skipped"] == 2
    crowd = photograph(tmp_path / "crowd.png", [ORANGE, BLUE], sizes=[80, 60])
    result = run("identify", crowd, "--threshold", 0.5, "--json", "--draw", tmp_path / "drawn")
    faces = document(result)["faces"]
    assert [face["unknown"] for face in faces] == [False, True]
    assert [c["subject"] for c in faces[0]["candidates"]] == ["Ann", "Bob"]
    assert [c["accepted"] for c in faces[0]["candidates"]] == [True, False]
    assert (tmp_path / "drawn" / "crowd.png").stat().st_size > 0
    text = run("identify", crowd, "--threshold", 0.5)
    assert "Ann 0.0" in text.stdout
    assert "unknown" in text.stdout


def test_identify_streams_json_lines_and_reads_stdin(tmp_path: Path, people: Path) -> None:
    run("enroll", people)
    good = photograph(tmp_path / "good.png", [RED])
    bad = tmp_path / "bad.jpg"
    bad.write_text("text")
    result = run("identify", "-", "--threshold", 0.5, "--json", stdin=f"{good}\n\n{bad}\n")
    assert result.exit_code == 0  # one of two was searched
    first, second = (json.loads(line) for line in result.stdout.splitlines())
    assert first["path"] == str(good)
    assert "bad.jpg" in second["error"]
    strict = run("identify", good, bad, "--threshold", 0.5, "--json", "--strict")
    assert strict.exit_code == 3


def test_enroll_strict_fails_if_one_photograph_failed(tmp_path: Path, people: Path) -> None:
    (people / "Ann" / "broken.jpg").write_bytes(b"")
    result = run("enroll", people, "--json")
    assert result.exit_code == 0
    failed = document(result)["failed"]
    assert [Path(f["path"]).name for f in failed] == ["broken.jpg"]
    assert run("enroll", people, "--strict").exit_code == 3


def write_pairs(folder: Path) -> Path:
    for name, colour in (("r", RED), ("g", GREEN), ("b", BLUE)):
        for number in (1, 2):
            photograph(folder / f"{name}{number}.png", [colour], sizes=[55 + 5 * number])
    path = folder / "pairs.csv"
    rows = ["r1,r2,1", "g1,g2,true", "b1,b2,1", "r1,g1,0", "r2,b2,false", "g1,b1,0"]
    lines = [
        ",".join([f"{a}.png", f"{b}.png", same]) for a, b, same in (r.split(",") for r in rows)
    ]
    path.write_text("\n".join(["a,b,same", *lines]) + "\n")
    return path


def test_calibrate_writes_what_verify_then_uses(tmp_path: Path) -> None:
    pairs = write_pairs(tmp_path / "pictures")
    result = run("calibrate", pairs, "--target-fmr", 0.1, "--json")
    found = document(result, version=2)
    assert result.exit_code == 0
    assert (found["fmr"], found["fnmr"]) == (0.0, 0.0)
    assert (found["n_genuine"], found["n_impostor"], found["failures_to_acquire"]) == (3, 3, 0)
    assert found["unresolved"] is True
    assert (tmp_path / "calibration.png").read_bytes().startswith(b"\x89PNG")
    # The file in the working folder is used without being named, and said to be.
    a, b = tmp_path / "pictures" / "r1.png", tmp_path / "pictures" / "g1.png"
    verified = document(run("verify", a, b, "--json", "-q"))
    assert verified["threshold"] == found["threshold"]
    assert verified["threshold_origin"] == "calibration.json"
    assert verified["threshold_rule"] == "fmr<=0.1"
    assert 0 < verified["probability"] < 0.5
    text = run("verify", a, b)
    assert "3 impostor and 3 genuine pairs" in text.stdout
    assert "probability of one person" in text.stdout
    human = run("calibrate", pairs, "--target-fmr", 0.1, "-o", tmp_path / "other.json")
    assert "UNRESOLVED" in human.stdout
    assert "at least 30 impostor pairs" in human.stdout


def test_detect_align_and_embed(tmp_path: Path) -> None:
    two = photograph(tmp_path / "in" / "sub" / "two.png", [RED, GREEN])
    found = document(run("detect", two, "--json"))
    assert (found["width"], found["height"], len(found["faces"])) == (230, 140, 2)
    assert set(found["faces"][0]) == {"box_xyxy", "landmarks_xy", "score"}
    aligned = run("align", tmp_path / "in", tmp_path / "out", "--face", "all", "--json")
    written = document(aligned)["written"]
    assert [Path(w["path"]).relative_to(tmp_path / "out") for w in written] == [
        Path("sub/two-1.png"),
        Path("sub/two-2.png"),
    ]
    out = tmp_path / "templates.h5"
    assert document(run("embed", two, "-o", out, "--face", "all", "--json"))["templates"] == 2
    with h5py.File(out) as file:
        assert file["templates"].shape == (2, 3)


@pytest.mark.parametrize("folder", ["in", "linked"])
def test_originals_are_never_replaced(tmp_path: Path, people: Path, folder: str) -> None:
    run("enroll", people)
    original = photograph(tmp_path / "in" / "two.png", [RED, GREEN])
    (tmp_path / "linked").mkdir()
    (tmp_path / "linked" / "two.png").symlink_to(original)
    before = original.read_bytes()
    target = tmp_path / folder
    words = (str(target / "two.png"), "choose another folder")
    refused(run("detect", tmp_path / "in", "--draw", target), 8, *words)
    refused(run("identify", original, "--threshold", 1, "--draw", target, "-q"), 8, *words)
    refused(run("align", tmp_path / "in", target), 8, *words)
    refused(run("align", original, target, "--face", "all"), 8, *words)
    assert original.read_bytes() == before


def test_crops_of_photographs_with_one_name_have_two(tmp_path: Path) -> None:
    picture = photograph(tmp_path / "in" / "pic.png", [RED])
    (tmp_path / "in" / "pic.jpg").write_bytes(picture.read_bytes())
    result = document(run("align", tmp_path / "in", tmp_path / "out", "--json"))
    assert [Path(w["path"]).name for w in result["written"]] == ["pic.png", "pic-2.png"]
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["pic-2.png", "pic.png"]


BATCHES = {
    "cluster": ("--threshold", 0.5),
    "detect": (),
    "identify": ("--threshold", 0.5),
    "embed": ("-o", "t.h5"),
    "enroll": ("--subject", "Ann", "-g", "new.h5"),
}


@pytest.mark.parametrize("command", [*BATCHES, "align"])
def test_empty_input_is_one_error_everywhere(tmp_path: Path, people: Path, command: str) -> None:
    run("enroll", people)
    (tmp_path / "empty").mkdir()
    more = BATCHES.get(command, (tmp_path / "out",))
    found = "no photographs found in"
    refused(run(command, tmp_path / "empty", *more), 3, found, str(tmp_path / "empty"))
    refused(run(command, tmp_path / "nowhere", *more), 3, "nowhere: no such file", "check")


@pytest.mark.parametrize("command", BATCHES)
def test_one_bad_path_does_not_stop_a_batch(
    tmp_path: Path, people: Path, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("enroll", people)
    good, gone = people / "Ann" / "1.png", tmp_path / "gone.png"
    arguments = (command, gone, good, *BATCHES[command])
    text = run(*arguments)
    assert text.exit_code == 0, text.output
    head, reason = text.stderr.splitlines()[-2:]
    assert head.startswith("1 photograph ")
    assert reason == f"  {gone}: no such file or folder; check the path"
    made = run(*arguments, "--json", "-q")
    assert made.exit_code == 0
    assert str(gone) in made.stdout.splitlines()[-1]
    if command not in ("detect", "cluster"):
        # The fakes are too dark, but it is the path that fails here.
        monkeypatch.setattr(analyzer, "require_quality", lambda quality, name: None)
        assert run(*arguments, "--strict").exit_code == 3


def test_strict_calibration_fails_with_its_photographs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pairs = write_pairs(tmp_path / "pictures")
    broken = tmp_path / "pictures" / "broken.png"
    broken.write_bytes(b"")
    pairs.write_text(pairs.read_text() + "r1.png,broken.png,0\n")
    lenient = run("calibrate", pairs, "--target-fmr", 0.1, "--json")
    assert lenient.exit_code == 0
    assert document(lenient, version=2)["failures_to_acquire"] == 1
    monkeypatch.setattr(analyzer, "require_quality", lambda quality, name: None)
    strict = run("calibrate", pairs, "--target-fmr", 0.1, "--strict")
    assert strict.exit_code == 3
    assert "1 photograph gave no template:" in strict.stderr


def test_no_face_in_detect_is_a_result(tmp_path: Path) -> None:
    path = photograph(tmp_path / "empty.png", [])
    assert document(run("detect", path, "--json"))["faces"] == []


def bad_pictures(folder: Path) -> dict[str, tuple[Path, str]]:
    """Name -> (path, words of the message)."""
    folder.mkdir()
    whole = photograph(folder / "whole.png", [RED]).read_bytes()
    cases = {
        "missing": (folder / "missing.jpg", "no such"),
        "folder": (folder, "folder"),
        "empty": (folder / "empty.jpg", "empty"),
        "text": (folder / "text.jpg", "text.jpg"),
        "truncated": (folder / "truncated.png", "truncated"),
        "no face": (photograph(folder / "nobody.png", []), "no face"),
        "one pixel": (folder / "pixel.png", "no face"),
        "bomb": (folder / "bomb.png", "20,000x20,000"),
    }
    cases["one pixel"][0].write_bytes(png(1, 1))
    cases["bomb"][0].write_bytes(png(20_000, 20_000))
    cases["empty"][0].write_bytes(b"")
    cases["text"][0].write_text("this is not a picture")
    cases["truncated"][0].write_bytes(whole[: len(whole) // 2])
    return cases


def png(width: int, height: int) -> bytes:
    """A whole, valid grey PNG of zeros, made without holding its pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", crc32(kind + data))

    packer = zlib.compressobj(1)
    rows = b"".join(packer.compress(bytes(1 + width)) for _ in range(height)) + packer.flush()
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    parts = (chunk(b"IHDR", header), chunk(b"IDAT", rows), chunk(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


@pytest.mark.parametrize(
    "case",
    ["missing", "folder", "empty", "text", "truncated", "no face", "one pixel", "bomb"],
)
def test_bad_pictures_are_one_line_and_exit_code_3(tmp_path: Path, case: str) -> None:
    good = photograph(tmp_path / "good.png", [RED])
    path, words = bad_pictures(tmp_path / "bad")[case]
    refused(run("verify", good, path, "--threshold", 0.5), 3, str(path), words)


def test_two_faces_with_only(tmp_path: Path) -> None:
    one = photograph(tmp_path / "one.png", [RED])
    two = photograph(tmp_path / "two.png", [RED, GREEN])
    result = run("verify", one, two, "--threshold", 0.5, "--face", "only")
    refused(result, 3, "two.png", "2 faces", "--face largest, center or best")


def test_strict_refuses_poor_quality(tmp_path: Path) -> None:
    flat = photograph(tmp_path / "flat.png", [RED])
    refused(run("verify", flat, flat, "--threshold", 0.5, "--strict"), 3, "flat.png", "too dark")


def test_gallery_errors(tmp_path: Path, people: Path, fake_pipeline: FakeNetwork) -> None:
    probe = people / "Ann" / "1.png"
    identify = ("identify", probe, "--threshold", 0.5)
    refused(run(*identify), 4, "faces.h5", "facematch enroll")
    foreign = tmp_path / "foreign.h5"
    with h5py.File(foreign, "w") as file:
        file["data"] = [1, 2, 3]
    refused(run(*identify, "-g", foreign), 4, "foreign.h5")
    refused(run("enroll", people, "-g", foreign), 4, "foreign.h5")
    text = tmp_path / "text.h5"
    text.write_text("not HDF5")
    refused(run(*identify, "-g", text), 4, "text.h5")
    run("enroll", people)
    fake_pipeline._identity = FakeNetwork("0" * 64, "other-1").identity
    refused(run(*identify), 4, "faces.h5", "other-1")


def test_an_empty_gallery(tmp_path: Path, people: Path, fake_pipeline: FakeNetwork) -> None:
    from facematch.gallery import GalleryWriter

    with GalleryWriter.open(tmp_path / "faces.h5", fake_pipeline.identity) as writer:
        writer.commit()
    refused(run("identify", people, "--threshold", 0.5, "-q"), 4, "faces.h5", "enroll")


def test_a_damaged_template_is_never_served(tmp_path: Path, people: Path) -> None:
    run("enroll", people)
    path = tmp_path / "faces.h5"
    with h5py.File(path) as file:
        offset = file["templates"].id.get_offset()
    content = bytearray(path.read_bytes())
    content[offset : offset + 4] = struct.pack("<f", float("nan"))
    path.write_bytes(content)
    result = run("identify", people, "--threshold", 0.5, "-q")
    refused(result, 4, "faces.h5", "gallery verify")
    assert run("gallery", "verify", "-g", path).exit_code == 4


def test_a_full_disk_loses_nothing(
    tmp_path: Path, people: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("enroll", people)
    before = (tmp_path / "faces.h5").read_bytes()
    photograph(people / "Eve" / "1.png", [BLUE])

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    refused(run("enroll", people), 8, "faces.h5", "No space left")
    assert (tmp_path / "faces.h5").read_bytes() == before
    assert not list(tmp_path.glob(".faces.h5*tmp"))


def test_a_gallery_locked_by_another_writer(
    tmp_path: Path, people: Path, fake_pipeline: FakeNetwork
) -> None:
    from facematch.gallery import GalleryWriter

    with GalleryWriter.open(tmp_path / "faces.h5", fake_pipeline.identity):
        refused(run("enroll", people), 4, "faces.h5")


def test_pairs_and_calibration_errors(tmp_path: Path, fake_pipeline: FakeNetwork) -> None:
    pairs = write_pairs(tmp_path / "pictures")
    whole = pairs.read_text()
    pairs.write_text(whole.replace("a,b,same", "a,b,label"))
    refused(run("calibrate", pairs), 3, "pairs.csv", "same")
    pairs.write_text(whole + "r1.png,unknown.png,0\n")
    refused(run("calibrate", pairs), 3, "pairs.csv", "line 8", "unknown.png")
    pairs.write_text("a,b,same\nr1.png,r2.png,1\n")
    refused(run("calibrate", pairs), 6, "pairs.csv")
    pairs.write_text(whole)
    refused(run("calibrate", pairs, "--target-fmr", 2), 2, "FMR")
    refused(run("calibrate", pairs, "--eer", "--target-fmr", 0.1), 2, "--eer")
    refused(run("calibrate", pairs, "-o", tmp_path / "no" / "folder" / "c.json"), 8, "c.json")
    assert run("calibrate", pairs, "--target-fmr", 0.1).exit_code == 0
    fake_pipeline._identity = FakeNetwork("0" * 64, "other-1").identity
    a = tmp_path / "pictures" / "r1.png"
    refused(run("verify", a, a), 6, "calibration.json", "other-1")


def test_usage_errors(tmp_path: Path, people: Path) -> None:
    probe = people / "Ann" / "1.png"
    refused(run("enroll", probe), 2, "--subject")
    refused(run("enroll", people, "--face", "all"), 2, "--face all")
    refused(run("identify", "-", stdin="\n"), 2, "stdin")
    refused(run("enroll", probe, "--subject", "../x"), 2)
    assert run("verify", probe).exit_code == 2


def test_output_that_cannot_be_written(tmp_path: Path, people: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    probe = people / "Ann" / "1.png"
    refused(run("enroll", people, "-g", blocked / "faces.h5"), 8, "faces.h5")
    run("enroll", people)
    refused(run("identify", probe, "--threshold", 0.5, "--draw", blocked), 8, str(blocked))
    refused(run("embed", probe, "-o", blocked / "t.h5"), 8, "t.h5")


def test_no_file_of_another_kind_is_replaced(tmp_path: Path, people: Path) -> None:
    run("enroll", people)
    probe = people / "Ann" / "1.png"
    shutil.copy(tmp_path / "faces.h5", tmp_path / "other.h5")
    pairs = write_pairs(tmp_path / "pictures")
    before = {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}
    for arguments in (
        ("embed", probe, "-o", tmp_path / "faces.h5"),
        ("embed", probe, "-o", probe),
        ("gallery", "export", "-o", tmp_path / "other.h5"),
        ("gallery", "export", "-o", pairs, "--format", "csv"),
        ("calibrate", pairs, "-o", pairs),
        ("calibrate", pairs, "-o", tmp_path / "c.json", "--plot", probe),
        ("calibrate", pairs, "-o", probe.with_suffix(".json")),  # the plot would be beside it
        ("calibrate", pairs, "-o", "x.png"),
        ("calibrate", pairs, "-o", "c.json", "--plot", "c.pdf"),
    ):
        refused(run(*arguments), 8)
    assert {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()} == before
    for _ in range(2):  # what the same command made is replaced
        assert run("embed", probe, "-o", "t.h5").exit_code == 0
        assert run("calibrate", pairs, "--target-fmr", 0.1).exit_code == 0
        assert run("gallery", "export", "-o", "list.csv", "--format", "csv").exit_code == 0


def test_a_folder_that_may_not_be_written_is_told_before_the_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Root may write everywhere, so the answer is put in the system's mouth."""
    pairs = write_pairs(tmp_path / "pictures")
    monkeypatch.setattr(os, "access", lambda path, mode: mode != os.W_OK)
    for command in (("calibrate", pairs), ("embed", tmp_path / "none.png", "-o", "t.h5")):
        refused(run(*command), 8, "cannot be written", "folder")


HOSTILE = "new\nline\x1b[2J"


def test_no_file_name_steers_the_terminal(tmp_path: Path, people: Path) -> None:
    folder = tmp_path / HOSTILE
    one = photograph(folder / "Ann" / "one.png", [RED])
    (folder / "Ann" / "broken.png").write_bytes(b"")
    pairs = write_pairs(folder / "pictures")
    run("enroll", people)
    (tmp_path / "calibration.json").unlink(missing_ok=True)
    for command in (
        ("enroll", folder, "-g", folder / "faces.h5"),
        ("identify", folder / "Ann", "--threshold", 0.5),
        ("verify", one, one, "--threshold", 0.5),
        ("detect", folder / "Ann", folder / "none"),
        ("align", folder / "Ann", folder / "out"),
        ("embed", folder / "Ann", "-o", folder / "t.h5"),
        ("calibrate", pairs, "--target-fmr", 0.1, "-o", folder / "c.json"),
        ("verify", one, folder / "none.png", "--threshold", 0.5),
        ("verify", one, one, "--calibration", folder / "c.json"),
    ):
        result = run(*command)
        assert result.exit_code in (0, 3), result.output
        assert "new\\nline\\x1b" in result.output
        assert HOSTILE not in result.output
        assert "\x1b" not in result.output


def test_what_identify_promises(tmp_path: Path, people: Path) -> None:
    run("enroll", people)
    pairs = write_pairs(tmp_path / "pictures")
    run("calibrate", pairs, "--target-fmr", 0.1)
    promise = run("identify", people).stderr.splitlines()[1]
    # No false match in three pairs: the upper limit says something, the rate does not.
    assert "a stranger is taken for somebody in at most 9" in promise
    assert "about 0 %" not in promise


def test_an_interrupted_enrolment_says_so(people: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from facematch.pipeline import Analyzer

    def interrupted(self: Analyzer, path: Path) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Analyzer, "analyze", interrupted)
    refused(run("enroll", people), 130, "interrupted")
