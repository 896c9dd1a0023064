from __future__ import annotations

import hashlib
import json
import pickle
import shutil
import socket
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from file_server import serve
from filelock import FileLock
from tiny_network import export_tiny, tiny_net

from facematch.embedding import Embedder, find_model
from facematch.embedding.published import LARGEST_FILE_BYTES, PUBLISHED
from facematch.errors import (
    DownloadError,
    ModelFormatError,
    ModelHashError,
    OutputError,
    UnknownModelError,
    UsageError,
)
from facematch.runtime import Device, open_engine
from facematch.workflows.models import PullResult, pull_model

UNPINNED, PINNED = "facenet-casia", "facenet-vggface2"


@pytest.fixture(autouse=True)
def _quick_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """The real network takes ten seconds to export; test_model_parity.py does it once."""
    monkeypatch.setattr(
        "facematch.embedding.networks.inception.inception_resnet_v1", lambda: tiny_net(0, 512)
    )


def write_weights(path: Path, seed: int) -> str:
    """A file as published, classifier included; returns its SHA-256."""
    state = tiny_net(seed, 512).state_dict()
    state["logits.weight"], state["logits.bias"] = torch.zeros(3, 512), torch.zeros(3)
    torch.save(state, path)
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    write_weights(tmp_path / "weights.pt", seed=1)
    return tmp_path / "weights.pt"


def sha256_of(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def pins(root: Path) -> dict[str, str]:
    content: dict[str, dict[str, str]] = json.loads((root / "pins.json").read_bytes())
    return content["sha256"]


def never(sha256: str) -> bool:
    pytest.fail(f"asked about {sha256}")


def agree(sha256: str) -> bool:
    return True


def refuse(sha256: str) -> bool:
    return False


def test_trusted_file_is_installed_and_pinned(weights: Path, models_root: Path) -> None:
    sha256 = sha256_of(weights)
    result = pull_model(UNPINNED, from_file=weights, trust=sha256.upper(), confirm=never)
    assert (result.sha256, result.already_installed) == (sha256, False)
    assert pins(models_root) == {UNPINNED: sha256}
    assert find_model(UNPINNED).identity == result.bundle.identity
    assert result.bundle.identity.embedding_size == 512
    assert result.bundle.alignment.kind == "box"
    for entry in ("licence", "training_data", "terms", "reported_accuracy", "source_url"):
        assert result.bundle.card[entry]
    assert weights.exists()


def test_template_is_the_networks(weights: Path) -> None:
    bundle = pull_model(UNPINNED, from_file=weights, trust=sha256_of(weights)).bundle
    crops = np.random.default_rng(3).integers(0, 256, (3, 160, 160, 3), np.uint8)
    with torch.no_grad():
        wanted = tiny_net(1, 512)((torch.from_numpy(crops).permute(0, 3, 1, 2) - 127.5) / 128)
    wanted /= wanted.norm(dim=1, keepdim=True)
    templates = Embedder(bundle, open_engine(Device.CPU)).embed(crops)
    np.testing.assert_allclose(templates, wanted.numpy(), atol=2e-5)


def test_second_pull_does_nothing(
    weights: Path, models_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = pull_model(UNPINNED, from_file=weights, trust=sha256_of(weights))
    monkeypatch.setattr(
        "facematch.workflows.models.install_published",
        lambda *args, **options: pytest.fail("installed again"),
    )
    again = pull_model(UNPINNED, confirm=never)
    assert again.already_installed
    assert (again.sha256, again.bundle) == (first.sha256, first.bundle)


def test_asked_once_then_pinned(weights: Path, models_root: Path) -> None:
    asked: list[str] = []

    def confirm(sha256: str) -> bool:
        asked.append(sha256)
        return True

    pull_model(UNPINNED, from_file=weights, confirm=confirm)
    assert asked == [sha256_of(weights)]
    shutil.rmtree(models_root / UNPINNED)
    write_weights(weights, seed=2)
    with pytest.raises(ModelHashError, match=f"not {asked[0]}"):
        pull_model(UNPINNED, from_file=weights, confirm=never)
    with pytest.raises(ModelHashError, match=r"pinned in .*pins\.json"):
        pull_model(UNPINNED, from_file=weights, trust=sha256_of(weights))
    write_weights(weights, seed=1)
    assert not pull_model(UNPINNED, from_file=weights, confirm=never).already_installed


def test_refused_hash(weights: Path, models_root: Path) -> None:
    with pytest.raises(ModelHashError, match="nothing was installed"):
        pull_model(UNPINNED, from_file=weights, confirm=refuse)
    assert weights.exists()
    assert [path.name for path in models_root.iterdir()] in ([], [".lock"])


def test_nobody_to_ask(weights: Path) -> None:
    with pytest.raises(ModelHashError, match=f"--trust {sha256_of(weights)}"):
        pull_model(UNPINNED, from_file=weights)


def test_trust_of_another_file(weights: Path, models_root: Path) -> None:
    with pytest.raises(ModelHashError, match="fetch it again"):
        pull_model(UNPINNED, from_file=weights, trust="0" * 64, confirm=agree)
    assert weights.exists()
    assert not (models_root / "pins.json").exists()


@pytest.mark.parametrize("trust", ["", "abc", "g" * 64, "0" * 63, "0" * 65])
def test_trust_that_is_no_hash(weights: Path, trust: str) -> None:
    with pytest.raises(UsageError, match="64 hexadecimal digits"):
        pull_model(UNPINNED, from_file=weights, trust=trust)


def test_pin_of_facematch_cannot_be_overruled(weights: Path) -> None:
    with pytest.raises(ModelHashError, match=f"not {PUBLISHED[PINNED].sha256}"):
        pull_model(PINNED, from_file=weights, confirm=agree)
    with pytest.raises(ModelHashError, match="pinned by facematch"):
        pull_model(PINNED, from_file=weights, trust=sha256_of(weights))


def test_downloaded(weights: Path, models_root: Path) -> None:
    seen: list[int] = []
    with serve(weights.read_bytes()) as server:
        server.cuts = [500]
        result = pull_model(
            UNPINNED,
            confirm=agree,
            progress=lambda received, total: seen.append(received),
            url=server.url,
        )
    assert result.bundle.card["source_url"] == server.url
    assert seen[-1] == weights.stat().st_size
    assert list((models_root / ".downloads").iterdir()) == []


def test_download_stays_until_somebody_can_answer(weights: Path, models_root: Path) -> None:
    sha256 = sha256_of(weights)
    with serve(weights.read_bytes()) as server:
        with pytest.raises(ModelHashError, match=f"--trust {sha256}"):
            pull_model(UNPINNED, url=server.url)
        assert not pull_model(UNPINNED, url=server.url, trust=sha256).already_installed
        assert len(server.asked) == 1
    assert list((models_root / ".downloads").iterdir()) == []


@pytest.mark.parametrize(
    ("trust", "confirm"), [(None, refuse), ("0" * 64, None)], ids=["refused", "wrong hash"]
)
def test_wrong_download_is_deleted(
    weights: Path, models_root: Path, trust: str | None, confirm: Callable[[str], bool] | None
) -> None:
    with serve(weights.read_bytes()) as server, pytest.raises(ModelHashError):
        pull_model(UNPINNED, url=server.url, trust=trust, confirm=confirm)
    assert list((models_root / ".downloads").iterdir()) == []
    assert not (models_root / UNPINNED).exists()


def test_no_network() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/file"
    with pytest.raises(DownloadError, match="--from FILE"):
        pull_model(PINNED, url=url)


def install(weights: Path) -> PullResult:
    return pull_model(UNPINNED, from_file=weights, trust=sha256_of(weights))


def test_damaged_installation_is_replaced(weights: Path, models_root: Path) -> None:
    first = install(weights)
    file = models_root / UNPINNED / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-1] + b"\x7f")
    again = install(weights)
    assert not again.already_installed
    assert again.bundle.identity == first.bundle.identity
    assert sorted(path.name for path in models_root.iterdir()) == [".lock", UNPINNED, "pins.json"]


