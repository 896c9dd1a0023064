"""Encrypted galleries on the command line: every command, and where the secret comes from."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from fakes import GREEN, RED, photograph
from typer.testing import CliRunner

from facematch.cli import app, asking
from facematch.gallery import envelope
from facematch.gallery.envelope import Method, Stretch

if TYPE_CHECKING:
    from click.testing import Result

pytestmark = pytest.mark.usefixtures("fake_pipeline")


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """A passphrase that is not hard to try."""
    cheap = staticmethod(lambda: Stretch(Method.ARGON2ID, (1, 1, 8), b"a fixed salt 16b"))
    monkeypatch.setattr(envelope.Stretch, "of_passphrase", cheap)


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(a) for a in arguments])


def refused(result: Result, code: int, *words: str) -> None:
    """One line on stderr, beside notes, nothing on stdout, the exit code."""
    assert result.exit_code == code, result.output
    assert result.stdout == ""
    (line,) = [text for text in result.stderr.splitlines() if text.startswith("facematch: ")]
    for word in words:
        assert word in line


@pytest.fixture
def people(tmp_path: Path) -> Path:
    for name, colour in (("Ann", RED), ("Bob", GREEN)):
        photograph(tmp_path / "people" / name / "1.png", [colour])
    return tmp_path / "people"


@pytest.fixture
def locked(tmp_path: Path, people: Path) -> Path:
    """An encrypted gallery, with its key file."""
    enrolled = run("enroll", people, "--encrypt", "--key-file", "key", "--keep-crops")
    assert enrolled.exit_code == 0, enrolled.output
    assert "made key: whoever loses it loses the gallery" in enrolled.stderr
    return tmp_path / "faces.h5"


EVERY = [
    ("list",),
    ("show", "Ann"),
    ("verify",),
    ("audit", "--threshold", "0.5", "--html", "audit.html"),
    ("distinct",),
    ("distinct", "Ann", "Bob"),
    ("rename", "Bob", "Bo"),
    ("rename", "Bo", "Bob"),
    ("export", "-o", "out.json"),
    ("import", "out.json"),
    ("repair", "-o", "new.h5"),
    ("snapshots", "--keep", "2"),
    ("distinct", "Ann", "Bob", "--undo"),
    ("merge", "Bob", "--into", "Ann"),
    ("split", "Ann", "-r", "1", "--into", "Bob"),
    ("rollback", "--yes"),
    ("split", "Ann", "-r", "1", "--into", "Bob"),
    ("move", "Bob", "-r", "1", "--to", "Ann"),
    ("remove", "Ann", "--yes"),
    ("decrypt",),
]


def test_every_command_takes_the_secret(locked: Path, people: Path) -> None:
    probe = people / "Ann" / "1.png"
    found = run("identify", probe, "--threshold", 0.5, "--key-file", "key", "--json")
    assert json.loads(found.stdout)["faces"][0]["candidates"][0]["subject"] == "Ann"
    again = run("enroll", people, "--encrypt", "--key-file", "key", "--json")
    assert json.loads(again.stdout)["skipped"] == 2
    probes = ("--probes", people, "--allow-self-pairs")
    assert run("evaluate", "-g", locked, *probes, "--key-file", "key").exit_code == 0
    refused(run("evaluate", "-g", locked, *probes), 4, "is encrypted; give --key-file")
    for command in EVERY:
        refused(run("gallery", *command), 4, "is encrypted; give --key-file")
        done = run("gallery", *command, "--key-file", "key")
        assert done.exit_code == 0, (command, done.output)
        assert ("what was written is not" in done.stderr) is (command[0] == "export")
        if command != ("decrypt",):
            assert locked.read_bytes().startswith(b"FACECRPT"), command
    assert run("gallery", "list").exit_code == 0


def test_encrypt_rekey_decrypt(tmp_path: Path, people: Path) -> None:
    run("enroll", people)
    secret, other = tmp_path / "secret", tmp_path / "other"
    secret.write_text("correct horse\n", "utf-8")
    other.write_text("wrong horse\n", "utf-8")
    done = run("gallery", "encrypt", "--passphrase-file", secret)
    path = tmp_path / "faces.h5"
    assert done.stdout == f"{path}: encrypted (AES-256-GCM, passphrase by Argon2id)\n"
    assert "backups" in done.stderr
    for wrong, words in (
        ((), "give --passphrase-file, or run this on a terminal"),
        (("--passphrase-file", other), "faces.h5 cannot be unlocked: this is not its passphrase"),
        (("--passphrase-file", tmp_path / "none"), "cannot read"),
        (("--key-file", secret), "is not a key file"),
    ):
        refused(run("gallery", "list", *wrong), 4, words)
    refused(run("gallery", "list", "--passphrase-file", secret, "--key-file", "k"), 2, "not both")
    listed = run("gallery", "list", "--passphrase-file", secret, "--json")
    assert [subject["subject"] for subject in json.loads(listed.stdout)] == ["Ann", "Bob"]
    found = json.loads(
        run(
            *("gallery", "rekey", "--passphrase-file", secret, "--new-key-file", "key", "--json"),
        ).stdout
    )
    assert (found["encrypted"], found["method"], found["files"]) == (True, "key_file", [str(path)])
    assert (tmp_path / "key").stat().st_mode & 0o777 == 0o600
    refused(run("gallery", "list", "--passphrase-file", secret), 4, "with a key file")
    assert run("gallery", "decrypt", "--key-file", "key").stdout == f"{path}: not encrypted\n"
    refused(run("gallery", "decrypt", "--key-file", "key"), 2, "is not encrypted")
    refused(run("enroll", people, "--encrypt", "--key-file", "key"), 2, "gallery encrypt")


def test_a_person_is_asked(tmp_path: Path, people: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    answers: Iterator[str] = iter(())

    def answer(question: str) -> str:
        asked.append(question)
        return next(answers)

    monkeypatch.setattr(asking, "can_ask", lambda: True)
    monkeypatch.setattr(asking.getpass, "getpass", answer)
    answers = iter(["correct horse", "correct house"])
    refused(run("enroll", people, "--encrypt", "-q"), 2, "differ; nothing was changed")
    assert not (tmp_path / "faces.h5").exists()
    answers = iter(["correct horse", "correct horse"])
    assert run("enroll", people, "--encrypt", "-q").exit_code == 0
    assert (tmp_path / "faces.h5").read_bytes().startswith(b"FACECRPT")
    answers = iter(["correct horse"])
    assert run("gallery", "rename", "Ann", "Eve").exit_code == 0
    answers = iter(["wrong horse"])
    refused(run("gallery", "list"), 4, "this is not its passphrase")
    assert asked[-1] == "Passphrase of faces.h5: "

    def closed(question: str) -> str:
        raise EOFError

    monkeypatch.setattr(asking.getpass, "getpass", closed)
    refused(run("gallery", "list"), 2, "no passphrase was given")


def test_no_option_takes_a_secret_itself() -> None:
    """What is on the command line can be seen by every user of the machine."""
    text = run("gallery", "list", "--help").stdout
    assert "--passphrase-file" in text
    assert "--key-file" in text
    for name in ("--passphrase", "--key", "--password"):
        assert run("gallery", "list", f"{name}=x").exit_code == 2


def test_a_rekey_that_was_interrupted_says_how_to_finish_it(locked: Path) -> None:
    """Snapshots come first: the gallery has the old key still, and they have the new one."""
    for command in (("snapshots", "--keep", "2"), ("rename", "Bob", "Bo")):
        assert run("gallery", *command, "--key-file", "key").exit_code == 0
    before = locked.read_bytes()
    rekeyed = ("rekey", "--key-file", "key", "--new-key-file", "new")
    assert run("gallery", *rekeyed).exit_code == 0
    locked.write_bytes(before)
    for command in (("snapshots",), ("remove", "Ann", "--yes")):
        refused(run("gallery", *command, "--key-file", "key"), 4, "rekey` was interrupted")
    assert run("gallery", *rekeyed).exit_code == 0
    assert run("gallery", "remove", "Ann", "--yes", "--key-file", "new").exit_code == 0


def test_a_secret_that_others_can_read(locked: Path) -> None:
    key = locked.with_name("key")
    assert "WARNING" not in run("gallery", "list", "--key-file", "key").stderr
    key.chmod(0o640)
    done = run("gallery", "list", "--key-file", "key")
    assert done.exit_code == 0
    assert "WARNING: key can be read by others; `chmod 600` it" in done.stderr
    secret = locked.with_name("secret")
    secret.write_text("correct horse\n", "utf-8")
    secret.chmod(0o644)
    refused(run("gallery", "list", "--passphrase-file", "secret"), 4, "with a key file")
    assert (
        "secret can be read by others"
        in run("gallery", "list", "--passphrase-file", "secret").stderr
    )
