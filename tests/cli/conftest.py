from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from fakes import FakeDetector, FakeNetwork

import facematch.pipeline
from facematch.choices import FaceChoice, Search
from facematch.pipeline import Analyzer, Recipe, TemplateSource
from facematch.types import ModelIdentity


@dataclass(frozen=True)
class FakeBundle:
    identity: ModelIdentity
    calibration_path: Path


class FakeEngine:
    device = "fake"


@pytest.fixture
def fake_pipeline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> FakeNetwork:
    """Puts colours in place of faces, and makes the temporary folder the working folder."""
    network = FakeNetwork()

    def open_analyzer(
        model: str,
        device: object,
        *,
        choice: FaceChoice,
        strict: bool,
        search: Search = Search.FULL,
    ) -> tuple[Analyzer, FakeBundle, FakeEngine]:
        analyzer = Analyzer(FakeDetector(), network, choice=choice, strict=strict, search=search)
        bundle = FakeBundle(network.identity, tmp_path / "bundled" / "calibration.json")
        return analyzer, bundle, FakeEngine()

    def open_templates(
        model: str,
        device: object,
        *,
        choice: FaceChoice,
        strict: bool,
        search: Search,
        cached: bool,
        opened: Callable[[str], None],
    ) -> tuple[TemplateSource, FakeBundle]:
        def open_networks() -> Analyzer:
            opened(FakeEngine.device)
            return open_analyzer(model, device, choice=choice, strict=strict, search=search)[0]

        identity = network.identity
        recipe = Recipe(
            identity.fingerprint, identity.embedding_size, "fake", choice.value, strict, "squares"
        )
        bundle = FakeBundle(identity, tmp_path / "bundled" / "calibration.json")
        return TemplateSource(identity, open_networks, recipe if cached else None), bundle

    def open_detector(device: object, settings: object) -> tuple[FakeDetector, FakeEngine]:
        return FakeDetector(), FakeEngine()

    monkeypatch.setattr(facematch.pipeline, "open_analyzer", open_analyzer)
    monkeypatch.setattr(facematch.pipeline, "open_templates", open_templates)
    monkeypatch.setattr(facematch.pipeline, "open_detector", open_detector)
    monkeypatch.chdir(tmp_path)
    return network
