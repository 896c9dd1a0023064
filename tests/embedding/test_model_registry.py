from __future__ import annotations

import inspect
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from facematch.embedding import DEFAULT_MODEL, Preprocessing, find_model, installed_models
from facematch.embedding.pins import is_sha256
from facematch.embedding.published import PUBLISHED
from facematch.errors import ModelFormatError, ModelHashError, UnknownModelError
from facematch.types import Alignment


@pytest.fixture
def mine(tiny_folder: Path, models_root: Path) -> Path:
    """A model that a user installed."""
    return Path(shutil.copytree(tiny_folder, models_root / "mine"))


def test_default_model_is_bundled() -> None:
    assert list(installed_models()) == [DEFAULT_MODEL]
    assert find_model().identity.name == DEFAULT_MODEL


def test_installed_and_by_path(mine: Path) -> None:
    assert list(installed_models()) == [DEFAULT_MODEL, "mine"]
    assert find_model("mine").path == mine
    assert find_model(str(mine)).identity == find_model("mine").identity


def test_by_relative_path(mine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACEMATCH_MODELS_DIR", str(mine.parent / "elsewhere"))
    monkeypatch.chdir(mine.parent)
    assert find_model("mine").identity.name == "tiny"
    assert find_model("./mine").identity.name == "tiny"


def test_bundled_model_cannot_be_shadowed(mine: Path) -> None:
    mine.rename(mine.with_name(DEFAULT_MODEL))
    assert find_model(DEFAULT_MODEL).identity.name == DEFAULT_MODEL


def test_unfinished_and_foreign_folders_are_no_models(mine: Path, models_root: Path) -> None:
    shutil.copytree(mine, models_root / ".mine.partial")
    (models_root / "empty").mkdir()
    (models_root / "pins.json").write_text("{}")
    assert list(installed_models()) == [DEFAULT_MODEL, "mine"]


def test_damaged_model_is_found_and_refused(mine: Path) -> None:
    with (mine / "model.safetensors").open("ab") as file:
        file.write(b"x")
    with pytest.raises(ModelHashError, match="mine"):
        find_model("mine")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("facenet-casia", "run: facematch models pull facenet-casia"),
        ("facenet-vgface2", "did you mean facenet-vggface2"),
        ("compact1", f"did you mean {DEFAULT_MODEL}"),
        ("mime", "did you mean mine"),
        ("", "facematch models list"),
        ("zzz", "facematch models list"),
        ("z" * 5000, "facematch models list"),
        ("two\nlines", "facematch models list"),
    ],
)
def test_unknown_names(mine: Path, name: str, message: str) -> None:
    with pytest.raises(UnknownModelError, match=message) as caught:
        find_model(name)
    assert "\n" not in str(caught.value)


def test_path_without_a_bundle(tmp_path: Path) -> None:
    with pytest.raises(ModelFormatError, match=r"card\.json: cannot be read"):
        find_model(str(tmp_path))
    with pytest.raises(ModelFormatError, match=r"card\.json: cannot be read"):
        find_model(str(tmp_path / "absent"))


def test_folder_of_models_that_cannot_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACEMATCH_MODELS_DIR", "/" + "x" * 5000)
    with pytest.raises(ModelFormatError, match="File name too long"):
        installed_models()


def test_folder_of_models_may_be_absent_or_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_bytes(b"")
    for path in (tmp_path / "absent", tmp_path / "file"):
        monkeypatch.setenv("FACEMATCH_MODELS_DIR", str(path))
        assert list(installed_models()) == [DEFAULT_MODEL]


def test_published_models_are_those_of_facenet_pytorch() -> None:
    from facenet_pytorch.models import inception_resnet_v1

    loader = inspect.getsource(inception_resnet_v1.load_weights)
    for model in PUBLISHED.values():
        assert f"'{model.url}'" in loader
        assert model.url.endswith(f"/{model.file_name}")
        assert model.url.startswith("https://")
        assert model.sha256 is None or is_sha256(model.sha256)
        assert model.alignment == Alignment("box", 160)
        assert model.preprocessing == Preprocessing(127.5, 1 / 128, False)
        assert "as its authors report" in model.reported_accuracy
    assert list(PUBLISHED) == ["facenet-vggface2", "facenet-casia"]


def test_nothing_heavy_is_imported_to_name_models() -> None:
    script = (
        "import sys, facematch.workflows.models; "
        "print(*{'torch', 'torchvision', 'openvino', 'scipy', 'matplotlib'} & {*sys.modules})"
    )
    imported = subprocess.run(
        [sys.executable, "-c", script],
        env={"PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        text=True,
        check=True,
    )
    assert imported.stdout.split() == []
