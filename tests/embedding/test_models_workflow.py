from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from tiny_network import TINY_EMBEDDING, tiny_net

from facematch.embedding import DEFAULT_MODEL
from facematch.errors import DeviceUnavailableError, ModelHashError, UnknownModelError
from facematch.runtime import Device
from facematch.workflows.models import list_models, show_model, verify_model


@pytest.fixture
def mine(tiny_folder: Path, models_root: Path) -> Path:
    return Path(shutil.copytree(tiny_folder, models_root / "mine"))


def test_list(mine: Path) -> None:
    listings = {listing.name: listing for listing in list_models()}
    assert list(listings) == [DEFAULT_MODEL, "mine", "facenet-vggface2", "facenet-casia"]
    assert [listing.default for listing in listings.values()] == [True, False, False, False]
    tiny = listings["mine"]
    assert tiny.path == mine
    assert tiny.description == "a network for tests"
    assert tiny.size_bytes == sum(path.stat().st_size for path in mine.iterdir())
    assert tiny.fingerprint == show_model("mine").bundle.identity.fingerprint
    assert (tiny.calibrated, tiny.problem) == (False, None)
    pullable = listings["facenet-casia"]
    assert (pullable.path, pullable.size_bytes, pullable.fingerprint) == (None, None, None)
    assert "CASIA-WebFace" in pullable.description


def test_list_with_a_damaged_model(mine: Path) -> None:
    (mine / "card.json").write_bytes(b"{}")
    (listing,) = (listing for listing in list_models() if listing.name == "mine")
    assert listing.fingerprint is None
    assert listing.problem is not None
    assert "not a model card" in listing.problem


def test_calibration_is_reported(mine: Path) -> None:
    (mine / "calibration.json").write_bytes(b"{}")
    (listing,) = (listing for listing in list_models() if listing.name == "mine")
    assert listing.calibrated
    assert show_model("mine").calibrated


def test_show(mine: Path) -> None:
    details = show_model("mine")
    assert details.parameters == sum(p.numel() for p in tiny_net(1).parameters())
    assert {file.name: file.size_bytes for file in details.files} == {
        path.name: path.stat().st_size for path in mine.iterdir()
    }
    assert details.bundle.card["description"] == "a network for tests"
    assert not details.calibrated


def test_verify(mine: Path) -> None:
    check = verify_model("mine")
    assert check.bundle.identity.embedding_size == TINY_EMBEDDING
    assert check.device == "CPU (OpenVINO)"
    assert 0 <= check.norm_error < 1e-6
    assert check.elapsed_s > 0


def test_verify_a_damaged_model(mine: Path) -> None:
    with (mine / "graph.bin").open("ab") as file:
        file.write(b"x")
    with pytest.raises(ModelHashError):
        verify_model("mine")


def test_verify_the_default_model() -> None:
    assert verify_model().bundle.identity.name == DEFAULT_MODEL


def test_verify_on_a_device_that_is_missing(mine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("facematch.runtime.torch_engine.available_devices", lambda: ("cpu",))
    with pytest.raises(DeviceUnavailableError):
        verify_model("mine", device=Device.CUDA)


def test_unknown_model() -> None:
    with pytest.raises(UnknownModelError):
        show_model("zzz")
    with pytest.raises(UnknownModelError):
        verify_model("zzz")