def test_installed_from_another_file(weights: Path, models_root: Path) -> None:
    install(weights)
    (models_root / "pins.json").unlink()
    with pytest.raises(ModelHashError, match="delete the folder"):
        pull_model(UNPINNED, from_file=weights, trust="0" * 64)


def test_name_taken_by_a_model_of_the_users(weights: Path, models_root: Path) -> None:
    export_tiny(models_root / UNPINNED, tiny_net(5))
    with pytest.raises(ModelFormatError, match="another model has this name"):
        install(weights)


def test_name_taken_by_another_folder(weights: Path, models_root: Path) -> None:
    (models_root / UNPINNED).mkdir(parents=True)
    (models_root / UNPINNED / "diary.txt").write_text("mine")
    with pytest.raises(OutputError, match="not a model bundle"):
        install(weights)
    assert (models_root / UNPINNED / "diary.txt").read_text() == "mine"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b'{"schema": 2, "sha256": {}}',
        b'{"schema": 1, "sha256": {"facenet-casia": "abc"}}',
        b'{"schema": 1, "sha256": []}',
        b"[" * 100_000,
        b"\xff",
    ],
)
def test_damaged_pins_are_not_taken_for_none(
    weights: Path, models_root: Path, content: bytes
) -> None:
    models_root.mkdir()
    (models_root / "pins.json").write_bytes(content)
    with pytest.raises(ModelFormatError, match=r"pins\.json: not a list of pinned hashes"):
        pull_model(UNPINNED, from_file=weights, confirm=agree)


