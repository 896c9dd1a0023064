"""``facematch models``: what it prints, whom it asks, and how it refuses."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

import facematch.workflows.models as workflow
from facematch.choices import DEFAULT_MODEL
from facematch.cli import app, asking
from facematch.cli import models as command
from facematch.embedding import find_model
from facematch.errors import DownloadError

if TYPE_CHECKING:
    from click.testing import Result

SHA256 = hashlib.sha256(b"weights").hexdigest()
IDENTITY_KEYS = {"schema_version", "model", "model_fingerprint", "embedding_size"}


@pytest.fixture(autouse=True)
def models_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where models are installed in this test; nothing is written to the user's folders."""
    root = tmp_path / "models"
    monkeypatch.setenv("FACEMATCH_MODELS_DIR", str(root))
    monkeypatch.setenv("FACEMATCH_CACHE_DIR", str(tmp_path / "cache"))
    return root


@pytest.fixture
def copied(models_root: Path) -> Path:
    """The bundled model under another name, free to be damaged."""
    folder = models_root / "copied"
    shutil.copytree(find_model().path, folder)
    return folder


def run(*arguments: object, stdin: str | None = None) -> Result:
    return CliRunner().invoke(app, ["models", *map(str, arguments)], input=stdin)


def document(result: Result) -> dict[str, Any]:
    assert result.exit_code == 0, result.output
    loaded: dict[str, Any] = json.loads(result.stdout)
    assert loaded["schema_version"] == 1
    return loaded


def refused(result: Result, code: int, *words: str) -> None:
    """One line on stderr that holds the words, nothing on stdout, the exit code."""
    assert result.exit_code == code, result.output
    assert result.stdout == ""
    assert result.stderr.count("\n") == 1, result.stderr
    assert result.stderr.startswith("facematch: ")
    for word in words:
        assert word in result.stderr


def change_card(folder: Path, **entries: Any) -> None:
    card = json.loads((folder / "card.json").read_text())
    (folder / "card.json").write_text(json.dumps(card | entries))


def test_list_has_installed_and_published_models(models_root: Path) -> None:
    result = run("list", "--json", "-q")
    assert result.stderr == ""
    models = {model["name"]: model for model in document(result)["models"]}
    assert models.keys() == {DEFAULT_MODEL, "facenet-vggface2", "facenet-casia"}
    keys = {"name", "description", "default", "path", "size_bytes", "fingerprint"}
    for model in models.values():
        assert model.keys() == keys | {"calibrated", "problem", "installed"}
    default, other = models[DEFAULT_MODEL], models["facenet-casia"]
    assert (default["installed"], default["default"], default["problem"]) == (True, True, None)
    assert default["fingerprint"] == find_model().identity.fingerprint
    assert default["size_bytes"] > 1_000_000
    assert (other["installed"], other["default"], other["path"]) == (False, False, None)


def test_list_as_text_says_how_to_get_the_others(models_root: Path) -> None:
    result = run("list")
    assert result.stdout.startswith(f"{DEFAULT_MODEL} (default): installed, ")
    assert "facenet-casia: not installed; facematch models pull facenet-casia\n" in result.stdout
    assert max(map(len, result.stdout.splitlines())) <= 80
    assert result.stderr == f"models are installed in {models_root}\n"


def test_list_shows_a_damaged_model_as_such(copied: Path) -> None:
    with (copied / "model.safetensors").open("r+b") as file:
        file.seek(-1, 2)
        file.write(b"\xff" if file.read(1) != b"\xff" else b"\0")
    text = run("list").stdout
    assert "copied: unsound\n" in text
    assert "do not match the card" in " ".join(text.split())
    models = {model["name"]: model for model in document(run("list", "--json"))["models"]}
    assert models["copied"]["fingerprint"] is None
    assert "do not match the card" in models["copied"]["problem"]


def test_show(models_root: Path) -> None:
    found = document(run("show", DEFAULT_MODEL, "--json"))
    assert found.keys() == IDENTITY_KEYS | {
        "default",
        "path",
        "architecture",
        "parameters",
        "input_size",
        "multiply_adds",
        "faces_per_s",
        "preprocessing",
        "alignment",
        "files",
        "calibrated",
        "card",
    }
    bundle = find_model()
    assert found["model_fingerprint"] == bundle.identity.fingerprint
    assert found["embedding_size"] == bundle.identity.embedding_size
    assert found["alignment"]["size"] == 112
    assert found["preprocessing"].keys() == {"mean", "scale", "mirror"}
    assert {"name": "card.json", "size_bytes": (bundle.path / "card.json").stat().st_size} in found[
        "files"
    ]
    assert 100_000 < found["parameters"] < 10_000_000
    text = run("show", DEFAULT_MODEL).stdout
    assert f"fingerprint {bundle.identity.fingerprint}" in text
    assert "similarity to 112x112 pixels" in text


