from __future__ import annotations

import resource
import stat
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from tiny_network import TINY_EMBEDDING, TINY_SIZE, TinyNet, export_tiny, tiny_net
from torch import Tensor, nn

from facematch.embedding.bundle import Preprocessing
from facematch.embedding.export import export_bundle
from facematch.errors import ModelFormatError, OutputError
from facematch.types import Alignment


def test_everybody_may_read_a_bundle(tiny_folder: Path) -> None:
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tiny_folder.iterdir()}
    assert modes == dict.fromkeys(
        ("card.json", "graph.bin", "graph.xml", "model.safetensors"), 0o644
    )
    assert stat.S_IMODE(tiny_folder.stat().st_mode) == 0o755


def test_same_network_same_fingerprint(tiny_folder: Path, tmp_path: Path) -> None:
    export_tiny(tmp_path / "other", tiny_net(2))  # moves OpenVINO's counters
    again = export_tiny(tmp_path / "again", tiny_net(1))
    script = (
        "import sys; from pathlib import Path; from tiny_network import *; "
        "print(export_tiny(Path(sys.argv[1]), tiny_net(1)).identity.fingerprint)"
    )
    elsewhere = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "elsewhere")],
        env={"PYTHONPATH": f"{Path(__file__).parent}:{Path(__file__).parents[2]}"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert elsewhere.stdout.strip() == again.identity.fingerprint
    for name in ("graph.bin", "graph.xml", "model.safetensors"):
        assert (tmp_path / "again" / name).read_bytes() == (tiny_folder / name).read_bytes()


def test_fingerprint_tells_models_apart(tiny_folder: Path, tmp_path: Path) -> None:
    bundles = [
        export_tiny(tmp_path / "same", tiny_net(1)),
        export_tiny(tmp_path / "weights", tiny_net(2)),
        export_tiny(tmp_path / "mirror", tiny_net(1), mirror=True),
    ]
    assert len({bundle.identity.fingerprint for bundle in bundles}) == 3


def test_half_precision_weights(tmp_path: Path) -> None:
    network = tiny_net(1)
    bundle = export_bundle(
        network,
        tmp_path / "half",
        name="half",
        architecture="tiny",
        embedding_size=TINY_EMBEDDING,
        preprocessing=Preprocessing(127.5, 1 / 127.5, False),
        alignment=Alignment("box", TINY_SIZE),
        about={"training": "none"},
    )
    full = export_tiny(tmp_path / "full", tiny_net(1))
    sizes = [(b.path / "model.safetensors").stat().st_size for b in (bundle, full)]
    assert sizes[0] < 0.75 * sizes[1]
    assert bundle.card["training"] == "none"
    assert torch.equal(network.head.weight, tiny_net(1).head.weight.half().float())


def test_old_bundle_is_replaced(tmp_path: Path) -> None:
    old = export_tiny(tmp_path / "model", tiny_net(1))
    new = export_tiny(tmp_path / "model", tiny_net(2))
    assert old.identity.fingerprint != new.identity.fingerprint
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_nothing_else_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.jpg").write_bytes(b"picture")
    with pytest.raises(OutputError, match="not a model bundle"):
        export_tiny(tmp_path / "photos", tiny_net(1))
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OutputError, match="cannot be written"):
        export_tiny(tmp_path / "file", tiny_net(1))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "photos"]
    assert (tmp_path / "photos" / "a.jpg").read_bytes() == b"picture"


def test_no_space(tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1024, hard))
    try:
        with pytest.raises(OutputError, match="model: cannot be written") as caught:
            export_tiny(tmp_path / "model", tiny_net(1))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


class Noisy(TinyNet):
    """Never gives the same vector twice."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) + torch.randn(x.shape[0], TINY_EMBEDDING)


class Unconvertible(nn.Module):
    """Uses an operation that the exported form does not have."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(3, TINY_EMBEDDING)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(torch.special.bessel_j0(x.mean((2, 3))))


@pytest.mark.parametrize(
    ("network", "message"),
    [(Noisy(), "differs from the torch network"), (Unconvertible(), "cannot be converted")],
)
def test_export_that_differs_is_refused(tmp_path: Path, network: nn.Module, message: str) -> None:
    with pytest.raises(ModelFormatError, match=message) as caught:
        export_tiny(tmp_path / "model", network)
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []
