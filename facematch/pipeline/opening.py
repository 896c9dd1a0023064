"""Putting a pipeline together from names: model, device, settings."""

from __future__ import annotations

from facematch.embedding import DEFAULT_MODEL, Embedder, ModelBundle, find_model
from facematch.imaging.mtcnn import DetectorSettings, FaceDetector
from facematch.pipeline.analyzer import Analyzer
from facematch.runtime import Device, Engine, open_engine
from facematch.types import FaceChoice


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
    settings: DetectorSettings | None = None,
) -> tuple[Analyzer, ModelBundle, Engine]:
    """Opens detector and model.

    Raises:
        ModelError: the model is unknown or unsound.
        DeviceUnavailableError: the device is missing.
    """
    bundle = find_model(model)
    detector, engine = open_detector(device, settings)
    analyzer = Analyzer(detector, Embedder(bundle, engine), choice=choice, strict=strict)
    return analyzer, bundle, engine
