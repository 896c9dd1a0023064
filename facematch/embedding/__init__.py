"""Networks that turn aligned crops into templates, and the bundles they come in."""

from facematch.choices import DEFAULT_MODEL
from facematch.embedding.bundle import ModelBundle, Preprocessing, load_bundle
from facematch.embedding.embedder import Embedder
from facematch.embedding.registry import find_model, installed_models

__all__ = [
    "DEFAULT_MODEL",
    "Embedder",
    "ModelBundle",
    "Preprocessing",
    "find_model",
    "installed_models",
    "load_bundle",
]
