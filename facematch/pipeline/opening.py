"""Putting a pipeline together from names: model, device, settings."""

from __future__ import annotations

from collections.abc import Callable

from facematch.embedding import DEFAULT_MODEL, Embedder, ModelBundle, find_model
from facematch.imaging.mtcnn import DetectorSettings, FaceDetector
from facematch.pipeline.analyzer import Analyzer
from facematch.pipeline.cache import Recipe
from facematch.pipeline.streaming import photographs_at_once
from facematch.pipeline.templates import TemplateSource
from facematch.runtime import Device, Engine, LoadedAhead, open_engine, resolve_device
from facematch.types import FaceChoice, Search


def open_detector(
    device: Device = Device.AUTO, settings: DetectorSettings | None = None
) -> tuple[FaceDetector, Engine]:
    """Opens the face detector alone; the engine tells which device was chosen."""
    engine = open_engine(device)
    return FaceDetector(engine, settings), engine


def open_analyzer(
    model: str = DEFAULT_MODEL,
    device: Device = Device.AUTO,
    *,
    choice: FaceChoice = FaceChoice.CENTER,
    strict: bool = False,
    search: Search = Search.FULL,
    settings: DetectorSettings | None = None,
) -> tuple[Analyzer, ModelBundle, Engine]:
    """Opens detector and model; see :class:`Analyzer` for choice, strictness and search.

    Raises:
        ModelError: the model is unknown or unsound; of a network that cannot be loaded, by
            the first face that is embedded.
        DeviceUnavailableError: the device is missing.
    """
    bundle = find_model(model)
    engine = open_engine(device)
    # No face is embedded before it is found, and until then the network has time to load.
    embedder = Embedder(bundle, LoadedAhead(engine))
    detector = FaceDetector(engine, settings)
    analyzer = Analyzer(
        detector,
        embedder,
        choice=choice,
        strict=strict,
        search=search,
        side_by_side=photographs_at_once(),
    )
    return analyzer, bundle, engine


def open_templates(
    model: str = DEFAULT_MODEL,
    device: Device = Device.AUTO,
    *,
    choice: FaceChoice = FaceChoice.CENTER,
    strict: bool = False,
    search: Search = Search.FULL,
    cached: bool = True,
    opened: Callable[[str], None] = lambda device: None,
) -> tuple[TemplateSource, ModelBundle]:
    """Opens a model for many photographs; the networks are loaded when they are needed.

    Args:
        model: its name or folder.
        device: where the networks will run.
        choice: which one face stands for a photograph; not ``all``.
        strict: refuse faces below the quality thresholds.
        search: how far faces are looked for.
        cached: take templates from the cache, and leave new ones there.
        opened: called with the device once the networks are loaded.

    Raises:
        ModelError: the model is unknown or unsound.
    """
    bundle = find_model(model)

    def open_networks() -> Analyzer:
        analyzer, _, engine = open_analyzer(
            model, device, choice=choice, strict=strict, search=search
        )
        opened(engine.device)
        return analyzer

    recipe = Recipe(
        fingerprint=bundle.identity.fingerprint,
        embedding_size=bundle.identity.embedding_size,
        device=resolve_device(device).value,
        choice=choice.value,
        strict=strict,
        # The two searches nearly always give the same; nearly is not the same.
        detector=f"{DetectorSettings()!r} {search}",
    )
    return TemplateSource(bundle.identity, open_networks, recipe if cached else None), bundle
