"""Folders of this test's own, and a bundle to load."""

from __future__ import annotations

from pathlib import Path

import pytest
from tiny_network import export_tiny, tiny_net


@pytest.fixture(autouse=True)
def models_root(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """Where models are installed in this test; nothing is written to the user's folders."""
    cache = tmp_path_factory.getbasetemp() / "facematch-cache"
    monkeypatch.setenv("FACEMATCH_CACHE_DIR", str(cache))
    monkeypatch.setenv("FACEMATCH_MODELS_DIR", str(tmp_path / "models"))
    return tmp_path / "models"


@pytest.fixture(scope="session")
def tiny_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An exported tiny network. Not to be changed: copy it."""
    folder = tmp_path_factory.mktemp("bundles") / "tiny"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FACEMATCH_CACHE_DIR", str(tmp_path_factory.getbasetemp() / "facematch-cache"))
        export_tiny(folder, tiny_net(1))
    return folder