def test_show_prints_false_matches_by_group_worst_first(copied: Path) -> None:
    lines = [
        {"comparisons": 1000, "false_matches": n, "fmr": n / 1000, "fmr_interval": [0, 0.0456]}
        | {"group": name}
        for name, n in (("few \x1b[31m", 1), ("many " + 40 * "x", 12))
    ]
    entry = {"protocol": "how", "threshold": 0.5, "groups": lines}
    change_card(copied, error_rates_by_group=entry)
    text = run("show", copied).stdout
    assert "\x1b" not in text
    assert "at the threshold 0.5000" in text
    many, few = (line for line in text.splitlines() if "(0.00 to 4.56)" in line)
    assert "many" in many
    assert "1000       12    1.20 %" in many
    assert "few \\x1b[31m" in few
    assert max(map(len, (many, few))) <= command.TERMINAL_CELLS
    change_card(copied, error_rates_by_group={"groups": 3})
    assert "false matches" not in run("show", copied).stdout


def test_show_survives_a_hostile_card(copied: Path) -> None:
    change_card(copied, terms="\x1b]0;owned\x07 research\nonly " + 30 * "x ", score=float("nan"))
    text = run("show", copied).stdout
    assert "\x1b" not in text
    assert "\x07" not in text
    assert "terms: \\x1b]0;owned\\x07 research\\nonly x" in text
    assert document(run("show", copied, "--json"))["card"]["score"] is None


HOSTILE = "compact\x1b[2J\u202e\x9b31m\u2066gnp"
STEERING = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


@pytest.mark.parametrize("options", [(), ("--json",)])
@pytest.mark.parametrize("command", ["list", "show"])
def test_a_hostile_name_or_text_steers_no_terminal(
    copied: Path, command: str, options: tuple[str, ...]
) -> None:
    folder = copied.rename(copied.with_name(f"named {HOSTILE}"))
    change_card(folder, name=HOSTILE, description=HOSTILE, terms=HOSTILE, **{HOSTILE: HOSTILE})
    result = run(command, *([folder] if command == "show" else []), *options)
    assert result.exit_code == 0, result.output
    assert STEERING.search(result.output) is None
    assert "\\u202e" in result.output


def test_a_name_longer_than_any_folder_is_refused(copied: Path) -> None:
    change_card(copied, name="m" * 256)
    refused(run("show", copied), 5, "not a model card", "256 characters")


def test_verify_runs_the_network(models_root: Path) -> None:
    result = run("verify", "--device", "cpu", "--json")
    found = document(result)
    assert found.keys() == IDENTITY_KEYS | {"sound", "path", "device", "norm_error", "elapsed_s"}
    assert found["sound"] is True
    assert found["model"] == DEFAULT_MODEL
    assert 0 <= found["norm_error"] < 1e-5
    assert result.stderr.startswith("device: ")
    text = run("verify", DEFAULT_MODEL, "--device", "cpu", "-q")
    assert text.stdout.startswith(f"{DEFAULT_MODEL}: sound, ")
    assert text.stderr == ""


def test_verify_refuses_a_changed_file(copied: Path) -> None:
    (copied / "graph.bin").write_bytes(b"\0")
    refused(run("verify", "copied"), 5, str(copied), "do not match the card", "install it again")


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("show", "compact-9"), 5, ("no model named 'compact-9'", "did you mean compact-2?")),
        (("show", "facenet-casia"), 5, ("not installed", "facematch models pull facenet-casia")),
        (("verify", "nothing"), 5, ("no model named 'nothing'",)),
        (("show", "./nowhere"), 5, ("card.json", "cannot be read")),
        (("pull", "nothing"), 5, ("no published model 'nothing'", "facenet-vggface2")),
        (("pull", "facenet-casia", "--trust", "abc"), 2, ("--trust abc", "64 hexadecimal digits")),
        (("pull", "facenet-vggface2", "--trust", SHA256), 5, ("pinned by facematch",)),
        (("pull", "facenet-casia", "--from", "missing.pt"), 5, ("missing.pt", "cannot be read")),
    ],
    ids=lambda value: " ".join(value)[:30] if isinstance(value, tuple) else None,
)
def test_each_error_is_one_line_and_its_code(
    arguments: tuple[str, ...], code: int, words: tuple[str, ...]
) -> None:
    refused(run(*arguments), code, *words)


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    path = tmp_path / "weights.pt"
    path.write_bytes(b"weights")
    return path


def test_a_file_without_a_known_hash_needs_trust(weights: Path, models_root: Path) -> None:
    refused(run("pull", "facenet-casia", "--from", weights), 5, f"--trust {SHA256}")
    assert not (models_root / "pins.json").exists()


def test_the_wrong_file_is_refused(weights: Path) -> None:
    refused(run("pull", "facenet-vggface2", "--from", weights), 5, SHA256, "281cebca")
    refused(run("pull", "facenet-casia", "--from", weights, "--trust", "0" * 64), 5, SHA256)


def test_a_person_is_shown_the_hash_and_asked(
    weights: Path, models_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asking, "can_ask", lambda: True)
    no = run("pull", "facenet-casia", "--from", weights, stdin="n\n")
    assert no.exit_code == 5
    assert f"\n  {SHA256}\n" in no.stderr
    assert "not trusted" in no.stderr
    yes = run("pull", "facenet-casia", "--from", weights, stdin="y\n")
    assert "not trusted" not in yes.stderr  # it goes on, and finds that these are no weights
    assert yes.exit_code == 5
    assert f"facematch: {weights}: not a torch file" in yes.stderr


class Bar:
    """A progress bar that remembers; closed bars must not be told of anything."""

    def __init__(self, what: str, quiet: bool) -> None:
        self.told: list[tuple[int, int]] = []
        self.closed = False

    def __enter__(self) -> Bar:
        return self

    def __exit__(self, *error: object) -> None:
        self.closed = True

    def __call__(self, done: int, total: int) -> None:
        assert not self.closed
        self.told.append((done, total))


@pytest.fixture
def bars(monkeypatch: pytest.MonkeyPatch) -> list[Bar]:
    made: list[Bar] = []

    def make(what: str, quiet: bool) -> Bar:
        made.append(Bar(what, quiet))
        return made[-1]

    monkeypatch.setattr(command, "Progress", make)
    return made


@pytest.mark.parametrize(
    ("already", "text"),
    [(False, "compact-2 installed: "), (True, "compact-2 is installed already: ")],
)
def test_pull_shows_progress_then_asks_then_tells(
    bars: list[Bar], monkeypatch: pytest.MonkeyPatch, already: bool, text: str
) -> None:
    asked: list[dict[str, Any]] = []

    def pull_model(
        name: str,
        *,
        from_file: Path | None,
        trust: str | None,
        confirm: Callable[[str], bool],
        progress: Callable[[int, int | None], None],
    ) -> workflow.PullResult:
        asked.append({"name": name, "from_file": from_file, "trust": trust})
        progress(1 << 20, (5 << 20) + 1)
        progress(3 << 20, None)
        assert confirm(SHA256)
        assert bars[-1].closed  # before the question, which is on stderr too
        return workflow.PullResult(find_model(), SHA256, already)

    monkeypatch.setattr(asking, "can_ask", lambda: True)
    monkeypatch.setattr(workflow, "pull_model", pull_model)
    result = run("pull", "facenet-casia", "--trust", SHA256, "--json", stdin="y\n")
    assert bars[-1].told == [(1, 6)]
    found = document(result)
    assert found.keys() == IDENTITY_KEYS | {"path", "sha256", "already_installed"}
    assert (found["sha256"], found["already_installed"]) == (SHA256, already)
    assert asked == [{"name": "facenet-casia", "from_file": None, "trust": SHA256}]
    assert "terms: " in result.stderr
    assert run("pull", "facenet-casia", stdin="y\n").stdout.startswith(text)


def test_a_download_that_fails_is_one_line(
    bars: list[Bar], monkeypatch: pytest.MonkeyPatch
) -> None:
    def pull_model(name: str, **options: object) -> workflow.PullResult:
        assert options["confirm"] is None  # nobody is there to ask
        raise DownloadError("https://example.org/file: the server cannot be reached")

    monkeypatch.setattr(workflow, "pull_model", pull_model)
    refused(run("pull", "facenet-casia"), 5, "cannot be reached")
    assert bars[-1].closed
