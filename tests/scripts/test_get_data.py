"""The script without a network: archives made here, and pip replaced."""

from __future__ import annotations

import hashlib
import io
import re
import subprocess
import tarfile
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]
PICTURES = {"a.jpg": b"first picture", "b.jpg": b"second picture"}


def load_script() -> ModuleType:
    loader = SourceFileLoader("get_data", str(ROOT / "scripts" / "get-data"))
    spec = spec_from_loader("get_data", loader)
    assert spec is not None
    module = module_from_spec(spec)
    loader.exec_module(module)
    return module


get_data = load_script()


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def pack(path: Path, pictures: dict[str, bytes]) -> str:
    """A source distribution of nothing but pictures and a trap; returns its SHA-256."""
    members = {f"{get_data.FOLDER_IN_SDIST}/{name}": data for name, data in pictures.items()}
    members["../../escaped.txt"] = b"outside"
    with tarfile.open(path, "w:gz") as tar:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return sha256(path.read_bytes())


@pytest.fixture
def sdist(tmp_path: Path) -> Path:
    return tmp_path / "some-1.0.tar.gz"


PINS = {name: sha256(data) for name, data in PICTURES.items()}


def test_samples_are_unpacked_once(
    tmp_path: Path, sdist: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "work" / "samples"
    digest = pack(sdist, PICTURES)
    get_data.get_samples(folder, sdist, digest, PINS)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == PICTURES
    assert "a.jpg  13 bytes" in capsys.readouterr().out
    assert not list(tmp_path.rglob("escaped.txt"))

    sdist.unlink()
    get_data.get_samples(folder, sdist, digest, PINS)  # would fail, had it read the archive
    assert "all 2 sample photographs are there; nothing to do" in capsys.readouterr().out


def test_only_what_is_missing_or_changed_is_written(tmp_path: Path, sdist: Path) -> None:
    folder = tmp_path / "samples"
    digest = pack(sdist, PICTURES)
    get_data.get_samples(folder, sdist, digest, PINS)
    untouched = (folder / "a.jpg").stat().st_mtime_ns
    (folder / "b.jpg").write_bytes(b"damaged")
    get_data.get_samples(folder, sdist, digest, PINS)
    assert (folder / "b.jpg").read_bytes() == PICTURES["b.jpg"]
    assert (folder / "a.jpg").stat().st_mtime_ns == untouched


def test_another_archive_is_refused(tmp_path: Path, sdist: Path) -> None:
    pack(sdist, PICTURES)
    with pytest.raises(
        get_data.GetDataError, match=r"some-1\.0\.tar\.gz: its SHA-256 is .* pinned"
    ):
        get_data.get_samples(tmp_path / "samples", sdist, "0" * 64, PINS)
    assert not (tmp_path / "samples").exists()


def test_another_picture_is_refused(tmp_path: Path, sdist: Path) -> None:
    digest = pack(sdist, {**PICTURES, "b.jpg": b"someone else"})
    with pytest.raises(get_data.GetDataError, match=r"b\.jpg in .*: its SHA-256 is"):
        get_data.get_samples(tmp_path / "samples", sdist, digest, PINS)
    assert not (tmp_path / "samples").exists()


def test_archive_without_a_picture(tmp_path: Path, sdist: Path) -> None:
    digest = pack(sdist, {"a.jpg": PICTURES["a.jpg"]})
    with pytest.raises(get_data.GetDataError, match=r"b\.jpg"):
        get_data.get_samples(tmp_path / "samples", sdist, digest, PINS)


@pytest.mark.parametrize("content", [b"", b"not an archive", b"\x1f\x8b\x08\x00 broken"])
def test_file_that_is_no_archive(tmp_path: Path, sdist: Path, content: bytes) -> None:
    sdist.write_bytes(content)
    with pytest.raises(get_data.GetDataError, match="not a readable source distribution"):
        get_data.get_samples(tmp_path / "samples", sdist, sha256(content), PINS)


def test_failures_are_one_line_and_exit_1(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    missing = tmp_path / "nowhere.tar.gz"
    arguments = ["--from", str(missing), "--into", str(tmp_path / "samples")]
    assert get_data.main(arguments) == 1
    assert capsys.readouterr().err == (
        f"get-data: {missing}: cannot be read (No such file or directory)\n"
    )


def test_unwritable_folder(tmp_path: Path, sdist: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(get_data.GetDataError, match="cannot be written"):
        get_data.get_samples(tmp_path / "file" / "samples", sdist, pack(sdist, PICTURES), PINS)


def test_without_a_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    commands: list[list[str]] = []

    def pip(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        commands.append(command)
        requirement = Path(command[command.index("--requirement") + 1]).read_text()
        assert f"--hash=sha256:{get_data.SDIST_SHA256}" in requirement
        return subprocess.CompletedProcess(command, 1, "", "WARNING: slow\nERROR: no route\n")

    monkeypatch.setattr(subprocess, "run", pip)
    assert get_data.main(["--into", str(tmp_path / "samples")]) == 1
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith(
        "get-data: face_recognition==1.3.0 could not be fetched (ERROR: no route)"
    )
    assert "--from FILE" in last
    assert "--require-hashes" in commands[0]


def test_download_goes_through_pip(
    tmp_path: Path, sdist: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    digest = pack(sdist, PICTURES)

    def pip(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        folder = Path(command[command.index("--dest") + 1])
        (folder / "face_recognition-1.3.0.tar.gz").write_bytes(sdist.read_bytes())
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(subprocess, "run", pip)
    get_data.get_samples(tmp_path / "samples", None, digest, PINS)
    assert sorted(path.name for path in (tmp_path / "samples").iterdir()) == sorted(PICTURES)


def test_pins_and_ignore_rules() -> None:
    assert all(re.fullmatch("[0-9a-f]{64}", pin) for pin in get_data.SAMPLES.values())
    assert re.fullmatch("[0-9a-f]{64}", get_data.SDIST_SHA256)
    rules = (ROOT / ".gitignore").read_text().splitlines()
    assert "/data/*" in rules
    assert "!/data/README.md" in rules
    readme = (ROOT / "data" / "README.md").read_text()
    assert all(name in readme for name in get_data.SAMPLES)