def test_two_pulls_at_once(weights: Path, models_root: Path) -> None:
    models_root.mkdir()
    with FileLock(models_root / ".lock"), pytest.raises(DownloadError, match=r"another .* running"):
        install(weights)
    assert not install(weights).already_installed


def test_folder_of_models_cannot_be_written(
    weights: Path, models_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FACEMATCH_MODELS_DIR", str(weights / "models"))
    with pytest.raises(OutputError, match="FACEMATCH_MODELS_DIR"):
        install(weights)


def test_unknown_name() -> None:
    with pytest.raises(UnknownModelError, match="facenet-casia, facenet-vggface2"):
        pull_model("facenet")


def test_from_what_is_not_a_file(tmp_path: Path) -> None:
    with pytest.raises(ModelFormatError, match="No such file"):
        pull_model(UNPINNED, from_file=tmp_path / "absent.pt", confirm=agree)
    with pytest.raises(ModelFormatError, match="not a file of up to"):
        pull_model(UNPINNED, from_file=tmp_path, confirm=agree)
    with pytest.raises(ModelFormatError, match="not a file of up to"):
        pull_model(UNPINNED, from_file=Path("/dev/zero"), confirm=agree)
    with (tmp_path / "huge.pt").open("wb") as huge:
        huge.truncate(LARGEST_FILE_BYTES + 1)
    with pytest.raises(ModelFormatError, match="not a file of up to"):
        pull_model(UNPINNED, from_file=tmp_path / "huge.pt", confirm=agree)


class Trap:
    """Touches a file when it is unpickled by a reader that executes what it reads."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Callable[[Path], None], tuple[Path]]:
        return Path.touch, (self.path,)


@pytest.mark.parametrize(
    "content",
    [b"", b"not torch", b"PK\x03\x04" + bytes(50), pickle.dumps({"a": 1}), b"\x80\x02" + bytes(9)],
)
def test_file_that_is_not_torchs(tmp_path: Path, models_root: Path, content: bytes) -> None:
    (tmp_path / "file.pt").write_bytes(content)
    with pytest.raises(ModelFormatError, match=r"file\.pt: ") as caught:
        pull_model(UNPINNED, from_file=tmp_path / "file.pt", confirm=agree)
    assert "\n" not in str(caught.value)
    assert not (models_root / "pins.json").exists()


def test_file_is_not_executed(tmp_path: Path) -> None:
    torch.save({"conv.weight": Trap(tmp_path / "sprung")}, tmp_path / "file.pt")
    with pytest.raises(ModelFormatError, match="not a torch file of plain tensors"):
        pull_model(UNPINNED, from_file=tmp_path / "file.pt", confirm=agree)
    torch.load(tmp_path / "file.pt", weights_only=False)
    assert (tmp_path / "sprung").exists(), "the trap must work for the test to mean anything"


def test_no_member_of_a_file_is_written_where_it_says(tmp_path: Path, models_root: Path) -> None:
    folder = tmp_path / "some" / "folder"
    folder.mkdir(parents=True)
    torch.save({"conv.weight": torch.zeros(1)}, folder / "file.pt")
    with zipfile.ZipFile(folder / "file.pt", "a") as archive:
        archive.writestr("../../outside", b"x")
        archive.writestr(str(tmp_path / "outside"), b"x")
    with pytest.raises(ModelFormatError, match=r"file\.pt: "):
        pull_model(UNPINNED, from_file=folder / "file.pt", confirm=agree)
    assert not list(tmp_path.glob("**/outside*"))


def without(key: str) -> dict[str, torch.Tensor]:
    return {name: value for name, value in tiny_net(1, 512).state_dict().items() if name != key}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([torch.zeros(2)], "holds no state dict"),
        ({1: torch.zeros(2)}, "holds no state dict"),
        ({"conv.weight": 3}, "holds no state dict"),
        ({}, "tensors missing"),
        (without("head.bias"), "1 tensors missing, 0 unknown, for example 'head.bias'"),
        (without("") | {"more": torch.zeros(1)}, "0 tensors missing, 1 unknown"),
        (without("") | {"head.bias": torch.zeros(7)}, "another shape"),
    ],
)
def test_weights_of_another_network(
    tmp_path: Path, models_root: Path, content: object, message: str
) -> None:
    torch.save(content, tmp_path / "file.pt")
    with pytest.raises(ModelFormatError, match=message):
        pull_model(UNPINNED, from_file=tmp_path / "file.pt", confirm=agree)
    assert not (models_root / UNPINNED).exists()
    assert not (models_root / "pins.json").exists()


def test_weights_that_are_not_numbers(tmp_path: Path, models_root: Path) -> None:
    torch.save(without("") | {"head.bias": torch.full((512,), torch.nan)}, tmp_path / "file.pt")
    with pytest.raises(ModelFormatError, match="differs from the torch network"):
        pull_model(UNPINNED, from_file=tmp_path / "file.pt", confirm=agree)
    assert not (models_root / UNPINNED).exists()
